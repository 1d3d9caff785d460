/* SPDX-License-Identifier: MIT */
/*
 * The guest's console: a 16550A at port 0x3f8. Each byte sent goes to the board's console at once;
 * the receiver hears only what loopback mode sends it.
 */
#ifndef HV_DEV_UART_H
#define HV_DEV_UART_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/dev/board.h"

#define UART_PORT 0x3f8
#define UART_LINE 4 /* of the ISA */

struct uart {
	const struct board *board;
	uint8_t ier, lcr, mcr, scratch, fcr;
	uint8_t divisor[2];
	uint8_t received; /* in loopback mode */
	bool data_ready;
	bool thre; /* "transmitter empty" not yet read from IIR */
	bool irq_level;
};

/* Reset state; registers the eight ports. */
void uart_create(void *state, const struct board *board);

#endif
