/* SPDX-License-Identifier: MIT */
/*
 * The debug console. Called through the VM's port bus; a wide write is cut into bytes.
 */
#include "hv/dev/debug_port.h"

static void debug_port_access(void *device, uint64_t offset, unsigned width, bool write, uint64_t *value)
{
	const struct debug_port *port = device;

	(void)offset;
	if (!write) *value = DEBUG_PORT;
	for (unsigned i = 0; write && i < width; i++) port->board->debug(port->board->ctx, (uint8_t)(*value >> 8 * i));
}

void debug_port_create(void *state, const struct board *board)
{
	struct debug_port *port = state;

	port->board = board;
	bus_add(board->ports, DEBUG_PORT, 1, debug_port_access, port, board->name);
}
