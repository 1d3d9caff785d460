/* SPDX-License-Identifier: MIT */
/* hv/dev/devices.c: the tables of devices, walked as hv/vm/devices.c walks them. */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/test.h"
#include "hv/dev/devices.h"
#include "hv/dev/ioapic.h"
#include "hv/dev/irq.h"
#include "hv/dev/pci.h"
#include "hv/dev/pic.h"
#include "hv/options/options.h"

/* What a VM puts on its MMIO bus beside the rows: local APIC and IOMMU. */
#define OTHER_REGIONS 2
#define DEVICES_MAX   32

static struct bus ports, mmio;
static struct chipset chips;
static struct timers timers;
static void *places[DEVICES_MAX];
static unsigned created;
static uint16_t last_dma_device;

static void dma_device(void *ctx, uint16_t source_id, bool emits_no_snoop)
{
	(void)ctx, (void)emits_no_snoop;
	last_dma_device = source_id;
}

static uint64_t clock;

static uint64_t now(void *ctx)
{
	(void)ctx;
	return clock;
}

static void line(void *ctx, unsigned number, bool level)
{
	(void)ctx;
	if (chips.irq) irq_isa(chips.irq, number, level);
}

static void extint(void *ctx) { (void)ctx; }

static void message(void *ctx, uint16_t source_id, uint64_t address, uint32_t data)
{
	(void)ctx, (void)source_id, (void)address, (void)data;
}

static const struct board board = {.ports = &ports,
				   .mmio = &mmio,
				   .chips = &chips,
				   .timers = &timers,
				   .line = line,
				   .extint = extint,
				   .message = message,
				   .dma_device = dma_device,
				   .now = now,
				   .clock_hz = 100000000};

static void *create(const struct device_row *row, unsigned words)
{
	void *place = calloc(1, device_size(row));

	assert_non_null(place);
	places[created++] = place;
	return device_create(row, &board, words, place);
}

static int set_up(void **state)
{
	(void)state;
	memset(&ports, 0, sizeof(ports));
	memset(&mmio, 0, sizeof(mmio));
	timers_init(&timers, NULL, NULL);
	memset(&chips, 0, sizeof(chips));
	created = 0;
	last_dma_device = 0;
	clock = 0;
	for (unsigned i = 0; i < fixed_device_count; i++) create(fixed_devices[i], 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	while (created) free(places[--created]);
	return 0;
}

static const struct device_row *named(const char *name)
{
	for (unsigned i = 0; i < optional_device_count; i++)
		if (!strcmp(optional_devices[i]->name, name)) return optional_devices[i];
	fail();
	return NULL;
}

/* Each test here has this fixture. */
#undef TEST
#define TEST(name) TEST_WITH(name, set_up, tear_down)

static void out_byte(uint16_t port, uint64_t value) { bus_do(&ports, port, 1, true, &value); }

/* The low half of an entry of the IOAPIC. */
static void set_pin(unsigned pin, uint64_t value)
{
	uint64_t select = 0x10 + 2 * pin;

	bus_do(&mmio, IOAPIC_BASE, 4, true, &select);
	bus_do(&mmio, IOAPIC_BASE + 0x10, 4, true, &value);
}

/* The clock goes on to the next event, and that happens. */
static void next_event(void)
{
	assert_int_not_equal(timers.due, TIMER_OFF);
	clock = timers.due;
	timers_poll(&timers, clock);
}

#define PIT_PERIOD 5492540 /* 65536 of 1,193,182 Hz, in the clock's ticks */
#define PIT_TICK   86      /* 83.8, rounded up twice */

TEST(the_8254_rests_while_no_controller_hears_it)
{
	next_event();
	assert_in_range(clock, PIT_PERIOD, PIT_PERIOD + PIT_TICK);
	assert_int_equal(timers.due, TIMER_OFF);
	assert_true(pic_pending(chips.pic));
	clock += 10 * PIT_PERIOD + PIT_PERIOD / 2;
	assert_int_equal(pic_accept(chips.pic), 0x08);
	/* The next rise, as if it had never rested. */
	assert_in_range(timers.due, 12 * PIT_PERIOD, 12 * PIT_PERIOD + PIT_TICK);
	out_byte(0x20, 0x20);
	out_byte(0x21, 0xff);
	next_event(); /* masked, the PIC still remembers one */
	assert_int_equal(timers.due, TIMER_OFF);
	out_byte(0x21, 0xfe);
	assert_true(pic_pending(chips.pic));
	assert_int_equal(timers.due, TIMER_OFF);
	set_pin(2, 0x30);
	next_event();
	next_event(); /* the IOAPIC hears each */
	set_pin(2, 0x10030);
	next_event();
	assert_int_equal(timers.due, TIMER_OFF);
}

TEST(the_fixed_devices_find_each_other)
{
	assert_non_null(chips.pci);
	assert_ptr_equal(chips.irq->pic, chips.pic);
	assert_ptr_equal(chips.irq->ioapic, chips.ioapic);
	assert_int_equal(chips.ioapic->board->source_id, IOAPIC_SOURCE_ID);
}

TEST(the_fullest_line_leaves_no_bus_full)
{
	for (unsigned row = 0; row < optional_device_count; row++) {
		tear_down(NULL);
		set_up(NULL);
		for (unsigned i = 0; i < OTHER_REGIONS; i++) bus_add(&mmio, 0, 0, NULL, NULL, "other");
		for (unsigned i = 0; i < VM_DEVICES_MAX; i++) create(optional_devices[row], 0);
		assert_false(ports.full || mmio.full || chips.pci->full);
		assert_true(timers.count <= TIMERS_MAX);
	}
}

TEST(a_device_knows_its_name_its_slot_and_its_words)
{
	const struct board *first, *second;

	create(named("edu"), 0);
	first = places[created - 1];
	create(named("testdev"), 0);
	create(named("edu"), 1);
	second = places[created - 1];
	assert_string_equal(first->name, "edu");
	assert_int_equal(first->source_id, 2 << 3);
	assert_int_equal(first->words, 0);
	assert_int_equal(second->source_id, 3 << 3);
	assert_int_equal(second->words, 1);
	assert_int_equal(last_dma_device, 3 << 3);
	assert_int_equal(pci_get32(chips.pci->slot[3], PCI_BAR0), PCI_WINDOW + 0x100000);
}

static void create_none(void *state, const struct board *own) { (void)state, (void)own; }

static void count_up(void *state) { ++*(unsigned *)state; }

TEST(a_device_goes_on_if_its_row_says_how)
{
	const struct device_row row = {"waits", sizeof(unsigned), create_none, count_up, false, 0, NULL};
	const unsigned *times = create(&row, 0);

	device_go_on(&row, places[created - 1]);
	assert_int_equal(*times, 1);
	create(named("testdev"), 0);
	device_go_on(named("testdev"), places[created - 1]);
}

TEST(each_state_lies_behind_its_board_and_is_aligned)
{
	for (unsigned i = 0; i < optional_device_count; i++) {
		const struct device_row *row = optional_devices[i];
		char *device = create(row, 0), *place = places[created - 1];

		assert_int_equal((uintptr_t)device % 16, 0);
		assert_true(device >= place + sizeof(struct board));
		assert_true(device + row->size <= place + device_size(row));
		assert_int_equal(device_size(row) % 16, 0);
	}
}
