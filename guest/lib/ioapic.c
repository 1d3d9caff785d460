// SPDX-License-Identifier: MIT
/*
 * Access to the IOAPIC through its index and data registers; see ioapic.h.
 */
#include "guest/lib/ioapic.h"
#include "guest/lib/cpu.h"

#define IOAPIC_SELECT  0x00
#define IOAPIC_WINDOW  0x10
#define IOAPIC_VERSION 1
#define IOAPIC_ENTRY   0x10

static uint32_t read(unsigned index)
{
	mmio_write32(IOAPIC_BASE + IOAPIC_SELECT, index);
	return mmio_read32(IOAPIC_BASE + IOAPIC_WINDOW);
}

static void write(unsigned index, uint32_t value)
{
	mmio_write32(IOAPIC_BASE + IOAPIC_SELECT, index);
	mmio_write32(IOAPIC_BASE + IOAPIC_WINDOW, value);
}

bool ioapic_present(void)
{
	uint32_t version = read(IOAPIC_VERSION);

	return version && version != ~0U;
}

unsigned ioapic_pins(void) { return (read(IOAPIC_VERSION) >> 16 & 0xff) + 1; }

void ioapic_write_entry(unsigned pin, uint64_t entry)
{
	write(IOAPIC_ENTRY + 2 * pin, (uint32_t)(entry | RTE_MASKED));
	write(IOAPIC_ENTRY + 2 * pin + 1, (uint32_t)(entry >> 32));
	write(IOAPIC_ENTRY + 2 * pin, (uint32_t)entry);
}
