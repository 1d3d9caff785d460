/* SPDX-License-Identifier: MIT */
/* hv/load/elf.c: guest images as linkers make them, and as nobody should. */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/load_put.h"
#include "tests/lib/test.h"
#include "hv/load/elf.h"
#include "lib/bits.h"

#define MAGIC     0x1badb002U
#define ADDRESSES BIT(16)
#define LINK      0x100000
#define RAM_END   0x200000
#define HOLE      0xa0000
#define DATA      0x1004 /* where the bytes of the first segment are in the file */
#define HEADER    0x800  /* and where the multiboot header is */

/* Fields of an ELF header's file: offsets in the file, by class. */
enum { ENTRY = 24, PHOFF_32 = 28, PHOFF_64 = 32, PHENTSIZE_32 = 42, PHNUM_32 = 44, PHNUM_64 = 56 };

/* An image under construction; its file is bytes[0..size). */
struct image {
	uint8_t bytes[0x4000];
	size_t size;
	unsigned bits, segments;
};

/* A field of a segment, or of the addresses in a multiboot header, and the value it gets. */
enum field { NONE, OFFSET, VADDR, PADDR, FILESZ, MEMSZ, HEADER_ADDR = 1, LOAD_ADDR, LOAD_END, BSS_END, ENTRY_ADDR };
struct change {
	enum field field;
	uint64_t value;
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

/* Each test here has that RAM. */
#undef TEST
#define TEST(name) TEST_WITH(name, make_ram, free_ram)

static void put(struct image *i, size_t at, unsigned width, uint64_t value) { memcpy(i->bytes + at, &value, width); }

static void put_multiboot(struct image *i, size_t at, uint32_t flags)
{
	put(i, at, 4, MAGIC);
	put(i, at + 4, 4, flags);
	put(i, at + 8, 4, -(MAGIC + flags));
}

static size_t program_header(const struct image *i, unsigned n)
{
	return i->bits == 64 ? 0x40 + 56 * n : 0x40 + 32 * n;
}

static void set(struct image *i, unsigned n, enum field field, uint64_t value)
{
	size_t at = program_header(i, n);

	if (i->bits == 64)
		put(i, at + 8 * field, 8, value);
	else
		put(i, at + 4 * field, 4, value);
}

/* One more segment, whose bytes in the file are the first one's. Returns its number. */
static unsigned add_segment(struct image *i, uint64_t address, uint64_t filesz, uint64_t memsz)
{
	unsigned n = i->segments++;

	put(i, program_header(i, n), 4, 1);
	set(i, n, OFFSET, DATA);
	set(i, n, VADDR, address);
	set(i, n, PADDR, address);
	set(i, n, FILESZ, filesz);
	set(i, n, MEMSZ, memsz);
	put(i, i->bits == 64 ? PHNUM_64 : PHNUM_32, 2, i->segments);
	return n;
}

static void set_entry(struct image *i, uint64_t entry) { put(i, ENTRY, i->bits / 8, entry); }

/* An ELF of one segment with 0x200 bytes at LINK, and 0x100 more of bss; entry at its begin. */
static struct image elf(unsigned bits)
{
	struct image i = {.size = DATA + 0x200, .bits = bits};

	memcpy(i.bytes, "\177ELF", 4);
	i.bytes[4] = bits == 64 ? 2 : 1;
	i.bytes[5] = i.bytes[6] = 1;
	put(&i, 16, 2, 2);
	put(&i, 18, 2, bits == 64 ? 62 : 3);
	set_entry(&i, LINK);
	put(&i, bits == 64 ? PHOFF_64 : PHOFF_32, bits / 8, 0x40);
	put(&i, bits == 64 ? 54 : PHENTSIZE_32, 2, bits == 64 ? 56 : 32);
	add_segment(&i, LINK, 0x200, 0x300);
	put_multiboot(&i, HEADER, 0);
	for (unsigned n = 0; n < 0x200; n++) i.bytes[DATA + n] = (uint8_t)(n * 7 + 1);
	return i;
}

/* From a buffer of the exact size: the sanitizer sees a read beyond the file. */
static const char *load(const struct image *i)
{
	uint8_t *file = malloc(i->size);
	struct guest_map map;
	const struct load_job job = {.image = file, .size = i->size, .ram = ram, .map = &map, .put = load_put};
	const char *problem;

	guest_map_make(&map, RAM_END, 0);
	memcpy(file, i->bytes, i->size);
	problem = elf_load(&job, &loaded);
	free(file);
	return problem;
}

/* RAM [start, end) is as it was before the load. */
static void assert_untouched(uint64_t start, uint64_t end)
{
	assert_int_equal(ram[start], 0xcc);
	assert_memory_equal(ram + start, ram + start + 1, end - start - 1);
}

static void assert_refused(const struct image *i, const char *why)
{
	const char *problem = load(i);

	assert_non_null(problem);
	if (!strstr(problem, why)) fail_msg("refused because '%s', expected '%s'", problem, why);
}

TEST(elf32_and_elf64_are_loaded_and_their_bss_zeroed)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		struct image i = elf(bits);

