/* SPDX-License-Identifier: MIT */
/*
 * Port 0xe9, Bochs's and QEMU's debug console: a byte written is shown, and the port reads as its
 * own number, which tells software that it is there.
 */
#ifndef HV_DEV_DEBUG_PORT_H
#define HV_DEV_DEBUG_PORT_H

#include "hv/dev/board.h"

#define DEBUG_PORT 0xe9

struct debug_port {
	const struct board *board;
};

void debug_port_create(void *state, const struct board *board);

#endif
