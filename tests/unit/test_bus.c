/* SPDX-License-Identifier: MIT */
/* hv/dev/bus.c and the smallest device on it, the exit port. */

#include "tests/lib/test.h"
#include "hv/dev/bus.h"
#include "lib/bits.h"
#include "lib/contract.h"
#include "tests/lib/device.h"

/* A device that remembers the last access and answers with its own pattern. */
struct probe {
	unsigned accesses;
	uint64_t offset, value, answer;
	unsigned width;
	bool write;
};

static void probe_access(void *device, uint64_t offset, unsigned width, bool write, uint64_t *value)
{
	struct probe *probe = device;

	probe->accesses++;
	probe->offset = offset;
	probe->width = width;
	probe->write = write;
	probe->value = *value;
	if (!write) *value = probe->answer;
}

static uint64_t read_bus(struct bus *bus, uint64_t address, unsigned width)
{
	uint64_t value = 0x5555;

	bus_do(bus, address, width, false, &value);
	return value;
}

TEST(the_region_that_holds_the_address_answers)
{
	struct bus bus = {0};
	struct probe a = {.answer = 0xaa}, b = {.answer = 0xbb};

	assert_int_equal(bus_add(&bus, 0x100, 0x10, probe_access, &a, "a"), 0);
	assert_int_equal(bus_add(&bus, 0x110, 0x10, probe_access, &b, "b"), 1);
	for (unsigned round = 0; round < 3; round++) {
		assert_int_equal(read_bus(&bus, 0x10f, 1), 0xaa);
		assert_int_equal(a.offset, 0xf);
		assert_int_equal(read_bus(&bus, 0x110, 1), 0xbb);
		assert_int_equal(b.offset, 0);
		assert_int_equal(read_bus(&bus, 0x11f, 1), 0xbb);
	}
}

TEST(nobody_reads_as_ones_and_says_so)
{
	struct bus bus = {0};
	struct probe a = {0};
	uint64_t value = 0;

	assert_false(bus_do(&bus, 0, 4, false, &value));
	assert_int_equal(value, 0xffffffff);
	bus_add(&bus, 0x100, 0x10, probe_access, &a, "a");
	assert_int_equal(read_bus(&bus, 0xff, 1), 0xff);
	assert_int_equal(read_bus(&bus, 0x110, 2), 0xffff);
	assert_int_equal(read_bus(&bus, ~0ULL, 8), ~0ULL);
	assert_false(bus_do(&bus, 0x110, 8, true, &value));
	assert_int_equal(a.accesses, 0);
}

TEST(an_access_over_the_end_of_a_region_reaches_nobody)
{
	struct bus bus = {0};
	struct probe a = {0}, b = {0};
	uint64_t value = 1;

	bus_add(&bus, 0x100, 0x10, probe_access, &a, "a");
	bus_add(&bus, 0x110, 0x10, probe_access, &b, "b");
	assert_int_equal(read_bus(&bus, 0x10e, 4), 0xffffffff);
	assert_false(bus_do(&bus, 0x10c, 8, true, &value));
	assert_true(bus_do(&bus, 0x10c, 4, true, &value));
	assert_int_equal(a.accesses, 1);
	assert_int_equal(b.accesses, 0);
}

TEST(values_are_cut_to_the_width_both_ways)
{
	struct bus bus = {0};
	struct probe a = {.answer = 0x1122334455667788};
	uint64_t value = 0xa1a2a3a4a5a6a7a8;

	bus_add(&bus, 0, 0x10, probe_access, &a, "a");
	assert_int_equal(read_bus(&bus, 0, 1), 0x88);
	assert_int_equal(read_bus(&bus, 0, 2), 0x7788);
	assert_int_equal(read_bus(&bus, 0, 4), 0x55667788);
	assert_int_equal(read_bus(&bus, 0, 8), 0x1122334455667788);
	bus_do(&bus, 0, 2, true, &value);
	assert_int_equal(a.value, 0xa7a8);
}

