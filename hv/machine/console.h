/* SPDX-License-Identifier: MIT */
/*
 * The console: COM1, and port 0xe9 as well when GRUB's line says console=e9. The hypervisor's
 * lines begin "hv: ", a guest's "NAME| ". Whole lines only: guests' and the hypervisor's never
 * mix within one. Lines go into a ring, from which console_poll() sends what the UART takes:
 * nobody waits for it. A guest that writes more than its share of the ring waits
 * (console_is_full()).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A longer line of a guest is printed in pieces of at most this many bytes. */
#define CONSOLE_LINE 240

/* Where the console goes as well with console=e9, or the trace with trace=. */
#define CONSOLE_E9_PORT 0xe9

/* One guest's unfinished line. */
struct console_line {
	const char *name;
	uint8_t id; /* of its bytes in the ring; 0: not in use */
	unsigned length;
	unsigned seen; /* the length when it was last looked at, by console_guest_age() */
	uint64_t age;  /* ticks since the line last changed */
	uint8_t text[CONSOLE_LINE];
};

/* Set up COM1. Before this, print() must not be called. */
void console_init(void);
void console_also_e9(void);
/* The TSC's rate, ticks a second, by which console_ticks() counts. */
void console_set_clock(uint64_t tsc_hz);

/* One line of the hypervisor: "hv: " and the text. See format() for what the text may hold. */
void print(const char *text, ...) __attribute__((format(printf, 1, 2)));

/*
 * Part of a line of the hypervisor's, shown at once: a prompt, what the operator types. Another
 * line that comes meanwhile stands on a line of its own.
 */
void print_part(const char *text, ...) __attribute__((format(printf, 1, 2)));

/* A guest's line, and its end: what is queued is still sent. At most 16 at a time. */
void console_line_open(struct console_line *line, const char *name);
void console_line_close(struct console_line *line);
/* A second line of the same guest, which shares its name and its share of the ring. */
void console_line_open_beside(struct console_line *line, struct console_line *first);

/*
 * From now on the bytes of this line's guest pass as they are: the operator's terminal is the
 * guest's. The hypervisor's lines, and other guests', begin at a terminal's left all the same.
 */
void console_pass_on(struct console_line *line);

/*
 * A byte from a guest: carriage returns are dropped, a newline ends the line. What is neither
 * printable, TAB nor UTF-8 is shown as \xNN, so a guest cannot steer the operator's terminal.
 */
void console_guest_byte(struct console_line *line, uint8_t byte);
/* Print what is left of an unfinished line: it ends there. */
void console_guest_end(struct console_line *line);
/* 'ticks' have passed: a line that has not changed for 'limit' of them is printed. */
void console_guest_age(struct console_line *line, uint64_t ticks, uint64_t limit);
/* Has the guest used up its share of the ring? It has to wait then: half of it must be sent. */
bool console_is_full(const struct console_line *line);
bool console_has_room(const struct console_line *line);

/* Send what the UART takes now, and take what came in. Call between exits, as often as it likes. */
void console_poll(void);
/* TSC ticks until the UART may take more of what waits; ~0 when nothing does. */
uint64_t console_ticks(void);
/* The next byte that the operator typed, or -1. */
int console_read(void);

/* Send all that waits, and wait until it has left the machine. */
void console_flush(void);
