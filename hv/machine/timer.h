/* SPDX-License-Identifier: MIT */
/*
 * The PIT: it measures the TSC, and bounds a stay in the guest on a CPU without the VMX-preemption
 * timer, since external-interrupt exiting makes its interrupt an exit.
 */
#ifndef HV_MACHINE_TIMER_H
#define HV_MACHINE_TIMER_H

#include <stdint.h>

/* The TSC's rate, ticks per second, measured against the PIT for ten milliseconds. */
uint64_t timer_measure_tsc(void);

/* Let a timer interrupt this CPU about a hundred times a second: the PIT, or its local APIC's. */
void timer_start(uint64_t tsc_hz);
/*
 * Halt this CPU until an interrupt comes, or 'ticks' of the TSC have passed (~0: no bound), at most
 * 55 ms. Returns at once when it was kicked (cpu->woken).
 */
void timer_halt(uint64_t ticks, uint64_t tsc_hz);

#endif
