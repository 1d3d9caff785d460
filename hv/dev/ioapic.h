/* SPDX-License-Identifier: MIT */
/*
 * The IOAPIC at 0xfec00000 (Intel 82093AA datasheet 3.0, and the EOI register of its successors):
 * 24 pins, each with a redirection entry. It sends each interrupt as a message, in
 * whichever format the entry is, so that interrupt remapping can stand between it and the CPUs.
 */
#pragma once

#include "hv/dev/board.h"

#define IOAPIC_BASE    0xfec00000ULL
#define IOAPIC_SIZE    0x1000ULL
#define IOAPIC_PINS    24
#define IOAPIC_ID      1
#define IOAPIC_VERSION 0x20

/* The requester id of its messages: bus 0xff, 00.0, as in QEMU. The DMAR table says so. */
#define IOAPIC_SOURCE_ID 0xff00

struct ioapic {
	const struct board *board;
	uint32_t id;
	uint32_t select; /* IOREGSEL */
	uint32_t levels; /* bit n: pin n is asserted */
	uint64_t entry[IOAPIC_PINS];
};

/* The level of a pin, true when asserted, whatever the polarity its entry says. */
void ioapic_set(struct ioapic *ioapic, unsigned pin, bool level);

bool ioapic_is_masked(const struct ioapic *ioapic, unsigned pin);

/* The EOI of a level-triggered vector: a pin still asserted interrupts again. */
void ioapic_eoi(struct ioapic *ioapic, uint8_t vector);
