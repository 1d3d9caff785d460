/* SPDX-License-Identifier: MIT */
/*
 * The locks of the hypervisor, by name, and the one order in which they are taken. With one CPU
 * nothing has to wait: taking one is nothing but, in checked builds, the check of the order.
 *
 * A CPU may take a lock only while it holds none of the same or a later rank:
 *
 *   vm       one per VM: its buses, devices and IOMMU
 *   ept      one per EPT: its slots, tables and the noncoherent count
 *   lapic    one per local APIC
 *   memory   the machine's free RAM
 *   console  the lines on COM1
 *
 * An exit takes what it needs and holds nothing when it ends.
 */
#ifndef HV_MACHINE_LOCK_H
#define HV_MACHINE_LOCK_H

#include "hv/machine/cpu.h"

enum lock_rank { LOCK_VM, LOCK_EPT, LOCK_LAPIC, LOCK_MEMORY, LOCK_CONSOLE };

static inline void lock(enum lock_rank rank)
{
#ifdef CHECKED
	checked(this_cpu()->locks_held >> rank == 0);
	this_cpu()->locks_held |= 1U << rank;
#endif
	(void)rank;
}

static inline void unlock(enum lock_rank rank)
{
#ifdef CHECKED
	checked(this_cpu()->locks_held >> rank == 1);
	this_cpu()->locks_held &= ~(1U << rank);
#endif
	(void)rank;
}

/* The hypervisor is at its end: nothing waits for a lock any more. */
static inline void locks_forget(void) { this_cpu()->locks_held = 0; }

#endif
