/* SPDX-License-Identifier: MIT */
/* Text that grows: what the machine answers, as JSON. What does not fit is cut, and 'full' says so.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define OUT_SIZE 0x80000

struct out {
	size_t length;
	bool full;
	char text[OUT_SIZE];
};

void out_clear(struct out *out);
/* Conversions as lib/format.h has them. */
void out_print(struct out *out, const char *text, ...) __attribute__((format(printf, 2, 3)));
/* A JSON string with its quotes. */
void out_string(struct out *out, const char *text);
/* A comma, unless 'before' is what the text ends with: an opening bracket. */
void out_comma(struct out *out);
