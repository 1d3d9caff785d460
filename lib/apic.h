/* SPDX-License-Identifier: MIT */
/*
 * The local APIC in names: its registers, and the words by which interrupts travel: the interrupt
 * command register, and interrupt messages (SDM 3A 11.4, 11.6.1, 11.11). A redirection entry of an
 * IOAPIC and an entry of the local vector table have the command's low half.
 */
#pragma once

#include <stdbool.h>

#include "lib/bits.h"

#define LAPIC_BASE           0xfee00000ULL
#define LAPIC_VERSION_NUMBER 0x14
#define LAPIC_SIZE           0x1000ULL

/* Registers, by a sixteenth of their offset in the page (SDM 3A table 11-1). */
enum { LAPIC_ID = 0x02, LAPIC_VERSION = 0x03, LAPIC_TPR = 0x08, LAPIC_APR = 0x09, LAPIC_PPR = 0x0a, LAPIC_EOI = 0x0b };
enum { LAPIC_LDR = 0x0d, LAPIC_DFR = 0x0e, LAPIC_SVR = 0x0f };
enum { LAPIC_ISR = 0x10, LAPIC_TMR = 0x18, LAPIC_IRR = 0x20, LAPIC_ESR = 0x28 };
enum { LAPIC_ICR_LOW = 0x30, LAPIC_ICR_HIGH = 0x31, LAPIC_SELF_IPI = 0x3f };
/* The local vector table is without gaps; before LINT0 it may have two more. */
enum { LAPIC_LVT_TIMER = 0x32, LAPIC_LVT_LINT0 = 0x35, LAPIC_LVT_LINT1 = 0x36, LAPIC_LVT_ERROR = 0x37 };
enum { LAPIC_TIMER_INITIAL = 0x38, LAPIC_TIMER_CURRENT = 0x39, LAPIC_TIMER_DIVIDE = 0x3e };

/* In x2APIC mode (SDM 3A 11.12.1.2). */
#define X2APIC_MSR(number) (0x800U + (number))

#define LAPIC_SVR_ENABLE   BIT(8)
#define LAPIC_LVT_MASKED   BIT(16)
#define LAPIC_LVT_TIMING   BITS(18, 17) /* of the timer */
#define LAPIC_LVT_PERIODIC TO_FIELD(1, LAPIC_LVT_TIMING)
#define LAPIC_LVT_DEADLINE TO_FIELD(2, LAPIC_LVT_TIMING)
#define LAPIC_DIVIDE_BY_1  0xb

#define COMMAND_VECTOR  BITS(7, 0)
#define COMMAND_MODE    BITS(10, 8)
#define COMMAND_LOGICAL BIT(11)
#define COMMAND_PENDING BIT(12) /* the one before has not left */
#define COMMAND_ASSERT  BIT(14)
#define COMMAND_LEVEL   BIT(15)
#define ICR_SHORTHAND   BITS(19, 18)
#define ICR_DESTINATION BITS(63, 32) /* of xAPIC's 8 bits too: as x2APIC has it */
enum { MODE_FIXED = 0, MODE_LOWEST = 1, MODE_NMI = 4, MODE_INIT = 5, MODE_STARTUP = 6, MODE_EXTINT = 7 };
enum { TO_DESTINATION, TO_SELF, TO_ALL, TO_OTHERS };

/* A message is a 4-byte write to 0xfeexxxxx; its data is as a command's low half. */
#define MESSAGE_BASE        LAPIC_BASE
#define MESSAGE_LAST        0xfeefffffULL
#define MESSAGE_DESTINATION BITS(19, 12)
#define MESSAGE_HINT        BIT(3) /* redirection hint */
#define MESSAGE_LOGICAL     BIT(2)
#define MESSAGE_EXTENDED    BITS(63, 40) /* the rest of a destination of 32 bits, as the IOMMU sends it */

static inline bool is_interrupt_address(uint64_t address) { return address >= MESSAGE_BASE && address <= MESSAGE_LAST; }
