/* SPDX-License-Identifier: MIT */
/* boot/multiboot2.c: what GRUB says, and what a loader that lies could say. */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"
#include "boot/multiboot2.h"
#include "lib/bits.h"
#include "lib/errno.h"

enum { END = 0, COMMAND_LINE = 1, MODULE = 3, MEMORY_MAP = 6, FRAMEBUFFER = 8, ACPI_OLD = 14, ACPI_NEW = 15 };
enum { AVAILABLE = 1, RESERVED = 2 };
#define HEADER 8 /* bytes of the information's, and of each tag's */

/* Information under construction. */
struct info {
	uint8_t bytes[8192];
	uint32_t size;
};

static struct boot_info boot;
static const char *what;

static void put(struct info *i, uint32_t at, unsigned width, uint64_t value) { memcpy(i->bytes + at, &value, width); }

static void add(struct info *i, unsigned width, uint64_t value)
{
	put(i, i->size, width, value);
	i->size += width;
}

static void add_text(struct info *i, const char *text)
{
	memcpy(i->bytes + i->size, text, strlen(text) + 1);
	i->size += (uint32_t)strlen(text) + 1;
}

/* The offset of a new tag, whose size finish_tag() fills in. */
static uint32_t begin_tag(struct info *i, uint32_t type)
{
	uint32_t at = i->size;

	add(i, 4, type);
	add(i, 4, 0);
	return at;
}

static void finish_tag(struct info *i, uint32_t at)
{
	put(i, at + 4, 4, i->size - at);
	i->size = (uint32_t)ALIGN_UP(i->size, 8);
}

static void add_module(struct info *i, uint32_t start, uint32_t end, const char *line)
{
	uint32_t at = begin_tag(i, MODULE);

	add(i, 4, start);
	add(i, 4, end);
	add_text(i, line);
	finish_tag(i, at);
}

static void add_range(struct info *i, uint64_t base, uint64_t length, uint32_t type)
{
	add(i, 8, base);
	add(i, 8, length);
	add(i, 4, type);
	add(i, 4, 0);
}

static uint32_t begin_memory_map(struct info *i)
{
	uint32_t at = begin_tag(i, MEMORY_MAP);

	add(i, 4, 24);
	add(i, 4, 0);
	return at;
}

static void add_memory_map(struct info *i)
{
	uint32_t at = begin_memory_map(i);

	add_range(i, 0, 0x9fc00, AVAILABLE);
	add_range(i, 0xf0000, 0x10000, RESERVED);
	add_range(i, MiB, 255 * MiB, AVAILABLE);
	finish_tag(i, at);
}

static void end(struct info *i)
{
	finish_tag(i, begin_tag(i, END));
	put(i, 0, 4, i->size);
}

static struct info begin(void) { return (struct info){.size = HEADER}; }

/* The strings that boot names live until the next parse. */
static int parse_limited(const struct info *i, uint32_t limit)
{
	static uint8_t *copy;

	free(copy); /* of the exact size: the sanitizer sees a read beyond it */
	copy = malloc(limit);
	memcpy(copy, i->bytes, limit);
	what = multiboot2_parse(copy, limit, &boot);
	return what ? -EINVAL : 0;
}

static int parse(const struct info *i) { return parse_limited(i, i->size); }

static void assert_refused(const struct info *i, const char *why)
{
	assert_int_equal(parse(i), -EINVAL);
	assert_string_equal(what, why);
}

TEST(command_line_modules_and_available_ram_are_read)
{
	struct info i = begin();
	uint32_t at = begin_tag(&i, COMMAND_LINE);

	add_text(&i, "console=e9 check");
	finish_tag(&i, at);
	add_module(&i, 0x400000, 0x412345, "vm demo -- x");
	add_module(&i, 0x500000, 0x500000, "");
	add_memory_map(&i);
	end(&i);
	assert_int_equal(parse(&i), 0);
	assert_string_equal(boot.line, "console=e9 check");
	assert_int_equal(boot.modules, 2);
	assert_int_equal(boot.module[0].start, 0x400000);
	assert_int_equal(boot.module[0].size, 0x12345);
	assert_string_equal(boot.module[0].line, "vm demo -- x");
	assert_int_equal(boot.module[1].size, 0);
	assert_string_equal(boot.module[1].line, "");
	assert_int_equal(boot.ram_ranges, 2);
	assert_int_equal(boot.ram[0].size, 0x9fc00);
	assert_int_equal(boot.ram[1].start, MiB);
	assert_int_equal(boot.ram[1].size, 255 * MiB);
}

TEST(without_a_command_line_the_line_is_empty)
{
	struct info i = begin();

	add_memory_map(&i);
	end(&i);
	assert_int_equal(parse(&i), 0);
	assert_string_equal(boot.line, "");
	assert_int_equal(boot.modules, 0);
}

