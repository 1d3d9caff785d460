/* SPDX-License-Identifier: MIT */
/*
 * The local APIC (SDM 3A 11.4), as much as receiving interrupts takes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/apic.h"

/* Commands, to be ORed; 32 bits, as smp_send() takes them. */
#define LAPIC_ICR_NMI    ((uint32_t)TO_FIELD(MODE_NMI, COMMAND_MODE))
#define LAPIC_ICR_LOWEST ((uint32_t)TO_FIELD(MODE_LOWEST, COMMAND_MODE))
#define LAPIC_ICR_SELF   ((uint32_t)TO_FIELD(TO_SELF, ICR_SHORTHAND))
#define LAPIC_ICR_ALL    ((uint32_t)TO_FIELD(TO_ALL, ICR_SHORTHAND))
#define LAPIC_ICR_OTHERS ((uint32_t)TO_FIELD(TO_OTHERS, ICR_SHORTHAND))

/* From xAPIC to x2APIC mode: the page is gone from now on. */
void lapic_x2apic(void);

/* Registers by their number. */
uint32_t lapic_read(unsigned number);
void lapic_write(unsigned number, uint64_t value);
/* The bit of 'vector' in one of the three 256-bit registers. */
bool lapic_bit(unsigned reg, uint8_t vector);

/* Is one there? Then it is enabled, and both 8259s are masked. */
bool lapic_enable(void);
/* End of interrupt: once in each handler. */
void lapic_eoi(void);
/* This CPU's id. */
uint8_t lapic_id(void);
