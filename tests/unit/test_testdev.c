/* SPDX-License-Identifier: MIT */
/* hv/dev/testdev.c: what tests of others expect of QEMU's pc-testdev. */
#include <string.h>

#include "tests/lib/test.h"
#include "tests/lib/device.h"

#define PORT  0xe0
#define FLUSH 0xe4
#define LINES 0x2000
#define MMIO  0xff000000ULL
#define END   0xff010000ULL

static struct bus ports, mmio;
static unsigned flushes;
static uint64_t flushed;
static uint32_t levels, told;

static void flush(void *ctx, uint64_t gpa)
{
	assert_ptr_equal(ctx, &ports);
	flushes++;
	flushed = gpa;
}

static void line(void *ctx, unsigned number, bool level)
{
	assert_ptr_equal(ctx, &ports);
	told++;
	levels = level ? levels | 1U << number : levels & ~(1U << number);
}

static const struct board board = {.ports = &ports, .mmio = &mmio, .ctx = &ports, .flush = flush, .line = line};

static int set_up(void **state)
{
	(void)state;
	memset(&ports, 0, sizeof(ports));
	memset(&mmio, 0, sizeof(mmio));
	flushes = levels = told = 0;
	make_device(&testdev_device, &board);
	return 0;
}

static uint64_t get(struct bus *bus, uint64_t address, unsigned width)
{
	uint64_t value = 0x5555555555555555;

	assert_true(bus_do(bus, address, width, false, &value));
	return value;
}

static void set(struct bus *bus, uint64_t address, unsigned width, uint64_t value)
{
	assert_true(bus_do(bus, address, width, true, &value));
}

/* Each test here has this fixture. */
#undef TEST
#define TEST(name) TEST_WITH(name, set_up, NULL)

TEST(four_ports_keep_bytes_at_every_width)
{
	assert_int_equal(get(&ports, PORT, 4), 0);
	set(&ports, PORT, 4, 0x44332211);
	assert_int_equal(get(&ports, PORT, 4), 0x44332211);
	for (unsigned i = 0; i < 4; i++) assert_int_equal(get(&ports, PORT + i, 1), 0x11 * (i + 1));
	assert_int_equal(get(&ports, PORT + 1, 2), 0x3322);
	set(&ports, PORT + 2, 2, 0xaabb);
	set(&ports, PORT, 1, 0xee);
	assert_int_equal(get(&ports, PORT, 4), 0xaabb22ee);
	assert_int_equal(flushes, 0);
}

TEST(the_flush_port_tells_the_page_and_reads_as_ones)
{
	set(&ports, FLUSH, 4, 0x12345678);
	assert_int_equal(flushes, 1);
	assert_int_equal(flushed, 0x12345678);
	assert_int_equal(get(&ports, FLUSH, 4), 0xffffffff);
	assert_int_equal(flushes, 1);
	assert_int_equal(get(&ports, PORT, 4), 0);
}

TEST(an_access_over_both_kinds_of_port_does_nothing)
{
	set(&ports, PORT + 2, 4, 0x44332211);
	set(&ports, FLUSH + 2, 2, 0x1122);
	assert_int_equal(get(&ports, PORT + 2, 4), 0xffffffff);
	assert_int_equal(get(&ports, PORT, 4), 0);
	assert_int_equal(flushes, 0);
}

TEST(a_port_per_line_sets_its_level)
{
	for (unsigned n = 0; n < 16; n++) {
		set(&ports, LINES + n, 1, 1);
		assert_int_equal(levels, 1U << n);
		set(&ports, LINES + n, 1, 0);
		assert_int_equal(levels, 0);
	}
	set(&ports, LINES + 5, 1, 0x80);
	assert_int_equal(levels, 1 << 5);
	assert_int_equal(get(&ports, LINES + 5, 1), 0xff);
	assert_int_equal(told, 33);
}

TEST(its_mmio_keeps_bytes_at_every_width_up_to_its_end)
{
	static const uint64_t pattern = 0x8877665544332211;

	assert_int_equal(get(&mmio, MMIO, 8), 0);
	for (unsigned width = 1; width <= 8; width *= 2) {
		uint64_t mask = ~0ULL >> (64 - 8 * width);

		set(&mmio, MMIO + 0x100, 8, ~0ULL);
		set(&mmio, MMIO + 0x100, width, pattern);
		assert_int_equal(get(&mmio, MMIO + 0x100, 8), (~0ULL & ~mask) | (pattern & mask));
		assert_int_equal(get(&mmio, MMIO + 0x100, width), pattern & mask);
		set(&mmio, END - width, width, pattern);
		assert_int_equal(get(&mmio, END - width, width), pattern & mask);
	}
	set(&mmio, MMIO + 0x203, 4, 0xa1a2a3a4); /* not aligned */
	assert_int_equal(get(&mmio, MMIO + 0x200, 8), 0x00a1a2a3a4000000);
	assert_int_equal(get(&mmio, MMIO, 8), 0);
}
