/* SPDX-License-Identifier: MIT */
/*
 * The machine around one device; see port_device.h.
 */
#include "tests/lib/port_device.h"

#include <string.h>

struct port_device machine;

static uint64_t now(void *ctx)
{
	struct port_device *m = ctx;

	return m->now += m->look;
}

static void line(void *ctx, unsigned number, bool level)
{
	struct port_device *m = ctx;

	m->rises[number] += level && !m->level[number];
	m->level[number] = level;
}

static void reset(void *ctx) { ((struct port_device *)ctx)->resets++; }

static void debug(void *ctx, uint8_t byte)
{
	struct port_device *m = ctx;

	if (m->length < sizeof(m->shown) - 1) m->shown[m->length++] = (char)byte;
}

void port_device_reset(void)
{
	memset(&machine, 0, sizeof(machine));
	timers_init(&machine.timers, NULL, NULL);
	machine.board = (struct board){
		.name = "device",
		.ports = &machine.ports,
		.chips = &machine.chips,
		.timers = &machine.timers,
		.ctx = &machine,
		.line = line,
		.reset = reset,
		.debug = debug,
		.now = now,
		.clock_hz = TEST_CLOCK_HZ,
	};
}

void out(uint16_t port, unsigned width, uint64_t value) { bus_do(&machine.ports, port, width, true, &value); }

uint64_t in(uint16_t port, unsigned width)
{
	uint64_t value = 0;

	bus_do(&machine.ports, port, width, false, &value);
	return value;
}

void pass(uint64_t ticks)
{
	uint64_t end = machine.now + ticks;

	while (machine.timers.due <= end) {
		machine.now = machine.timers.due;
		timers_poll(&machine.timers, machine.now);
	}
	machine.now = end;
}
