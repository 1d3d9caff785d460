/* SPDX-License-Identifier: MIT */
/*
 * The port by which a guest ends its VM with a status. Called through the VM's port bus; it only
 * passes the value on and never ends anything itself.
 */
#include "hv/dev/exit_port.h"

static void exit_port_access(void *device, uint64_t offset, unsigned width, bool write,
			     uint64_t *value)
{
	struct exit_port *port = device;

	(void)width;
	if (!write)
		*value = ~0ULL;
	else if (offset == 0)
		port->ended(port->ctx, (uint32_t)*value);
}

int exit_port_init(struct exit_port *port, struct bus *ports,
		   void (*ended)(void *ctx, uint32_t status), void *ctx)
{
	int number;

	*port = (struct exit_port){.ended = ended, .ctx = ctx};
	/* Four ports, as QEMU's isa-debug-exit has, so that a 4-byte write fits. */
	number = bus_add(ports, EXIT_PORT, 4, exit_port_access, port, "exit");
	return number < 0 ? number : 0;
}
