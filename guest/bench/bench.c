// SPDX-License-Identifier: MIT
/*
 * What an operation costs a guest, in TSC ticks, one line each. Boots on the bare machine, under
 * another hypervisor, and under Leafcutter, so that the three can be compared; what is not there
 * (VMCALL, an edu device, a VT-d unit) is left out. On Bochs a tick is an instruction. With "transitions"
 * it is those alone, and with several CPUs on all of them.
 */
#include "guest/bench/bench.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/jobs.h"
#include "guest/lib/start.h"
#include "guest/lib/vmcall.h"

#define ROUNDS    16
#define PER_ROUND 8

void report(const char *name, uint64_t ticks) { printf("%-44s %10lu ticks\n", name, ticks); }

static void nothing(void) {}

static uint64_t least(void (*operation)(void))
{
	uint64_t best = ~0UL;

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t start = rdtsc();

		for (unsigned i = 0; i < PER_ROUND; i++) {
			operation();
			__asm__ volatile("" : : : "memory");
		}
		best = MIN(best, rdtsc() - start);
	}
	return best;
}

uint64_t measure(void (*operation)(void))
{
	static uint64_t empty;
	uint64_t ticks;

	if (!empty) empty = least(nothing);
	ticks = least(operation);
	return ticks > empty ? (ticks - empty) / PER_ROUND : 0;
}

int guest_main(void)
{
	printf("bench on %s\n", vmcall_present()                           ? "Leafcutter"
				: cpuid(1, 0).ecx & CPUID_1_ECX_HYPERVISOR ? "another hypervisor"
									   : "the bare machine");
	if (!guest_word("transitions")) {
		bench_instructions();
		bench_interrupts();
		bench_memory();
	}
	jobs_begin(cpuid(0xb, 1).ebx & 0xffff);
	if (vmcall_present()) bench_transitions();
	printf("done\n");
	return 0;
}
