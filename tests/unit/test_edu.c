/* SPDX-License-Identifier: MIT */
/* hv/dev/edu.c behind a real PCI function and MMIO bus, with a small memory to do DMA to. */
#include <string.h>

#include "tests/lib/test.h"
#include "hv/dev/pci.h"
#include "lib/errno.h"
#include "tests/lib/device.h"

#define BAR    0xfea00000U
#define MEMORY 0x10000

/* Device address of its buffer, and its capabilities in configuration space. */
#define EDU_BUFFER 0x40000ULL
#define EDU_MSI    0x40
#define EDU_PCIE   0x50

struct fixture {
	struct bus ports, mmio;
	struct chipset chips;
	struct board board;
	struct pci pci;
	uint8_t memory[MEMORY];
	uint64_t last_address;
	unsigned reads, writes, messages, no_snoops;
	uint64_t message_address;
	uint32_t message_data;
	unsigned dma_devices;
	bool intx, no_snoop, emits_no_snoop;
	unsigned waits; /* so many DMAs end with -EAGAIN */
	void *edu;
};

static int dma_read(void *ctx, uint16_t source_id, uint64_t address, void *to, size_t size)
{
	struct fixture *f = ctx;

	assert_int_equal(source_id, 5 << 3);
	f->reads++;
	if (f->waits && f->waits--) return -EAGAIN;
	f->last_address = address;
	if (address > MEMORY || size > MEMORY - address) return -EFAULT;
	memcpy(to, f->memory + address, size);
	return 0;
}

static int dma_write(void *ctx, uint16_t source_id, uint64_t address, const void *from, size_t size)
{
	struct fixture *f = ctx;

	assert_int_equal(source_id, 5 << 3);
	f->writes++;
	if (f->waits && f->waits--) return -EAGAIN;
	f->last_address = address;
	if (address > MEMORY || size > MEMORY - address) return -EFAULT;
	memcpy(f->memory + address, from, size);
	return 0;
}

static void message(void *ctx, uint16_t source_id, uint64_t address, uint32_t data)
{
	struct fixture *f = ctx;

	assert_int_equal(source_id, 5 << 3);
	f->messages++;
	f->message_address = address;
	f->message_data = data;
}

static void intx(void *ctx, uint16_t source_id, bool level)
{
	struct fixture *f = ctx;

	assert_int_equal(source_id, 5 << 3);
	assert_int_not_equal(f->intx, level); /* only changes are told */
	f->intx = level;
}

static void no_snoop(void *ctx, uint16_t source_id, bool enabled)
{
	struct fixture *f = ctx;

	assert_int_equal(source_id, 5 << 3);
	f->no_snoops++;
	f->no_snoop = enabled;
}

static void dma_device(void *ctx, uint16_t source_id, bool emits_no_snoop)
{
	struct fixture *f = ctx;

	assert_int_equal(source_id, 5 << 3);
	f->dma_devices++;
	f->emits_no_snoop = emits_no_snoop;
}

static void config_write(struct fixture *f, unsigned offset, unsigned width, uint32_t data)
{
	uint64_t address = 0x80002800U | (offset & ~3U), value = data;

	bus_do(&f->ports, 0xcf8, 4, true, &address);
	bus_do(&f->ports, 0xcfc + (offset & 3), width, true, &value);
}

static uint32_t config_read(struct fixture *f, unsigned offset, unsigned width)
{
	uint64_t address = 0x80002800U | (offset & ~3U), value = 0;

	bus_do(&f->ports, 0xcf8, 4, true, &address);
	bus_do(&f->ports, 0xcfc + (offset & 3), width, false, &value);
	return (uint32_t)value;
}

static uint64_t get(struct fixture *f, uint64_t offset, unsigned width)
{
	uint64_t value = 0;

	bus_do(&f->mmio, BAR + offset, width, false, &value);
	return value;
}

static void set(struct fixture *f, uint64_t offset, unsigned width, uint64_t value)
{
	bus_do(&f->mmio, BAR + offset, width, true, &value);
}

static struct fixture *set_up_with(unsigned words, bool master)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	f.no_snoop = true;
	f.board = (struct board){
		.source_id = 5 << 3,
		.words = words,
		.ports = &f.ports,
		.mmio = &f.mmio,
		.chips = &f.chips,
		.ctx = &f,
		.dma_read = dma_read,
		.dma_write = dma_write,
		.dma_device = dma_device,
		.no_snoop = no_snoop,
		.message = message,
		.intx = intx,
	};
	pci_device.create(&f.pci, &f.board);
	f.pci.next_bar = BAR;
	f.edu = make_device(&edu_device, &f.board);
	assert_false(f.pci.full);
	if (master) config_write(&f, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	return &f;
}

