/* SPDX-License-Identifier: MIT */
/*
 * The machine's serial port, COM1: bytes out, bytes in, and nobody waits but where a name says so.
 */
#ifndef HV_MACHINE_COM1_H
#define HV_MACHINE_COM1_H

#include <stdbool.h>

/* Bits a second; a byte takes ten with its start and stop bit. */
#define COM1_RATE 115200

/* 115200 8N1, FIFOs on and empty, an interrupt for each byte that comes in. */
void com1_init(void);

/* Send as many of the 'size' bytes as the transmitter takes now. Returns their number. */
unsigned com1_send(const char *text, unsigned size);

/* The next byte that came in, or -1. */
int com1_receive(void);

/* Wait until the transmitter takes bytes again, or until the last one has left the machine. */
void com1_wait_empty(void);
void com1_wait_idle(void);

#endif
