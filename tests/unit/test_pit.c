/* SPDX-License-Identifier: MIT */
/* hv/dev/pit.c: counts, outputs and interrupts, mode by mode (Intel 8254 datasheet). */

#include "tests/lib/test.h"
#include "tests/lib/port_device.h"

#define PIT_HZ 1193182

static uint64_t ticks; /* of the 8254, since the beginning */

static int set_up(void **state)
{
	(void)state;
	port_device_reset();
	make_device(&pit_device, &machine.board);
	ticks = 0;
	return 0;
}

/* Go on to the clock's first tick at which so many more of the 8254's have passed. */
static void pit_pass(uint64_t more)
{
	ticks += more;
	pass((ticks * TEST_CLOCK_HZ + PIT_HZ - 1) / PIT_HZ - machine.now);
}

/* Mode and access low-then-high, then the count; what setting the mode did to the line is over. */
static void start(unsigned channel, unsigned mode, unsigned count)
{
	out(0x43, 1, channel << 6 | 0x30 | mode << 1);
	machine.rises[0] = 0;
	out((uint16_t)(0x40 + channel), 1, count & 0xff);
	out((uint16_t)(0x40 + channel), 1, count >> 8);
}

static unsigned count_of(unsigned channel)
{
	unsigned low;

	out(0x43, 1, channel << 6); /* latch */
	low = (unsigned)in((uint16_t)(0x40 + channel), 1);
	return low | (unsigned)in((uint16_t)(0x40 + channel), 1) << 8;
}

static bool output_2(void) { return in(0x61, 1) & 0x20; }

/* Each test here has this fixture. */
#undef TEST
#define TEST(name) TEST_WITH(name, set_up, NULL)

TEST(firmware_leaves_channel_0_interrupting_18_times_a_second)
{
	pass(TEST_CLOCK_HZ);
	assert_int_equal(machine.rises[0], 18);
	pass(9 * TEST_CLOCK_HZ);
	assert_int_equal(machine.rises[0], 182);
}

TEST(on_terminal_count_channel_0_interrupts_once)
{
	start(0, 0, 1000);
	assert_false(machine.level[0]);
	pit_pass(999);
	assert_int_equal(machine.rises[0], 0);
	pit_pass(2);
	assert_int_equal(machine.rises[0], 1);
	pit_pass(200000);
	assert_int_equal(machine.rises[0], 1);
	start(0, 0, 1000); /* a new count lowers it again */
	assert_false(machine.level[0]);
	pit_pass(1001);
	assert_int_equal(machine.rises[0], 1);
}

/* The hypervisor is not as fast as the chip. */
TEST(a_count_that_is_over_before_the_write_of_it_has_returned_interrupts_too)
{
	for (unsigned mode = 0; mode <= 4; mode += 2) {
		machine.look = 2 * TEST_CLOCK_HZ / PIT_HZ;
		start(0, mode, 1);
		machine.look = 0;
		pass(10000);
		assert_true(machine.rises[0]);
	}
}

TEST(periodic_modes_interrupt_each_period)
{
	for (unsigned mode = 2; mode <= 3; mode++) {
		set_up(state);
		start(0, mode, 1000);
		for (unsigned i = 0; i < 5; i++) {
			assert_int_equal(machine.rises[0], i);
			pit_pass(1001 - (i > 0));
		}
	}
}

TEST(a_strobe_interrupts_once)
{
	start(0, 4, 1000);
	pit_pass(5000);
	assert_int_equal(machine.rises[0], 1);
}

TEST(what_waits_for_a_gate_never_interrupts)
{
	for (unsigned mode = 1; mode <= 5; mode += 4) {
		start(0, mode, 1000);
		pit_pass(5000);
		assert_int_equal(machine.rises[0], 0);
	}
}

TEST(setting_a_mode_stops_the_count_until_one_is_loaded)
{
	out(0x43, 1, 0x34);
	machine.rises[0] = 0;
	pass(TEST_CLOCK_HZ);
	assert_int_equal(machine.rises[0], 0);
}

TEST(counts_go_down_and_wrap_as_their_mode_does)
{
	start(0, 0, 1000);
	pit_pass(10);
	assert_int_equal(count_of(0), 990);
	pit_pass(1000);
	assert_int_equal(count_of(0), 0x10000 - 10);
	set_up(state);
	start(0, 2, 1000);
	pit_pass(1010);
	assert_int_equal(count_of(0), 990);
	set_up(state);
	start(0, 3, 1000);
	pit_pass(10);
	assert_int_equal(count_of(0), 980);
	pit_pass(500);
	assert_int_equal(count_of(0), 980);
}

TEST(a_count_of_0_is_65536)
{
	start(0, 2, 0);
	pit_pass(1);
	assert_int_equal(count_of(0), 0xffff);
}

