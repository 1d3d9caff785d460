/* SPDX-License-Identifier: MIT */
/* hv/dev/pic.c as an operating system programs it, and the wiring of hv/dev/irq.c. */

#include "tests/lib/test.h"
#include "hv/dev/devices.h"
#include "hv/dev/ioapic.h"
#include "hv/dev/irq.h"
#include "hv/dev/pic.h"

struct fixture {
	struct bus ports, mmio;
	struct chipset chips;
	struct board board;
	unsigned extints;
	struct pic pic;
	struct ioapic ioapic;
	struct irq irq;
	unsigned messages;
	uint32_t data;
};

static void message(void *ctx, uint16_t source_id, uint64_t address, uint32_t data)
{
	struct fixture *f = ctx;

	(void)source_id, (void)address;
	f->messages++;
	f->data = data;
}

static void out(struct fixture *f, uint64_t port, uint8_t byte)
{
	uint64_t value = byte;

	assert_true(bus_do(&f->ports, port, 1, true, &value));
}

static uint8_t in(struct fixture *f, uint64_t port)
{
	uint64_t value = 0;

	assert_true(bus_do(&f->ports, port, 1, false, &value));
	return (uint8_t)value;
}

/* Told at the moment when it has become so. */
static void extint(void *ctx)
{
	struct fixture *f = ctx;

	assert_true(pic_pending(&f->pic));
	f->extints++;
}

static struct fixture *set_up(void)
{
	static struct fixture f;

	f = (struct fixture){0};
	f.board = (struct board){
		.ports = &f.ports, .mmio = &f.mmio, .chips = &f.chips, .ctx = &f, .message = message, .extint = extint};
	pic_device.create(&f.pic, &f.board);
	ioapic_device.create(&f.ioapic, &f.board);
	irq_device.create(&f.irq, &f.board);
	return &f;
}

/* Vectors 0x20 and 0x28, everything unmasked: what kernels write. */
static struct fixture *set_up_initialized(void)
{
	struct fixture *f = set_up();

	out(f, 0x20, 0x11);
	out(f, 0xa0, 0x11);
	out(f, 0x21, 0x20);
	out(f, 0xa1, 0x28);
	out(f, 0x21, 0x04);
	out(f, 0xa1, 0x02);
	out(f, 0x21, 0x01);
	out(f, 0xa1, 0x01);
	out(f, 0x21, 0x00);
	out(f, 0xa1, 0x00);
	return f;
}

static void pulse(struct fixture *f, unsigned line)
{
	pic_set(&f->pic, line, true);
	pic_set(&f->pic, line, false);
}

TEST(firmware_leaves_all_masked_but_timer_and_cascade)
{
	struct fixture *f = set_up();

	assert_int_equal(in(f, 0x21), 0xfa);
	assert_int_equal(in(f, 0xa1), 0xff);
	for (unsigned line = 1; line < 16; line++) pic_set(&f->pic, line, true);
	assert_false(pic_pending(&f->pic));
	pic_set(&f->pic, 0, true);
	assert_int_equal(pic_accept(&f->pic), 0x08);
}

TEST(each_line_has_its_vector)
{
	for (unsigned line = 0; line < 16; line++) {
		struct fixture *f = set_up_initialized();

		pic_set(&f->pic, line, true);
		if (line == 2) {
			assert_false(pic_pending(&f->pic));
			continue;
		}
		assert_true(pic_pending(&f->pic));
		assert_int_equal(pic_accept(&f->pic), 0x20 + line);
		assert_false(pic_pending(&f->pic));
	}
}

TEST(an_edge_is_one_interrupt_and_is_lost_when_withdrawn)
{
	struct fixture *f = set_up_initialized();

	pic_set(&f->pic, 3, true);
	pic_set(&f->pic, 3, true);
	assert_int_equal(pic_accept(&f->pic), 0x23);
	pic_set(&f->pic, 3, true);
	out(f, 0x20, 0x20);
	assert_false(pic_pending(&f->pic));
	pic_set(&f->pic, 3, false);
	pulse(f, 3);
	assert_false(pic_pending(&f->pic));
	assert_int_equal(pic_accept(&f->pic), 0x27); /* spurious: nothing in service */
	out(f, 0x20, 0x0b);
	assert_int_equal(in(f, 0x20), 0);
}

