/* SPDX-License-Identifier: MIT */
/* hv/dev/rtc.c: the date as the C library computes it, in every format, and setting it. */
#include <time.h>

#include "tests/lib/test.h"
#include "tests/lib/port_device.h"

#define DAY    86400ULL
#define BCD(n) ((n) / 10 << 4 | (n) % 10)
#define FIRST  1767225600ULL /* 2026-01-01 */
#define GIB    (1ULL << 30)

static int set_up(void **state)
{
	(void)state;
	port_device_reset();
	machine.board.start_time = FIRST;
	machine.board.cpus = 3;
	machine.board.low_ram_end = 3 * GIB;
	machine.board.high_ram_end = 4 * GIB + 17 * 65536;
	make_device(&rtc_device, &machine.board);
	return 0;
}

static unsigned get(unsigned index)
{
	out(0x70, 1, index);
	return (unsigned)in(0x71, 1);
}

static void set(unsigned index, unsigned value)
{
	out(0x70, 1, index);
	out(0x71, 1, value);
}

static void assert_date(uint64_t seconds)
{
	const time_t when = (time_t)seconds;
	struct tm tm;

	gmtime_r(&when, &tm);
	assert_int_equal(get(0), BCD(tm.tm_sec));
	assert_int_equal(get(2), BCD(tm.tm_min));
	assert_int_equal(get(4), BCD(tm.tm_hour));
	assert_int_equal(get(6), tm.tm_wday + 1);
	assert_int_equal(get(7), BCD(tm.tm_mday));
	assert_int_equal(get(8), BCD(tm.tm_mon + 1));
	assert_int_equal(get(9), BCD(tm.tm_year % 100));
	assert_int_equal(get(0x32), BCD(tm.tm_year / 100 + 19));
}

/* Each test here has this fixture. */
#undef TEST
#define TEST(name) TEST_WITH(name, set_up, NULL)

TEST(the_date_is_that_of_the_calendar)
{
	static const uint64_t days[] = {0, 58, 59, 60, 364, 365, 789, 11016, 11017, 20512, 47540, 47541, 47542, 60000};

	for (unsigned i = 0; i < sizeof(days) / sizeof(days[0]); i++)
		for (uint64_t at = 0; at < DAY; at += 4799) {
			machine.board.start_time = days[i] * DAY + at;
			assert_date(days[i] * DAY + at);
		}
}

TEST(it_runs_with_the_boards_clock)
{
	pass(61 * TEST_CLOCK_HZ - 1);
	assert_date(FIRST + 60);
	pass(1);
	assert_date(FIRST + 61);
}

TEST(it_is_ready_and_says_so)
{
	assert_int_equal(get(10), 0x26);
	assert_int_equal(get(11), 0x02);
	assert_int_equal(get(12), 0);
	assert_int_equal(get(13), 0x80);
	set(10, 0xa7);
	set(12, 0xff);
	set(13, 0);
	assert_int_equal(get(10), 0x27); /* "updating" is not written */
	assert_int_equal(get(12), 0);
	assert_int_equal(get(13), 0x80);
}

/* Who waits for "updating" to come and to go finds the second's begin; while the time stands there is none. */
TEST(an_update_is_announced_244_microseconds_before)
{
	pass(TEST_CLOCK_HZ - TEST_CLOCK_HZ / 4096 - 1);
	assert_int_equal(get(10), 0x26);
	pass(1);
	assert_int_equal(get(10), 0xa6);
	set(11, 0x82);
	assert_int_equal(get(10), 0x26);
	set(11, 0x02);
	pass(TEST_CLOCK_HZ / 4096 - 1);
	assert_int_equal(get(10), 0xa6);
	assert_date(FIRST);
	pass(1);
	assert_int_equal(get(10), 0x26);
	assert_date(FIRST + 1);
}

TEST(binary_and_12_hours_are_formats)
{
	static const unsigned hours[][2] = {{0, 0x12}, {1, 0x01}, {11, 0x11}, {12, 0x92}, {23, 0x91}};

	machine.board.start_time = FIRST + 58 + 59 * 60;
	set(11, 0x06);
	assert_int_equal(get(0), 58);
	assert_int_equal(get(9), 26);
	set(11, 0);
	for (unsigned i = 0; i < 5; i++) {
		machine.board.start_time = FIRST + hours[i][0] * 3600;
		assert_int_equal(get(4), hours[i][1]);
	}
}

static void write_date(void)
{
	set(0x32, 0x20);
	set(9, 0x28);
	set(8, 0x02);
	set(7, 0x29);
	set(4, 0x12);
	set(2, 0x34);
	set(0, 0x56);
}

#define LEAP_DAY 1835440496ULL /* 2028-02-29 12:34:56 */

TEST(a_date_set_while_it_stands_goes_on_from_there)
{
	set(11, 0x82);
	write_date();
	pass(10 * TEST_CLOCK_HZ);
	assert_int_equal(get(0), 0x56);
	set(11, 0x02);
	assert_date(LEAP_DAY);
	pass(10 * TEST_CLOCK_HZ);
	assert_date(LEAP_DAY + 10);
}

TEST(a_date_can_be_set_while_it_runs)
{
	write_date();
	assert_date(LEAP_DAY);
}

