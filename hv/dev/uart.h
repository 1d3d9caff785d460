/* SPDX-License-Identifier: MIT */
/*
 * The guest's console: a 16550A at port 0x3f8. Each byte sent goes to 'put' and is gone at once;
 * the receiver hears only what loopback mode sends it.
 */
#ifndef HV_DEV_UART_H
#define HV_DEV_UART_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/dev/bus.h"

#define UART_PORT 0x3f8

struct uart {
	void (*put)(void *ctx, uint8_t byte);
	void *ctx;
	/* Optional, set after uart_init(): the level of the interrupt output changed. */
	void (*irq)(void *ctx, bool level);
	uint8_t ier, lcr, mcr, scratch, fcr;
	uint8_t divisor[2];
	uint8_t received; /* in loopback mode */
	bool data_ready;
	bool thre; /* "transmitter empty" not yet read from IIR */
	bool irq_level;
};

/* Reset state; registers the eight ports on 'ports'. 0 or -ENOSPC. */
int uart_init(struct uart *uart, struct bus *ports, void (*put)(void *ctx, uint8_t byte),
	      void *ctx);

#endif
