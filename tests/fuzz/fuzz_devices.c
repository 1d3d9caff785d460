/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer on all device models of a VM at once, wired as the hypervisor wires them: any port and
 * MMIO access in any order, with interrupts taken in between. Nothing is overrun (sanitizers),
 * DMA stays within the device's buffer, and a vector is delivered only where it is legal.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "hv/dev/devices.h"
#include "hv/dev/ioapic.h"
#include "hv/dev/irq.h"
#include "hv/dev/lapic.h"
#include "hv/dev/pci.h"
#include "hv/dev/pic.h"
#include "tests/lib/one_lapic.h"

#define BAR        PCI_WINDOW
#define EDU_BUFFER 4096

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static struct {
	struct bus ports, mmio;
	struct chipset chips;
	struct timers timers;
	struct lapic lapic;
	uint64_t clock;
	_Alignas(16) char devices[0x20000]; /* where they are created, one behind the other */
	size_t used;
} vm;

static int dma_read(void *ctx, uint16_t source_id, uint64_t address, void *to, size_t size)
{
	(void)ctx, (void)source_id, (void)address;
	assert(size >= 1 && size <= EDU_BUFFER);
	memset(to, 0x5a, size);
	return 0;
}

static int dma_write(void *ctx, uint16_t source_id, uint64_t address, const void *from, size_t size)
{
	static uint8_t copy[EDU_BUFFER];

	(void)ctx, (void)source_id, (void)address;
	assert(size >= 1 && size <= EDU_BUFFER);
	memcpy(copy, from, size);
	return 0;
}

static void message(void *ctx, uint16_t source_id, uint64_t address, uint32_t data)
{
	(void)ctx, (void)source_id;
	lapic_message(&vm.lapic, address, data);
}

static void line(void *ctx, unsigned number, bool level)
{
	(void)ctx;
	assert(number < 16); /* the lines of the two 8259s */
	irq_isa(vm.chips.irq, number, level);
}

static void intx(void *ctx, uint16_t source_id, bool level)
{
	(void)ctx;
	irq_pci(vm.chips.irq, pci_slot(source_id), level);
}

static void source_flag(void *ctx, uint16_t source_id, bool flag) { (void)ctx, (void)source_id, (void)flag; }

static void nothing(void *ctx) { (void)ctx; }

static void flush(void *ctx, uint64_t gpa)
{
	(void)ctx;
	assert(gpa <= UINT32_MAX);
}

static void eoi(void *ctx, uint8_t vector)
{
	(void)ctx;
	ioapic_eoi(vm.chips.ioapic, vector);
}

static void ipi(void *ctx, uint64_t icr) { (void)ctx, (void)icr; }

static uint64_t now(void *ctx)
{
	(void)ctx;
	return vm.clock;
}

static void put(void *ctx, uint8_t byte) { (void)ctx, (void)byte; }

static void ended(void *ctx, uint32_t status) { (void)ctx, (void)status; }

static const struct board board = {
	.ports = &vm.ports,
	.mmio = &vm.mmio,
	.chips = &vm.chips,
	.timers = &vm.timers,
	.cpus = 1,
	.low_ram_end = 1UL << 27,
	.dma_read = dma_read,
	.dma_write = dma_write,
	.dma_device = source_flag,
	.no_snoop = source_flag,
	.message = message,
	.line = line,
	.intx = intx,
	.extint = nothing,
	.flush = flush,
	.console = put,
	.debug = put,
	.exit = ended,
	.reset = nothing,
	.now = now,
	.clock_hz = 1000000,
};

static void create_device(const struct device_row *row)
{
	assert(sizeof(vm.devices) - vm.used >= device_size(row));
	device_create(row, &board, 0, vm.devices + vm.used);
	vm.used += device_size(row);
}

static void create(void)
{
	const struct lapic_host cpu = {.eoi = eoi, .ipi = ipi, .now = now};

	memset(&vm, 0, sizeof(vm));
	timers_init(&vm.timers, NULL, NULL);
	lapic_init(&vm.lapic, 0, &cpu);
	bus_add(&vm.mmio, LAPIC_BASE, LAPIC_SIZE, lapic_access, &vm.lapic, "lapic");
	for (unsigned i = 0; i < fixed_device_count; i++) create_device(fixed_devices[i]);
	for (unsigned i = 0; i < optional_device_count; i++) create_device(optional_devices[i]);
	create_device(optional_devices[0]);
}

/* The vCPU loop's part: what is pending is taken, now and then. */
static void take_interrupts(void)
{
	int vector;

	timers_poll(&vm.timers, vm.clock);
	lapic_timer_poll(&vm.lapic);
	vector = lapic_pending(&vm.lapic);
	assert(vector == -1 || (vector >= 16 && vector <= 255));
	if (vector >= 0)
		lapic_accept(&vm.lapic, (uint8_t)vector);
	else if (pic_pending(vm.chips.pic) && lapic_takes_extint(&vm.lapic))
		pic_accept(vm.chips.pic);
}

/* Where something is, so that few accesses miss. */
static const uint64_t ports[] = {0x20,  0x21,  0xa0, 0xa1,   0x4d0, 0x4d1, 0xf4, 0x3f8, 0x3fc, 0x600, 0x604, 0x608,
				 0xcf8, 0xcfc, 0xe0, 0x2000, 0x40,  0x61,  0x60, 0x64,  0x70,  0xe9,  0x510, 0x42};
static const uint64_t pages[] = {BAR,        BAR + 0x40000,      BAR + 0x100000,    IOAPIC_BASE,
				 LAPIC_BASE, LAPIC_BASE + 0x300, 0xff010000 - 0x80, BAR + 0x200000 - 0x80};

/* Ten bytes an access: what (a bus, a place, a width, a direction), an offset, a value. */
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	create();
	for (; size >= 10; input += 10, size -= 10) {
		bool write = input[0] & 1, mmio = input[0] & 2;
		unsigned width = 1U << (input[0] >> 2 & 3);
		uint64_t value;

		memcpy(&value, input + 2, 8);
		vm.clock += input[1];
		if (mmio)
			bus_do(&vm.mmio, pages[input[0] >> 5] + input[1], width, write, &value);
		else
			bus_do(&vm.ports,
			       ports[((input[0] >> 4) + (input[1] >> 2 & 16)) % (sizeof(ports) / sizeof(ports[0]))] +
				       input[1] % 4,
			       width % 8 ? width : 4, write, &value);
		if (!write && width < 8) assert(value >> (8 * width) == 0 || !mmio);
		if (input[1] & 0x80) take_interrupts();
	}
	return 0;
}
