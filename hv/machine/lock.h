/* SPDX-License-Identifier: MIT */
/*
 * The locks of the hypervisor, and the one order in which they are taken. A lock is a ticket: who
 * comes first is served first, so no CPU starves another. All zero is a free lock.
 *
 * A CPU may take a lock only while it holds none of the same or a later rank (checked builds see
 * to it):
 *
 *   watch    what a reader of exits and events has seen of them
 *   instruction  one per VM: emulated instructions with LOCK
 *   vm       one per VM: its buses, devices and IOMMU
 *   ept      one per EPT: its slots, tables and the noncoherent count
 *   memory   the machine's free RAM; one per VM: tables that came back
 *   console  the lines on COM1
 *
 * An exit takes what it needs and holds nothing when it ends. Who waits here goes on taking NMIs,
 * and with them answers what another CPU asks (cpu_answer()): so a lock may be held while one waits
 * for the answers of all.
 */
#pragma once

#include "hv/machine/cpu.h"
#include "lib/asm.h"

enum lock_rank { LOCK_WATCH, LOCK_INSTRUCTION, LOCK_VM, LOCK_EPT, LOCK_MEMORY, LOCK_CONSOLE };

struct lock {
	uint32_t next;    /* the ticket of who comes next */
	uint32_t serving; /* and of who has the lock, or may take it */
};

/* The hypervisor is at its end (cpus_stop()): nobody waits for a lock any more. */
extern bool locks_forgotten;

static inline void lock(struct lock *lock, enum lock_rank rank)
{
	uint32_t mine = __atomic_fetch_add(&lock->next, 1, __ATOMIC_ACQUIRE);

	while (__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != mine && !locks_forgotten) cpu_pause();
#ifdef CHECKED
	checked(this_cpu()->locks_held >> rank == 0);
	this_cpu()->locks_held |= 1U << rank;
#endif
	(void)rank;
}

static inline void unlock(struct lock *lock, enum lock_rank rank)
{
#ifdef CHECKED
	checked(this_cpu()->locks_held >> rank == 1);
	this_cpu()->locks_held &= ~(1U << rank);
#endif
	(void)rank;
	/* The holder's alone to change; a store releases (SDM 3A 9.2.2). */
	__asm__ volatile("incl %0" : "+m"(lock->serving) : : "memory", "cc");
}
