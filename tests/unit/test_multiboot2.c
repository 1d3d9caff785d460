/* SPDX-License-Identifier: MIT */
/*
 * boot/multiboot2.c: what GRUB says, and what a loader that lies could say. The information is
 * written as the 32-bit words that lie in memory: each tag its type, its size in bytes, its fields,
 * and filled up to 8 bytes. A text of one letter is the word of that letter.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"
#include "boot/multiboot2.h"
#include "lib/bits.h"

enum { END = 0, COMMAND_LINE = 1, MODULE = 3, MEMORY_MAP = 6, FRAMEBUFFER = 8, ACPI_OLD = 14, ACPI_NEW = 15 };
enum { AVAILABLE = 1, RESERVED = 2 };
#define HEADER            8 /* bytes of the information's, and of each tag's */
#define WORD_TWICE(v)     (uint32_t)(v), (uint32_t)((v) >> 32)
#define RANGE(b, l, t)    WORD_TWICE((uint64_t)(b)), WORD_TWICE((uint64_t)(l)), t, 0
#define MAP_OF(ranges)    MEMORY_MAP, HEADER + 8 + (ranges)*24, 24, 0
#define RAM               MAP_OF(1), RANGE(MiB, 255 * MiB, AVAILABLE)
#define THE_END           END, HEADER
#define UNENDING          0x41414141, 0x41414141 /* text without a NUL */
#define WORDS(...)        ((const uint32_t[]){__VA_ARGS__})
#define PARSE(...)        parse(WORDS(__VA_ARGS__), sizeof(WORDS(__VA_ARGS__)))
#define ASSERT_TAKEN(...) assert_null(PARSE(__VA_ARGS__))

static struct boot_info boot;

/* Tags of 'bytes' bytes behind a header that says 'size', in a buffer of 'limit' bytes, the parser's too: the
 * sanitizer sees a read beyond it. The strings that boot names live until the next parse. */
static const char *parse_limited(const uint32_t *tags, size_t bytes, uint32_t size, size_t limit)
{
	static uint8_t *copy;

	free(copy);
	copy = calloc(1, limit);
	memcpy(copy, &size, MIN(sizeof(size), limit));
	if (limit > HEADER) memcpy(copy + HEADER, tags, MIN(bytes, limit - HEADER));
	return multiboot2_parse(copy, limit, &boot);
}

static const char *parse(const uint32_t *tags, size_t bytes)
{
	return parse_limited(tags, bytes, (uint32_t)(HEADER + bytes), HEADER + bytes);
}

TEST(command_line_modules_and_available_ram_are_read)
{
	ASSERT_TAKEN(COMMAND_LINE, HEADER + 2, 'c', 0, MODULE, HEADER + 10, 0x400000, 0x412345, 'm', 0, MODULE,
		     HEADER + 9, 0x500000, 0x500000, 0, 0, MAP_OF(3), RANGE(0, 0x9fc00, AVAILABLE),
		     RANGE(0xf0000, 0x10000, RESERVED), RANGE(MiB, 255 * MiB, AVAILABLE), THE_END);
	assert_string_equal(boot.line, "c");
	assert_int_equal(boot.modules, 2);
	assert_int_equal(boot.module[0].start, 0x400000);
	assert_int_equal(boot.module[0].size, 0x12345);
	assert_string_equal(boot.module[0].line, "m");
	assert_int_equal(boot.module[1].size, 0);
	assert_string_equal(boot.module[1].line, "");
	assert_int_equal(boot.ram_ranges, 2);
	assert_int_equal(boot.ram[0].size, 0x9fc00);
	assert_int_equal(boot.ram[1].start, MiB);
	assert_int_equal(boot.ram[1].size, 255 * MiB);
}

TEST(without_a_command_line_the_line_is_empty)
{
	ASSERT_TAKEN(RAM, THE_END);
	assert_string_equal(boot.line, "");
	assert_int_equal(boot.modules, 0);
}

TEST(tags_of_other_types_are_passed_over)
{
	ASSERT_TAKEN(FRAMEBUFFER, HEADER + 3, 0xffffff, 0, 0xfffffffe, HEADER, RAM, THE_END);
}

TEST(what_follows_the_end_tag_is_not_read)
{
	ASSERT_TAKEN(RAM, THE_END, MODULE, HEADER + 10, 0, 0x1000, 'm', 0);
	assert_int_equal(boot.modules, 0);
}

TEST(information_without_an_end_tag_ends_at_its_size) { ASSERT_TAKEN(RAM); }

TEST(memory_map_entries_may_grow_in_later_versions)
{
	ASSERT_TAKEN(MEMORY_MAP, HEADER + 8 + 2 * 40, 40, 1, RANGE(GiB, MiB, AVAILABLE), ~0U, ~0U, ~0U, ~0U,
		     RANGE(2 * GiB, MiB, AVAILABLE), ~0U, ~0U, ~0U, ~0U, THE_END);
	assert_int_equal(boot.ram_ranges, 2);
	assert_int_equal(boot.ram[1].start, 2 * GiB);
}

/* The limit, or the size, says that it ends here: every tag is cut once in each of its bytes. */
TEST(nothing_beyond_limit_and_size_is_read)
{
	static const uint32_t tags[] = {MODULE, HEADER + 10, 0, 0x1000, 'm', 0, RAM};
	const uint32_t whole = HEADER + sizeof(tags);

	for (uint32_t cut = 0; cut < whole; cut++) {
		const char *what = parse_limited(tags, sizeof(tags), cut, MAX(cut, (uint32_t)HEADER));

		assert_non_null(what);
		assert_true(cut >= HEADER || !strcmp(what, "size"));
		assert_string_equal(parse_limited(tags, sizeof(tags), whole, cut), "size");
	}
	assert_string_equal(parse_limited(tags, sizeof(tags), ~0U, whole), "size");
	assert_null(parse_limited(tags, sizeof(tags), whole, whole + 100));
}

