/* SPDX-License-Identifier: MIT */
/*
 * hv/load/bzimage.c: where a kernel, its initrd and its parameters go, and that an image which is
 * truncated, lies or is too old ends as one line. Offsets as Linux's boot.rst and zero-page.rst
 * print them.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"
#include "tests/lib/load_job.h"
#include "lib/bits.h"

/* Fields of the header, by their offset in the file and in the zero page. */
enum {
	RSDP = 0x70,
	E820_COUNT = 0x1e8,
	SETUP_SECTORS = 0x1f1,
	PARAGRAPHS = 0x1f4,
	BOOT_FLAG = 0x1fe,
	JUMP_LENGTH = 0x201,
	MAGIC = 0x202,
	VERSION = 0x206,
	LOADER = 0x210,
	LOAD_FLAGS = 0x211,
	CODE32 = 0x214,
	INITRD = 0x218,
	INITRD_SIZE = 0x21c,
	COMMAND_LINE = 0x228,
	INITRD_LAST = 0x22c,
	ALIGNMENT = 0x230,
	RELOCATABLE = 0x234,
	EXTENDED_FLAGS = 0x236,
	COMMAND_LINE_MAX = 0x238,
	PREFERRED = 0x258,
	INIT_SIZE = 0x260,
	KERNEL_INFO = 0x268,
	E820 = 0x2d0,
};

#define RAM_SIZE  (8 * MiB)
#define SETUP     1024 /* a boot sector and one sector of setup */
#define PAYLOAD   4096
#define ZERO_PAGE 0x90000
#define UNTOUCHED 0xcc

static uint8_t file[SETUP + PAYLOAD];

static void put(unsigned offset, unsigned width, uint64_t value) { memcpy(file + offset, &value, width); }

static uint64_t param(unsigned offset, unsigned width)
{
	uint64_t value = 0;

	memcpy(&value, ram + entry.rsi + offset, width);
	return value;
}

static void make_file(void)
{
	for (unsigned i = 0; i < sizeof(file); i++) file[i] = (uint8_t)(i * 13 + 1);
	memset(file + SETUP_SECTORS, 0, 0x290 - SETUP_SECTORS);
	put(SETUP_SECTORS, 1, 1);
	put(PARAGRAPHS, 4, PAYLOAD / 16);
	put(BOOT_FLAG, 2, 0xaa55);
	put(JUMP_LENGTH, 1, 0x6a); /* up to 0x26c */
	put(MAGIC, 4, 0x53726448);
	put(VERSION, 2, 0x20f);
	put(LOAD_FLAGS, 1, 1);
	put(CODE32, 4, MiB);
	put(INITRD_LAST, 4, 0x7fffffff);
	put(ALIGNMENT, 4, 2 * MiB);
	put(RELOCATABLE, 1, 1);
	put(COMMAND_LINE_MAX, 4, 2047);
	put(PREFERRED, 8, 2 * MiB);
	put(INIT_SIZE, 4, 3 * MiB);
	put(KERNEL_INFO, 4, 0x1234);
}

static int make_job(void **state)
{
	(void)state;
	load_job_begin(RAM_SIZE, UNTOUCHED);
	make_file();
	job.image = file;
	job.size = sizeof(file);
	job.command_line = "one two";
	job.rsdp = 0xf0000;
	return 0;
}

static void assert_refused(const char *why)
{
	load_refused(why);
	for (uint64_t at = 0; at < RAM_SIZE; at++)
		if (ram[at] != UNTOUCHED) fail_msg("0x%lx was written", at);
}

/* With this field changed the image is refused. */
static void assert_lie(unsigned offset, unsigned width, uint64_t value, const char *why)
{
	make_file();
	put(offset, width, value);
	assert_refused(why);
}

/* Each test here has this fixture. */
#undef TEST
#define TEST(name) TEST_WITH(name, make_job, load_job_end)

TEST(the_payload_is_entered_where_it_asks_to_be)
{
	load();
	assert_int_equal(entry.rip, MiB);
	assert_int_equal(entry.rsi, ZERO_PAGE);
	assert_memory_equal(ram + MiB, file + SETUP, PAYLOAD);
	put(CODE32, 4, 3 * MiB);
	load();
	assert_int_equal(entry.rip, 3 * MiB);
	assert_memory_equal(ram + 3 * MiB, file + SETUP, PAYLOAD);
}

TEST(a_setup_of_no_sectors_is_one_of_four)
{
	put(SETUP_SECTORS, 1, 0);
	put(PARAGRAPHS, 4, (sizeof(file) - 5 * 512) / 16);
	load();
	assert_memory_equal(ram + MiB, file + 5 * 512, sizeof(file) - 5 * 512);
}

/* The 8 bytes at this address. */
static uint64_t word(uint64_t gpa)
{
	uint64_t value;

	memcpy(&value, ram + gpa, 8);
	return value;
}

