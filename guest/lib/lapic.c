// SPDX-License-Identifier: MIT
/*
 * Enabling the local APIC; see lapic.h.
 */
#include "guest/lib/lapic.h"
#include "guest/lib/cpu.h"

#define LAPIC_ID      0x20
#define LAPIC_VERSION 0x30
#define LAPIC_EOI     0xb0
#define LAPIC_SVR     0xf0
#define SVR_ENABLE    0x100
#define SVR_SPURIOUS  0xff

#define PIC_MASTER_DATA 0x21
#define PIC_SLAVE_DATA  0xa1

bool lapic_enable(void)
{
	uint32_t version = mmio_read32(LAPIC_BASE + LAPIC_VERSION);

	if (!version || version == ~0U)
		return false;
	outb(PIC_MASTER_DATA, 0xff);
	outb(PIC_SLAVE_DATA, 0xff);
	mmio_write32(LAPIC_BASE + LAPIC_SVR, SVR_ENABLE | SVR_SPURIOUS);
	return true;
}

void lapic_eoi(void)
{
	mmio_write32(LAPIC_BASE + LAPIC_EOI, 0);
}

uint8_t lapic_id(void)
{
	return (uint8_t)(mmio_read32(LAPIC_BASE + LAPIC_ID) >> 24);
}
