/* SPDX-License-Identifier: MIT */
/* hv/load/elf.c: guest images as linkers make them, and as nobody should. */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"
#include "hv/load/elf.h"
#include "lib/bits.h"

#define MAGIC     0x1badb002U
#define ADDRESSES BIT(16)
#define LINK      0x100000
#define RAM_END   0x200000
#define HOLE      0xa0000
#define DATA      0x1000 /* where the bytes of the first segment are in the file */

/* An image under construction; its file is bytes[0..size). */
struct image {
	uint8_t bytes[0x4000];
	size_t size;
	unsigned bits, segments;
};

struct segment {
	uint64_t offset, vaddr, paddr, filesz, memsz;
};

static uint8_t *ram;
static struct elf_image loaded;

static int make_ram(void **state)
{
	(void)state;
	ram = malloc(RAM_END);
	memset(ram, 0xcc, RAM_END);
	return 0;
}

static int free_ram(void **state)
{
	(void)state;
	free(ram);
	return 0;
}

static void put(struct image *i, size_t at, unsigned width, uint64_t value) { memcpy(i->bytes + at, &value, width); }

static void put_multiboot(struct image *i, size_t at, uint32_t flags)
{
	put(i, at, 4, MAGIC);
	put(i, at + 4, 4, flags);
	put(i, at + 8, 4, -(MAGIC + flags));
}

/* The a.out kludge's fields, at 'at' in the file. */
static void put_addresses(struct image *i, size_t at, uint32_t header, uint32_t start, uint32_t end, uint32_t bss_end,
			  uint32_t entry)
{
	const uint32_t fields[] = {header, start, end, bss_end, entry};

	put_multiboot(i, at, ADDRESSES);
	for (unsigned n = 0; n < ARRAY_SIZE(fields); n++) put(i, at + 12 + 4 * n, 4, fields[n]);
}

static size_t program_header(const struct image *i, unsigned n)
{
	return i->bits == 64 ? 0x40 + 56 * n : 0x40 + 32 * n;
}

static void put_segment(struct image *i, unsigned n, const struct segment *s)
{
	size_t at = program_header(i, n);
	const uint64_t fields[] = {s->offset, s->vaddr, s->paddr, s->filesz, s->memsz};

	put(i, at, 4, 1);
	for (unsigned f = 0; f < ARRAY_SIZE(fields); f++)
		if (i->bits == 64)
			put(i, at + 8 + 8 * f, 8, fields[f]);
		else
			put(i, at + 4 + 4 * f, 4, fields[f]);
}

/* An ELF of one segment with 0x200 bytes at LINK, and 0x100 more of bss; entry at its begin. */
static struct image elf(unsigned bits)
{
	struct image i = {.size = DATA + 0x200, .bits = bits};
	const struct segment s = {DATA, LINK, LINK, 0x200, 0x300};

	memcpy(i.bytes, "\177ELF", 4);
	i.bytes[4] = bits == 64 ? 2 : 1;
	i.bytes[5] = i.bytes[6] = 1;
	put(&i, 16, 2, 2);
	put(&i, 18, 2, bits == 64 ? 62 : 3);
	put(&i, 24, bits / 8, LINK);                            /* entry */
	put(&i, bits == 64 ? 32 : 28, bits / 8, 0x40);          /* phoff */
	put(&i, bits == 64 ? 54 : 42, 2, bits == 64 ? 56 : 32); /* phentsize */
	put(&i, bits == 64 ? 56 : 44, 2, 1);                    /* phnum */
	put_segment(&i, 0, &s);
	put_multiboot(&i, 0x800, 0);
	for (unsigned n = 0; n < 0x200; n++) i.bytes[DATA + n] = (uint8_t)(n * 7 + 1);
	return i;
}

static void set_entry(struct image *i, uint64_t entry) { put(i, 24, i->bits / 8, entry); }

static void set_segments(struct image *i, unsigned n) { put(i, i->bits == 64 ? 56 : 44, 2, n); }

/* From a buffer of the exact size: the sanitizer sees a read beyond the file. */
static const char *load(const struct image *i)
{
	uint8_t *file = malloc(i->size);
	struct guest_map map;
	const struct load_job job = {.image = file, .size = i->size, .ram = ram, .map = &map};
	const char *problem;

	guest_map_make(&map, RAM_END, 0);
	memcpy(file, i->bytes, i->size);
	problem = elf_load(&job, &loaded);
	free(file);
	return problem;
}

