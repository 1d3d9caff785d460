/* SPDX-License-Identifier: MIT */
/*
 * The clocks of the host. The PIT measures the TSC. The timer of each CPU's local APIC ends a halt;
 * on a CPU without the VMX-preemption timer it also ends a stay in the guest, since its interrupt
 * is an exit.
 */
#pragma once

#include <stdint.h>

/*
 * Measure the TSC against the PIT for ten milliseconds, and the local APIC's timer against the TSC.
 * Returns the TSC's rate, ticks per second.
 */
uint64_t timer_measure(void);

/* Let the timer interrupt this CPU a hundred times a second, from now on. */
void timer_start(void);
/*
 * Halt this CPU until an interrupt comes, or 'ticks' of the TSC have passed (~0: no bound), at most
 * a second. Returns at once when it was kicked (cpu->slice is 1).
 */
void timer_halt(uint64_t ticks);
/* An interrupt that waits has made an exit: take it. */
void timer_take_interrupts(void);
