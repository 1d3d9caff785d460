/* SPDX-License-Identifier: MIT */
/*
 * The port by which a guest ends its VM with a status. Called through the VM's port bus; it only
 * passes the value on and never ends anything itself.
 */
#include "hv/dev/exit_port.h"

static void exit_port_access(void *device, uint64_t offset, unsigned width, bool write, uint64_t *value)
{
	const struct exit_port *port = device;

	(void)width;
	if (!write)
		*value = ~0ULL;
	else if (offset == 0)
		port->board->exit(port->board->ctx, (uint32_t)*value);
}

void exit_port_create(void *state, const struct board *board)
{
	struct exit_port *port = state;

	port->board = board;
	/* Four ports, as QEMU's isa-debug-exit has, so that a 4-byte write fits. */
	bus_add(board->ports, EXIT_PORT, 4, exit_port_access, port, board->name);
}
