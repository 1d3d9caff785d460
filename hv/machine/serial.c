/* SPDX-License-Identifier: MIT */
/*
 * A 16550 by its registers (National Semiconductor PC16550D, chapter 8). Each look at the line
 * status may be an exit to whatever lies under us, so a full FIFO is sent for one.
 */
#include "hv/machine/serial.h"

#include "lib/asm.h"

/* Registers by offset, and the bits used. */
enum { DATA = 0, IER = 1, FCR = 2, LCR = 3, MCR = 4, LSR = 5 };
#define IER_RECEIVED     0x01
#define FCR_ENABLE_CLEAR 0x07
#define LCR_8N1          0x03
#define LCR_DLAB         0x80
#define MCR_DTR_RTS_OUT2 0x0b /* OUT2 lets the interrupt out, on a PC */
#define LSR_RECEIVED     0x01
#define LSR_THR_EMPTY    0x20
#define LSR_IDLE         0x40
#define LSR_NO_UART      0xff /* what a port reads where nothing is */
#define FIFO_SIZE        16

/* A port without a UART reads as ones, so every wait ends; a broken one is given up on. */
#define WAIT_LIMIT 1000000

void serial_init(uint16_t port)
{
	outb(port + IER, 0);
	outb(port + LCR, LCR_DLAB);
	outb(port + 0, 1); /* divisor 1 */
	outb(port + 1, 0);
	outb(port + LCR, LCR_8N1);
	outb(port + FCR, FCR_ENABLE_CLEAR);
	outb(port + MCR, MCR_DTR_RTS_OUT2);
	outb(port + IER, IER_RECEIVED);
}

unsigned serial_send(uint16_t port, const char *text, unsigned size)
{
	unsigned n = 0;

	if (!(inb(port + LSR) & LSR_THR_EMPTY)) return 0;
	for (; n < size && n < FIFO_SIZE; n++) outb(port + DATA, (uint8_t)text[n]);
	return n;
}

int serial_receive(uint16_t port)
{
	uint8_t status = inb(port + LSR);

	return status == LSR_NO_UART || !(status & LSR_RECEIVED) ? -1 : inb(port + DATA);
}

static void wait_for(uint16_t port, uint8_t lsr_bit)
{
	for (unsigned i = 0; i < WAIT_LIMIT && !(inb(port + LSR) & lsr_bit); i++)
		;
}

void serial_wait_empty(uint16_t port) { wait_for(port, LSR_THR_EMPTY); }

void serial_wait_idle(uint16_t port) { wait_for(port, LSR_IDLE); }
