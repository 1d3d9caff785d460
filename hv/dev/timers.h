/* SPDX-License-Identifier: MIT */
/*
 * The timers of a VM's devices: one list, which tells when the first of them is due.
 * A device has its timers in its state and adds them once.
 */
#pragma once

#include <stdint.h>

#define TIMERS_MAX 4
#define TIMER_OFF  (~0ULL)
/*
 * One that sets itself again fires no earlier than so many ticks later, whatever its period: else a
 * guest could have one that is due before each of its instructions, and would not get ahead. It is
 * 5000, and more where an exit costs more than that.
 */
extern unsigned timer_shortest;

struct timer {
	uint64_t due; /* of the board's clock, or TIMER_OFF */
	void (*fire)(void *device);
	void *device;
};

struct timers {
	struct timer *timer[TIMERS_MAX];
	unsigned count;
	uint64_t due; /* of the first; set by timers_init(), since 0 means now */
	void (*sooner)(void *ctx);
	void *ctx;
};

/* 'sooner' is told when what is due first is earlier than before: whoever waits for it looks again. NULL: nobody. */
void timers_init(struct timers *timers, void (*sooner)(void *ctx), void *ctx);
/* Add a timer that is off. There are at most TIMERS_MAX: the rows of devices.c have fewer. */
void timers_add(struct timers *timers, struct timer *timer, void (*fire)(void *device), void *device);
void timer_set(struct timers *timers, struct timer *timer, uint64_t due);

/* Each timer that is due at 'now' goes off and fires; it may be set again by that. */
void timers_poll(struct timers *timers, uint64_t now);
