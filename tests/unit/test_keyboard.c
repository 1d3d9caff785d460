/* SPDX-License-Identifier: MIT */
/* hv/dev/keyboard.c: a controller that works, and has nothing plugged in. */

#include "tests/lib/test.h"
#include "tests/lib/port_device.h"

#define DATA    0x60
#define COMMAND 0x64
#define FULL    0x01

static int set_up(void **state)
{
	(void)state;
	port_device_reset();
	make_device(&keyboard_device, &machine.board);
	return 0;
}

static bool is_full(void) { return in(COMMAND, 1) & FULL; }

static void assert_answer(unsigned command, unsigned answer)
{
	assert_false(is_full());
	out(COMMAND, 1, command);
	assert_true(is_full());
	assert_int_equal(in(DATA, 1), answer);
	assert_false(is_full());
}

/* Each test here has this fixture. */
#undef TEST
#define TEST(name) TEST_WITH(name, set_up, NULL)

TEST(the_self_tests_pass_and_no_mouse_is_there)
{
	assert_int_equal(in(COMMAND, 1), 0x14); /* tested by firmware, not locked, ready */
	assert_answer(0xaa, 0x55);
	assert_answer(0xab, 0x00);
	assert_answer(0xa9, 0x02);
}

TEST(its_memory_is_written_and_read_byte_by_byte)
{
	for (unsigned i = 0; i < 32; i++) {
		out(COMMAND, 1, 0x60 + i);
		out(DATA, 1, i ^ 0xa4);
	}
	for (unsigned i = 0; i < 32; i++) assert_answer(0x20 + i, i ^ 0xa4);
}

TEST(keyboard_and_mouse_are_switched_in_the_command_byte)
{
	static const unsigned steps[][2] = {{0xad, 0x10}, {0xa7, 0x30}, {0xae, 0x20}, {0xa8, 0x00}};

	for (unsigned i = 0; i < 4; i++) {
		out(COMMAND, 1, steps[i][0]);
		assert_answer(0x20, steps[i][1]);
	}
}

TEST(a_keyboard_that_is_not_there_never_answers)
{
	for (unsigned byte = 0; byte < 256; byte++) {
		out(DATA, 1, byte);
		assert_false(is_full());
		out(COMMAND, 1, 0xd4);
		out(DATA, 1, byte);
		assert_false(is_full());
	}
	assert_int_equal(machine.resets, 0);
}

TEST(the_output_port_resets_when_its_bit_0_falls)
{
	assert_answer(0xd0, 0x03);
	out(COMMAND, 1, 0xd1);
	out(DATA, 1, 0xdf);
	assert_int_equal(machine.resets, 0);
	out(COMMAND, 1, 0xd1);
	out(DATA, 1, 0xfe);
	assert_int_equal(machine.resets, 1);
}

/* Pulse output port, 0xf0-0xff: line 0, reset, is pulsed when bit 0 is clear. */
TEST(it_resets_when_it_pulses_line_0_and_at_no_other_command)
{
	for (unsigned command = 0; command < 256; command++) {
		machine.resets = 0;
		out(COMMAND, 1, command);
		assert_int_equal(machine.resets, command >= 0xf0 && !(command & 1));
	}
}

TEST(an_answer_interrupts_where_the_command_byte_says_so)
{
	out(COMMAND, 1, 0xd2);
	out(DATA, 1, 0x1c);
	assert_true(is_full());
	assert_false(machine.level[1]);
	assert_int_equal(in(DATA, 1), 0x1c);
	out(COMMAND, 1, 0x60);
	out(DATA, 1, 0x01);
	out(COMMAND, 1, 0xd2);
	out(DATA, 1, 0x1c);
	assert_true(machine.level[1]);
	in(DATA, 1);
	assert_false(machine.level[1]);
}

TEST(a_command_forgets_the_parameter_of_the_one_before)
{
	out(COMMAND, 1, 0xd1);
	out(COMMAND, 1, 0xae);
	out(DATA, 1, 0xfe);
	assert_int_equal(machine.resets, 0);
}