TEST(tags_of_other_types_are_passed_over)
{
	struct info i = begin();
	uint32_t at = begin_tag(&i, FRAMEBUFFER);

	add(&i, 3, 0xffffff);
	finish_tag(&i, at);
	finish_tag(&i, begin_tag(&i, 0xfffffffe));
	add_memory_map(&i);
	end(&i);
	assert_int_equal(parse(&i), 0);
}

TEST(what_follows_the_end_tag_is_not_read)
{
	struct info i = begin();

	add_memory_map(&i);
	end(&i);
	add_module(&i, 0, 0x1000, "vm late");
	put(&i, 0, 4, i.size);
	assert_int_equal(parse(&i), 0);
	assert_int_equal(boot.modules, 0);
}

TEST(information_without_an_end_tag_ends_at_its_size)
{
	struct info i = begin();

	add_memory_map(&i);
	put(&i, 0, 4, i.size);
	assert_int_equal(parse(&i), 0);
}

TEST(memory_map_entries_may_grow_in_later_versions)
{
	struct info i = begin();
	uint32_t at = begin_tag(&i, MEMORY_MAP);

	add(&i, 4, 40);
	add(&i, 4, 1);
	for (unsigned n = 1; n <= 2; n++) {
		add_range(&i, n * GiB, MiB, AVAILABLE);
		add(&i, 8, ~0ULL);
		add(&i, 8, ~0ULL);
	}
	finish_tag(&i, at);
	end(&i);
	assert_int_equal(parse(&i), 0);
	assert_int_equal(boot.ram_ranges, 2);
	assert_int_equal(boot.ram[1].start, 2 * GiB);
}

TEST(no_more_than_the_limit_is_touched)
{
	struct info i = begin();

	add_memory_map(&i);
	end(&i);
	for (uint32_t limit = 0; limit < i.size; limit++) {
		assert_int_equal(parse_limited(&i, limit), -EINVAL);
		assert_string_equal(what, "size");
	}
	assert_int_equal(parse_limited(&i, i.size + 100), 0);
}

/* The size says it ends here: every tag is cut once in each of its bytes. */
TEST(nothing_beyond_the_size_is_believed)
{
	struct info i = begin();
	uint32_t whole;

	add_module(&i, 0, 0x1000, "vm demo -- x");
	add_memory_map(&i);
	whole = i.size;
	for (uint32_t size = 0; size < whole; size++) {
		put(&i, 0, 4, size);
		i.size = MAX(size, 8U);
		assert_int_equal(parse(&i), -EINVAL);
	}
}

TEST(a_size_larger_than_the_limit_is_refused)
{
	struct info i = begin();

	add_memory_map(&i);
	end(&i);
	put(&i, 0, 4, i.size + 1);
	assert_refused(&i, "size");
	put(&i, 0, 4, 0xffffffff);
	assert_refused(&i, "size");
	put(&i, 0, 4, 7);
	assert_refused(&i, "size");
}

TEST(a_tag_that_runs_over_the_end_or_is_shorter_than_its_header_is_refused)
{
	static const uint32_t sizes[] = {0, 7, 0x1000, 0xfffffff9, 0xffffffff};
	struct info i = begin();

	add_module(&i, 0, 0x1000, "vm demo");
	add_memory_map(&i);
	end(&i);
	for (unsigned n = 0; n < ARRAY_SIZE(sizes); n++) {
		put(&i, HEADER + 4, 4, sizes[n]);
		assert_refused(&i, "tag");
	}
}

TEST(a_string_without_an_end_is_refused)
{
	struct info i = begin();
	uint32_t at = begin_tag(&i, COMMAND_LINE);

	add(&i, 8, 0x4141414141414141);
	finish_tag(&i, at);
	add_memory_map(&i);
	end(&i);
	assert_refused(&i, "command line");
	i = begin();
	finish_tag(&i, begin_tag(&i, COMMAND_LINE));
	end(&i);
	assert_refused(&i, "command line");
	i = begin();
	at = begin_tag(&i, MODULE);
	add(&i, 8, 0);
	add(&i, 8, 0x4141414141414141);
	finish_tag(&i, at);
	end(&i);
	assert_refused(&i, "module");
}

TEST(a_module_that_is_cut_short_or_ends_before_it_starts_is_refused)
{
	struct info i = begin();
	uint32_t at = begin_tag(&i, MODULE);

	add(&i, 4, 0x1000);
	put(&i, at + 4, 4, i.size - at);
	put(&i, 0, 4, i.size); /* it is the last that is there */
	assert_refused(&i, "module");
	i = begin();
	add_module(&i, 0x1000, 0xfff, "vm demo");
	end(&i);
	assert_refused(&i, "module");
}