TEST(hours_are_set_in_their_format)
{
	static const unsigned hours[][2] = {{0x12, 0}, {0x11, 11}, {0x92, 12}, {0x91, 23}};

	for (unsigned i = 0; i < 4; i++) {
		set(11, 0);
		set(4, hours[i][0]);
		set(11, 0x06);
		assert_int_equal(get(4), hours[i][1]);
	}
}

/* Each byte of nonsense: read back something, crash nothing. */
TEST(a_date_that_is_none_becomes_one)
{
	for (unsigned byte = 0; byte < 256; byte++) {
		set_up(state);
		set(11, 0x82);
		for (unsigned index = 0; index <= 0x32; index++)
			if (index < 10 || index == 0x32) set(index, byte);
		set(11, 0x02);
		assert_in_range(get(8), 0x01, 0x12);
		assert_in_range(get(7), 0x01, 0x31);
	}
}

TEST(the_rest_is_memory)
{
	for (unsigned index = 14; index < 128; index++)
		if (index != 0x32) set(index, index ^ 0x5a);
	for (unsigned index = 14; index < 128; index++)
		if (index != 0x32) assert_int_equal(get(index | 0x80), index ^ 0x5a);
	assert_int_equal(in(0x70, 1), 0xff);
}

TEST(update_interrupts_come_each_second_until_c_is_read)
{
	set(0x0b, 0x12);
	pass(TEST_CLOCK_HZ / 2);
	get(0x0c);
	pass(TEST_CLOCK_HZ / 2 - 1);
	assert_false(machine.level[8]);
	pass(1);
	assert_true(machine.level[8]);
	pass(3 * TEST_CLOCK_HZ);
	assert_int_equal(machine.rises[8], 1);    /* it stands */
	assert_int_equal(get(0x0c) & 0xf0, 0xd0); /* and the periodic flag, which may not interrupt */
	assert_false(machine.level[8]);
	assert_int_equal(get(0x0c), 0);
	pass(TEST_CLOCK_HZ);
	assert_int_equal(machine.rises[8], 2);
	set(0x0b, 0x92); /* SET takes the leave back */
	assert_int_equal(get(0x0b), 0x82);
}

TEST(periodic_interrupts_come_at_the_rate_of_a)
{
	static const unsigned rates[][2] = {{6, 1024}, {3, 8192}, {15, 2}, {1, 256}, {2, 128}};

	for (unsigned i = 0; i < 5; i++) {
		unsigned count = 0;

		set(0x0a, 0x20 | rates[i][0]);
		set(0x0b, 0x42);
		get(0x0c);
		for (unsigned n = 0; n < 2 * 8192; n++) {
			pass(TEST_CLOCK_HZ / 8192);
			count += machine.level[8];
			get(0x0c);
		}
		assert_in_range(count, 2 * rates[i][1] - 2, 2 * rates[i][1] + 2);
	}
	set(0x0a, 0x20); /* rate 0: none */
	get(0x0c);
	pass(TEST_CLOCK_HZ);
	assert_false(machine.level[8]);
	set(0x0a, 0x26);
	set(0x0b, 0x02); /* no leave: told in C alone */
	pass(TEST_CLOCK_HZ);
	assert_false(machine.level[8]);
	assert_int_equal(get(0x0c) & 0xc0, 0x40);
}

TEST(the_alarm_interrupts_when_its_time_comes)
{
	set(0x01, 0x05); /* each minute's fifth second, of any minute and hour */
	set(0x03, 0xc0);
	set(0x05, 0xff);
	set(0x0b, 0x22);
	get(0x0c);
	pass(5 * TEST_CLOCK_HZ - 1);
	assert_false(machine.level[8]);
	pass(1);
	assert_true(machine.level[8]);
	assert_int_equal(get(0x0c) & 0xb0, 0xb0);
	pass(59 * TEST_CLOCK_HZ);
	assert_false(machine.level[8]);
	pass(TEST_CLOCK_HZ);
	assert_true(machine.level[8]);
}

static unsigned get_word(unsigned index) { return get(index) | get(index + 1) << 8; }

/* As Bochs's firmware and QEMU fill it: KiB above 1 MiB as far as a word goes, 64 KiB above 16 MiB and 4 GiB. */
TEST(the_memory_tells_of_the_machine)
{
	unsigned sum = 0;

	assert_int_equal(get(0x14), 2); /* an FPU, no disk drive */
	assert_int_equal(get_word(0x15), 639);
	assert_int_equal(get_word(0x17), 0xffff);
	assert_int_equal(get_word(0x30), 0xffff);
	assert_int_equal(get_word(0x34), (3 * GIB - 16 * 0x100000) / 65536);
	assert_int_equal(get_word(0x5b), 17);
	assert_int_equal(get(0x5d), 0);
	assert_int_equal(get(0x5f), 2);
	for (unsigned i = 0x10; i < 0x2e; i++) sum += get(i);
	assert_int_equal(get(0x2e) << 8 | get(0x2f), sum);
}

TEST(a_small_machine_has_nothing_above_16_mib)
{
	port_device_reset();
	machine.board.low_ram_end = 8 * 0x100000;
	machine.board.high_ram_end = 0;
	machine.board.cpus = 1;
	make_device(&rtc_device, &machine.board);
	assert_int_equal(get_word(0x17), 7 * 1024);
	assert_int_equal(get_word(0x30), 7 * 1024);
	assert_int_equal(get_word(0x34), 0);
	assert_int_equal(get_word(0x5b), 0);
	assert_int_equal(get(0x5f), 0);
}
