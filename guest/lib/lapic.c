// SPDX-License-Identifier: MIT
/*
 * Enabling the local APIC; see lapic.h.
 */
#include "guest/lib/lapic.h"
#include "guest/lib/cpu.h"

#define SVR_SPURIOUS 0xffU

uint32_t lapic_read(unsigned number) { return mmio_read32(LAPIC_BASE + 16 * number); }

void lapic_write(unsigned number, uint64_t value) { mmio_write32(LAPIC_BASE + 16 * number, (uint32_t)value); }

bool lapic_bit(unsigned reg, uint8_t vector) { return lapic_read(reg + vector / 32) >> vector % 32 & 1; }

bool lapic_enable(void)
{
	uint32_t version;

	if (rdmsr(MSR_IA32_APIC_BASE) & APIC_BASE_EXTD) {
		wrmsr(X2APIC_MSR(LAPIC_SVR), LAPIC_SVR_ENABLE | SVR_SPURIOUS);
		return true;
	}
	version = lapic_read(LAPIC_VERSION);
	if (!version || version == ~0U) return false;
	lapic_write(LAPIC_SVR, LAPIC_SVR_ENABLE | SVR_SPURIOUS);
	return true;
}

void lapic_eoi(void) { lapic_write(LAPIC_EOI, 0); }

uint8_t lapic_id(void) { return (uint8_t)(lapic_read(LAPIC_ID) >> 24); }

void lapic_x2apic(void) { wrmsr(MSR_IA32_APIC_BASE, rdmsr(MSR_IA32_APIC_BASE) | APIC_BASE_EXTD); }
