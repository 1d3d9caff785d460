// SPDX-License-Identifier: MIT
/*
 * printf on COM1; see console.h. A line is collected and sent in pieces of
 * one transmit FIFO, because every port access of a guest is a VM exit.
 */
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "lib/format.h"

/* 16550 registers. */
#define THR           0
#define IER           1
#define FCR           2
#define LCR           3
#define MCR           4
#define LSR           5
#define LSR_THR_EMPTY 0x20
#define FIFO_SIZE     16

static char fifo[FIFO_SIZE];
static unsigned fifo_used;

void console_init(void)
{
	outb(COM1 + IER, 0);
	outb(COM1 + LCR, 0x80); /* divisor latch */
	outb(COM1 + THR, 1);
	outb(COM1 + IER, 0);
	outb(COM1 + LCR, 3); /* 8n1 */
	outb(COM1 + FCR, 7); /* on, both cleared */
	outb(COM1 + MCR, 3); /* DTR, RTS */
}

/* Send what was collected. A transmitter that never gets ready is given up on: a test must end. */
void console_flush(void)
{
	for (unsigned i = 0; i < 1000000 && !(inb(COM1 + LSR) & LSR_THR_EMPTY); i++) cpu_pause();
	for (unsigned i = 0; i < fifo_used; i++) outb(COM1 + THR, (uint8_t)fifo[i]);
	fifo_used = 0;
}

static void put(char c)
{
	fifo[fifo_used++] = c;
	if (fifo_used == FIFO_SIZE || c == '\n') console_flush();
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