static void assert_refused(const struct image *i, const char *why)
{
	const char *problem = load(i);

	assert_non_null(problem);
	if (!strstr(problem, why)) fail_msg("refused because '%s', expected '%s'", problem, why);
}

/* RAM [start, end) is as it was before the load. */
static void assert_untouched(uint64_t start, uint64_t end)
{
	for (uint64_t at = start; at < end; at++) assert_int_equal(ram[at], 0xcc);
}

static void assert_loaded_whole(const struct image *i)
{
	assert_null(load(i));
	assert_int_equal(loaded.entry, LINK);
	assert_int_equal(loaded.start, LINK);
	assert_int_equal(loaded.end, LINK + 0x300);
	assert_memory_equal(ram + LINK, i->bytes + DATA, 0x200);
	for (unsigned n = 0x200; n < 0x300; n++) assert_int_equal(ram[LINK + n], 0);
	assert_untouched(0, LINK);
	assert_untouched(LINK + 0x300, RAM_END);
}

/* Each test here has this fixture. */
#undef TEST
#define TEST(name) TEST_WITH(name, make_ram, free_ram)

TEST(elf32_is_loaded_and_its_bss_zeroed)
{
	struct image i = elf(32);

	assert_loaded_whole(&i);
}

TEST(elf64_is_loaded_and_its_bss_zeroed)
{
	struct image i = elf(64);

	assert_loaded_whole(&i);
}

TEST(a_virtual_entry_becomes_the_physical_address)
{
	struct image i = elf(64);
	const struct segment s = {DATA, 0xffffffff80100000, LINK, 0x200, 0x300};

	put_segment(&i, 0, &s);
	set_entry(&i, 0xffffffff80100010);
	assert_null(load(&i));
	assert_int_equal(loaded.entry, LINK + 0x10);
}

TEST(a_physical_entry_of_a_higher_half_image_is_taken_as_it_is)
{
	struct image i = elf(32);
	const struct segment s = {DATA, 0xc0100000, LINK, 0x200, 0x300};

	put_segment(&i, 0, &s);
	set_entry(&i, LINK + 0x20);
	assert_null(load(&i));
	assert_int_equal(loaded.entry, LINK + 0x20);
}

TEST(a_virtual_entry_wins_over_a_physical_one)
{
	struct image i = elf(32);
	const struct segment first = {DATA, 0x180000, LINK, 0x100, 0x100};
	const struct segment second = {DATA, 0x400000, 0x180000, 0x100, 0x100};

	put_segment(&i, 0, &first);
	put_segment(&i, 1, &second);
	set_segments(&i, 2);
	set_entry(&i, 0x180004);
	assert_null(load(&i));
	assert_int_equal(loaded.entry, LINK + 4);
}

TEST(an_entry_at_address_0_is_good_when_a_segment_is_there)
{
	struct image i = elf(32);
	const struct segment s = {DATA, 0, 0, 0x200, 0x200};

	set_entry(&i, 0);
	assert_refused(&i, "the entry point lies in no segment");
	put_segment(&i, 0, &s);
	assert_null(load(&i));
	assert_int_equal(loaded.entry, 0);
	assert_int_equal(loaded.start, 0);
}

TEST(an_entry_outside_all_segments_is_refused)
{
	static const uint64_t outside[] = {LINK - 1, LINK + 0x300, 0, 0x1000, 0xffffffff};
	struct image i = elf(32), wide = elf(64);

	for (unsigned n = 0; n < ARRAY_SIZE(outside); n++) {
		set_entry(&i, outside[n]);
		assert_refused(&i, "the entry point lies in no segment");
	}
	set_entry(&wide, BIT(32) + LINK);
	assert_refused(&wide, "the entry point lies in no segment");
	set_entry(&i, LINK + 0x2ff);
	assert_null(load(&i));
}

TEST(several_segments_are_loaded_each_to_its_place)
{
	struct image i = elf(64);
	const struct segment middle = {DATA, 0x110000, 0x110000, 0x10, 0x10};
	const struct segment low = {DATA, 0x8000, 0x8000, 0x10, 0x10};
	const struct segment high = {DATA + 0x10, RAM_END - 0x40, RAM_END - 0x40, 0x20, 0x40};

	put_segment(&i, 1, &high);
	put_segment(&i, 2, &low);
	put_segment(&i, 3, &middle);
	set_segments(&i, 4);
	assert_null(load(&i));
	assert_int_equal(loaded.start, 0x8000);
	assert_int_equal(loaded.end, RAM_END);
	assert_memory_equal(ram + 0x8000, i.bytes + DATA, 0x10);
	assert_memory_equal(ram + RAM_END - 0x40, i.bytes + DATA + 0x10, 0x20);
}

