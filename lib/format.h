/* SPDX-License-Identifier: MIT */
/*
 * printf's formatting, as much of it as the images use. Shared by the hypervisor's console and
 * the guests'.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * %c %s %d %u %x %p %%, with l, ll or z (all 64 bits) before d, u, x; a width, 0 for zero padding,
 * - for the left; .N with s. Anything else is printed as it stands. Each character goes to put(ctx,
 * c).
 */
void format(void (*put)(void *ctx, char c), void *ctx, const char *text, va_list args);

/* The same into text[0..size), cut to what fits, with a NUL at the end (if size is not 0). */
void format_text(char *text, size_t size, const char *pattern, va_list args);
/* The same behind what text, a string, already holds. */
void format_append(char *text, size_t size, const char *pattern, ...) __attribute__((format(printf, 3, 4)));

/* Lines for people, put together piece by piece: each goes, without its end, to line(ctx, text). */
struct lines {
	void (*line)(void *ctx, const char *text);
	void *ctx;
	char text[480];
};
/* Add to the line; cut to what fits. */
#define lines_add(lines, ...) format_append((lines)->text, sizeof((lines)->text), __VA_ARGS__)
/* The line is whole: one to which nothing was added is none. */
void lines_end(struct lines *lines);

/* A PCI requester id in a pattern, and its arguments. */
#define PCI_ID          "%02x:%02x.%x"
#define PCI_ID_ARGS(id) (id) >> 8, (id) >> 3 & 0x1f, (id)&7

/* What a hexadecimal digit stands for; 16 for any other character. */
unsigned digit_value(char c);
/* The number that these digits of the base, at most 16, are; false for none and for anything else. It may overflow. */
bool digits_value(const char *text, size_t length, unsigned base, uint64_t *value);
