/* SPDX-License-Identifier: MIT */
/*
 * What bounds a stay in the guest on a CPU without the VMX-preemption timer: the PIT interrupts
 * the host, and external-interrupt exiting makes that an exit. The hypervisor itself never takes
 * an interrupt: it asks the PIC.
 */
#ifndef HV_MACHINE_TIMER_H
#define HV_MACHINE_TIMER_H

#include <stdint.h>

/* The TSC's rate, ticks per second, measured against the PIT for ten milliseconds. */
uint64_t timer_measure_tsc(void);

/* Silence every interrupt of the host. */
void timer_mask_interrupts(void);
/* Let the PIT interrupt about a hundred times a second. */
void timer_start(void);
/* An external interrupt caused an exit: acknowledge it, so that it is not pending any more. */
void timer_acknowledge(void);

#endif