		memset(ram, 0xcc, RAM_END);
		assert_null(load(&i));
		assert_int_equal(loaded.entry, LINK);
		assert_int_equal(loaded.start, LINK);
		assert_int_equal(loaded.end, LINK + 0x300);
		assert_memory_equal(ram + LINK, i.bytes + DATA, 0x200);
		for (unsigned n = 0x200; n < 0x300; n++) assert_int_equal(ram[LINK + n], 0);
		assert_untouched(0, LINK);
		assert_untouched(LINK + 0x300, RAM_END);
	}
}

TEST(a_virtual_entry_becomes_the_physical_address_and_a_physical_one_stays)
{
	struct image i = elf(64);

	set(&i, 0, VADDR, 0xffffffff80100000);
	set_entry(&i, 0xffffffff80100010);
	assert_null(load(&i));
	assert_int_equal(loaded.entry, LINK + 0x10);
	set_entry(&i, LINK + 0x20);
	assert_null(load(&i));
	assert_int_equal(loaded.entry, LINK + 0x20);
}

TEST(a_virtual_entry_wins_over_a_physical_one)
{
	struct image i = elf(32);

	set(&i, 0, VADDR, 0x180000);
	set(&i, add_segment(&i, 0x180000, 0x100, 0x100), VADDR, 0x400000);
	set_entry(&i, 0x180004);
	assert_null(load(&i));
	assert_int_equal(loaded.entry, LINK + 4);
}

TEST(an_entry_lies_in_a_segment_be_it_at_address_0)
{
	struct image i = elf(32);

	set_entry(&i, LINK + 0x2ff);
	assert_null(load(&i));
	set_entry(&i, 0);
	assert_refused(&i, "the entry point lies in no segment");
	add_segment(&i, 0, 0x200, 0x200);
	assert_null(load(&i));
	assert_int_equal(loaded.entry, 0);
	assert_int_equal(loaded.start, 0);
}

TEST(several_segments_are_loaded_each_to_its_place)
{
	struct image i = elf(64);

	set(&i, add_segment(&i, RAM_END - 0x40, 0x20, 0x40), OFFSET, DATA + 0x10);
	add_segment(&i, 0x8000, 0x10, 0x10);
	add_segment(&i, 0x110000, 0x10, 0x10);
	assert_null(load(&i));
	assert_int_equal(loaded.start, 0x8000);
	assert_int_equal(loaded.end, RAM_END);
	assert_memory_equal(ram + 0x8000, i.bytes + DATA, 0x10);
	assert_memory_equal(ram + RAM_END - 0x40, i.bytes + DATA + 0x10, 0x20);
}

TEST(what_loads_nothing_may_say_anything)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		struct image i = elf(bits);
		unsigned stack = add_segment(&i, ~0ULL, ~0ULL, 1), bss = add_segment(&i, 0x110000, 0, 0x100);

		put(&i, program_header(&i, stack), 4, 0x6474e551); /* GNU_STACK */
		add_segment(&i, 0xffff0000, 0, 0);
		set(&i, bss, OFFSET, 0xfffff000); /* it has no bytes in the file */
		assert_null(load(&i));
		assert_int_equal(loaded.end, 0x110100);
		assert_int_equal(ram[0x110000], 0);
		assert_int_equal(ram[0x1100ff], 0);
		assert_int_equal(ram[0x110100], 0xcc);
	}
}

TEST(the_multiboot_header_lies_aligned_in_the_first_8192_bytes)
{
	static const struct {
		size_t at;
		bool found;
	} place[] = {{0x900, true}, {8192 - 12, true}, {8192 - 8, false}, {0x802, false}};

	for (unsigned n = 0; n < ARRAY_SIZE(place); n++) {
		struct image i = elf(32);

		i.size = sizeof(i.bytes);
		put(&i, HEADER + 8, 4, -MAGIC + 1); /* of this one the checksum is wrong: the search goes on */
		put_multiboot(&i, place[n].at, 0);
		if (place[n].found)
			assert_null(load(&i));
		else
			assert_refused(&i, "no multiboot header");
	}
}

TEST(a_required_feature_that_is_unknown_is_refused)
{
	struct image i = elf(32);

	put_multiboot(&i, HEADER, BIT(3));
	assert_refused(&i, "requires a feature");
	put_multiboot(&i, HEADER, BIT(15));
	assert_refused(&i, "requires a feature");
	put_multiboot(&i, HEADER, BIT(0) | BIT(1) | BIT(2) | BIT(31));
	assert_null(load(&i));
}

