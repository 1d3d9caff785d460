/* SPDX-License-Identifier: MIT */
/*
 * hv/load/multiboot.c and the table of loaders: what a multiboot guest finds at its entry, and that
 * nothing of it lies where something was loaded. (Images that lie: test_elf.c.)
 */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"
#include "tests/lib/load_job.h"
#include "lib/bits.h"

#define HEADER_MAGIC 0x1badb002U
#define ADDRESSES    BIT(16)
#define RAM_SIZE     (2 * MiB)
#define UNTOUCHED    0xcc
#define USUAL_PAGE   0x9000
#define COMMAND_MAX  3583

/* Where the words of the information are (Multiboot 0.6.96 3.3). */
enum {
	FLAGS = 0,
	MEM_LOWER = 4,
	MEM_UPPER = 8,
	CMDLINE = 16,
	MODS_COUNT = 20,
	MODS_ADDR = 24,
	MMAP_LENGTH = 44,
	MMAP_ADDR = 48,
	LOADER_NAME = 64,
};

static uint32_t image[16];

/* An image of 64 bytes, loaded at 'start', with zeroes up to 'end'; its entry is 'start'. */
static void set_image(uint32_t start, uint32_t end)
{
	const uint32_t fields[] = {HEADER_MAGIC, ADDRESSES, -(HEADER_MAGIC + (uint32_t)ADDRESSES),
				   start,        start,     start + sizeof(image),
				   end,          start};

	memcpy(image, fields, sizeof(fields));
	job.image = (const uint8_t *)image;
	job.size = sizeof(image);
}

static int make_job(void **state)
{
	(void)state;
	load_job_begin(RAM_SIZE, UNTOUCHED);
	set_image(MiB, MiB + 0x1234);
	return 0;
}

static uint32_t word(uint64_t gpa)
{
	uint32_t value;

	assert_true(gpa + sizeof(value) <= RAM_SIZE);
	memcpy(&value, ram + gpa, sizeof(value));
	return value;
}

static uint32_t information(unsigned field) { return word(entry.ebx + field); }

/* Each test here has this fixture. */
#undef TEST
#define TEST(name) TEST_WITH(name, make_job, load_job_end)

TEST(a_guest_begins_at_its_entry_with_the_protocols_registers)
{
	load();
	assert_int_equal(entry.rip, MiB);
	assert_int_equal(entry.eax, 0x2badb002);
	assert_int_equal(entry.ebx, USUAL_PAGE);
	assert_int_equal(entry.rsi, 0);
	assert_int_equal(entry.cr3, 0);
}

TEST(the_information_says_what_it_has)
{
	load();
	assert_int_equal(information(FLAGS), BIT(0) | BIT(2) | BIT(3) | BIT(6) | BIT(9));
	assert_string_equal((char *)ram + information(LOADER_NAME), "Leafcutter");
}

TEST(the_command_line_is_the_name_a_blank_and_the_words)
{
	job.command_line = "one  two";
	load();
	assert_string_equal((char *)ram + information(CMDLINE), "demo one  two");
}

TEST(a_command_line_that_does_not_fit_is_refused_and_not_cut)
{
	char words[COMMAND_MAX + 1];
	size_t longest = COMMAND_MAX - strlen("demo ");

	memset(words, 'x', sizeof(words));
	words[longest] = '\0';
	job.command_line = words;
	load();
	assert_int_equal(strlen((char *)ram + information(CMDLINE)), COMMAND_MAX);
	words[longest] = 'x';
	words[longest + 1] = '\0';
	load_refused("expected at most 3583 characters");
}

/* All of it in one page, so that no guest that keeps the page can lose a part. */
TEST(all_of_the_information_lies_in_its_page)
{
	static const unsigned pointers[] = {CMDLINE, MODS_ADDR, MMAP_ADDR, LOADER_NAME};

	job.command_line = "words";
	load();
	for (unsigned i = 0; i < ARRAY_SIZE(pointers); i++)
		assert_in_range(information(pointers[i]), entry.ebx, entry.ebx + PAGE_SIZE - 16);
	for (uint64_t at = 0; at < MiB; at++)
		if (at / PAGE_SIZE != entry.ebx / PAGE_SIZE) assert_int_equal(ram[at], UNTOUCHED);
}

static void assert_range(unsigned n, uint64_t base, uint64_t length, uint32_t type)
{
	uint64_t at = information(MMAP_ADDR) + n * 24, found;

	assert_true((n + 1) * 24 <= information(MMAP_LENGTH));
	assert_int_equal(word(at), 20);
	memcpy(&found, ram + at + 4, 8);
	assert_int_equal(found, base);
	memcpy(&found, ram + at + 12, 8);
	assert_int_equal(found, length);
	assert_int_equal(word(at + 20), type);
}

TEST(the_memory_map_is_that_of_the_vm)
{
	load();
	assert_int_equal(information(MMAP_LENGTH), 4 * 24);
	assert_range(0, 0, 0x9fc00, 1);
	assert_range(1, 0x9fc00, KiB, 2); /* the extended BIOS data area, */
	assert_range(2, 0xf0000, 0x10000, 2);
	assert_range(3, MiB, RAM_SIZE - MiB, 1);
	assert_int_equal(information(MEM_LOWER), 639); /* which is no memory in the BIOS data area either */
	assert_int_equal(information(MEM_UPPER), 1024);
}