TEST(program_headers_that_do_not_load_are_left_alone)
{
	const struct segment nonsense = {~0ULL, 0, ~0ULL, ~0ULL, 1};

	for (unsigned bits = 32; bits <= 64; bits += 32) {
		struct image i = elf(bits);

		put_segment(&i, 1, &nonsense);
		put(&i, program_header(&i, 1), 4, 0x6474e551); /* GNU_STACK */
		set_segments(&i, 2);
		assert_null(load(&i));
	}
}

TEST(an_empty_segment_is_skipped)
{
	struct image i = elf(32);
	const struct segment empty = {0xffff0000, 0xffff0000, 0xffff0000, 0, 0};

	put_segment(&i, 1, &empty);
	set_segments(&i, 2);
	assert_null(load(&i));
	assert_int_equal(loaded.end, LINK + 0x300);
}

TEST(bss_alone_may_name_an_offset_beyond_the_file)
{
	struct image i = elf(32);
	const struct segment bss = {0xfffff000, 0x110000, 0x110000, 0, 0x100};

	put_segment(&i, 1, &bss);
	set_segments(&i, 2);
	assert_null(load(&i));
	assert_int_equal(ram[0x110000], 0);
	assert_int_equal(ram[0x1100ff], 0);
	assert_int_equal(ram[0x110100], 0xcc);
}

TEST(a_file_without_multiboot_header_is_no_image)
{
	struct image i = elf(32);
	struct image text = {.size = 13};

	put(&i, 0x800, 4, 0);
	assert_refused(&i, "no multiboot header");
	memcpy(text.bytes, "Hello, world\n", 13);
	assert_refused(&text, "no multiboot header");
	text.size = 0;
	assert_refused(&text, "no multiboot header");
}

TEST(a_header_with_a_wrong_checksum_is_none)
{
	struct image i = elf(32);

	put(&i, 0x808, 4, -MAGIC + 1);
	assert_refused(&i, "no multiboot header");
	put_multiboot(&i, 0x900, 0); /* the search goes on behind it */
	assert_null(load(&i));
}

TEST(the_header_lies_aligned_in_the_first_8192_bytes)
{
	struct image i = elf(32);

	i.size = sizeof(i.bytes);
	put(&i, 0x800, 4, 0);
	put_multiboot(&i, 8192 - 12, 0);
	assert_null(load(&i));
	put(&i, 8192 - 12, 4, 0);
	put_multiboot(&i, 8192 - 8, 0);
	assert_refused(&i, "no multiboot header");
	put_multiboot(&i, 0x802, 0);
	assert_refused(&i, "no multiboot header");
}

TEST(a_required_feature_that_is_unknown_is_refused)
{
	struct image i = elf(32);

	put_multiboot(&i, 0x800, BIT(3));
	assert_refused(&i, "requires a feature");
	put_multiboot(&i, 0x800, BIT(15));
	assert_refused(&i, "requires a feature");
	put_multiboot(&i, 0x800, BIT(0) | BIT(1) | BIT(2) | BIT(31));
	assert_null(load(&i));
}

TEST(what_is_no_elf_for_x86_is_refused)
{
	static const struct {
		size_t at;
		uint8_t byte;
	} wrong[] = {{0, 0}, {4, 0}, {4, 2}, {5, 2}, {18, 40}, {42, 31}};

	for (unsigned n = 0; n < ARRAY_SIZE(wrong); n++) {
		struct image i = elf(32);

		i.bytes[wrong[n].at] = wrong[n].byte;
		assert_refused(&i, "no ELF image for x86");
	}
}

TEST(a_file_shorter_than_an_elf_header_is_refused)
{
	struct image i = {.bytes = "\177ELF\2\1\1"};

	put_multiboot(&i, 12, 0);
	for (i.size = 24; i.size < 64; i.size++) assert_refused(&i, "no ELF image for x86");
}

/* Wherever the file ends: refused, and not a byte beyond it is read. */
TEST(a_truncated_file_is_refused_wherever_it_ends)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		struct image i = elf(bits);

		while (i.size--) assert_non_null(load(&i));
	}
}

