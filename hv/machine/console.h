/* SPDX-License-Identifier: MIT */
/*
 * The console: COM1, and port 0xe9 as well when GRUB's line says console=e9. The hypervisor's
 * lines begin "hv: ", a guest's "NAME| ". Whole lines only: guests' and the hypervisor's never
 * mix within one.
 */
#ifndef HV_MACHINE_CONSOLE_H
#define HV_MACHINE_CONSOLE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A longer line of a guest is printed in pieces of this many characters. */
#define CONSOLE_LINE 240

/* One guest's unfinished line. */
struct console_line {
	const char *name;
	unsigned length;
	char text[CONSOLE_LINE];
};

/* Set COM1 to 115200 8N1. Before this, print() must not be called. */
void console_init(void);
void console_also_e9(void);

/* One line of the hypervisor: "hv: " and the text. See format() for what the text may hold. */
void print(const char *text, ...) __attribute__((format(printf, 1, 2)));

/* A byte from a guest: carriage returns are dropped, a newline ends the line. */
void console_guest_byte(struct console_line *line, uint8_t byte);
/* Print what is left of an unfinished line. */
void console_guest_end(struct console_line *line);

/* Wait until the last byte has left the machine. */
void console_drain(void);

#endif
