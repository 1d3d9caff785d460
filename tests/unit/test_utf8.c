/* SPDX-License-Identifier: MIT */
/* lib/utf8.c: what a guest may show on a terminal, for every sequence of up to four bytes. */
#include <string.h>

#include "tests/lib/test.h"
#include "lib/utf8.h"

/* The code point's sequence, written from RFC 3629's definition; 0 if it has none. */
static unsigned encode(uint32_t c, uint8_t *to)
{
	if (c < 0x80) {
		to[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (uint8_t)(0xc0 | c >> 6);
		to[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c >= 0xd800 && c <= 0xdfff) return 0;
	if (c < 0x10000) {
		to[0] = (uint8_t)(0xe0 | c >> 12);
		to[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		to[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (uint8_t)(0xf0 | c >> 18);
	to[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	to[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	to[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

/* Line and paragraph separator, and what makes text run the other way, also within a line that others share. */
static int steers(uint32_t c) { return (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069); }

static int is_printable(uint32_t c) { return c == '\t' || (c >= 0x20 && c <= 0x7e) || (c >= 0xa0 && !steers(c)); }

TEST(every_printable_code_point_is_taken_whole_and_no_control_is)
{
	uint8_t text[8];

	for (uint32_t c = 0; c < 0x110000; c++) {
		unsigned length = encode(c, text);

		if (!length) continue;
		text[length] = 'x';
		assert_int_equal(utf8_printable(text, length + 1), is_printable(c) ? length : 0);
		for (unsigned n = 1; n < length; n++) {
			assert_int_equal(utf8_printable(text, n), 0);
			if (is_printable(c)) assert_true(utf8_is_prefix(text, n));
		}
		assert_false(utf8_is_prefix(text, length));
	}
}

/* All of three bytes, so all that is overlong, a surrogate, or no sequence. */
TEST(what_is_no_code_point_is_not_printable)
{
	uint8_t text[4], again[4];

	for (uint32_t bits = 0; bits < 1 << 24; bits++) {
		unsigned length;
		uint32_t c;

		text[0] = (uint8_t)(bits >> 16);
		text[1] = (uint8_t)(bits >> 8);
		text[2] = (uint8_t)bits;
		length = utf8_printable(text, 3);
		if (!length) continue;
		c = length == 1   ? text[0]
		    : length == 2 ? (text[0] & 0x1fU) << 6 | (text[1] & 0x3fU)
				  : (text[0] & 0x0fU) << 12 | (text[1] & 0x3fU) << 6 | (text[2] & 0x3fU);
		assert_int_equal(encode(c, again), length);
		assert_memory_equal(again, text, length);
		assert_true(is_printable(c));
	}
}

TEST(beyond_the_last_code_point_there_is_nothing)
{
	const uint8_t last[] = {0xf4, 0x8f, 0xbf, 0xbf}, beyond[] = {0xf4, 0x90, 0x80, 0x80},
		      five[] = {0xf8, 0x88, 0x80, 0x80}, overlong[] = {0xf0, 0x80, 0x81, 0x81};

	assert_int_equal(utf8_printable(last, 4), 4);
	assert_int_equal(utf8_printable(beyond, 4), 0);
	assert_int_equal(utf8_printable(five, 4), 0);
	assert_int_equal(utf8_printable(overlong, 4), 0);
	assert_int_equal(utf8_printable(last, 0), 0);
	assert_false(utf8_is_prefix(last, 0));
}
