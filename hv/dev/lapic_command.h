/* SPDX-License-Identifier: MIT */
/*
 * The words by which interrupts travel between local APICs: the interrupt command register and
 * interrupt messages (SDM 3A 11.6.1, 11.11). A redirection entry has the same low half.
 */
#pragma once

#include "lib/bits.h"

#define COMMAND_VECTOR  BITS(7, 0)
#define COMMAND_MODE    BITS(10, 8)
#define COMMAND_LOGICAL BIT(11)
#define COMMAND_ASSERT  BIT(14)
#define COMMAND_LEVEL   BIT(15)
#define ICR_SHORTHAND   BITS(19, 18)
#define ICR_DESTINATION BITS(63, 32) /* of xAPIC's 8 bits too: as x2APIC has it */
enum { MODE_FIXED = 0, MODE_LOWEST = 1, MODE_NMI = 4, MODE_INIT = 5, MODE_STARTUP = 6, MODE_EXTINT = 7 };
enum { TO_DESTINATION, TO_SELF, TO_ALL, TO_OTHERS };

#define MESSAGE_DESTINATION BITS(19, 12)
#define MESSAGE_LOGICAL     BIT(2)
#define MESSAGE_EXTENDED    BITS(63, 40) /* the rest of a destination of 32 bits, as the IOMMU sends it */
