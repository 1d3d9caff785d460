/* SPDX-License-Identifier: MIT */
/*
 * Prints whole lines to COM1 and waits for each byte to go; nothing is buffered but the unfinished
 * lines of guests.
 */
#include "hv/machine/console.h"

#include "hv/machine/lock.h"
#include "lib/asm.h"
#include "lib/format.h"

#define COM1    0x3f8
#define E9_PORT 0xe9

/* Registers of the 16550 by offset, and the bits used. */
enum { THR = 0, IER = 1, FCR = 2, LCR = 3, MCR = 4, LSR = 5 };
#define FCR_ENABLE_CLEAR 0x07
#define LCR_8N1          0x03
#define LCR_DLAB         0x80
#define MCR_DTR_RTS      0x03
#define LSR_THR_EMPTY    0x20
#define LSR_IDLE         0x40
#define FIFO_SIZE        16

/* A port without a UART reads as ones, so every wait ends; a broken one is given up on. */
#define WAIT_LIMIT 1000000

static bool also_e9;
static unsigned fifo_room;

void console_init(void)
{
	outb(COM1 + IER, 0);
	outb(COM1 + LCR, LCR_DLAB);
	outb(COM1 + 0, 1); /* divisor 1: 115200 */
	outb(COM1 + 1, 0);
	outb(COM1 + LCR, LCR_8N1);
	outb(COM1 + FCR, FCR_ENABLE_CLEAR);
	outb(COM1 + MCR, MCR_DTR_RTS);
}

void console_also_e9(void)
{
	also_e9 = true;
}

static void wait_for(uint8_t lsr_bit)
{
	for (unsigned i = 0; i < WAIT_LIMIT && !(inb(COM1 + LSR) & lsr_bit); i++)
		;
}

/* The line status is read once per FIFO, not once per byte: each read may be an exit below us. */
static void put(void *ctx, char c)
{
	(void)ctx;
	if (!fifo_room) {
		wait_for(LSR_THR_EMPTY);
		fifo_room = FIFO_SIZE;
	}
	fifo_room--;
	outb(COM1 + THR, (uint8_t)c);
	if (also_e9)
		outb(E9_PORT, (uint8_t)c);
}

static void put_text(const char *text)
{
	while (*text)
		put(NULL, *text++);
}

void print(const char *text, ...)
{
	va_list args;

	lock(LOCK_CONSOLE);
	put_text("hv: ");
	va_start(args, text);
	format(put, NULL, text, args);
	va_end(args);
	put(NULL, '\n');
	unlock(LOCK_CONSOLE);
}

static void put_guest_line(struct console_line *line)
{
	lock(LOCK_CONSOLE);
	put_text(line->name);
	put_text("| ");
	for (unsigned i = 0; i < line->length; i++)
		put(NULL, line->text[i]);
	put(NULL, '\n');
	unlock(LOCK_CONSOLE);
	line->length = 0;
}

void console_guest_byte(struct console_line *line, uint8_t byte)
{
	if (byte == '\r')
		return;
	if (byte == '\n') {
		put_guest_line(line);
		return;
	}
	if (line->length == CONSOLE_LINE)
		put_guest_line(line);
	line->text[line->length++] = (char)byte;
}

void console_guest_end(struct console_line *line)
{
	if (line->length)
		put_guest_line(line);
}

void console_drain(void)
{
	wait_for(LSR_IDLE);
}