static struct fixture *set_up(bool master) { return set_up_with(0, master); }

static void dma(struct fixture *f, uint64_t source, uint64_t destination, uint64_t count, uint64_t command)
{
	set(f, 0x80, 8, source);
	set(f, 0x88, 8, destination);
	set(f, 0x90, 8, count);
	set(f, 0x98, 8, command);
}

TEST(it_identifies_itself_and_shows_liveness)
{
	struct fixture *f = set_up(false);

	assert_int_equal(config_read(f, 0, 4), 0x11e81234);
	assert_int_equal(get(f, 0x00, 4), 0x010000ed);
	set(f, 0x04, 4, 0x12345678);
	assert_int_equal(get(f, 0x04, 4), 0xedcba987);
	set(f, 0x00, 4, 0);
	assert_int_equal(get(f, 0x00, 4), 0x010000ed);
}

TEST(access_sizes_are_as_specified)
{
	struct fixture *f = set_up(false);

	set(f, 0x04, 4, 0);
	for (unsigned width = 1; width <= 8; width *= 2) {
		if (width == 4) continue;
		set(f, 0x04, width, 0x55);
		assert_int_equal(get(f, 0x00, width), width == 8 ? ~0ULL : 0);
	}
	assert_int_equal(get(f, 0x04, 4), 0xffffffff);
	set(f, 0x80, 8, 0x1122334455667788);
	assert_int_equal(get(f, 0x80, 8), 0x1122334455667788);
	assert_int_equal(get(f, 0x80, 4), 0x55667788);
	assert_int_equal(get(f, 0x80, 2), 0);
	assert_int_equal(get(f, 0x82, 4), 0);
	set(f, 0x80, 4, 0xaabbccdd);
	assert_int_equal(get(f, 0x80, 8), 0xaabbccdd);
	assert_int_equal(get(f, 0x40, 4), 0xffffffff);
	assert_int_equal(get(f, 0xffff8, 8), ~0ULL);
}

TEST(factorials_are_right_and_bounded)
{
	struct fixture *f = set_up(false);

	for (uint32_t n = 0; n < 64; n++) {
		uint32_t expected = 1;

		for (uint32_t i = 2; i <= n; i++) expected *= i;
		set(f, 0x08, 4, n);
		assert_int_equal(get(f, 0x20, 4) & 1, 0);
		assert_int_equal(get(f, 0x08, 4), expected);
	}
	set(f, 0x08, 4, 0xffffffff); /* must not run four thousand million rounds */
	assert_int_equal(get(f, 0x08, 4), 0);
	assert_int_equal(get(f, 0x24, 4), 0);
}

TEST(a_factorial_interrupts_when_asked)
{
	struct fixture *f = set_up(false);

	set(f, 0x20, 4, 0xffffffff);
	assert_int_equal(get(f, 0x20, 4), 0x80);
	set(f, 0x08, 4, 5);
	assert_true(f->intx);
	assert_int_equal(get(f, 0x24, 4), 0x1);
	set(f, 0x64, 4, 0x1);
	assert_false(f->intx);
	set(f, 0x20, 4, 0);
	set(f, 0x08, 4, 6);
	assert_false(f->intx);
}

