/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor, of the very same objects, with a clock around its shootdown: the linker puts this in front of
 * shootdown_flush(). One line tells what the first of those cost that found all other vCPUs in their guests.
 */
#include "hv/machine/console.h"
#include "hv/vm/shootdown.h"
#include "lib/asm.h"
#include "lib/bits.h"

#define MEASURED 20

void __real_shootdown_flush(void *ctx);
void __wrap_shootdown_flush(void *ctx);

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
	if (++count == MEASURED)
		print("timed: %u CPUs, %lu shootdowns: %lu ticks in the mean, at most %lu", vm->vcpus, count,
		      sum / count, most);
}
