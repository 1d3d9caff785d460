/* SPDX-License-Identifier: MIT */
/* hv/dev/pci.c: configuration mechanism #1 as a guest sees it through the ports. */

#include "tests/lib/test.h"
#include "hv/dev/devices.h"
#include "hv/dev/pci.h"

#define SLOT(n) ((uint16_t)((n) << 3)) /* its source id */

struct fixture {
	struct bus ports;
	struct pci pci;
	struct chipset chips;
	struct board board;
	struct pci_function function;
	unsigned written;
};

static void note_write(void *device)
{
	struct fixture *f = device;

	f->written++;
}

static void set_up(struct fixture *f)
{
	*f = (struct fixture){0};
	f->board = (struct board){.ports = &f->ports, .chips = &f->chips};
	pci_device.create(&f->pci, &f->board);
	f->function.written = note_write;
	f->function.device = f;
	for (unsigned i = 0; i < PCI_CONFIG_SIZE; i++) f->function.config[i] = (uint8_t)i;
	pci_add(&f->pci, SLOT(3), &f->function);
}

static void out(struct fixture *f, unsigned port, unsigned width, uint64_t value)
{
	bus_do(&f->ports, port, width, true, &value);
}

static uint64_t in(struct fixture *f, unsigned port, unsigned width)
{
	uint64_t value = 0;

	bus_do(&f->ports, port, width, false, &value);
	return value;
}

#define SLOT3(register) (0x80001800U | (register))

TEST(each_width_and_byte_of_a_register_is_read)
{
	struct fixture f;

	set_up(&f);
	out(&f, 0xcf8, 4, SLOT3(0x40));
	assert_int_equal(in(&f, 0xcfc, 4), 0x43424140);
	assert_int_equal(in(&f, 0xcfc, 2), 0x4140);
	assert_int_equal(in(&f, 0xcfe, 2), 0x4342);
	assert_int_equal(in(&f, 0xcfd, 2), 0x4241);
	for (unsigned i = 0; i < 4; i++) assert_int_equal(in(&f, 0xcfc + i, 1), 0x40 + i);
	assert_int_equal(in(&f, 0xcfe, 4), 0xffffffff);
}

TEST(low_bits_of_the_address_choose_the_byte_too)
{
	struct fixture f;

	set_up(&f);
	out(&f, 0xcf8, 4, SLOT3(0x42));
	assert_int_equal(in(&f, 0xcfc, 2), 0x4342);
	assert_int_equal(in(&f, 0xcfe, 2), 0x4342);
	assert_int_equal(in(&f, 0xcfc, 1), 0x42);
	assert_int_equal(in(&f, 0xcf8, 4), SLOT3(0x42));
}

TEST(nothing_is_read_beyond_the_configuration_space)
{
	struct fixture f;

	set_up(&f);
	out(&f, 0xcf8, 4, SLOT3(0xfc));
	assert_int_equal(in(&f, 0xcfc, 4), 0xfffefdfc);
	out(&f, 0xcf8, 4, SLOT3(0xff));
	assert_int_equal(in(&f, 0xcfc, 1), 0xff);
	assert_int_equal(in(&f, 0xcfc, 2), 0xffff);
	out(&f, 0xcfc, 4, 0);
	assert_int_equal(f.written, 0);
}

TEST(absent_functions_read_as_ones)
{
	static const uint32_t absent[] = {
		0x00001800, /* not enabled */
		0x80001000, /* no device in slot 2 */
		0x80001900, /* no function 1 */
		0x80011800, /* no bus 1 */
		0x8000f800, /* the last slot */
	};
	struct fixture f;

	set_up(&f);
	for (unsigned i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
		out(&f, 0xcf8, 4, absent[i]);
		assert_int_equal(in(&f, 0xcfc, 4), 0xffffffff);
		assert_int_equal(in(&f, 0xcfc, 2), 0xffff);
		out(&f, 0xcfc, 4, 0);
	}
	assert_int_equal(f.written, 0);
}

TEST(the_address_register_takes_four_bytes_only)
{
	struct fixture f;

	set_up(&f);
	out(&f, 0xcf8, 4, SLOT3(0));
	out(&f, 0xcf8, 2, 0);
	out(&f, 0xcf8, 1, 0);
	out(&f, 0xcfb, 1, 1);
	out(&f, 0xcfa, 4, 0);
	assert_int_equal(in(&f, 0xcf8, 4), SLOT3(0));
	assert_int_equal(in(&f, 0xcf8, 2), 0xffff);
	assert_int_equal(in(&f, 0xcfb, 1), 0xff);
}

TEST(a_write_changes_writable_bits_and_tells_the_device)
{
	struct fixture f;

	set_up(&f);
	f.function.writable[0x41] = 0xf0;
	f.function.clear_on_one[0x42] = 0x03;
	f.function.config32[0x40 / 4] = 0x56071234;
	out(&f, 0xcf8, 4, SLOT3(0x40));
	out(&f, 0xcfc, 4, 0x00020000U | 0xedcb);
	assert_int_equal(in(&f, 0xcfc, 4), 0x5605e234);
	assert_int_equal(f.written, 1);
	out(&f, 0xcfd, 1, 0);
	assert_int_equal(in(&f, 0xcfc, 4), 0x56050234);
	assert_int_equal(f.written, 2);
}

TEST(slot_0_is_a_host_bridge)
{
	struct fixture f;

	set_up(&f);
	out(&f, 0xcf8, 4, 0x80000008);
	assert_int_equal(in(&f, 0xcfc, 4) >> 16, 0x0600);
	out(&f, 0xcfc, 4, 0);
	assert_int_equal(in(&f, 0xcfc, 4) >> 16, 0x0600);
}

TEST(a_slot_is_given_once_and_a_second_function_is_told)
{
	struct fixture f;
	struct pci_function other = {0};

	set_up(&f);
	assert_ptr_equal(f.chips.pci, &f.pci);
	assert_false(f.pci.full);
	pci_add(&f.pci, SLOT(3), &other);
	assert_true(f.pci.full);
	assert_ptr_equal(f.pci.slot[3], &f.function);
}

TEST(free_slots_are_handed_out_from_2_on_and_end_with_the_bridges)
{
	struct fixture f;
	struct pci_function others[PCI_SLOTS] = {0};

	set_up(&f);
	for (unsigned slot = 2; slot < PCI_SLOTS; slot++) {
		if (slot == 3) /* taken */
			continue;
		assert_int_equal(pci_free_slot(&f.pci), SLOT(slot));
		pci_add(&f.pci, SLOT(slot), &others[slot]);
	}
	assert_false(f.pci.full);
	assert_int_equal(pci_free_slot(&f.pci), 0);
	pci_add(&f.pci, 0, &others[0]);
	assert_true(f.pci.full);
}

TEST(bars_are_assigned_in_the_window_aligned_and_apart)
{
	struct fixture f;

	set_up(&f);
	assert_int_equal(pci_assign_bar(&f.pci, 0x1000), 0xc0000000);
	assert_int_equal(pci_assign_bar(&f.pci, 0x100000), 0xc0100000);
	assert_int_equal(pci_assign_bar(&f.pci, 0x100000), 0xc0200000);
}
