/* SPDX-License-Identifier: MIT */
/*
 * The two reset ports. Each only asks for a reset, by the function it was given; what becomes of
 * the VM is not decided here.
 */
#include "hv/dev/reset.h"

#define RESET_CONTROL  0xcf9
#define RESET_CPU      0x04
#define SYSTEM_CONTROL 0x92
#define A20_ON         0x02
#define FAST_RESET     0x01

static void access_reset_control(void *device, uint64_t offset, unsigned width, bool write, uint64_t *value)
{
	const struct reset *reset = device;

	(void)offset, (void)width;
	if (!write)
		*value = 0;
	else if (*value & RESET_CPU)
		reset->board->reset(reset->board->ctx);
}

static void access_system_control(void *device, uint64_t offset, unsigned width, bool write, uint64_t *value)
{
	const struct reset *reset = device;

	(void)offset, (void)width;
	if (!write)
		*value = A20_ON;
	else if (*value & FAST_RESET)
		reset->board->reset(reset->board->ctx);
}

void reset_create(void *state, const struct board *board)
{
	struct reset *reset = state;

	reset->board = board;
	bus_add(board->ports, RESET_CONTROL, 1, access_reset_control, reset, "reset control");
	bus_add(board->ports, SYSTEM_CONTROL, 1, access_system_control, reset, "system control");
}