TEST(too_many_modules_are_named)
{
	struct info i = begin();

	add_memory_map(&i);
	for (unsigned n = 0; n < BOOT_MODULES; n++) add_module(&i, n * 0x1000, (n + 1) * 0x1000, "vm x");
	put(&i, 0, 4, i.size);
	assert_int_equal(parse(&i), 0);
	assert_int_equal(boot.modules, BOOT_MODULES);
	add_module(&i, 0, 0x1000, "vm x");
	put(&i, 0, 4, i.size);
	assert_int_equal(parse(&i), -EINVAL);
	assert_string_equal(what, "more than 32 modules");
}

TEST(a_machine_without_ram_is_refused)
{
	struct info i = begin();
	uint32_t at;

	end(&i);
	assert_refused(&i, "memory map");
	i = begin();
	at = begin_memory_map(&i);
	add_range(&i, 0, GiB, RESERVED);
	finish_tag(&i, at);
	end(&i);
	assert_refused(&i, "memory map");
}

TEST(a_memory_map_that_is_cut_short_is_refused)
{
	struct info i = begin();
	uint32_t at = begin_tag(&i, MEMORY_MAP);

	add(&i, 4, 24);
	put(&i, at + 4, 4, i.size - at);
	put(&i, 0, 4, i.size); /* it is the last that is there */
	assert_refused(&i, "memory map");
}

TEST(memory_map_entries_smaller_than_their_fields_are_refused)
{
	static const uint32_t sizes[] = {0, 1, 23};

	for (unsigned n = 0; n < ARRAY_SIZE(sizes); n++) {
		struct info i = begin();
		uint32_t at = begin_memory_map(&i);

		add_range(&i, MiB, MiB, AVAILABLE);
		finish_tag(&i, at);
		put(&i, at + 8, 4, sizes[n]);
		end(&i);
		assert_refused(&i, "memory map");
	}
}

TEST(a_memory_map_entry_that_the_tag_cuts_off_is_not_read)
{
	struct info i = begin();
	uint32_t at = begin_memory_map(&i);

	add_range(&i, MiB, MiB, AVAILABLE);
	add_range(&i, GiB, MiB, AVAILABLE);
	i.size--;
	finish_tag(&i, at);
	end(&i);
	assert_int_equal(parse(&i), 0);
	assert_int_equal(boot.ram_ranges, 1);
	put(&i, at + 8, 4, 0xffffffff);
	assert_refused(&i, "memory map");
}

TEST(empty_and_wrapping_ranges_are_no_ram)
{
	struct info i = begin();
	uint32_t at = begin_memory_map(&i);

	add_range(&i, MiB, 0, AVAILABLE);
	add_range(&i, 2 * MiB, ~0ULL, AVAILABLE);
	add_range(&i, ~0ULL, 2, AVAILABLE);
	add_range(&i, 3 * MiB, MiB, AVAILABLE);
	finish_tag(&i, at);
	end(&i);
	assert_int_equal(parse(&i), 0);
	assert_int_equal(boot.ram_ranges, 1);
	assert_int_equal(boot.ram[0].start, 3 * MiB);
}

TEST(ranges_beyond_what_is_kept_are_left_unused)
{
	struct info i = begin();
	uint32_t at = begin_memory_map(&i);

	for (unsigned n = 0; n < BOOT_RANGES + 3; n++) add_range(&i, n * MiB, MiB / 2, AVAILABLE);
	finish_tag(&i, at);
	end(&i);
	assert_int_equal(parse(&i), 0);
	assert_int_equal(boot.ram_ranges, BOOT_RANGES);
	assert_int_equal(boot.ram[BOOT_RANGES - 1].start, (BOOT_RANGES - 1) * MiB);
}

TEST(of_two_memory_maps_the_last_counts)
{
	struct info i = begin();
	uint32_t at;

	add_memory_map(&i);
	at = begin_memory_map(&i);
	add_range(&i, 2 * MiB, MiB, AVAILABLE);
	finish_tag(&i, at);
	end(&i);
	assert_int_equal(parse(&i), 0);
	assert_int_equal(boot.ram_ranges, 1);
	assert_int_equal(boot.ram[0].start, 2 * MiB);
}

static void add_rsdp(struct info *i, uint32_t type, const char *text)
{
	uint32_t at = begin_tag(i, type);

	add_text(i, text);
	finish_tag(i, at);
}

TEST(the_newest_rsdp_is_handed_on)
{
	struct info i = begin();

	add_memory_map(&i);
	end(&i);
	assert_int_equal(parse(&i), 0);
	assert_null(boot.rsdp);
	i = begin();
	add_memory_map(&i);
	add_rsdp(&i, ACPI_NEW, "new");
	add_rsdp(&i, ACPI_OLD, "old");
	end(&i);
	assert_int_equal(parse(&i), 0);
	assert_string_equal(boot.rsdp, "new");
	assert_int_equal(boot.rsdp_size, 4);
}
