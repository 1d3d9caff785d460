/* SPDX-License-Identifier: MIT */
/*
 * The host's local APICs, in xAPIC or x2APIC mode (SDM 3A chapter 11): how one CPU starts and kicks
 * another, and each one's timer.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Vectors of the host's IDT (hv/machine/traps.c); those of the 8259A pair lie below. */
enum { APIC_VECTOR_TIMER = 0x30, APIC_VECTOR_SPURIOUS = 0x3f };

/* The page of its registers, to be mapped uncached before anything below. */
uint64_t apic_page(void);
/*
 * Turn this CPU's own on, with every local interrupt masked. The CPU that booted keeps the 8259A's
 * (LINT0 as ExtINT), which is what firmware leaves.
 */
void apic_init(bool takes_extint);
uint32_t apic_id(void);

void apic_send_init(uint32_t id);
/* Start the CPU in real mode at page << 12. */
void apic_send_startup(uint32_t id, uint8_t page);
void apic_send_nmi(uint32_t id);
void apic_send_nmi_others(void);

/* Count down from there and interrupt, once or each time. */
void apic_start_timer(uint32_t count, bool periodic);
/* Stop it. Returns what was left. */
uint32_t apic_stop_timer(void);
/* The timer's interrupt was taken, or none. */
void apic_end_interrupt(void);
