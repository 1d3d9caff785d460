/* SPDX-License-Identifier: MIT */
/* hv/dev/ioapic.c: registers, edges, levels and EOIs; and with a local APIC behind it. */

#include "tests/lib/test.h"
#include "hv/dev/devices.h"
#include "hv/dev/ioapic.h"
#include "hv/dev/lapic.h"
#include "tests/lib/one_lapic.h"

#define SOURCE_ID 0x1234

struct fixture {
	struct bus mmio;
	struct chipset chips;
	struct board board;
	struct ioapic ioapic;
	unsigned messages;
	uint64_t address;
	uint32_t data;
};

static void message(void *ctx, uint16_t source_id, uint64_t address, uint32_t data)
{
	struct fixture *f = ctx;

	assert_int_equal(source_id, SOURCE_ID);

	f->messages++;
	f->address = address;
	f->data = data;
}

static void access_page(struct fixture *f, uint64_t offset, bool write, uint64_t *value)
{
	assert_true(bus_do(&f->mmio, IOAPIC_BASE + offset, 4, write, value));
}

static void set(struct fixture *f, uint64_t index, uint32_t data)
{
	uint64_t value = data;

	access_page(f, 0x00, true, &index);
	access_page(f, 0x10, true, &value);
}

static uint32_t get(struct fixture *f, uint64_t index)
{
	uint64_t value = 0;

	access_page(f, 0x00, true, &index);
	access_page(f, 0x10, false, &value);
	return (uint32_t)value;
}

static void set_entry(struct fixture *f, unsigned pin, uint64_t entry)
{
	set(f, 0x11 + 2 * pin, (uint32_t)(entry >> 32));
	set(f, 0x10 + 2 * pin, (uint32_t)entry);
}

static uint64_t get_entry(struct fixture *f, unsigned pin)
{
	return get(f, 0x10 + 2 * pin) | (uint64_t)get(f, 0x11 + 2 * pin) << 32;
}

static struct fixture *set_up(void)
{
	static struct fixture f;

	f = (struct fixture){0};
	f.board = (struct board){
		.source_id = SOURCE_ID, .mmio = &f.mmio, .chips = &f.chips, .ctx = &f, .message = message};
	ioapic_device.create(&f.ioapic, &f.board);
	assert_ptr_equal(f.chips.ioapic, &f.ioapic);
	return &f;
}

#define LEVEL      0x8000ULL
#define REMOTE_IRR 0x4000ULL
#define MASKED     0x10000ULL

TEST(it_has_24_masked_pins_and_an_eoi_register)
{
	struct fixture *f = set_up();

	assert_int_equal(get(f, 0), 1U << 24);
	assert_int_equal(get(f, 1), 0x00170020);
	for (unsigned pin = 0; pin < 24; pin++) assert_int_equal(get_entry(f, pin), MASKED);
	assert_int_equal(get(f, 0x40), 0xffffffff);
	set(f, 0x40, 0);
	set(f, 0xff, 0);
	set(f, 1, 0);
	assert_int_equal(get(f, 1), 0x00170020);
	set(f, 0, 0xffffffff);
	assert_int_equal(get(f, 0), 0x0f000000);
}

TEST(an_edge_sends_one_message)
{
	struct fixture *f = set_up();

	set_entry(f, 4, 0x0200000000000041);
	ioapic_set(&f->ioapic, 4, true);
	ioapic_set(&f->ioapic, 4, true);
	ioapic_set(&f->ioapic, 4, false);
	assert_int_equal(f->messages, 1);
	assert_int_equal(f->address, 0xfee02000);
	assert_int_equal(f->data, 0x41);
	set_entry(f, 4, 0x0300000000000941); /* logical, lowest priority */
	ioapic_set(&f->ioapic, 4, true);
	assert_int_equal(f->messages, 2);
	assert_int_equal(f->address, 0xfee03004);
	assert_int_equal(f->data, 0x141);
}

