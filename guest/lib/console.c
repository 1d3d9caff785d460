// SPDX-License-Identifier: MIT
/*
 * printf on COM1; see console.h. A line is collected and sent in pieces of
 * one transmit FIFO, because every port access of a guest is a VM exit.
 */
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "lib/format.h"

static char fifo[UART_FIFO];
static unsigned fifo_used;

void console_init(void)
{
	outb(COM1 + UART_IER, 0);
	outb(COM1 + UART_LCR, LCR_DLAB);
	outb(COM1 + UART_DATA, 1);
	outb(COM1 + UART_IER, 0);
	outb(COM1 + UART_LCR, LCR_8N1);
	outb(COM1 + UART_IIR_FCR, FCR_ENABLE | FCR_CLEAR | FCR_CLEAR_2);
	outb(COM1 + UART_MCR, MCR_DTR | MCR_RTS);
}

/* Send what was collected. A transmitter that never gets ready is given up on: a test must end. */
void console_flush(void)
{
	for (unsigned i = 0; i < 1000000 && !(inb(COM1 + UART_LSR) & LSR_EMPTY); i++) cpu_pause();
	for (unsigned i = 0; i < fifo_used; i++) outb(COM1 + UART_DATA, (uint8_t)fifo[i]);
	fifo_used = 0;
}

static void put(char c)
{
	fifo[fifo_used++] = c;
	if (fifo_used == UART_FIFO || c == '\n') console_flush();
}

static void put_character(void *ctx, char c)
{
	(void)ctx;
	put(c);
}

int printf(const char *text, ...)
{
	va_list ap;

	va_start(ap, text);
	vprintf(text, ap);
	va_end(ap);
	return 0;
}

int vprintf(const char *text, va_list ap)
{
	format(put_character, NULL, text, ap);
	return 0;
}

void heading(const char *text, ...)
{
	va_list ap;

	printf("\n== ");
	va_start(ap, text);
	vprintf(text, ap);
	va_end(ap);
	printf("\n");
}