TEST(truncation_is_named)
{
	struct image i = elf(32);

	i.size = DATA + 0x1ff;
	assert_refused(&i, "beyond the end of the file (is it truncated?)");
	i = elf(32);
	put(&i, 28, 4, i.size - 31);
	assert_refused(&i, "the program headers lie beyond the end of the file");
	put(&i, 28, 4, 0xffffffff);
	assert_refused(&i, "the program headers lie beyond the end of the file");
	i = elf(64);
	put(&i, 32, 8, ~0ULL);
	assert_refused(&i, "the program headers lie beyond the end of the file");
	i = elf(64);
	set_segments(&i, 0xffff);
	assert_refused(&i, "the program headers lie beyond the end of the file");
	set_segments(&i, 0x100);
	assert_refused(&i, "the program headers lie beyond the end of the file");
}

/* One lie after the other about the only segment; nothing is written for any of them. */
TEST(segments_that_lie_are_refused_and_nothing_is_written)
{
	static const struct {
		struct segment s;
		const char *why;
	} lies[] = {
		{{DATA, LINK, LINK, 0x200, 0x1ff}, "more bytes in the file"},
		{{DATA, LINK, LINK, 0x200, 0}, "more bytes in the file"},
		{{DATA + 1, LINK, LINK, 0x200, 0x200}, "end of the file"},
		{{~0ULL, LINK, LINK, 0x200, 0x200}, "end of the file"},
		{{-0x100ULL, LINK, LINK, 0x200, 0x200}, "end of the file"},
		{{DATA, LINK, LINK, ~0ULL, ~0ULL}, "end of the file"},
		{{DATA, LINK, LINK, -(uint64_t)DATA, ~0ULL}, "end of the file"},
		{{DATA, LINK, RAM_END, 0x200, 0x200}, "outside the VM's RAM"},
		{{DATA, LINK, RAM_END - 0x1ff, 0x200, 0x200}, "outside the VM's RAM"},
		{{DATA, LINK, LINK, 0x200, RAM_END - LINK + 1}, "outside the VM's RAM"},
		{{DATA, LINK, LINK, 0x200, ~0ULL}, "outside the VM's RAM"},
		{{DATA, LINK, LINK, 0x200, -(uint64_t)LINK}, "outside the VM's RAM"},
		{{DATA, LINK, -0x100ULL, 0x200, 0x300}, "outside the VM's RAM"},
		{{DATA, LINK, ~0ULL, 0, 1}, "outside the VM's RAM"},
		{{DATA, LINK, BIT(32) + LINK, 0x200, 0x200}, "outside the VM's RAM"},
	};

	for (unsigned n = 0; n < ARRAY_SIZE(lies); n++) {
		struct image i = elf(64);

		put_segment(&i, 0, &lies[n].s);
		assert_refused(&i, lies[n].why);
		assert_untouched(0, RAM_END);
	}
}

TEST(nothing_is_loaded_into_the_hole_below_1_mib)
{
	static const uint64_t starts[] = {HOLE - 0x2ff, HOLE, 0xb8000, 0xf0000, MiB - 1};
	struct image i = elf(32);
	const struct segment across = {DATA, 0x8000, 0xb000, 0x200, 2 * MiB - 0xb000};
	const struct segment below = {DATA, LINK, HOLE - 0x300, 0x200, 0x300};

	for (unsigned n = 0; n < ARRAY_SIZE(starts); n++) {
		const struct segment s = {DATA, LINK, starts[n], 0x200, 0x300};

		put_segment(&i, 0, &s);
		assert_refused(&i, "outside the VM's RAM");
	}
	put_segment(&i, 0, &across);
	assert_refused(&i, "outside the VM's RAM");
	assert_untouched(0, RAM_END);
	put_segment(&i, 0, &below);
	assert_null(load(&i));
}

TEST(the_pages_below_1_mib_that_segments_cover_are_known)
{
	struct image i = elf(32);
	const struct segment first = {DATA, LINK, 0x8fff, 2, 2};
	const struct segment last = {DATA + 2, LINK + 2, 0x3f000, 0, 0x61000};

	put_segment(&i, 0, &first);
	put_segment(&i, 1, &last);
	set_segments(&i, 2);
	assert_null(load(&i));
	for (uint64_t page = 0; page < MiB; page += PAGE_SIZE)
		assert_int_equal(elf_covers_page(&loaded, page),
				 page == 0x8000 || page == 0x9000 || (page >= 0x3f000 && page < HOLE));
}

/* Thousands of segments of all RAM each would keep the hypervisor busy for hours. */
TEST(segments_larger_than_ram_in_sum_are_refused)
{
	struct image i = elf(32);
	const struct segment all = {DATA, LINK, LINK, 0, RAM_END - LINK};

	for (unsigned n = 0; n < 3; n++) put_segment(&i, n, &all);
	set_segments(&i, 1);
	assert_null(load(&i));
	set_segments(&i, 2);
	assert_refused(&i, "the segments together are larger");
}

