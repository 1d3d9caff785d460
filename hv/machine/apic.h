/* SPDX-License-Identifier: MIT */
/*
 * The host's local APICs in xAPIC mode (SDM 3A chapter 11): how one CPU starts and kicks another,
 * and the timer that wakes a CPU which the PIT's interrupt does not reach. Without one (no
 * apic_init()) nothing may be sent.
 */
#ifndef HV_MACHINE_APIC_H
#define HV_MACHINE_APIC_H

#include <stdbool.h>
#include <stdint.h>

/* Vectors of the host's IDT (hv/machine/traps.c); those of the 8259A pair lie below. */
enum { APIC_VECTOR_TIMER = 0x30, APIC_VECTOR_SPURIOUS = 0x3f };

/*
 * The registers are at 'address', mapped uncached. False where the APIC is off or in x2APIC mode,
 * which this code does not speak.
 */
bool apic_init(uint64_t address);
/*
 * This CPU's own: on, every local interrupt masked but, on the one that booted, the 8259A's
 * (LINT0 as ExtINT), which is what firmware leaves.
 */
void apic_init_cpu(bool takes_extint);
uint32_t apic_id(void);

void apic_send_init(uint32_t id);
/* Start the CPU in real mode at page << 12. */
void apic_send_startup(uint32_t id, uint8_t page);
void apic_send_nmi(uint32_t id);

/* Measure the timer against the TSC, for a millisecond. */
void apic_measure_timer(uint64_t tsc_hz);
/* One interrupt after so many TSC ticks, or one each time when periodic; 0: none. */
void apic_set_timer(uint64_t tsc_ticks, bool periodic);

#endif