TEST(intx_follows_status_and_interrupt_disable)
{
	struct fixture *f = set_up(false);

	set(f, 0x60, 4, 0x11);
	assert_true(f->intx);
	assert_int_equal(config_read(f, PCI_STATUS, 2) & PCI_STATUS_INTX, PCI_STATUS_INTX);
	set(f, 0x64, 4, 0x01);
	assert_true(f->intx);
	config_write(f, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_OFF);
	assert_false(f->intx);
	assert_int_equal(config_read(f, PCI_STATUS, 2) & PCI_STATUS_INTX, PCI_STATUS_INTX);
	config_write(f, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_true(f->intx);
	set(f, 0x64, 4, 0x10);
	assert_false(f->intx);
	assert_int_equal(config_read(f, PCI_STATUS, 2) & PCI_STATUS_INTX, 0);
}

TEST(msi_replaces_intx)
{
	struct fixture *f = set_up(true);
	unsigned cap = config_read(f, PCI_CAP_POINTER, 1);

	assert_int_equal(config_read(f, cap, 1), 0x05);
	assert_int_equal(config_read(f, cap + 2, 2), 0x0080);
	config_write(f, cap + 4, 4, 0xfee01003);
	config_write(f, cap + 8, 4, 0x1);
	config_write(f, cap + 12, 2, 0x4041);
	set(f, 0x60, 4, 0x1);
	assert_true(f->intx);
	config_write(f, cap + 2, 2, 0xffff);
	assert_int_equal(config_read(f, cap + 2, 2), 0x0081);
	assert_false(f->intx);
	assert_int_equal(f->messages, 0);
	set(f, 0x60, 4, 0x2);
	assert_int_equal(f->messages, 1);
	assert_int_equal(f->message_address, 0x1fee01000);
	assert_int_equal(f->message_data, 0x4041);
	config_write(f, cap + 2, 2, 0);
	assert_true(f->intx);
}

TEST(msi_needs_bus_mastering)
{
	struct fixture *f = set_up(false);

	config_write(f, EDU_MSI + 2, 2, 1);
	set(f, 0x60, 4, 0x1);
	assert_int_equal(f->messages, 0);
	assert_false(f->intx);
}

TEST(dma_moves_bytes_both_ways)
{
	struct fixture *f = set_up(true);

	for (unsigned i = 0; i < 4096; i++) f->memory[0x2000 + i] = (uint8_t)(i * 7);
	dma(f, 0x2000, EDU_BUFFER, 4096, 1);
	assert_int_equal(get(f, 0x98, 8), 0);
	dma(f, EDU_BUFFER, 0x8000, 4096, 3);
	assert_int_equal(get(f, 0x98, 8), 2);
	assert_memory_equal(f->memory + 0x2000, f->memory + 0x8000, 4096);
	dma(f, EDU_BUFFER + 0x100, 0x100, 0x10, 3);
	assert_memory_equal(f->memory + 0x100, f->memory + 0x2100, 0x10);
	assert_int_equal(f->memory[0x110], 0);
	assert_int_equal(get(f, 0x24, 4), 0);
}

TEST(dma_interrupts_when_asked)
{
	struct fixture *f = set_up(true);

	dma(f, 0x2000, EDU_BUFFER, 16, 5);
	assert_true(f->intx);
	assert_int_equal(get(f, 0x24, 4), 0x100);
	set(f, 0x64, 4, 0x100);
	assert_false(f->intx);
}

TEST(a_command_without_run_does_nothing)
{
	struct fixture *f = set_up(true);

	dma(f, 0x2000, EDU_BUFFER, 16, 6);
	assert_int_equal(f->reads + f->writes, 0);
	assert_int_equal(get(f, 0x98, 8), 0);
	assert_false(f->intx);
}

TEST(dma_that_waits_is_done_later_and_seen_to_run_until_then)
{
	struct fixture *f = set_up(true);

	memset(f->memory, 0x5a, 16);
	for (unsigned to_memory = 0; to_memory < 2; to_memory++) {
		f->waits = 2;
		dma(f, to_memory ? EDU_BUFFER : 0, to_memory ? 32 : EDU_BUFFER, 16, 1 | to_memory << 1 | 4);
		edu_device.go_on(f->edu);
		assert_int_equal(get(f, 0x98, 8), 1 | to_memory << 1 | 4);
		assert_int_equal(get(f, 0x24, 4), 0);
		set(f, 0x98, 8, 1);
		set(f, 0x90, 8, 1); /* too late: it runs */
		assert_int_equal(f->reads + f->writes, 3 * to_memory + 2);
		edu_device.go_on(f->edu);
		assert_int_equal(get(f, 0x98, 8), to_memory << 1 | 4);
		assert_int_equal(get(f, 0x24, 4), 0x100);
		edu_device.go_on(f->edu); /* once */
		assert_int_equal(f->reads + f->writes, 3 * to_memory + 3);
		set(f, 0x64, 4, 0x100);
	}
	assert_memory_equal(f->memory + 32, f->memory, 16);
}

TEST(dma_out_of_the_buffer_is_dropped)
{
	static const uint64_t bad[][2] = {
		{EDU_BUFFER - 1, 2}, {EDU_BUFFER + 1, 4096},      {EDU_BUFFER, 4097}, {EDU_BUFFER + 4096, 1}, {0, 16},
		{EDU_BUFFER, ~0ULL}, {EDU_BUFFER + 8, ~0ULL - 4}, {~0ULL, 8},
	};
	struct fixture *f = set_up(true);

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		dma(f, bad[i][0], 0x1000, bad[i][1], 3);
		dma(f, 0x1000, bad[i][0], bad[i][1], 1);
		assert_int_equal(get(f, 0x98, 8) & 1, 0);
	}
	assert_int_equal(f->reads + f->writes, 0);
	dma(f, EDU_BUFFER + 4095, 0x1000, 1, 3);
	assert_int_equal(f->writes, 1);
}

