/* SPDX-License-Identifier: MIT */
/*
 * The PC's keyboard controller (IBM PS/2 Hardware Interface Technical Reference, "Keyboard and
 * Auxiliary Device Controller"), to which neither a keyboard nor a mouse is plugged: ports 0x60 and
 * 0x64. It answers its own commands, and its output port resets the machine.
 */
#ifndef HV_DEV_KEYBOARD_H
#define HV_DEV_KEYBOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/dev/board.h"

#define KEYBOARD_LINE 1 /* of the ISA */
#define KEYBOARD_RAM  32

struct keyboard {
	const struct board *board;
	uint8_t ram[KEYBOARD_RAM]; /* [0] is the command byte */
	uint8_t output;            /* what port 0x60 reads */
	bool full;                 /* and it has not been read yet */
	bool passed;               /* the self test */
	uint8_t awaits;            /* the command whose parameter comes next, or 0 */
};

void keyboard_create(void *state, const struct board *board);

#endif