TEST(information_that_lies_is_refused_and_what_lies_is_named)
{
	static const struct {
		const char *what;
		unsigned words;
		uint32_t word[10];
	} lies[] = {
		/* A tag shorter than its header, or that runs over the end. */
		{"tag", 2, {FRAMEBUFFER, 0}},
		{"tag", 2, {FRAMEBUFFER, HEADER - 1}},
		{"tag", 2, {FRAMEBUFFER, HEADER + 1}},
		{"tag", 2, {FRAMEBUFFER, 0xfffffff9}},
		{"tag", 2, {FRAMEBUFFER, 0xffffffff}},
		/* A string without an end, or without a byte. */
		{"command line", 4, {COMMAND_LINE, HEADER + 8, UNENDING}},
		{"command line", 2, {COMMAND_LINE, HEADER}},
		{"module", 6, {MODULE, HEADER + 16, 0, 0, UNENDING}},
		/* A module that is cut short, or ends before it starts. */
		{"module", 3, {MODULE, HEADER + 4, 0x1000}},
		{"module", 6, {MODULE, HEADER + 10, 0x1000, 0xfff, 'm', 0}},
		/* No RAM. */
		{"memory map", 2, {THE_END}},
		{"memory map", 10, {MAP_OF(1), RANGE(0, GiB, RESERVED)}},
		/* A memory map that is cut short, and entries smaller than their fields or larger than it. */
		{"memory map", 3, {MEMORY_MAP, HEADER + 4, 24}},
		{"memory map", 10, {MEMORY_MAP, HEADER + 8 + 24, 0, 0, RANGE(MiB, MiB, AVAILABLE)}},
		{"memory map", 10, {MEMORY_MAP, HEADER + 8 + 24, 23, 0, RANGE(MiB, MiB, AVAILABLE)}},
		{"memory map", 10, {MEMORY_MAP, HEADER + 8 + 24, 0xffffffff, 0, RANGE(MiB, MiB, AVAILABLE)}},
	};

	for (unsigned n = 0; n < ARRAY_SIZE(lies); n++) {
		const char *what = parse(lies[n].word, 4 * lies[n].words);

		assert_non_null(what);
		assert_string_equal(what, lies[n].what);
	}
}

TEST(too_many_modules_are_named)
{
	static const uint32_t module[] = {MODULE, HEADER + 10, 0, 0x1000, 'm', 0}, ram[] = {RAM};
	uint32_t tags[ARRAY_SIZE(ram) + (BOOT_MODULES + 1) * ARRAY_SIZE(module)];

	memcpy(tags, ram, sizeof(ram));
	for (unsigned n = 0; n <= BOOT_MODULES; n++)
		memcpy(tags + ARRAY_SIZE(ram) + n * ARRAY_SIZE(module), module, sizeof(module));
	assert_null(parse(tags, sizeof(tags) - sizeof(module)));
	assert_int_equal(boot.modules, BOOT_MODULES);
	assert_string_equal(parse(tags, sizeof(tags)), "more than 32 modules");
}

TEST(a_memory_map_entry_that_the_tag_cuts_off_is_not_read)
{
	ASSERT_TAKEN(MEMORY_MAP, HEADER + 8 + 2 * 24 - 1, 24, 0, RANGE(MiB, MiB, AVAILABLE),
		     RANGE(GiB, MiB, AVAILABLE));
	assert_int_equal(boot.ram_ranges, 1);
}

TEST(empty_and_wrapping_ranges_are_no_ram)
{
	ASSERT_TAKEN(MAP_OF(4), RANGE(MiB, 0, AVAILABLE), RANGE(2 * MiB, ~0ULL, AVAILABLE), RANGE(~0ULL, 2, AVAILABLE),
		     RANGE(3 * MiB, MiB, AVAILABLE));
	assert_int_equal(boot.ram_ranges, 1);
	assert_int_equal(boot.ram[0].start, 3 * MiB);
}

TEST(ranges_beyond_what_is_kept_are_left_unused)
{
	uint32_t tags[4 + (BOOT_RANGES + 3) * 6] = {MAP_OF(BOOT_RANGES + 3)};

	for (uint64_t n = 0; n < BOOT_RANGES + 3; n++)
		memcpy(tags + 4 + n * 6, WORDS(RANGE(n * MiB, MiB / 2, AVAILABLE)), 24);
	assert_null(parse(tags, sizeof(tags)));
	assert_int_equal(boot.ram_ranges, BOOT_RANGES);
	assert_int_equal(boot.ram[BOOT_RANGES - 1].start, (BOOT_RANGES - 1) * MiB);
}

TEST(of_two_memory_maps_the_last_counts)
{
	ASSERT_TAKEN(RAM, MAP_OF(1), RANGE(2 * MiB, MiB, AVAILABLE));
	assert_int_equal(boot.ram_ranges, 1);
	assert_int_equal(boot.ram[0].start, 2 * MiB);
}

TEST(the_newest_rsdp_is_handed_on)
{
	ASSERT_TAKEN(RAM, THE_END);
	assert_null(boot.rsdp);
	ASSERT_TAKEN(RAM, ACPI_NEW, HEADER + 4, 'n', 0, ACPI_OLD, HEADER + 4, 'o', 0);
	assert_string_equal(boot.rsdp, "n");
	assert_int_equal(boot.rsdp_size, 4);
	ASSERT_TAKEN(RAM, ACPI_OLD, HEADER + 4, 'o', 0, ACPI_NEW, HEADER + 4, 'n', 0);
	assert_string_equal(boot.rsdp, "n");
}
