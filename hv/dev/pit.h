/* SPDX-License-Identifier: MIT */
/*
 * The PC's 8254 interval timer (Intel 8254 datasheet) and port 0x61, by which software gates its
 * channel 2 and sees its output. Counts follow the board's clock; nothing ticks while nobody looks
 * but channel 0's interrupt.
 */
#ifndef HV_DEV_PIT_H
#define HV_DEV_PIT_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/dev/board.h"

#define PIT_HZ       1193182
#define PIT_CHANNELS 3
#define PIT_LINE     0 /* of the ISA: channel 0's output */

struct pit_channel {
	uint32_t count; /* 1 to 65536; BCD is taken as binary */
	uint8_t mode;   /* 0 to 5 */
	uint8_t access; /* 1 the low byte, 2 the high one, 3 low then high */
	uint8_t low;    /* the first byte of a count, while the second is awaited */
	bool write_high, read_high;
	bool loaded; /* it counts: a count has come since the mode was set */
	bool gate;
	uint64_t start;  /* 8254 ticks at which it began to count */
	uint64_t halted; /* ticks counted when the gate went low */
	uint16_t latch;
	bool latched;
	uint8_t status;
	bool status_latched;
};

struct pit {
	const struct board *board;
	struct pit_channel channel[PIT_CHANNELS];
	struct timer timer; /* the next rise of channel 0's output */
	bool speaker;       /* port 0x61 bit 1, which nothing hears */
};

/* As firmware leaves it: channel 0 counts 65536 in mode 3, 18.2 times a second. */
void pit_create(void *state, const struct board *board);

#endif