TEST(a_masked_edge_is_lost_a_masked_level_waits)
{
	struct fixture *f = set_up();

	ioapic_set(&f->ioapic, 4, true);
	set_entry(f, 4, 0x41);
	assert_int_equal(f->messages, 0);
	ioapic_set(&f->ioapic, 5, true);
	set_entry(f, 5, LEVEL | 0x42);
	assert_int_equal(f->messages, 1);
	assert_int_equal(f->data, 0xc042);
}

TEST(a_level_interrupts_once_per_eoi)
{
	struct fixture *f = set_up();

	set_entry(f, 20, LEVEL | 0x51);
	ioapic_set(&f->ioapic, 20, true);
	assert_int_equal(f->messages, 1);
	assert_int_equal(get_entry(f, 20), LEVEL | REMOTE_IRR | 0x51);
	ioapic_set(&f->ioapic, 20, false);
	ioapic_set(&f->ioapic, 20, true);
	set_entry(f, 20, LEVEL | MASKED | 0x51);
	set_entry(f, 20, LEVEL | 0x51);
	assert_int_equal(f->messages, 1);
	ioapic_eoi(&f->ioapic, 0x52); /* not its vector */
	assert_int_equal(f->messages, 1);
	ioapic_eoi(&f->ioapic, 0x51);
	assert_int_equal(f->messages, 2); /* still asserted */
	ioapic_set(&f->ioapic, 20, false);
	ioapic_eoi(&f->ioapic, 0x51);
	assert_int_equal(f->messages, 2);
	assert_int_equal(get_entry(f, 20), LEVEL | 0x51);
}

TEST(the_eoi_register_acknowledges_too)
{
	struct fixture *f = set_up();
	uint64_t vector = 0x51;

	set_entry(f, 20, LEVEL | 0x51);
	ioapic_set(&f->ioapic, 20, true);
	access_page(f, 0x40, true, &vector);
	assert_int_equal(f->messages, 2);
}

TEST(turning_to_edge_clears_remote_irr)
{
	struct fixture *f = set_up();

	set_entry(f, 20, LEVEL | 0x51);
	ioapic_set(&f->ioapic, 20, true);
	set_entry(f, 20, MASKED | 0x51);
	set_entry(f, 20, MASKED | LEVEL | 0x51);
	assert_int_equal(get_entry(f, 20), MASKED | LEVEL | 0x51);
}

TEST(read_only_bits_stay)
{
	struct fixture *f = set_up();

	set_entry(f, 0, ~0ULL);
	assert_int_equal(get_entry(f, 0), 0xffff00000001afff);
}

TEST(a_remappable_entry_becomes_a_remappable_message)
{
	struct fixture *f = set_up();

	/* Index 0x9234: bits 14:0 in 63:49, bit 15 in 11; format in 48. */
	set_entry(f, 7, (0x1234ULL << 49) | 1ULL << 48 | 0x800 | 0x07);
	ioapic_set(&f->ioapic, 7, true);
	assert_int_equal(f->address, 0xfee00000 | 0x1234 << 5 | 1 << 4 | 1 << 2);
	assert_int_equal(f->data, 0x07);
}

static struct lapic lapic;

static void to_lapic(void *ctx, uint16_t source_id, uint64_t address, uint32_t data)
{
	(void)source_id;
	lapic_message(ctx, address, data);
}

static void lapic_eoi(void *ctx, uint8_t vector) { ioapic_eoi(ctx, vector); }

TEST(a_level_goes_through_the_local_apic_and_back)
{
	struct fixture *f = set_up();
	const struct lapic_host host = {.ctx = &f->ioapic, .eoi = lapic_eoi};
	uint64_t zero = 0;

	lapic_init(&lapic, 0, &host);
	f->board.message = to_lapic;
	f->board.ctx = &lapic;
	set_entry(f, 17, LEVEL | 0x61);
	ioapic_set(&f->ioapic, 17, true);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(lapic_pending(&lapic), 0x61);
		lapic_accept(&lapic, 0x61);
		assert_int_equal(lapic_pending(&lapic), -1);
		if (i == 2) ioapic_set(&f->ioapic, 17, false);
		lapic_access(&lapic, 0xb0, 4, true, &zero);
	}
	assert_int_equal(lapic_pending(&lapic), -1);
}
