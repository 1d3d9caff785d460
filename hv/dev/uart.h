/* SPDX-License-Identifier: MIT */
/*
 * The guest's console: a 16550A at port 0x3f8 of which the transmitter works, and the receiver
 * is always empty. Each byte sent goes to 'put'.
 */
#ifndef HV_DEV_UART_H
#define HV_DEV_UART_H

#include <stdint.h>

#include "hv/dev/bus.h"

#define UART_PORT 0x3f8

struct uart {
	void (*put)(void *ctx, uint8_t byte);
	void *ctx;
	uint8_t ier, lcr, mcr, scratch, fcr;
	uint8_t divisor[2];
};

/* Reset state; registers the eight ports on 'ports'. 0 or -ENOSPC. */
int uart_init(struct uart *uart, struct bus *ports, void (*put)(void *ctx, uint8_t byte),
	      void *ctx);

#endif
