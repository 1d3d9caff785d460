// SPDX-License-Identifier: MIT
/*
 * Touching memory for the first time: under a hypervisor each touch that finds no leaf is an
 * EPT violation. The places are ones nothing has touched before.
 */
#include "guest/bench/bench.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/start.h"

/* Below 2 MiB a leaf cannot be large: the hole of the PC is in the same 2 MiB. */
#define SMALL_START (MiB + 512 * KiB)
#define SMALL_END   (2 * MiB)
#define LARGE_START (8 * MiB)
#define LARGE_END   (24 * MiB)
#define RANGE_START (32 * MiB)
#define RANGE_SIZE  (16 * MiB)

/* The least ticks of one first touch in each step of a range. */
static uint64_t first_touch(uint64_t start, uint64_t end, uint64_t step)
{
	uint64_t best = ~0UL;

	for (uint64_t at = start; at < end; at += step) {
		uint64_t before = rdtsc();

		mmio_write8(at, 1);
		best = MIN(best, rdtsc() - before);
	}
	return best;
}

static void touch_range(const char *name)
{
	uint64_t before = rdtsc();

	for (uint64_t at = RANGE_START; at < RANGE_START + RANGE_SIZE; at += PAGE_SIZE) mmio_write8(at, 1);
	report(name, rdtsc() - before);
}

void bench_memory(void)
{
	report("first touch, 4K leaf", first_touch(SMALL_START, SMALL_END, PAGE_SIZE));
	report("second touch of the same", first_touch(SMALL_START, SMALL_END, PAGE_SIZE));
	report("first touch, 2M leaf", first_touch(LARGE_START, LARGE_END, 2 * MiB));
	touch_range("first touch of 16 MiB, page by page");
	touch_range("second touch of the same 16 MiB");
}