/* Wherever the file ends: refused, and not a byte beyond it is read. */
TEST(a_truncated_file_is_refused_wherever_it_ends)
{
	for (unsigned bits = 32; bits <= 64; bits += 32) {
		struct image i = elf(bits);

		i.size--;
		assert_refused(&i, "beyond the end of the file (is it truncated?)");
		while (i.size--) assert_non_null(load(&i));
	}
	for (size_t size = 24; size < 64; size++) { /* the multiboot header within the ELF header, which is cut */
		struct image i = {.bytes = "\177ELF\2\1\1", .size = size};

		put_multiboot(&i, 12, 0);
		assert_refused(&i, "no ELF image for x86");
	}
}

TEST(a_header_that_lies_is_refused)
{
	static const char no_elf[] = "no ELF image for x86", no_entry[] = "the entry point lies in no segment";
	static const char beyond[] = "the program headers lie beyond the end of the file";
	static const struct {
		unsigned bits, at, width;
		uint64_t value;
		const char *why;
	} lies[] = {
		{32, HEADER, 4, 0, "no multiboot header"},
		{32, 0, 1, 0, no_elf},
		{32, 4, 1, 0, no_elf},
		{32, 4, 1, 2, no_elf},
		{32, 5, 1, 2, no_elf},
		{32, 18, 2, 40, no_elf},
		{32, PHENTSIZE_32, 2, 31, no_elf},
		{32, PHOFF_32, 4, DATA + 0x200 - 31, beyond},
		{32, PHOFF_32, 4, 0xffffffff, beyond},
		{64, PHOFF_64, 8, ~0ULL, beyond},
		{64, PHNUM_64, 2, 0xffff, beyond},
		{64, PHNUM_64, 2, 0x100, beyond},
		{32, PHNUM_32, 2, 0, "nothing to load"},
		{32, ENTRY, 4, LINK - 1, no_entry},
		{32, ENTRY, 4, LINK + 0x300, no_entry},
		{32, ENTRY, 4, 0xffffffff, no_entry},
		{64, ENTRY, 8, BIT(32) + LINK, no_entry},
	};

	for (unsigned n = 0; n < ARRAY_SIZE(lies); n++) {
		struct image i = elf(lies[n].bits);

		put(&i, lies[n].at, lies[n].width, lies[n].value);
		assert_refused(&i, lies[n].why);
	}
}

/* One lie after the other about the only segment; nothing is written for any of them. */
TEST(segments_that_lie_are_refused_and_nothing_is_written)
{
	static const char short_file[] = "end of the file", outside[] = "outside the VM's RAM";
	static const struct {
		struct change change[3];
		const char *why;
	} lies[] = {
		{{{MEMSZ, 0x1ff}}, "more bytes in the file"},
		{{{MEMSZ, 0}}, "more bytes in the file"},
		{{{OFFSET, DATA + 1}}, short_file},
		{{{OFFSET, ~0ULL}}, short_file},
		{{{OFFSET, -0x100ULL}}, short_file},
		{{{FILESZ, ~0ULL}, {MEMSZ, ~0ULL}}, short_file},
		{{{FILESZ, -(uint64_t)DATA}, {MEMSZ, ~0ULL}}, short_file},
		{{{PADDR, RAM_END}}, outside},
		{{{PADDR, RAM_END - 0x2ff}}, outside},
		{{{MEMSZ, RAM_END - LINK + 1}}, outside},
		{{{MEMSZ, ~0ULL}}, outside},
		{{{MEMSZ, -(uint64_t)LINK}}, outside},
		{{{PADDR, -0x100ULL}}, outside},
		{{{PADDR, ~0ULL}, {FILESZ, 0}, {MEMSZ, 1}}, outside},
		{{{PADDR, BIT(32) + LINK}}, outside},
		/* The hole below 1 MiB. */
		{{{PADDR, HOLE - 0x2ff}}, outside},
		{{{PADDR, HOLE}}, outside},
		{{{PADDR, 0xf0000}}, outside},
		{{{PADDR, MiB - 1}}, outside},
		{{{PADDR, 0xb000}, {MEMSZ, 2 * MiB - 0xb000}}, outside},
	};

	for (unsigned n = 0; n < ARRAY_SIZE(lies); n++) {
		struct image i = elf(64);

		for (const struct change *c = lies[n].change; c < lies[n].change + 3 && c->field; c++)
			set(&i, 0, c->field, c->value);
		assert_refused(&i, lies[n].why);
		assert_untouched(0, RAM_END);
	}
}

