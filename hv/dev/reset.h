/* SPDX-License-Identifier: MIT */
/*
 * The ports by which a PC is reset: 0xcf9 (reset control) and 0x92 (system control port A); a third
 * is the keyboard controller's.
 */
#ifndef HV_DEV_RESET_H
#define HV_DEV_RESET_H

#include "hv/dev/board.h"

struct reset {
	const struct board *board;
};

/* Registers the ports: before the PCI configuration ports, which surround one of them. */
void reset_create(void *state, const struct board *board);

#endif
