/* SPDX-License-Identifier: MIT */
/*
 * Port 0xf4: a write of any width ends the VM with the value written as its status.
 */
#ifndef HV_DEV_EXIT_PORT_H
#define HV_DEV_EXIT_PORT_H

#include <stdint.h>

#include "hv/dev/bus.h"

#define EXIT_PORT 0xf4

struct exit_port {
	void (*ended)(void *ctx, uint32_t status);
	void *ctx;
};

/* Registers the port on 'ports'. 0 or -ENOSPC. */
int exit_port_init(struct exit_port *port, struct bus *ports,
		   void (*ended)(void *ctx, uint32_t status), void *ctx);

#endif
