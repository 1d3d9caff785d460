/* SPDX-License-Identifier: MIT */
/*
 * The PC's two 8259A interrupt controllers, the second on line 2 of the first (Intel 8259A
 * datasheet), with their edge/level registers. Whoever runs the CPU asks pic_pending() and then
 * pic_accept(), which is the CPU's acknowledge cycle.
 */
#pragma once

#include "hv/dev/board.h"

struct pic_chip {
	struct pic *pic;
	uint8_t lines;     /* the levels of its inputs */
	uint8_t irr;       /* requests */
	uint8_t isr;       /* in service */
	uint8_t imr;       /* masked */
	uint8_t level;     /* ELCR: level-triggered inputs */
	uint8_t base;      /* vector of input 0 */
	uint8_t lowest;    /* the input of lowest priority, 7 unless rotated */
	uint8_t expects;   /* the initialization word that comes next: 2, 3, 4, or 0 */
	bool icw4, single; /* as ICW1 said */
	bool auto_eoi, auto_rotate, special_mask, special_nested;
	bool read_isr, poll;
};

struct pic {
	const struct board *board;
	struct pic_chip chip[2];
};

/* The level of one of the 16 lines. Line 2 is the cascade and does nothing. */
void pic_set(struct pic *pic, unsigned line, bool level);

/* Has the line requested already? Then another edge of it does nothing, masked or not. */
static inline bool pic_is_requested(const struct pic *pic, unsigned line)
{
	return pic->chip[line / 8].irr >> line % 8 & 1;
}

/* Whether the output to the CPU is asserted. */
bool pic_pending(const struct pic *pic);
/* The CPU acknowledges: returns the vector (that of line 7 when the request went away). */
uint8_t pic_accept(struct pic *pic);
