/* SPDX-License-Identifier: MIT */
/*
 * The local APIC in xAPIC mode (SDM 3A 11.4), as much as receiving interrupts takes.
 */
#ifndef GUEST_LIB_LAPIC_H
#define GUEST_LIB_LAPIC_H

#include <stdbool.h>
#include <stdint.h>

#define LAPIC_BASE 0xfee00000UL

/* Is one there? Then it is enabled, and both 8259s are masked. */
bool lapic_enable(void);
/* End of interrupt: once in each handler. */
void lapic_eoi(void);
/* This CPU's id. */
uint8_t lapic_id(void);

#endif
