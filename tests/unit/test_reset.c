/* SPDX-License-Identifier: MIT */
/* hv/dev/ports.c: the ways software resets a PC, and the accesses beside them that do not; the cursor of no display. */
#include <string.h>

#include "tests/lib/test.h"
#include "hv/dev/pci.h"
#include "lib/bits.h"
#include "tests/lib/device.h"

#define RESET_CONTROL  0xcf9
#define SYSTEM_CONTROL 0x92
#define CONFIG_ADDRESS 0xcf8

static struct bus ports;
static struct chipset chips;
static unsigned resets;

static void requested(void *ctx)
{
	assert_ptr_equal(ctx, &ports);
	resets++;
}

static const struct board board = {.ports = &ports, .chips = &chips, .ctx = &ports, .reset = requested};

static int set_up(void **state)
{
	(void)state;
	memset(&ports, 0, sizeof(ports));
	resets = 0;
	make_device(&ports_device, &board);
	make_device(&pci_device, &board);
	return 0;
}

static void out(uint16_t port, unsigned width, uint64_t value) { bus_do(&ports, port, width, true, &value); }

static uint64_t in(uint16_t port, unsigned width)
{
	uint64_t value = 0x5555555555555555;

	bus_do(&ports, port, width, false, &value);
	return value;
}

/* Each test here has this fixture. */
#undef TEST
#define TEST(name) TEST_WITH(name, set_up, NULL)

TEST(reset_control_resets_with_the_cpu_bit)
{
	out(RESET_CONTROL, 1, 0x02); /* "hard reset", chosen but not begun */
	assert_int_equal(resets, 0);
	out(RESET_CONTROL, 1, 0x06);
	assert_int_equal(resets, 1);
	out(RESET_CONTROL, 1, 0x04);
	assert_int_equal(resets, 2);
	assert_int_equal(in(RESET_CONTROL, 1), 0);
}

TEST(system_control_resets_with_bit_0_and_keeps_a20_on)
{
	out(SYSTEM_CONTROL, 1, 0x02);
	out(SYSTEM_CONTROL, 1, 0xfe);
	assert_int_equal(resets, 0);
	out(SYSTEM_CONTROL, 1, 0x01);
	assert_int_equal(resets, 1);
	assert_int_equal(in(SYSTEM_CONTROL, 1), 0x02);
}

TEST(reading_never_resets)
{
	in(RESET_CONTROL, 1);
	in(SYSTEM_CONTROL, 1);
	assert_int_equal(resets, 0);
}

TEST(the_pci_address_register_around_reset_control_still_works)
{
	out(CONFIG_ADDRESS, 4, 0x80000604); /* bit 2 of its second byte set */
	assert_int_equal(resets, 0);
	assert_int_equal(in(CONFIG_ADDRESS, 4), 0x80000604);
}

TEST(a_wide_access_is_no_reset)
{
	out(RESET_CONTROL, 2, 0x0606);
	out(SYSTEM_CONTROL, 2, 0x0101);
	assert_int_equal(resets, 0);
}

/* As xv6 asks for it; a probe that writes and reads back finds no display. */
TEST(the_cursor_of_no_display_is_at_its_top)
{
	for (unsigned half = 14; half <= 15; half++) {
		out(0x3d4, 1, half);
		assert_int_equal(in(0x3d5, 1), 0);
		out(0x3d5, 1, 0xff);
		assert_int_equal(in(0x3d5, 1), 0);
	}
	assert_int_equal(resets, 0);
}
