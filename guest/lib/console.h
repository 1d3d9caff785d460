/* SPDX-License-Identifier: MIT */
/*
 * What an image says: printf on COM1, and checks, one line each. Used by every image.
 */
#ifndef GUEST_LIB_CONSOLE_H
#define GUEST_LIB_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

#define COM1 0x3f8

/* 115200 baud, 8 bits, no parity, FIFOs on, no interrupts. */
void console_init(void);

/* What lib/format.h takes. A line is sent when it is complete. */
int printf(const char *text, ...) __attribute__((format(printf, 1, 2)));

/* Send an unfinished line. */
void console_flush(void);

/* A heading "== text", with a blank line before it. */
void heading(const char *text, ...) __attribute__((format(printf, 1, 2)));

/* "ok N - text" or "FAIL N - text: expected .. got .."; each returns whether it held. */
bool check(bool held, const char *text, ...) __attribute__((format(printf, 2, 3)));
bool check_is(uint64_t expected, uint64_t got, const char *text, ...)
	__attribute__((format(printf, 3, 4)));
/* Prints how many checks were made and failed: the exit status, 0 only if all held. */
int check_status(void);

#endif
