/* SPDX-License-Identifier: MIT */
/*
 * The machine's serial ports, COM1 and COM2: bytes out and bytes in. A function waits only where its name says so.
 */
#pragma once

#include <stdint.h>

#include "lib/pc.h"

/* Bits a second; a byte takes ten with its start and stop bit. */
#define SERIAL_RATE 115200

/* 115200 8N1, FIFOs on and empty, an interrupt for each byte that comes in. */
void serial_init(uint16_t port);

/* Send as many of the 'size' bytes as the transmitter takes now. Returns their number. */
unsigned serial_send(uint16_t port, const char *text, unsigned size);

/* The next byte that came in, or -1. */
int serial_receive(uint16_t port);

/* Wait until the transmitter takes bytes again (LSR_EMPTY), or until the last one has left the machine (LSR_IDLE). */
void serial_wait(uint16_t port, uint8_t lsr_bit);