TEST(lower_lines_wait_for_the_eoi_of_higher_ones)
{
	struct fixture *f = set_up_initialized();

	pic_set(&f->pic, 4, true);
	assert_int_equal(pic_accept(&f->pic), 0x24);
	pic_set(&f->pic, 5, true);
	assert_false(pic_pending(&f->pic));
	pic_set(&f->pic, 1, true);
	assert_int_equal(pic_accept(&f->pic), 0x21);
	out(f, 0x20, 0x0b);
	assert_int_equal(in(f, 0x20), 0x12);
	out(f, 0x20, 0x0a);
	assert_int_equal(in(f, 0x20), 0x20);
	out(f, 0x20, 0x20); /* ends line 1 */
	assert_false(pic_pending(&f->pic));
	out(f, 0x20, 0x64); /* line 4 by name */
	assert_int_equal(pic_accept(&f->pic), 0x25);
}

TEST(the_slave_needs_two_eois)
{
	struct fixture *f = set_up_initialized();

	pic_set(&f->pic, 9, true);
	assert_int_equal(pic_accept(&f->pic), 0x29);
	pic_set(&f->pic, 8, true);
	assert_false(pic_pending(&f->pic)); /* line 2 of the master is in service */
	out(f, 0xa0, 0x20);
	assert_false(pic_pending(&f->pic));
	out(f, 0x20, 0x20);
	assert_true(pic_pending(&f->pic));
	assert_int_equal(pic_accept(&f->pic), 0x28);
}

TEST(a_second_request_of_the_slave_is_not_lost)
{
	struct fixture *f = set_up_initialized();

	out(f, 0xa0, 0x11); /* the slave again, with automatic EOI: it asks on at once */
	out(f, 0xa1, 0x28);
	out(f, 0xa1, 0x02);
	out(f, 0xa1, 0x03);
	out(f, 0xa1, 0x00);
	pic_set(&f->pic, 9, true);
	pic_set(&f->pic, 12, true);
	assert_int_equal(pic_accept(&f->pic), 0x29);
	out(f, 0x20, 0x20);
	assert_true(pic_pending(&f->pic));
	assert_int_equal(pic_accept(&f->pic), 0x2c);
}

TEST(a_level_asks_until_it_is_withdrawn)
{
	struct fixture *f = set_up_initialized();

	assert_int_equal(in(f, 0x4d1), 0x0c); /* PCI's lines */
	pic_set(&f->pic, 11, true);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(pic_accept(&f->pic), 0x2b);
		out(f, 0xa0, 0x20);
		out(f, 0x20, 0x20);
		assert_true(pic_pending(&f->pic));
	}
	pic_set(&f->pic, 11, false);
	assert_false(pic_pending(&f->pic));
}

TEST(edges_cannot_be_made_levels_where_a_pc_has_none)
{
	struct fixture *f = set_up();

	out(f, 0x4d0, 0xff);
	out(f, 0x4d1, 0xff);
	assert_int_equal(in(f, 0x4d0), 0xf8);
	assert_int_equal(in(f, 0x4d1), 0xde);
}

TEST(masking_withholds_a_request_and_unmasking_shows_it)
{
	struct fixture *f = set_up_initialized();

	out(f, 0xa1, 0xff);
	pic_set(&f->pic, 12, true);
	assert_false(pic_pending(&f->pic));
	out(f, 0xa1, 0x00);
	assert_true(pic_pending(&f->pic));
	assert_int_equal(pic_accept(&f->pic), 0x2c);
}

TEST(auto_eoi_leaves_nothing_in_service)
{
	struct fixture *f = set_up();

	out(f, 0x20, 0x11);
	out(f, 0x21, 0x40);
	out(f, 0x21, 0x04);
	out(f, 0x21, 0x03);
	out(f, 0x21, 0x00);
	pic_set(&f->pic, 5, true);
	assert_int_equal(pic_accept(&f->pic), 0x45);
	out(f, 0x20, 0x0b);
	assert_int_equal(in(f, 0x20), 0);
}