TEST(the_pages_below_1_mib_that_segments_cover_are_known)
{
	struct image i = elf(32);

	set(&i, 0, PADDR, 0x8fff);
	set(&i, 0, FILESZ, 2);
	set(&i, 0, MEMSZ, 2);
	add_segment(&i, 0x3f000, 0, HOLE - 0x3f000);
	assert_null(load(&i));
	for (uint64_t page = 0; page < MiB; page += PAGE_SIZE)
		assert_int_equal(elf_covers_page(&loaded, page),
				 page == 0x8000 || page == 0x9000 || (page >= 0x3f000 && page < HOLE));
}

/* Thousands of segments of all RAM each would keep the hypervisor busy for hours. */
TEST(segments_larger_than_ram_in_sum_are_refused)
{
	struct image i = elf(32);

	set(&i, 0, MEMSZ, RAM_END - LINK);
	assert_null(load(&i));
	add_segment(&i, LINK, 0, RAM_END - LINK);
	assert_refused(&i, "the segments together are larger");
}

/* A flat image with the header 0x10 into it: 0x200 bytes for LINK, but for what 'change' says. */
static struct image flat(const struct change *change)
{
	struct image i = {.size = 0x200};
	uint32_t address[] = {[HEADER_ADDR] = LINK + 0x10,
			      [LOAD_ADDR] = LINK,
			      [LOAD_END] = 0,
			      [BSS_END] = 0,
			      [ENTRY_ADDR] = LINK + 0x40};

	for (unsigned n = 0; n < i.size; n++) i.bytes[n] = (uint8_t)(n + 1);
	put_multiboot(&i, 0x10, ADDRESSES);
	for (; change->field; change++) address[change->field] = (uint32_t)change->value;
	memcpy(i.bytes + 0x10 + 12, address + 1, sizeof(address) - sizeof(address[0]));
	return i;
}
#define FLAT(...) flat((const struct change[]){__VA_ARGS__, {NONE, 0}})

TEST(an_image_with_addresses_is_loaded_where_they_say)
{
	struct image i = FLAT({LOAD_END, LINK + 0x180}, {BSS_END, LINK + 0x280});

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
	struct image i = FLAT({LOAD_END, 0}, {BSS_END, 0});

	assert_null(load(&i));
	assert_memory_equal(ram + LINK, i.bytes, 0x200);
	assert_int_equal(loaded.end, LINK + 0x200);
	i = FLAT({LOAD_END, 0}, {BSS_END, LINK + 0x210});
	assert_null(load(&i));
	assert_int_equal(loaded.end, LINK + 0x210);
}

TEST(what_precedes_the_image_in_the_file_is_not_loaded)
{
	struct image i = FLAT({HEADER_ADDR, LINK}, {ENTRY_ADDR, LINK});

	assert_null(load(&i));
	assert_int_equal(loaded.end, LINK + 0x1f0);
	assert_memory_equal(ram + LINK, i.bytes + 0x10, 0x1f0);
}

TEST(addresses_that_lie_are_refused)
{
	static const char contradict[] = "contradict", outside[] = "outside the VM's RAM";
	static const char entry[] = "the entry point lies outside";
	static const struct {
		struct change change[4];
		const char *why;
	} lies[] = {
		{{{LOAD_END, LINK - 1}}, contradict},
		{{{BSS_END, LINK - 1}}, contradict},
		{{{LOAD_END, LINK + 0x180}, {BSS_END, LINK + 0x17f}}, contradict},
		{{{BSS_END, LINK + 0x1ff}}, contradict},
		{{{HEADER_ADDR, LINK + 0x11}}, contradict}, /* the image would begin before the file */
		{{{HEADER_ADDR, LINK - 1}}, contradict},
		{{{HEADER_ADDR, 0}, {LOAD_ADDR, 0xfffffff0}, {ENTRY_ADDR, 0xfffffff0}}, contradict},
		{{{LOAD_END, LINK + 0x201}}, "end of the file"},
		{{{BSS_END, RAM_END + 1}}, outside},
		{{{BSS_END, 0xffffffff}}, outside},
		{{{HEADER_ADDR, HOLE + 0x10}, {LOAD_ADDR, HOLE}, {ENTRY_ADDR, HOLE}}, outside},
		{{{ENTRY_ADDR, 0}}, entry},
		{{{ENTRY_ADDR, LINK - 1}}, entry},
		{{{ENTRY_ADDR, LINK + 0x200}}, entry},
		{{{ENTRY_ADDR, 0xffffffff}}, entry},
	};

	for (unsigned n = 0; n < ARRAY_SIZE(lies); n++) {
		struct image i = flat(lies[n].change);

		assert_refused(&i, lies[n].why);
		assert_untouched(0, RAM_END);
	}
}

TEST(a_header_with_addresses_that_the_file_cuts_off_is_refused)
{
	struct image i = FLAT({LOAD_END, 0});

	for (i.size = 0x10 + 12; i.size < 0x10 + 32; i.size++) assert_refused(&i, "contradict");
}
