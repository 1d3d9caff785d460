// SPDX-License-Identifier: MIT
/*
 * The image's memcpy() (lib/string.c): what it copies, and that another CPU sees no part of an aligned word. Guest
 * memory is read and written by it.
 */
#include <string.h>

#include "tests/lib/test.h"
#include "tests/lib/between.h"

void *image_memcpy(void *restrict to, const void *restrict from, size_t n);

TEST(it_copies_so_many_bytes_and_no_more)
{
	char from[64], to[64], expected[64];

	for (unsigned i = 0; i < sizeof(from); i++) from[i] = (char)(i + 1);
	for (unsigned n = 0; n < 40; n++) {
		memset(to, 0, sizeof(to));
		memset(expected, 0, sizeof(expected));
		memcpy(expected + 3, from + 5, n);
		assert_ptr_equal(image_memcpy(to + 3, from + 5, n), to + 3);
		assert_memory_equal(to, expected, sizeof(to));
	}
}

static const uint64_t ones = ~0ULL;
static uint64_t word;
static unsigned width;

static void word_is_whole(void)
{
	uint64_t all = ones >> (64 - 8 * width);

	assert_true(word == 0 || word == all);
}

TEST(an_aligned_word_is_stored_in_one_piece)
{
	for (width = 2; width <= 8; width *= 2) {
		word = 0;
		between_begin(word_is_whole);
		image_memcpy(&word, &ones, width);
		assert_true(between_end() > 5);
		assert_int_equal(word, ones >> (64 - 8 * width));
	}
}
