/* SPDX-License-Identifier: MIT */
/*
 * A VM's two address decoders, ports and MMIO: which device model answers an address. Device
 * models know this header and each their own; none knows the VM.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * One access to a device: offset from the region's base, width 1, 2, 4 or 8 bytes, all of it
 * inside the region. On a write *value is what is written, zero-extended; on a read it is where
 * the result goes, of which the bus keeps the low 'width' bytes.
 */
typedef void (*bus_access)(void *device, uint64_t offset, unsigned width, bool write, uint64_t *value);

struct bus_region {
	uint64_t base;
	uint64_t size; /* bytes; 0 when the region is switched off */
	bus_access access;
	void *device;
	const char *name;
	bool shadowed; /* a region added earlier answers part of it */
};
#define BUS_REGIONS 48
#define BUS_RECENT  8 /* a power of two */

/* All zero is an empty bus. */
struct bus {
	struct bus_region region[BUS_REGIONS + 1]; /* the last is never asked */
	unsigned regions;
	bool full; /* a region found no place: whoever makes the machine looks here once */
	/* Which region answered last, by bits 4:2 of the address: devices are polled in bursts. */
	uint8_t recent[BUS_RECENT];
};

/*
 * Add a region; returns its number for bus_move(). On a full bus that is the number of one that
 * answers nothing, and bus->full is set.
 */
unsigned bus_add(struct bus *bus, uint64_t base, uint64_t size, bus_access access, void *device, const char *name);
/* Move or resize a region (size 0 switches it off): a BAR was written, decoding toggled. */
void bus_move(struct bus *bus, unsigned number, uint64_t base, uint64_t size);

/*
 * One access of 'width' bytes at 'address'. An address nobody answers, or an access that runs
 * over the end of its region, reads as ones and drops writes; returns false then. Where regions
 * overlap, the one added first answers.
 */
bool bus_do(struct bus *bus, uint64_t address, unsigned width, bool write, uint64_t *value);
