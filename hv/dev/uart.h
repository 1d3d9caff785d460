/* SPDX-License-Identifier: MIT */
/*
 * The guest's console: a 16550A at port 0x3f8. Each byte sent goes to the board's console at once;
 * what the operator types arrives by uart_receive().
 */
#pragma once

#include "hv/dev/board.h"
#include "lib/pc.h"

struct uart {
	const struct board *board;
	uint8_t reg[UART_REGISTERS]; /* as they were written; the other bits are 0 */
	uint8_t divisor[2];
	uint8_t fifo[UART_FIFO]; /* the receiver's; a ring */
	uint8_t first, received; /* in it: where the oldest is, and how many there are */
	bool overrun;
	bool thre; /* "transmitter empty" not yet read from IIR */
	bool irq_level;
};

/* A byte comes in on the line. False if the receiver has no room, or is in loopback mode. */
bool uart_receive(struct uart *uart, uint8_t byte);
