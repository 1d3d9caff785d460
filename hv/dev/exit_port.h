/* SPDX-License-Identifier: MIT */
/*
 * Port 0xf4: a write of any width ends the VM with the value written as its status.
 */
#ifndef HV_DEV_EXIT_PORT_H
#define HV_DEV_EXIT_PORT_H

#include "hv/dev/board.h"
#include "lib/contract.h" /* EXIT_PORT */

struct exit_port {
	const struct board *board;
};

/* Registers the port. */
void exit_port_create(void *state, const struct board *board);

#endif