TEST(dma_addresses_are_cut_to_28_bits)
{
	struct fixture *f = set_up(true);

	dma(f, EDU_BUFFER, 0xfff0000000001234, 4, 3);
	assert_int_equal(f->last_address, 0x1234);
	dma(f, 0x1ffff0000, EDU_BUFFER, 4, 1);
	assert_int_equal(f->last_address, 0xfff0000);
	assert_int_equal(get(f, 0x80, 8), 0x1ffff0000);
}

TEST(what_cannot_be_read_is_ones)
{
	struct fixture *f = set_up(true);

	dma(f, MEMORY, EDU_BUFFER + 8, 8, 1);
	assert_int_equal(f->reads, 1);
	dma(f, EDU_BUFFER, 0, 24, 3);
	for (unsigned i = 0; i < 24; i++) assert_int_equal(f->memory[i], i >= 8 && i < 16 ? 0xff : 0);
}

TEST(without_bus_mastering_dma_is_dropped)
{
	struct fixture *f = set_up(false);

	dma(f, 0, EDU_BUFFER, 16, 5);
	dma(f, EDU_BUFFER, 0, 16, 7);
	assert_int_equal(f->reads + f->writes, 0);
	assert_int_equal(get(f, 0x98, 8) & 1, 0);
	assert_int_equal(get(f, 0x24, 4), 0x100);
	config_write(f, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	dma(f, EDU_BUFFER, 0, 16, 3);
	assert_int_equal(f->memory[0], 0);
}

TEST(firmware_state_is_a_bar_memory_on_master_off)
{
	struct fixture *f = set_up(false);

	assert_int_equal(config_read(f, PCI_COMMAND, 2), PCI_COMMAND_MEMORY);
	assert_int_equal(config_read(f, PCI_BAR0, 4), BAR);
	assert_int_equal(config_read(f, PCI_INTERRUPT_LINE, 2), 0x010b);
	for (unsigned bar = 1; bar < 6; bar++) {
		config_write(f, PCI_BAR0 + 4 * bar, 4, 0xffffffff);
		assert_int_equal(config_read(f, PCI_BAR0 + 4 * bar, 4), 0);
	}
}

TEST(the_bar_is_sized_and_moved)
{
	struct fixture *f = set_up(false);
	uint64_t value = 0;

	config_write(f, PCI_BAR0, 4, 0xffffffff);
	assert_int_equal(config_read(f, PCI_BAR0, 4), 0xfff00000);
	config_write(f, PCI_BAR0, 4, 0xd0080000);
	assert_int_equal(config_read(f, PCI_BAR0, 4), 0xd0000000);
	assert_int_equal(get(f, 0, 4), 0xffffffff);
	assert_true(bus_do(&f->mmio, 0xd0000000, 4, false, &value));
	assert_int_equal(value, 0x010000ed);
	config_write(f, PCI_COMMAND, 2, 0);
	assert_false(bus_do(&f->mmio, 0xd0000000, 4, false, &value));
	config_write(f, PCI_COMMAND, 1, PCI_COMMAND_MEMORY);
	assert_true(bus_do(&f->mmio, 0xd0000000, 4, false, &value));
}

TEST(enable_no_snoop_resets_to_1_and_changes_are_told)
{
	struct fixture *f = set_up(false);
	unsigned cap = config_read(f, PCI_CAP_POINTER, 1);

	while (cap && config_read(f, cap, 1) != 0x10) cap = config_read(f, cap + 1, 1);
	assert_int_equal(cap, EDU_PCIE);
	assert_int_equal(config_read(f, cap + 1, 1), 0);
	assert_int_equal(config_read(f, cap + 2, 2) & 0xf, 2);
	assert_int_equal(config_read(f, cap + 8, 2), 0x2810);
	config_write(f, cap + 8, 2, 0x2000);
	assert_int_equal(f->no_snoops, 1);
	assert_false(f->no_snoop);
	config_write(f, cap + 8, 2, 0x5000);
	assert_int_equal(f->no_snoops, 1);
	config_write(f, cap + 9, 1, 0xff);
	assert_int_equal(f->no_snoops, 2);
	assert_true(f->no_snoop);
	assert_int_equal(config_read(f, cap + 8, 2), 0x7800);
}

TEST(it_tells_once_that_it_does_dma_and_whether_with_no_snoop)
{
	assert_int_equal(set_up(false)->dma_devices, 1);
	assert_true(set_up(false)->emits_no_snoop);
	assert_int_equal(set_up_with(1, false)->dma_devices, 1);
	assert_false(set_up_with(1, false)->emits_no_snoop);
}
