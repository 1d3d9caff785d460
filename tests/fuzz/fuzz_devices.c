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

#include "hv/dev/acpi_pm.h"
#include "hv/dev/edu.h"
#include "hv/dev/exit_port.h"
#include "hv/dev/ioapic.h"
#include "hv/dev/irq.h"
#include "hv/dev/lapic.h"
#include "hv/dev/pci.h"
#include "hv/dev/pic.h"
#include "hv/dev/uart.h"

#define DEVICES 3
#define BAR     0xc0000000ULL

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static struct {
	struct bus ports, mmio;
	struct uart uart;
	struct exit_port exit_port;
	struct acpi_pm pm;
	struct pic pic;
	struct pci pci;
	struct ioapic ioapic;
	struct irq irq;
	struct lapic lapic;
	struct edu edu[DEVICES];
	uint64_t clock;
} vm;

static int dma_read(void *ctx, uint16_t source_id, uint64_t address, void *to, size_t size)
{
	(void)ctx, (void)source_id, (void)address;
	assert(size >= 1 && size <= EDU_BUFFER_SIZE);
	memset(to, 0x5a, size);
	return 0;
}

static int dma_write(void *ctx, uint16_t source_id, uint64_t address, const void *from, size_t size)
{
	static uint8_t copy[EDU_BUFFER_SIZE];

	(void)ctx, (void)source_id, (void)address;
	assert(size >= 1 && size <= EDU_BUFFER_SIZE);
	memcpy(copy, from, size);
	return 0;
}

static void message(void *ctx, uint64_t address, uint32_t data)
{
	lapic_message(ctx, address, data);
}

static void msi(void *ctx, uint16_t source_id, uint64_t address, uint32_t data)
{
	(void)ctx, (void)source_id;
	lapic_message(&vm.lapic, address, data);
}

static void intx(void *ctx, uint16_t source_id, bool level)
{
	(void)ctx;
	irq_pci(&vm.irq, source_id >> 3, level);
}

static void no_snoop(void *ctx, uint16_t source_id, bool enabled)
{
	(void)ctx, (void)source_id, (void)enabled;
}

static void eoi(void *ctx, uint8_t vector)
{
	ioapic_eoi(ctx, vector);
}

static uint64_t now(void *ctx)
{
	(void)ctx;
	return vm.clock;
}

static void put(void *ctx, uint8_t byte)
{
	(void)ctx, (void)byte;
}

static void uart_irq(void *ctx, bool level)
{
	(void)ctx;
	irq_isa(&vm.irq, 4, level);
}

static void ended(void *ctx, uint32_t status)
{
	(void)ctx, (void)status;
}

static void power_off(void *ctx)
{
	(void)ctx;
}

static void create(void)
{
	const struct lapic_host cpu = {.ctx = &vm.ioapic, .eoi = eoi, .now = now};
	const struct edu_host host = {.dma_read = dma_read,
				      .dma_write = dma_write,
				      .msi = msi,
				      .intx = intx,
				      .no_snoop = no_snoop};

	memset(&vm, 0, sizeof(vm));
	uart_init(&vm.uart, &vm.ports, put, NULL);
	vm.uart.irq = uart_irq;
	exit_port_init(&vm.exit_port, &vm.ports, ended, NULL);
	acpi_pm_init(&vm.pm, &vm.ports, power_off, now, NULL);
	pic_init(&vm.pic, &vm.ports);
	pci_init(&vm.pci, &vm.ports);
	ioapic_init(&vm.ioapic, 1, &vm.mmio, message, &vm.lapic);
	irq_init(&vm.irq, &vm.pic, &vm.ioapic);
	lapic_init(&vm.lapic, 0, &cpu);
	bus_add(&vm.mmio, LAPIC_BASE, LAPIC_SIZE, lapic_access, &vm.lapic, "lapic");
	for (unsigned i = 0; i < DEVICES; i++)
		edu_init(&vm.edu[i], &vm.pci, &vm.mmio, 3 + i, BAR + i * EDU_BAR_SIZE,
			 irq_pci_line(3 + i), &host);
}

/* The vCPU loop's part: what is pending is taken, now and then. */
static void take_interrupts(void)
{
	int vector;

	lapic_timer_poll(&vm.lapic);
	vector = lapic_pending(&vm.lapic);
	assert(vector == -1 || (vector >= 16 && vector <= 255));
	if (vector >= 0)
		lapic_accept(&vm.lapic, (uint8_t)vector);
	else if (pic_pending(&vm.pic) && lapic_takes_extint(&vm.lapic))
		pic_accept(&vm.pic);
}

/* Where something is, so that few accesses miss. */
static const uint64_t ports[] = {0x20,  0x21,  0xa0,  0xa1,  0x4d0, 0x4d1, 0xf4,  0x3f8,
				 0x3fc, 0x600, 0x604, 0x608, 0xcf8, 0xcfc, 0xcfe, 0xcff};
static const uint64_t pages[] = {
	BAR,        BAR + 0x40000,      BAR + EDU_BAR_SIZE, IOAPIC_BASE,
	LAPIC_BASE, LAPIC_BASE + 0x300, 0xfff00000,         BAR + 3 * EDU_BAR_SIZE - 0x80};

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
			bus_do(&vm.ports, ports[input[0] >> 4] + input[1] % 4,
			       width % 8 ? width : 4, write, &value);
		if (!write && width < 8)
			assert(value >> (8 * width) == 0 || !mmio);
		if (input[1] & 0x80)
			take_interrupts();
	}
	return 0;
}
