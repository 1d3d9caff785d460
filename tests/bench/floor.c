// SPDX-License-Identifier: MIT
/*
 * The loops that tests/bench/ept_bench.c compares ept/ with. The stores are volatile: without that
 * the compiler would make the loop a memset, which is the other floor.
 */
#include "tests/bench/floor.h"

#include <string.h>

void floor_store(uint64_t *const *tables, size_t count, uint64_t value)
{
	for (size_t t = 0; t < count; t++) {
		volatile uint64_t *entries = tables[t];

		for (unsigned i = 0; i < 512; i++) entries[i] = value;
	}
}

void floor_memset(uint64_t *const *tables, size_t count)
{
	for (size_t t = 0; t < count; t++) memset(tables[t], 0, 4096);
}

uint64_t floor_chase(uint64_t root, uint64_t phys_offset, const uint64_t *gpas, size_t count)
{
	uint64_t sum = 0;

	for (size_t n = 0; n < count; n++) {
		uint64_t at = root;

		for (unsigned shift = 39; shift >= 12; shift -= 9) {
			const uint64_t *table = (const uint64_t *)(at + phys_offset);

			at = table[(gpas[n] >> shift) & 511] & 0x000ffffffffff000ULL;
		}
		sum += at;
	}
	return sum;
}
