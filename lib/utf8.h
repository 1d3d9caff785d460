/* SPDX-License-Identifier: MIT */
/*
 * UTF-8 as a guest may show it on the operator's terminal: what is printable, and nothing that
 * steers the terminal.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The bytes, 1 to 4, of the printable character that text[0..size) begins with: ASCII 0x20-0x7e,
 * TAB, or a well-formed sequence (RFC 3629) for U+00A0 and above, but for those that separate lines or
 * override the direction of text. 0: it begins with none.
 */
unsigned utf8_printable(const uint8_t *text, size_t size);

/* Could text[0..size), 1 to 3 bytes, be the beginning of a longer printable character? */
int utf8_is_prefix(const uint8_t *text, size_t size);
