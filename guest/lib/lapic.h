/* SPDX-License-Identifier: MIT */
/*
 * The local APIC (SDM 3A 11.4), as much as receiving interrupts takes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define LAPIC_BASE 0xfee00000UL

/* Register offsets (SDM 3A table 11-1). */
#define LAPIC_ID            0x020
#define LAPIC_VERSION       0x030
#define LAPIC_TPR           0x080
#define LAPIC_PPR           0x0a0
#define LAPIC_EOI           0x0b0
#define LAPIC_SVR           0x0f0
#define LAPIC_ISR           0x100
#define LAPIC_IRR           0x200
#define LAPIC_ESR           0x280
#define LAPIC_ICR_LOW       0x300
#define LAPIC_ICR_HIGH      0x310
#define LAPIC_LVT_TIMER     0x320
#define LAPIC_TIMER_INITIAL 0x380
#define LAPIC_TIMER_CURRENT 0x390
#define LAPIC_TIMER_DIVIDE  0x3e0

#define LAPIC_SVR_ENABLE   0x100U
#define LAPIC_LVT_MASKED   (1U << 16)
#define LAPIC_LVT_PERIODIC (1U << 17)
#define LAPIC_LVT_DEADLINE (2U << 17)
#define LAPIC_ICR_NMI      (4U << 8)
#define LAPIC_ICR_SELF     (1U << 18)

/* In x2APIC mode, as MSRs (SDM 3A table 11-6). */
#define X2APIC_ID        0x802
#define X2APIC_TPR       0x808
#define X2APIC_EOI       0x80b
#define X2APIC_LDR       0x80d
#define X2APIC_SVR       0x80f
#define X2APIC_ISR       0x810
#define X2APIC_ICR       0x830
#define X2APIC_LVT_TIMER 0x832
#define X2APIC_SELF_IPI  0x83f

/* From xAPIC to x2APIC mode: the page is gone from now on. */
void lapic_x2apic(void);

uint32_t lapic_read(unsigned offset);
void lapic_write(unsigned offset, uint32_t value);
/* The bit of 'vector' in one of the three 256-bit registers. */
bool lapic_bit(unsigned reg, uint8_t vector);

/* Is one there? Then it is enabled, and both 8259s are masked. */
bool lapic_enable(void);
/* End of interrupt: once in each handler. */
void lapic_eoi(void);
/* This CPU's id. */
uint8_t lapic_id(void);
