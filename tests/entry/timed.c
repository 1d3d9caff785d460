/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor, of the very same objects, with clocks: the linker puts this in front of shootdown_flush() and of
 * cpu_halt(). One line tells what the first shootdowns cost that found all other vCPUs in their guests, another how
 * long each CPU had been halted by then.
 */
#include "hv/machine/console.h"
#include "hv/machine/cpu.h"
#include "hv/vm/shootdown.h"
#include "lib/asm.h"
#include "lib/bits.h"

#define MEASURED 20

void __real_shootdown_flush(void *ctx);
void __wrap_shootdown_flush(void *ctx);

void __real_cpu_halt(void);
void __wrap_cpu_halt(void);

static uint64_t halted[CPUS_MAX];

void __wrap_cpu_halt(void)
{
	uint64_t start = rdtsc();

	__real_cpu_halt();
	halted[this_cpu()->index] += rdtsc() - start;
}

static uint64_t least_halted(void)
{
	uint64_t least = ~0UL;

	for (unsigned i = 0; i < cpu_count; i++) least = MIN(least, halted[i]);
	return least;
}

void __wrap_shootdown_flush(void *ctx)
{
	static uint64_t count, sum, most;
	struct vm *vm = ctx;
	uint64_t kicks = vm->counter[COUNTER_KICKS], start = rdtsc(), ticks;

	__real_shootdown_flush(ctx);
	ticks = rdtsc() - start;
	if (count == MEASURED || vm->counter[COUNTER_KICKS] - kicks != vm->vcpus - 1) return;
	sum += ticks;
	most = MAX(most, ticks);
	if (++count < MEASURED) return;
	print("timed: each CPU was halted for %lu ticks or more", least_halted());
	print("timed: %u CPUs, %lu shootdowns: %lu ticks in the mean, at most %lu", vm->vcpus, count, sum / count,
	      most);
}