/* The segment that a selector of the GDT names: base 0, 4 GiB, accessed; 9b executes, 93 writes. */
static void assert_segment(uint16_t selector, uint64_t descriptor)
{
	assert_int_equal(selector % 8, 0);
	assert_true(selector);
	assert_int_equal(word(entry.gdt + selector), descriptor);
}

TEST(without_a_64_bit_entry_it_begins_in_32_bit_segments_and_without_paging)
{
	load();
	assert_int_equal(entry.cr3, 0);
	assert_int_equal(entry.code, 0x10);
	assert_int_equal(entry.data, 0x18);
	assert_segment(entry.code, 0x00cf9b000000ffff);
	assert_segment(entry.data, 0x00cf93000000ffff);
}

static void set_64_bit(void) { put(EXTENDED_FLAGS, 2, 1); }

TEST(a_64_bit_entry_is_taken_where_the_header_offers_one)
{
	set_64_bit();
	load();
	assert_int_equal(entry.rip, MiB + 0x200);
	assert_int_equal(entry.rsi, ZERO_PAGE);
	assert_int_equal(entry.code, 0x10);
	assert_int_equal(entry.data, 0x18);
	assert_segment(entry.code, 0x00af9b000000ffff);
	assert_segment(entry.data, 0x00cf93000000ffff);
	assert_int_equal(param(MAGIC, 4), 0x53726448);
	assert_string_equal(ram + param(COMMAND_LINE, 4), "one two");
	put(EXTENDED_FLAGS, 2, 0xfffe); /* all others */
	load();
	assert_int_equal(entry.rip, MiB);
	assert_int_equal(entry.cr3, 0);
}

TEST(a_protocol_before_2_12_has_no_64_bit_entry_whatever_lies_there)
{
	set_64_bit();
	put(VERSION, 2, 0x20b);
	load();
	assert_int_equal(entry.rip, MiB);
	assert_int_equal(entry.cr3, 0);
	put(VERSION, 2, 0x20c);
	load();
	assert_int_equal(entry.rip, MiB + 0x200);
}

/* Where the page tables lead to (SDM 3A 4.5): each address below 4 GiB to itself, writable, executable. */
static uint64_t translate(uint64_t linear)
{
	uint64_t table = entry.cr3, e;

	for (unsigned shift = 39;; shift -= 9) {
		e = word((table & 0xffffffffff000) + (linear >> shift & 511) * 8);
		if (!(e & 1)) return UINT64_MAX;
		assert_int_equal(e >> 52, 0);
		assert_int_equal(e & 2, 2);
		if (shift == 21) break;
		table = e;
	}
	assert_int_equal(e & 0x80, 0x80);
	return (e & 0xfffffffe00000) | (linear & (2 * MiB - 1));
}

TEST(its_page_tables_lead_from_each_address_below_4_gib_to_itself)
{
	set_64_bit();
	load();
	for (uint64_t at = 0x123; at < 4 * GiB; at += 2 * MiB) assert_int_equal(translate(at), at);
	assert_int_equal(translate(4 * GiB), UINT64_MAX);
	assert_int_equal(translate(UINT64_MAX), UINT64_MAX);
}

TEST(a_kernel_that_ends_before_its_64_bit_entry_is_refused)
{
	set_64_bit();
	job.size = SETUP + 0x200 + 16;
	put(PARAGRAPHS, 4, 0x210 / 16);
	load();
	memset(ram, UNTOUCHED, RAM_SIZE);
	put(PARAGRAPHS, 4, 0x200 / 16);
	assert_refused("ends before its 64-bit entry");
}

TEST(the_zero_page_has_the_whole_header_and_zeroes)
{
	load();
	assert_int_equal(param(MAGIC, 4), 0x53726448);
	assert_int_equal(param(LOADER, 1), 0xff);
	assert_int_equal(param(KERNEL_INFO, 4), 0x1234);
	assert_int_equal(param(0x26c, 4), 0); /* behind the header's end */
	assert_int_equal(param(INITRD, 8), 0);
	for (unsigned at = 0; at < RSDP; at++) assert_int_equal(param(at, 1), 0);
}

TEST(the_command_line_is_as_given)
{
	load();
	assert_string_equal(ram + param(COMMAND_LINE, 4), "one two");
}

TEST(a_command_line_longer_than_the_header_allows_is_refused)
{
	put(COMMAND_LINE_MAX, 4, 7);
	load();
	memset(ram, UNTOUCHED, RAM_SIZE);
	assert_lie(COMMAND_LINE_MAX, 4, 6, "the command line is too long");
}

TEST(a_header_cannot_allow_more_than_a_page)
{
	static char words[PAGE_SIZE + 1];

	put(COMMAND_LINE_MAX, 4, UINT32_MAX);
	memset(words, 'x', PAGE_SIZE);
	job.command_line = words;
	assert_refused("the command line is too long");
}