TEST(special_mask_mode_lets_lower_lines_in)
{
	struct fixture *f = set_up_initialized();

	pic_set(&f->pic, 1, true);
	assert_int_equal(pic_accept(&f->pic), 0x21);
	pic_set(&f->pic, 6, true);
	out(f, 0x21, 0x02);
	assert_false(pic_pending(&f->pic));
	out(f, 0x20, 0x68);
	assert_true(pic_pending(&f->pic));
	out(f, 0x20, 0x48);
	assert_false(pic_pending(&f->pic));
}

TEST(a_rotating_eoi_makes_its_line_the_lowest)
{
	struct fixture *f = set_up_initialized();

	pic_set(&f->pic, 3, true);
	assert_int_equal(pic_accept(&f->pic), 0x23);
	out(f, 0x20, 0xa0);
	pic_set(&f->pic, 1, true);
	pic_set(&f->pic, 5, true);
	assert_int_equal(pic_accept(&f->pic), 0x25);
}

TEST(poll_mode_acknowledges_by_reading)
{
	struct fixture *f = set_up_initialized();

	out(f, 0x20, 0x0c);
	assert_int_equal(in(f, 0x20), 0);
	pic_set(&f->pic, 6, true);
	out(f, 0x20, 0x0c);
	assert_int_equal(in(f, 0x20), 0x86);
	assert_false(pic_pending(&f->pic));
}

TEST(isa_lines_reach_both_controllers)
{
	struct fixture *f = set_up_initialized();

	f->ioapic.entry[4] = 0x44;
	f->ioapic.entry[2] = 0x42;
	irq_isa(&f->irq, 4, true);
	assert_int_equal(f->messages, 1);
	assert_int_equal(pic_accept(&f->pic), 0x24);
	irq_isa(&f->irq, 0, true); /* the timer: pin 2 */
	assert_int_equal(f->data, 0x42);
	assert_int_equal(pic_accept(&f->pic), 0x20);
}

TEST(pci_devices_share_pins_as_levels)
{
	struct fixture *f = set_up_initialized();

	assert_int_equal(irq_pci_line(3), 11);
	irq_pci(&f->irq, 3, true);
	irq_pci(&f->irq, 11, true); /* the same pin */
	irq_pci(&f->irq, 5, true);  /* the same line, another pin */
	assert_int_equal(f->ioapic.levels, 1U << 19 | 1U << 21 | 1U << 11);
	irq_pci(&f->irq, 3, false);
	assert_int_equal(f->ioapic.levels, 1U << 19 | 1U << 21 | 1U << 11);
	irq_pci(&f->irq, 11, false);
	assert_int_equal(f->ioapic.levels, 1U << 21 | 1U << 11);
	assert_int_equal(pic_accept(&f->pic), 0x2b);
	irq_pci(&f->irq, 5, false);
	assert_int_equal(f->ioapic.levels, 0);
	out(f, 0xa0, 0x20);
	out(f, 0x20, 0x20);
	assert_false(pic_pending(&f->pic));
}

TEST(the_cpu_is_told_when_a_request_comes_through)
{
	struct fixture *f = set_up_initialized();

	out(f, 0x21, 0x08); /* line 3 masked */
	f->extints = 0;
	pic_set(&f->pic, 3, true);
	assert_int_equal(f->extints, 0);
	out(f, 0x21, 0x00);
	assert_int_equal(f->extints, 1);
}

TEST(the_cascade_is_no_line_and_drives_no_pin)
{
	struct fixture *f = set_up_initialized();

	irq_isa(&f->irq, 0, true);
	assert_int_equal(f->ioapic.levels, 1U << 2); /* the timer's pin */
	irq_isa(&f->irq, 2, true);
	irq_isa(&f->irq, 2, false);
	assert_int_equal(f->ioapic.levels, 1U << 2);
	assert_int_equal(pic_accept(&f->pic), 0x20);
}

TEST(an_isa_device_may_share_a_pci_line)
{
	struct fixture *f = set_up_initialized();

	irq_pci(&f->irq, 4, true);
	irq_isa(&f->irq, 10, true);
	irq_isa(&f->irq, 10, false);
	assert_int_equal(f->ioapic.levels, 1U << 20 | 1U << 10);
	irq_isa(&f->irq, 10, true);
	irq_pci(&f->irq, 4, false);
	assert_int_equal(f->ioapic.levels, 1U << 10);
	irq_isa(&f->irq, 10, false);
	assert_int_equal(f->ioapic.levels, 0);
}