TEST(where_regions_overlap_the_first_added_answers)
{
	struct bus bus = {0};
	struct probe small = {.answer = 1}, large = {.answer = 2};

	bus_add(&bus, 0x104, 4, probe_access, &small, "small");
	bus_add(&bus, 0x100, 0x100, probe_access, &large, "large");
	/* 0x124 and 0x104 fall into the same slot of the cache. */
	assert_int_equal(read_bus(&bus, 0x124, 1), 2);
	assert_int_equal(read_bus(&bus, 0x104, 1), 1);
	assert_int_equal(read_bus(&bus, 0x124, 1), 2);
	assert_int_equal(read_bus(&bus, 0x104, 1), 1);
}

TEST(a_moved_region_answers_only_at_its_new_place)
{
	struct bus bus = {0};
	struct probe a = {.answer = 1}, b = {.answer = 2};
	unsigned moving;

	bus_add(&bus, 0x1000, 0x100, probe_access, &a, "a");
	moving = bus_add(&bus, 0x2000, 0x100, probe_access, &b, "b");
	assert_int_equal(read_bus(&bus, 0x2000, 1), 2);
	bus_move(&bus, moving, 0x3000, 0x100);
	assert_int_equal(read_bus(&bus, 0x2000, 1), 0xff);
	assert_int_equal(read_bus(&bus, 0x3000, 1), 2);
	bus_move(&bus, moving, 0x1000, 0x1000); /* now behind a */
	assert_int_equal(read_bus(&bus, 0x1800, 1), 2);
	assert_int_equal(read_bus(&bus, 0x1000, 1), 1);
	bus_move(&bus, moving, 0x3000, 0); /* off */
	assert_int_equal(read_bus(&bus, 0x3000, 1), 0xff);
}

TEST(a_region_may_end_at_the_end_of_the_address_space)
{
	struct bus bus = {0};
	struct probe a = {.answer = 1};

	bus_add(&bus, ~0ULL - 0xff, 0x100, probe_access, &a, "a");
	assert_int_equal(read_bus(&bus, ~0ULL, 1), 1);
	assert_int_equal(read_bus(&bus, ~0ULL - 3, 8), ~0ULL);
}

TEST(a_full_bus_says_so_and_takes_no_more)
{
	struct bus bus = {0};
	struct probe a = {0};
	unsigned number;

	for (unsigned i = 0; i < BUS_REGIONS; i++)
		assert_int_equal(bus_add(&bus, i * 16, 16, probe_access, &a, "a"), i);
	assert_false(bus.full);
	number = bus_add(&bus, 0x1000, 16, probe_access, &a, "a");
	assert_true(bus.full);
	bus_move(&bus, number, 0x2000, 16); /* harmless: it answers nowhere */
	assert_int_equal(read_bus(&bus, 0x1000, 1), 0xff);
	assert_int_equal(read_bus(&bus, 0x2000, 1), 0xff);
	assert_int_equal(read_bus(&bus, 16 * (BUS_REGIONS - 1), 1), 0);
}

static void note_status(void *ctx, uint32_t status) { *(uint32_t *)ctx = status; }

TEST(the_exit_port_takes_any_width)
{
	static const unsigned widths[] = {1, 2, 4};
	static const uint32_t expected[] = {0x78, 0x5678, 0x12345678};

	for (unsigned i = 0; i < ARRAY_SIZE(widths); i++) {
		struct bus ports = {0};
		uint32_t status = 99;
		uint64_t value = 0x12345678;
		const struct board board = {.ports = &ports, .ctx = &status, .exit = note_status};

		make_device(&ports_device, &board);
		assert_int_equal(read_bus(&ports, EXIT_PORT, 1), 0xff);
		assert_int_equal(status, 99);
		assert_true(bus_do(&ports, EXIT_PORT, widths[i], true, &value));
		assert_int_equal(status, expected[i]);
	}
}
