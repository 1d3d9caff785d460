/* SPDX-License-Identifier: MIT */
/* lib/format.c: against what printf prints for the same pattern, and its own few rules. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"
#include "lib/bits.h"
#include "lib/format.h"

static char text[256];

static void print(size_t size, const char *pattern, ...)
{
	va_list args;

	memset(text, '#', sizeof(text));
	va_start(args, pattern);
	format_text(text, size, pattern, args);
	va_end(args);
}

/* The same arguments, printed by both. */
#define assert_like_printf(...)                                                                                        \
	do {                                                                                                           \
		char expected[256];                                                                                    \
		snprintf(expected, sizeof(expected), __VA_ARGS__);                                                     \
		print(sizeof(text), __VA_ARGS__);                                                                      \
		assert_string_equal(text, expected);                                                                   \
	} while (0)

TEST(text_is_printed_as_it_stands)
{
	assert_like_printf("%s", "");
	assert_like_printf("plain text, 100%%\n");
	assert_like_printf("%%d%%%%");
}

TEST(numbers_of_each_size_are_printed_like_printf)
{
	static const uint64_t values[] = {0,          1,       9,           10,      0x7fffffff, 0x80000000,
					  0xffffffff, BIT(32), BITS(62, 0), BIT(63), ~0ULL};

	for (unsigned i = 0; i < ARRAY_SIZE(values); i++) {
		uint64_t v = values[i];

		assert_like_printf("%d %u %x", (int)v, (unsigned)v, (unsigned)v);
		assert_like_printf("%ld %lu %lx", (long)v, (unsigned long)v, (unsigned long)v);
		assert_like_printf("%lld %llu %llx", (long long)v, (unsigned long long)v, (unsigned long long)v);
		assert_like_printf("%zu %zx", (size_t)v, (size_t)v);
	}
}

TEST(width_zeroes_and_left_alignment_are_those_of_printf)
{
	assert_like_printf("[%5d][%-5d][%05d]", 42, 42, 42);
	assert_like_printf("[%5d][%-5d][%05d]", -42, -42, -42);
	assert_like_printf("[%2d][%-2d][%02d]", 12345, 12345, -12345);
	assert_like_printf("[%016lx][%-16lx][%16lx]", 0xabcUL, 0xabcUL, 0xabcUL);
	assert_like_printf("[%05ld][%030ld]", -1L, INT64_MIN);
	print(sizeof(text), "[%-05d]", 42); /* the compiler warns of it: - wins */
	assert_string_equal(text, "[42   ]");
	assert_like_printf("[%8s][%-8s][%2s]", "abc", "abc", "abc");
	assert_like_printf("[%3c][%-3c]", 'x', 'x');
}

TEST(precision_bounds_a_string_even_without_an_end)
{
	const char open[3] = {'a', 'b', 'c'};

	assert_like_printf("[%.2s][%.0s][%.9s]", "abc", "abc", "abc");
	assert_like_printf("[%.3s]", open);
	assert_like_printf("[%6.2s][%-6.2s]", "abc", "abc");
}

TEST(a_pointer_is_hexadecimal_without_prefix)
{
	print(sizeof(text), "%p %p", (void *)0x123abc, NULL);
	assert_string_equal(text, "123abc 0");
}

TEST(what_is_no_known_conversion_is_printed_as_it_stands)
{
	const char *const patterns[] = {"%q", "%", "a%", "%5", "%-05l", "%.", "%l%", "%5.3q x"};
	const char *const expected[] = {"%q", "%", "a%", "%5", "%-05l", "%.", "%", "%5.3q x"};

	for (unsigned i = 0; i < ARRAY_SIZE(patterns); i++) {
		print(sizeof(text), patterns[i]);
		assert_string_equal(text, expected[i]);
	}
}

TEST(text_is_cut_to_the_buffer_and_ends_in_it)
{
	for (size_t size = 1; size < 12; size++) {
		print(size, "%s%5d", "abc", 42);
		assert_int_equal(strlen(text), size - 1 < 8 ? size - 1 : 8);
		assert_memory_equal(text, "abc   42", strlen(text));
		assert_int_equal(text[size], '#');
	}
}

TEST(a_buffer_of_no_bytes_is_not_written)
{
	print(0, "abc");
	assert_int_equal(text[0], '#');
}

static void keep_line(void *count, const char *line)
{
	++*(unsigned *)count;
	snprintf(text, sizeof(text), "%s", line);
}

TEST(a_line_is_put_together_and_handed_over_once)
{
	unsigned count = 0;
	struct lines to = {.line = keep_line, .ctx = &count};

	lines_end(&to);
	assert_int_equal(count, 0);
	lines_add(&to, "%u", 4U);
	lines_add(&to, "%s", "2");
	lines_end(&to);
	lines_end(&to);
	assert_int_equal(count, 1);
	assert_string_equal(text, "42");
	for (unsigned i = 0; i < sizeof(to.text); i++) lines_add(&to, "ab");
	assert_int_equal(strlen(to.text), sizeof(to.text) - 1);
}

TEST(a_digit_has_its_value_and_nothing_else_has_one)
{
	char digit[2] = "";

	for (int c = 0; c < 256; c++) {
		digit[0] = (char)c;
		assert_int_equal(digit_value((char)c),
				 strchr("0123456789abcdef", c) && c ? strtoul(digit, NULL, 16) : 16);
	}
}

TEST(a_number_is_digits_of_its_base_and_nothing_else)
{
	uint64_t value;

	assert_true(digits_value("190", 3, 10, &value));
	assert_int_equal(value, 190);
	assert_true(digits_value("1f0x", 3, 16, &value));
	assert_int_equal(value, 0x1f0);
	assert_false(digits_value("19a", 3, 10, &value));
	assert_false(digits_value("1 2", 3, 10, &value));
	assert_false(digits_value("5", 0, 10, &value));
}