TEST(an_elf_without_segments_has_nothing_to_load)
{
	struct image i = elf(32);

	set_segments(&i, 0);
	assert_refused(&i, "nothing to load");
}

/* A flat image with the header 0x10 into it: 0x200 bytes for LINK. */
static struct image flat(uint32_t load_end, uint32_t bss_end)
{
	struct image i = {.size = 0x200};

	for (unsigned n = 0; n < i.size; n++) i.bytes[n] = (uint8_t)(n + 1);
	put_addresses(&i, 0x10, LINK + 0x10, LINK, load_end, bss_end, LINK + 0x40);
	return i;
}

TEST(an_image_with_addresses_is_loaded_where_they_say)
{
	struct image i = flat(LINK + 0x180, LINK + 0x280);

	assert_null(load(&i));
	assert_int_equal(loaded.entry, LINK + 0x40);
	assert_int_equal(loaded.start, LINK);
	assert_int_equal(loaded.end, LINK + 0x280);
	assert_memory_equal(ram + LINK, i.bytes, 0x180);
	for (unsigned n = 0x180; n < 0x280; n++) assert_int_equal(ram[LINK + n], 0);
	assert_untouched(LINK + 0x280, RAM_END);
}

TEST(load_end_0_means_the_whole_file_and_bss_end_0_no_bss)
{
	struct image i = flat(0, 0);

	assert_null(load(&i));
	assert_memory_equal(ram + LINK, i.bytes, 0x200);
	assert_int_equal(loaded.end, LINK + 0x200);
	i = flat(0, LINK + 0x210);
	assert_null(load(&i));
	assert_int_equal(loaded.end, LINK + 0x210);
}

TEST(what_precedes_the_addresses_image_in_the_file_is_not_loaded)
{
	struct image i = {.size = 0x300};

	put_addresses(&i, 0x110, LINK + 0x10, LINK, 0, 0, LINK);
	put(&i, 0x100, 4, 0x12345678);
	assert_null(load(&i));
	assert_int_equal(loaded.end, LINK + 0x200);
	assert_memory_equal(ram + LINK, i.bytes + 0x100, 0x200);
}

TEST(addresses_that_contradict_each_other_are_refused)
{
	struct image i = flat(LINK - 1, 0);

	assert_refused(&i, "contradict");
	i = flat(0, LINK - 1);
	assert_refused(&i, "contradict");
	i = flat(LINK + 0x180, LINK + 0x17f);
	assert_refused(&i, "contradict");
	i = flat(0, LINK + 0x1ff);
	assert_refused(&i, "contradict");
	i = flat(0, 0); /* the image would begin before the file */
	put_addresses(&i, 0x10, LINK + 0x11, LINK, 0, 0, LINK);
	assert_refused(&i, "contradict");
	put_addresses(&i, 0x10, LINK - 1, LINK, 0, 0, LINK);
	assert_refused(&i, "contradict");
	put_addresses(&i, 0x10, 0, 0xfffffff0, 0, 0, 0xfffffff0);
	assert_refused(&i, "contradict");
}

TEST(addresses_beyond_the_file_or_ram_are_refused)
{
	struct image i = flat(LINK + 0x201, 0);

	assert_refused(&i, "end of the file");
	i = flat(0, RAM_END + 1);
	assert_refused(&i, "outside the VM's RAM");
	i = flat(0, 0xffffffff);
	assert_refused(&i, "outside the VM's RAM");
	put_addresses(&i, 0x10, 0xa0010, 0xa0000, 0, 0, 0xa0000);
	assert_refused(&i, "outside the VM's RAM");
	assert_untouched(0, RAM_END);
}

TEST(an_entry_outside_the_loaded_addresses_is_refused)
{
	static const uint32_t outside[] = {0, LINK - 1, LINK + 0x200, 0xffffffff};
	struct image i = flat(0, 0);

	for (unsigned n = 0; n < ARRAY_SIZE(outside); n++) {
		put_addresses(&i, 0x10, LINK + 0x10, LINK, 0, 0, outside[n]);
		assert_refused(&i, "the entry point lies outside");
	}
}

TEST(a_header_with_addresses_that_the_file_cuts_off_is_refused)
{
	struct image i = flat(0, 0);

	for (i.size = 0x10 + 12; i.size < 0x10 + 32; i.size++) assert_refused(&i, "contradict");
}
