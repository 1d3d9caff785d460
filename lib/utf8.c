/* SPDX-License-Identifier: MIT */
/*
 * The well-formed byte sequences of UTF-8 as a table (Unicode 15, table 3-7): a first byte, what
 * the second may be, how many there are. Later bytes are 0x80-0xbf.
 */
#include "lib/utf8.h"

#define TAB          0x09
#define PRINTABLE(c) ((c) == TAB || ((c) >= 0x20 && (c) <= 0x7e))

static const struct sequence {
	uint8_t first_low, first_high, second_low, second_high, length;
} sequences[] = {
	{0xc2, 0xc2, 0xa0, 0xbf, 2}, /* from U+00A0: below are controls of a terminal */
	{0xc3, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
	{0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
	{0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static const struct sequence *find(uint8_t first)
{
	for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++)
		if (first >= sequences[i].first_low && first <= sequences[i].first_high) return &sequences[i];
	return NULL;
}

/* How many of the first 'size' bytes fit the sequence? */
static size_t fitting(const struct sequence *s, const uint8_t *text, size_t size)
{
	size_t n = 1;

	while (n < size && n < s->length) {
		uint8_t low = n == 1 ? s->second_low : 0x80, high = n == 1 ? s->second_high : 0xbf;

		if (text[n] < low || text[n] > high) break;
		n++;
	}
	return n;
}

/* U+2028 to U+202E and U+2066 to U+2069: they end a line, or turn the order of what follows on it. */
static bool steers(const uint8_t *text)
{
	return text[0] == 0xe2 && ((text[1] == 0x80 && text[2] >= 0xa8 && text[2] <= 0xae) ||
				   (text[1] == 0x81 && text[2] >= 0xa6 && text[2] <= 0xa9));
}

unsigned utf8_printable(const uint8_t *text, size_t size)
{
	const struct sequence *s;

	if (!size) return 0;
	if (PRINTABLE(text[0])) return 1;
	s = find(text[0]);
	return s && size >= s->length && fitting(s, text, size) == s->length && !steers(text) ? s->length : 0;
}

int utf8_is_prefix(const uint8_t *text, size_t size)
{
	const struct sequence *s = size ? find(text[0]) : NULL;

	return s && size < s->length && fitting(s, text, size) == size;
}
