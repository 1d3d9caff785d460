/* SPDX-License-Identifier: MIT */
/*
 * A 16550 by its registers (National Semiconductor PC16550D, chapter 8). Each look at the line
 * status may be an exit to whatever lies under us, so a full FIFO is sent for one.
 */
#include "hv/machine/serial.h"

#include "lib/asm.h"

#define LSR_NO_UART 0xff /* what a port reads where nothing is */

/* A port without a UART reads as ones, so every wait ends; a broken one is given up on. */
#define WAIT_LIMIT 1000000

void serial_init(uint16_t port)
{
	outb(port + UART_IER, 0);
	outb(port + UART_LCR, LCR_DLAB);
	outb(port + 0, 1); /* divisor 1 */
	outb(port + 1, 0);
	outb(port + UART_LCR, LCR_8N1);
	outb(port + UART_IIR_FCR, FCR_ENABLE | FCR_CLEAR | FCR_CLEAR_2);
	outb(port + UART_MCR, MCR_DTR | MCR_RTS | MCR_OUT2);
	outb(port + UART_IER, IER_RX);
}

unsigned serial_send(uint16_t port, const char *text, unsigned size)
{
	unsigned n = 0;

	if (!(inb(port + UART_LSR) & LSR_EMPTY)) return 0;
	for (; n < size && n < UART_FIFO; n++) outb(port + UART_DATA, (uint8_t)text[n]);
	return n;
}

int serial_receive(uint16_t port)
{
	uint8_t status = inb(port + UART_LSR);

	return status == LSR_NO_UART || !(status & LSR_READY) ? -1 : inb(port + UART_DATA);
}

void serial_wait(uint16_t port, uint8_t lsr_bit)
{
	for (unsigned i = 0; i < WAIT_LIMIT && !(inb(port + UART_LSR) & lsr_bit); i++)
		;
}
