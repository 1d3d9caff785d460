/* SPDX-License-Identifier: MIT */
/*
 * A guest's RAM as its CPU reaches it: read, write and compare-exchange at a guest-physical
 * address, and the reads of a page walk, which a CPU with EPT accessed and dirty flags treats as
 * writes (SDM 3C 29.3.5). Nobody keeps a pointer into guest RAM: what lies behind an address may
 * change from one exit to the next. Pure: whoever makes a vCPU fills the table.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/errno.h"
#include "lib/string.h"

struct guest_ram {
	/*
	 * Guest-physical [flat_start, flat_start + flat_size) is plain memory at flat + gpa: such
	 * accesses are done inline, which saves an MMIO access 182 of 911 ticks. All others go
	 * through the functions. flat_size is 0 or at least a page.
	 */
	uint8_t *flat;
	uint64_t flat_start, flat_size;

	void *ctx;
	/*
	 * 'size' bytes within one 4K page. 0, or -EFAULT where there is no RAM; read() also reads
	 * ROM.
	 */
	int (*read)(void *ctx, uint64_t gpa, void *to, unsigned size);
	int (*read_table)(void *ctx, uint64_t gpa, void *to, unsigned size);
	int (*write)(void *ctx, uint64_t gpa, const void *from, unsigned size);
	/*
	 * In one step, a naturally aligned 4 or 8 bytes: 'desired' if it is 'expected'. 0, -EAGAIN
	 * when it is something else, -EFAULT.
	 */
	int (*compare_exchange)(void *ctx, uint64_t gpa, unsigned size, uint64_t expected, uint64_t desired);
};

/* The address of [gpa, gpa + size) in the flat part, or NULL. For the accesses below only. */
static inline void *guest_ram_flat(const struct guest_ram *ram, uint64_t gpa, unsigned size)
{
	uint64_t offset = gpa - ram->flat_start;

	return offset < ram->flat_size && size <= ram->flat_size - offset ? ram->flat + gpa : NULL;
}

static inline int guest_ram_read(const struct guest_ram *ram, uint64_t gpa, void *to, unsigned size)
{
	const void *from = guest_ram_flat(ram, gpa, size);

	if (!from) return ram->read(ram->ctx, gpa, to, size);
	memcpy(to, from, size);
	return 0;
}

static inline int guest_ram_read_table(const struct guest_ram *ram, uint64_t gpa, void *to, unsigned size)
{
	const void *from = guest_ram_flat(ram, gpa, size);

	if (!from) return ram->read_table(ram->ctx, gpa, to, size);
	memcpy(to, from, size);
	return 0;
}

static inline int guest_ram_write(const struct guest_ram *ram, uint64_t gpa, const void *from, unsigned size)
{
	void *to = guest_ram_flat(ram, gpa, size);

	if (!to) return ram->write(ram->ctx, gpa, from, size);
	memcpy(to, from, size);
	return 0;
}

/* Are the 8 bytes at 'gpa', known to lie in the flat part, this value? */
static inline bool guest_ram_flat_is(const struct guest_ram *ram, uint64_t gpa, uint64_t value)
{
	return *(const uint64_t *)(ram->flat + gpa) == value;
}

/* For whoever implements compare_exchange() on plain memory at 'at'. */
static inline int guest_ram_exchange_at(void *at, unsigned size, uint64_t expected, uint64_t desired)
{
	uint32_t expected32 = (uint32_t)expected;
	bool done = size == 8 ? __atomic_compare_exchange_n((uint64_t *)at, &expected, desired, false, __ATOMIC_SEQ_CST,
							    __ATOMIC_SEQ_CST)
			      : __atomic_compare_exchange_n((uint32_t *)at, &expected32, (uint32_t)desired, false,
							    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);

	return done ? 0 : -EAGAIN;
}

static inline int guest_ram_compare_exchange(const struct guest_ram *ram, uint64_t gpa, unsigned size,
					     uint64_t expected, uint64_t desired)
{
	void *at = guest_ram_flat(ram, gpa, size);

	return at ? guest_ram_exchange_at(at, size, expected, desired)
		  : ram->compare_exchange(ram->ctx, gpa, size, expected, desired);
}