static void assert_range(unsigned n, uint64_t base, uint64_t length, unsigned type)
{
	assert_true(n < param(E820_COUNT, 1));
	assert_int_equal(param(E820 + 20 * n, 8), base);
	assert_int_equal(param(E820 + 20 * n + 8, 8), length);
	assert_int_equal(param(E820 + 20 * n + 16, 4), type);
}

TEST(the_memory_map_and_the_rsdp_are_told)
{
	load();
	assert_int_equal(param(RSDP, 8), 0xf0000);
	assert_int_equal(param(E820_COUNT, 1), 4);
	assert_range(0, 0, 0x9fc00, 1);
	assert_range(1, 0x9fc00, 0x400, 2);
	assert_range(2, 0xf0000, 0x10000, 2);
	assert_range(3, MiB, RAM_SIZE - MiB, 1);
}

TEST(ram_above_4_gib_is_in_the_map)
{
	guest_map_make(&map, 5 * GiB, 0);
	load();
	assert_int_equal(param(E820_COUNT, 1), 5);
	assert_range(3, MiB, 3 * GiB - MiB, 1);
	assert_range(4, 4 * GiB, 2 * GiB, 1);
}

static void set_initrd(size_t size)
{
	static uint8_t initrd[4 * MiB];

	for (size_t i = 0; i < size && i < sizeof(initrd); i++) initrd[i] = (uint8_t)(i * 7 + 1);
	job.initrd = initrd;
	job.initrd_size = size;
}

static void assert_initrd_at(uint64_t gpa)
{
	assert_int_equal(param(INITRD, 4), gpa);
	assert_int_equal(param(INITRD_SIZE, 4), job.initrd_size);
	assert_memory_equal(ram + gpa, job.initrd, job.initrd_size);
}

TEST(the_initrd_lies_page_aligned_at_the_end_of_low_ram)
{
	set_initrd(5000);
	load();
	assert_initrd_at(RAM_SIZE - 8192);
}

TEST(the_initrd_lies_no_higher_than_the_kernel_allows)
{
	set_initrd(PAGE_SIZE);
	put(INITRD_LAST, 4, 6 * MiB - 1);
	load();
	assert_initrd_at(6 * MiB - PAGE_SIZE);
}

/* The kernel needs 2 MiB to 5 MiB. */
TEST(the_initrd_leaves_the_kernel_what_it_needs)
{
	set_initrd(3 * MiB);
	load();
	assert_initrd_at(5 * MiB);
	memset(ram, UNTOUCHED, RAM_SIZE);
	set_initrd(3 * MiB + 1);
	assert_refused("the initrd does not fit above the kernel");
	job.initrd_size = -(size_t)1;
	assert_refused("the initrd does not fit above the kernel");
	set_initrd(1);
	assert_lie(INITRD_LAST, 4, 5 * MiB - 1, "the initrd does not fit");
	set_initrd(3 * MiB - 1);
	assert_lie(INIT_SIZE, 4, 3 * MiB + 1, "the initrd does not fit");
}

TEST(what_the_kernel_needs_must_be_ram)
{
	static const char why[] = "do not fit into RAM: expected a larger mem=";

	put(INIT_SIZE, 4, 6 * MiB);
	load();
	memset(ram, UNTOUCHED, RAM_SIZE);
	assert_lie(INIT_SIZE, 4, 6 * MiB + 1, why);
	assert_lie(PREFERRED, 8, 5 * MiB + 1, why);
	assert_lie(PREFERRED, 8, UINT64_MAX, why);
	assert_lie(ALIGNMENT, 4, 0x80000000, why);
	assert_lie(CODE32, 4, RAM_SIZE - PAYLOAD + 1, why);
	assert_lie(CODE32, 4, UINT32_MAX, why);
	assert_lie(CODE32, 4, MiB - 1, why);
}

TEST(an_image_that_is_ancient_truncated_or_lies_is_named)
{
	assert_lie(VERSION, 2, 0x209, "before 2.10");
	assert_lie(LOAD_FLAGS, 1, 0xfe, "a zImage");
	assert_lie(JUMP_LENGTH, 1, 0x62, "ends too early");
	assert_lie(PARAGRAPHS, 4, 0, "truncated");
	assert_lie(PARAGRAPHS, 4, PAYLOAD / 16 + 1, "truncated");
	assert_lie(PARAGRAPHS, 4, UINT32_MAX, "truncated");
	assert_lie(SETUP_SECTORS, 1, 255, "truncated");
	assert_lie(ALIGNMENT, 4, 0, "no power of two");
	assert_lie(ALIGNMENT, 4, 3, "no power of two");
	make_file();
	job.size = sizeof(file) - 16;
	assert_refused("truncated");
}

TEST(what_has_no_mark_is_no_kernel)
{
	assert_lie(MAGIC, 4, 0, "no bzImage");
	assert_lie(BOOT_FLAG, 2, 0, "no bzImage");
	make_file();
	job.size = 0x268 - 1;
	assert_refused("no bzImage");
}