/* Of that VM only the part that is touched is there. */
TEST(the_memory_map_has_what_lies_above_4_gib)
{
	guest_map_make(&map, 5 * GiB, 0);
	load();
	assert_int_equal(information(MMAP_LENGTH), 5 * 24);
	assert_range(3, MiB, 3 * GiB - MiB, 1);
	assert_range(4, 4 * GiB, 2 * GiB, 1);
	assert_int_equal(information(MEM_UPPER), 3 * MiB - KiB);
}

static void set_initrd(size_t size)
{
	static uint8_t initrd[MiB];

	for (size_t i = 0; i < size; i++) initrd[i] = (uint8_t)(i * 7 + 1);
	job.initrd = initrd;
	job.initrd_size = size;
}

static void assert_initrd_at(uint64_t gpa)
{
	uint32_t module = information(MODS_ADDR);

	assert_int_equal(information(MODS_COUNT), 1);
	assert_int_equal(word(module), gpa);
	assert_int_equal(word(module + 4), gpa + job.initrd_size);
	assert_memory_equal(ram + gpa, job.initrd, job.initrd_size);
}

TEST(without_an_initrd_there_is_no_module)
{
	load();
	assert_int_equal(information(MODS_COUNT), 0);
}

TEST(the_initrd_lies_page_aligned_above_the_image)
{
	set_initrd(5000);
	load();
	assert_initrd_at(MiB + 0x2000);
}

TEST(the_initrd_of_a_low_image_lies_above_1_mib)
{
	set_image(0x8000, 0x8100);
	set_initrd(5000);
	load();
	assert_initrd_at(MiB);
}

TEST(an_initrd_may_fill_ram_to_its_end_and_not_beyond)
{
	set_initrd(MiB - 0x2000);
	load();
	assert_initrd_at(MiB + 0x2000);
	set_initrd(MiB - 0x2000 + 1);
	load_refused("the initrd does not fit above the image");
	job.initrd_size = -(size_t)MiB;
	load_refused("the initrd does not fit above the image");
}

/* The information is in a page of its own: no byte of the image, of its bss or of the initrd. */
static void assert_apart(uint32_t start, uint32_t end)
{
	assert_int_equal(entry.ebx % PAGE_SIZE, 0);
	assert_true(entry.ebx >= end || entry.ebx + PAGE_SIZE <= start);
	assert_memory_equal(ram + start, image, sizeof(image));
	for (uint32_t at = start + sizeof(image); at < end; at++) assert_int_equal(ram[at], 0);
	assert_string_equal((char *)ram + information(CMDLINE), "demo ");
}

TEST(the_information_lies_in_a_page_that_no_segment_covers)
{
	static const struct {
		uint32_t start, end, page;
	} cases[] = {
		{0x8000, 0x9000, 0x9000},  {0x8000, 0x9001, 0xa000}, {0x9fc0, 0xa000, 0xa000},
		{0xa000, 0xb000, 0x9000},  {0x9000, 0xa000, 0xa000}, {0x1000, 0x9f001, 0},
		{0x9000, 0xa0000, 0x1000}, {0, 0xa0000 - 1, 0},      {0, 0x9f000, 0},
		{0x2000, 0xa0000, 0x1000}, {0, 0x9e000, 0x9e000},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		set_image(cases[i].start, cases[i].end);
		memset(ram, UNTOUCHED, RAM_SIZE);
		load();
		assert_apart(cases[i].start, cases[i].end);
		assert_int_equal(entry.ebx, cases[i].page ? cases[i].page : MiB);
	}
}

TEST(information_above_the_image_lies_below_the_initrd)
{
	set_image(0x1000, GUEST_HOLE_START);
	set_initrd(MiB - PAGE_SIZE);
	load();
	assert_int_equal(entry.ebx, MiB);
	assert_initrd_at(MiB + PAGE_SIZE);
	assert_apart(0x1000, GUEST_HOLE_START);
	set_initrd(MiB - PAGE_SIZE + 1);
	load_refused("the initrd does not fit above the image");
}

/* Two segments, of all RAM but page 0. */
TEST(an_image_that_leaves_no_page_is_refused)
{
	static uint8_t elf[0x100];
	const struct {
		uint8_t ident[16];
		uint16_t type, machine;
		uint32_t version, entry, phoff, shoff, flags;
		uint16_t ehsize, phentsize, phnum, rest[3];
		struct {
			uint32_t type, offset, vaddr, paddr, filesz, memsz, flags, align;
		} segment[2];
		uint32_t multiboot[3];
	} file = {
		.ident = {0x7f, 'E', 'L', 'F', 1, 1, 1},
		.machine = 3,
		.entry = MiB,
		.phoff = 52,
		.phentsize = 32,
		.phnum = 2,
		.segment = {{.type = 1, .paddr = 0x1000, .memsz = 0x9f000},
			    {.type = 1, .vaddr = MiB, .paddr = MiB, .memsz = MiB}},
		.multiboot = {HEADER_MAGIC, 0, -HEADER_MAGIC},
	};

	memcpy(elf, &file, sizeof(file));
	job.image = elf;
	job.size = sizeof(elf);
	load_refused("no page is left for the multiboot information");
}

TEST(what_no_loader_knows_is_refused_in_one_line)
{
	image[0] = 0;
	load_refused("no bzImage, and no multiboot header in the first 8192 bytes");
	job.size = 0;
	load_refused("no bzImage, and no multiboot header in the first 8192 bytes");
}

TEST(a_multiboot_image_that_lies_is_refused_by_its_loader)
{
	set_image(MiB, RAM_SIZE + 1);
	load_refused("a segment lies outside the VM's RAM");
	for (uint64_t at = 0; at < RAM_SIZE; at++) assert_int_equal(ram[at], UNTOUCHED);
}
