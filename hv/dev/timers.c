/* SPDX-License-Identifier: MIT */
/*
 * The list of device timers. It is short, so the first to come due is looked for anew whenever one
 * changes.
 */
#include "hv/dev/timers.h"

#include "lib/bits.h"

unsigned timer_shortest = 5000;

void timers_init(struct timers *timers, void (*sooner)(void *ctx), void *ctx)
{
	*timers = (struct timers){.due = TIMER_OFF, .sooner = sooner, .ctx = ctx};
}

/* One store: vCPU 0's CPU looks at 'due' without the VM's lock, and might sleep by what is not the answer yet. */
static void find_first(struct timers *timers)
{
	uint64_t due = TIMER_OFF, before = timers->due;

	for (unsigned i = 0; i < timers->count; i++) due = MIN(due, timers->timer[i]->due);
	__atomic_store_n(&timers->due, due, __ATOMIC_RELAXED);
	if (due < before && timers->sooner) timers->sooner(timers->ctx);
}

void timers_add(struct timers *timers, struct timer *timer, void (*fire)(void *device), void *device)
{
	*timer = (struct timer){.due = TIMER_OFF, .fire = fire, .device = device};
	timers->timer[timers->count++] = timer;
}

void timer_set(struct timers *timers, struct timer *timer, uint64_t due)
{
	timer->due = due;
	find_first(timers);
}

void timers_poll(struct timers *timers, uint64_t now)
{
	for (unsigned i = 0; i < timers->count; i++) {
		struct timer *timer = timers->timer[i];

		if (timer->due > now) continue;
		timer->due = TIMER_OFF;
		timer->fire(timer->device);
		timer->due = MAX(timer->due, now + timer_shortest);
	}
	find_first(timers);
}
