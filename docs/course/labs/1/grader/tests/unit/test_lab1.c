/* SPDX-License-Identifier: MIT */
/* hv/dev/counter.c of lab 1: what LAB.md says of it, rule by rule. */
#include "tests/lib/port_device.h"
#include "tests/lib/test.h"

extern const struct device_row counter_device; /* of hv/dev/counter.c */

#define COUNT  0xa00
#define STATUS 0xa04
#define LINE   5

static int set_up(void **state)
{
	(void)state;
	port_device_reset();
	make_device(&counter_device, &machine.board);
	return 0;
}

/* Each test here has this fixture. */
#undef TEST
#define TEST(name) TEST_WITH(name, set_up, NULL)

TEST(the_count_reads_as_written_then_one_less_each_time)
{
	out(COUNT, 4, 0x10002);
	assert_int_equal(in(COUNT, 4), 0x10002);
	assert_int_equal(in(COUNT, 4), 0x10001);
	assert_int_equal(in(COUNT, 4), 0x10000);
	assert_int_equal(in(COUNT, 4), 0xffff);
	out(COUNT, 4, 7);
	assert_int_equal(in(COUNT, 4), 7);
}

TEST(it_stays_at_nothing)
{
	out(COUNT, 4, 1);
	assert_int_equal(in(COUNT, 4), 1);
	assert_int_equal(in(COUNT, 4), 0);
	assert_int_equal(in(COUNT, 4), 0);
}

TEST(the_line_rises_with_the_read_that_takes_the_last)
{
	out(COUNT, 4, 2);
	assert_int_equal(in(STATUS, 1), 0);
	in(COUNT, 4);
	assert_int_equal(in(STATUS, 1), 0);
	assert_false(machine.level[LINE]);
	in(COUNT, 4);
	assert_true(machine.level[LINE]);
	assert_int_equal(in(STATUS, 1), 1);
	in(COUNT, 4);
	in(COUNT, 4);
	assert_int_equal(machine.rises[LINE], 1);
	out(STATUS, 1, 0);
	in(COUNT, 4); /* nothing is left to take */
	assert_false(machine.level[LINE]);
}

TEST(a_write_of_the_status_or_a_new_count_lowers_the_line)
{
	for (unsigned way = 0; way < 2; way++) {
		out(COUNT, 4, 1);
		in(COUNT, 4);
		assert_true(machine.level[LINE]);
		out(way ? STATUS : COUNT, way ? 1 : 4, way ? 0 : 9);
		assert_false(machine.level[LINE]);
		assert_int_equal(in(STATUS, 1), 0);
	}
	assert_int_equal(machine.rises[LINE], 2);
}

TEST(another_width_reads_ones_and_is_dropped)
{
	out(COUNT, 4, 5);
	assert_int_equal(in(COUNT, 1), 0xff);
	assert_int_equal(in(COUNT + 2, 2), 0xffff);
	out(COUNT, 2, 9);
	out(COUNT + 3, 1, 9);
	assert_int_equal(in(COUNT, 4), 5);
}
