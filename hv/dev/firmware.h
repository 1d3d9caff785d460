/* SPDX-License-Identifier: MIT */
/*
 * What a PC's firmware leaves in low memory for whoever boots next: an interrupt vector table whose
 * entries return, the BIOS data area, an extended BIOS data area, and the memory map it would tell
 * (ACPI 6.5 15.3). The ACPI tables are acpi.h's.
 */
#pragma once

#include "lib/bits.h"

/* ROM from here to 1 MiB: zeroes where option ROMs would be, then ACPI's tables, then code. */
#define FIRMWARE_ROM  0xc0000ULL
#define FIRMWARE_CODE 0xfff00ULL
/* Where a CPU begins after a reset (SDM 3A 10.1.4), as far as real mode can go there. */
#define FIRMWARE_BEGIN 0xffff0ULL
/* The last KiB below the hole: the extended BIOS data area. */
#define FIRMWARE_EBDA 0x9fc00ULL
/* RAM that does not fit below PCI's window (pci.h) begins here. */
#define HIGH_RAM (4 * GiB)

/* A range of the memory map, as INT 0x15 function E820 would give it (ACPI 6.5 15.1). */
struct e820_range {
	uint64_t base, length;
	uint32_t type;
} __attribute__((packed));
_Static_assert(sizeof(struct e820_range) == 20, "ACPI 6.5 table 15.5");

enum { E820_RAM = 1, E820_RESERVED = 2 };
#define E820_RANGES 5

/*
 * The map of a VM whose RAM ends at 'low_end' below 4 GiB and at 'high_end' above it (0: there is
 * none). Returns the number of ranges, at most E820_RANGES.
 */
unsigned e820_make(struct e820_range *range, uint64_t low_end, uint64_t high_end);

/* Fill 'ram', the host address of guest-physical 0, below 1 MiB. What it does not name stays. */
void firmware_leave(uint8_t *ram);

/*
 * Write into the CMOS memory what firmware keeps there: the equipment, the memory's sizes in each
 * unit, the number of CPUs less one, and the checksum (QEMU and Bochs have them alike). The ends are
 * as e820_make() takes them.
 */
#define CMOS_SIZE 128
void firmware_keep(uint8_t cmos[CMOS_SIZE], uint64_t low_end, uint64_t high_end, unsigned cpus);
