/* SPDX-License-Identifier: MIT */
/* hv/dev/fw_cfg.c and the debug console of hv/dev/ports.c: what kernels written for QEMU's machine find. */
#include <string.h>

#include "tests/lib/test.h"
#include "hv/dev/firmware.h"
#include "lib/bits.h"
#include "tests/lib/port_device.h"

static int set_up(void **state)
{
	(void)state;
	port_device_reset();
	machine.board.cpus = 3;
	machine.board.low_ram_end = 3 * GiB;
	machine.board.high_ram_end = 5 * GiB;
	make_device(&fw_cfg_device, &machine.board);
	make_device(&ports_device, &machine.board);
	return 0;
}

static void read_item(unsigned item, void *to, size_t size)
{
	out(0x510, 2, item);
	for (size_t i = 0; i < size; i++) ((uint8_t *)to)[i] = (uint8_t)in(0x511, 1);
}

/* Each test here has this fixture. */
#undef TEST
#define TEST(name) TEST_WITH(name, set_up, NULL)

TEST(the_signature_is_qemus_and_zeroes_follow)
{
	char text[8];

	read_item(0, text, sizeof(text));
	assert_memory_equal(text, "QEMU\0\0\0", 8);
	read_item(0, text, 1); /* selecting begins anew */
	assert_int_equal(text[0], 'Q');
}

TEST(the_interface_is_the_ports_alone)
{
	uint32_t interface;

	read_item(1, &interface, sizeof(interface));
	assert_int_equal(interface, 1);
}

TEST(the_memory_has_a_size)
{
	uint64_t size;

	read_item(3, &size, sizeof(size));
	assert_int_equal(size, 4 * GiB);
	port_device_reset();
	machine.board.low_ram_end = 3 * GiB;
	machine.board.high_ram_end = 0;
	make_device(&fw_cfg_device, &machine.board);
	read_item(3, &size, sizeof(size));
	assert_int_equal(size, 3 * GiB);
}

TEST(the_cpus_are_counted)
{
	uint16_t cpus;

	read_item(5, &cpus, sizeof(cpus));
	assert_int_equal(cpus, 3);
	read_item(15, &cpus, sizeof(cpus));
	assert_int_equal(cpus, 3);
}

/* The way a kernel takes: the directory, the file by its name, its bytes. */
TEST(the_memory_map_is_a_file)
{
	struct {
		uint32_t count, size;
		uint16_t select, reserved;
		char name[56];
	} directory;
	struct e820_range range[E820_RANGES];

	read_item(0x19, &directory, sizeof(directory));
	assert_int_equal(__builtin_bswap32(directory.count), 1);
	assert_string_equal(directory.name, "etc/e820");
	assert_int_equal(__builtin_bswap32(directory.size), sizeof(range));
	read_item(__builtin_bswap16(directory.select), range, sizeof(range));
	assert_int_equal(range[0].length, 0x9fc00);
	assert_int_equal(range[3].base + range[3].length, 3 * GiB);
	assert_int_equal(range[3].type, 1);
	assert_int_equal(range[4].base, 4 * GiB);
	assert_int_equal(range[4].length, GiB);
}

TEST(what_is_not_there_reads_as_zeroes)
{
	for (unsigned item = 2; item < 0x10000; item++)
		if (item != 5 && item != 15 && item != 0x19 && item != 0x20) {
			out(0x510, 2, item);
			assert_int_equal(in(0x511, 1), 0);
		}
}

TEST(a_byte_selects_nothing_and_data_is_read_only)
{
	out(0x510, 2, 0);
	out(0x510, 1, 5);
	out(0x511, 1, 0xff);
	assert_int_equal(in(0x511, 1), 'Q');
}

TEST(the_debug_port_shows_bytes_and_reads_as_its_number)
{
	out(0xe9, 1, 'o');
	out(0xe9, 1, 'k');
	assert_string_equal(machine.shown, "ok");
	assert_int_equal(in(0xe9, 1), 0xe9);
}
