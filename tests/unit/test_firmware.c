/* SPDX-License-Identifier: MIT */
/* hv/dev/firmware.c: what kernels look for in the first megabyte. */
#include <string.h>

#include "tests/lib/test.h"
#include "hv/dev/acpi.h"
#include "hv/dev/firmware.h"
#include "lib/acpi_tables.h"
#include "lib/bits.h"

#define IRET 0xcf

static uint8_t ram[MiB];

static int leave(void **state)
{
	(void)state;
	memset(ram, 0, sizeof(ram));
	firmware_leave(ram);
	return 0;
}

static unsigned word(unsigned at) { return ram[at] | ram[at + 1] << 8; }

/* The code that a vector leads to. */
static const uint8_t *handler(unsigned vector)
{
	unsigned at = word(4 * vector + 2) * 16 + word(4 * vector);

	assert_in_range(at, FIRMWARE_CODE, MiB - 32);
	return ram + at;
}

static void assert_code(unsigned vector, const char *code, size_t size)
{
	assert_memory_equal(handler(vector), code, size);
	assert_int_equal(handler(vector)[size - 1], IRET);
}

/* Each test here has this fixture. */
#undef TEST
#define TEST(name) TEST_WITH(name, leave, NULL)

TEST(every_vector_leads_to_code_that_returns)
{
	for (unsigned vector = 0; vector < 256; vector++)
		if (vector != 0x19) assert_non_null(memchr(handler(vector), IRET, 32));
}

/* mov al, 0x20; out 0x20, al (and first 0xa0): the PIC would be silent for ever otherwise. */
TEST(interrupts_of_the_pics_are_acknowledged)
{
	for (unsigned vector = 0x09; vector <= 0x0f; vector++) assert_code(vector, "\x50\xb0\x20\xe6\x20\x58\xcf", 7);
	for (unsigned vector = 0x70; vector <= 0x77; vector++)
		assert_code(vector, "\x50\xb0\x20\xe6\xa0\xe6\x20\x58\xcf", 9);
	assert_code(0x10, "\xcf", 1);
	assert_code(0xff, "\xcf", 1);
}

/* inc dword [0x46c] with DS = 0. */
TEST(the_timer_counts)
{
	assert_code(0x08, "\x50\x1e\x31\xc0\x8e\xd8\x66\xff\x06\x6c\x04\xb0\x20\xe6\x20\x1f\x58\xcf", 18);
}

/* mov al, 6; mov dx, 0xcf9; out dx, al; hlt: behind the far jump to it a PC has a date and its model. */
TEST(int_0x19_and_who_jumps_to_where_a_cpu_begins_reset_the_machine)
{
	const uint8_t *begin = ram + 0xffff0;

	assert_memory_equal(handler(0x19), "\xb0\x06\xba\xf9\x0c\xee\xf4", 7);
	assert_int_equal(begin[0], 0xea);
	assert_ptr_equal(ram + word(0xffff3) * 16 + word(0xffff1), handler(0x19));
	assert_true(begin[7] == '/' && begin[10] == '/' && begin[13] == 0);
	assert_int_equal(begin[14], 0xfc);
}

TEST(the_bios_data_area_tells_of_memory_and_com1)
{
	assert_int_equal(word(0x400), 0x3f8);
	assert_int_equal(word(0x40e), 0x9fc0);
	assert_int_equal(word(0x410) >> 9 & 7, 1);
	assert_int_equal(word(0x413), 639);
	assert_int_equal(ram[0x9fc00], 1);
}

/* Its Global Lock is written, so it may not be in ROM; and nobody else's memory. */
TEST(the_facs_is_in_the_extended_bios_data_area)
{
	const struct acpi_facs *facs = (const void *)(ram + ACPI_FACS);

	assert_in_range(ACPI_FACS, FIRMWARE_EBDA + 1, FIRMWARE_EBDA + KiB - sizeof(*facs));
	assert_int_equal(ACPI_FACS % 64, 0);
	assert_memory_equal(facs->signature, "FACS", 4);
	assert_int_equal(facs->length, sizeof(*facs));
	assert_int_equal(facs->version, 1);
}

TEST(nothing_else_is_written)
{
	memset(ram + ACPI_FACS, 0, sizeof(struct acpi_facs));
	for (unsigned at = 0x415; at < FIRMWARE_CODE; at++) assert_int_equal(ram[at], at == FIRMWARE_EBDA);
}
