/* SPDX-License-Identifier: MIT */
/*
 * A board with ports, a clock that stands until a test moves it, timers, and notes of what the
 * device did: for unit tests of devices that are reached by ports.
 */
#pragma once

#include "hv/dev/board.h"
#include "tests/lib/device.h"

#define TEST_CLOCK_HZ 100000000ULL

struct port_device {
	struct bus ports;
	struct chipset chips;
	struct timers timers;
	struct board board;
	uint64_t now;
	uint64_t look;      /* so long does it take to look at the clock */
	unsigned rises[16]; /* of each ISA line */
	bool level[16];
	unsigned resets;
	char shown[64]; /* what was sent to the debug console */
	unsigned length;
};
extern struct port_device machine;

/* Everything as new; the clock at 0. */
void port_device_reset(void);

void out(uint16_t port, unsigned width, uint64_t value);
uint64_t in(uint16_t port, unsigned width);
/* Let the clock run and the timers fire on the way. */
void pass(uint64_t ticks);