TEST(a_latched_count_stays_until_it_is_read)
{
	start(0, 0, 1000);
	out(0x43, 1, 0);
	pit_pass(500);
	out(0x43, 1, 0); /* a second latch has no effect */
	assert_int_equal(in(0x40, 1), 1000 & 0xff);
	assert_int_equal(in(0x40, 1), 1000 >> 8);
	assert_int_equal(count_of(0), 500);
}

TEST(one_byte_of_a_count_can_be_enough)
{
	out(0x43, 1, 0x90); /* channel 2, low byte, mode 0 */
	out(0x61, 1, 1);
	out(0x42, 1, 100);
	pit_pass(30);
	assert_int_equal(in(0x42, 1), 70);
	assert_int_equal(in(0x42, 1), 70);
	out(0x43, 1, 0xa0); /* high byte */
	out(0x42, 1, 1);
	pit_pass(0);
	assert_int_equal(in(0x42, 1), 1);
}

TEST(the_read_back_command_latches_status_and_counts)
{
	start(0, 2, 1000);
	pit_pass(10);
	out(0x43, 1, 0xc2); /* both, of channel 0 */
	pit_pass(100);
	assert_int_equal(in(0x40, 1), 0xb4); /* OUT high, counting, low then high, mode 2 */
	assert_int_equal(in(0x40, 1), 990 & 0xff);
	assert_int_equal(in(0x40, 1), 990 >> 8);
	out(0x43, 1, 0x34);
	out(0x43, 1, 0xe2);                         /* status alone */
	assert_int_equal(in(0x40, 1) & 0x40, 0x40); /* no count yet */
}

/* What Linux, and any kernel, does to measure its TSC. */
/* 8254 datasheet, "Read-Back Command": the mode exactly as written, BCD too. */
TEST(the_status_has_the_control_word_as_it_was_written)
{
	out(0x43, 1, 0xe2);
	assert_int_equal(in(0x40, 1) & 0x3f, 0x36); /* firmware's */
	for (unsigned word = 0x10; word < 0x40; word++) {
		out(0x43, 1, 0x80 | word);
		out(0x43, 1, 0xe8);
		assert_int_equal(in(0x42, 1) & 0x3f, word);
	}
}

TEST(the_output_of_a_periodic_mode_is_high_while_its_gate_is_low)
{
	for (unsigned mode = 2; mode <= 3; mode++) {
		out(0x61, 1, 1);
		start(2, mode, 1000);
		pit_pass(999);
		assert_false(output_2());
		out(0x61, 1, 0);
		assert_true(output_2());
		out(0x61, 1, 1); /* and begins anew */
		assert_true(output_2());
		pit_pass(999);
		assert_false(output_2());
	}
}

TEST(channel_2_counts_while_its_gate_is_high)
{
	out(0x61, 1, 0);
	start(2, 0, 1000);
	pit_pass(5000);
	assert_false(output_2());
	out(0x61, 1, 1);
	pit_pass(600);
	assert_false(output_2());
	out(0x61, 1, 0); /* a low gate holds the count */
	pit_pass(5000);
	assert_int_equal(count_of(2), 400);
	assert_false(output_2());
	out(0x61, 1, 1);
	pit_pass(399);
	assert_false(output_2());
	pit_pass(1);
	assert_true(output_2());
}

TEST(a_rising_gate_starts_a_one_shot)
{
	start(2, 1, 1000);
	assert_true(output_2());
	out(0x61, 1, 1);
	assert_false(output_2());
	pit_pass(1000);
	assert_true(output_2());
	out(0x61, 1, 0);
	out(0x61, 1, 1); /* again */
	assert_false(output_2());
}

TEST(a_rate_generator_is_low_for_one_tick_a_square_wave_for_half)
{
	out(0x61, 1, 1);
	start(2, 2, 100);
	pit_pass(98);
	assert_true(output_2());
	pit_pass(1);
	assert_false(output_2());
	pit_pass(1);
	assert_true(output_2());
	start(2, 3, 100);
	pit_pass(49);
	assert_true(output_2());
	pit_pass(1);
	assert_false(output_2());
	pit_pass(50);
	assert_true(output_2());
}

TEST(port_61_keeps_gate_and_speaker_and_shows_the_refresh)
{
	uint64_t first;

	out(0x61, 1, 0xfe);
	assert_int_equal(in(0x61, 1) & 0x0f, 0x02);
	out(0x61, 1, 0xfd);
	assert_int_equal(in(0x61, 1) & 0x0f, 0x01);
	first = in(0x61, 1) & 0x10;
	pit_pass(18);
	assert_int_equal(in(0x61, 1) & 0x10, first ^ 0x10);
}
