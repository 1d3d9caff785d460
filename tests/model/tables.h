/* SPDX-License-Identifier: MIT */
/*
 * The fake machine's tables out of the hypervisor's own pool (hv/machine/pool.h), for several CPUs, and exactly as many
 * as its slots can need: what is under way on one CPU is missing on another.
 */
#pragma once

#include "hv/machine/lock.h"
#include "tests/ept_world.h"

bool locks_forgotten;

/* The store of unlock() is an instruction that ThreadSanitizer does not see. */
#ifdef __SANITIZE_THREAD__
void __tsan_release(void *address);
#else
static inline void __tsan_release(void *address) { (void)address; }
#endif

static inline void let_go(struct lock *held, enum lock_rank rank)
{
	__tsan_release(&held->serving);
	unlock(held, rank);
}

#define unlock let_go
#include "hv/machine/pool.h"
#undef unlock

static struct pool tables;

static uint64_t tables_take(void *ctx)
{
	struct ept_world *w = ctx;
	uint64_t page = pool_take(&tables), at = page - (uint64_t)w->memory;

	if (!page) return 0;
	if (__atomic_exchange_n(&w->used[at / PAGE_SIZE], 1, __ATOMIC_RELAXED)) w->errors++;
	__atomic_fetch_add(&w->tables, 1, __ATOMIC_RELAXED);
	w->info[at / PAGE_SIZE].counts = 0xdeadbeef;
	cpu_pause(); /* another may want one for the same place */
	return WORLD_BASE + at;
}

static void tables_give(void *ctx, uint64_t table)
{
	struct ept_world *w = ctx;
	uint64_t page = (uint64_t)world_table(w, table);

	if (!__atomic_exchange_n(&w->used[(table - WORLD_BASE) / PAGE_SIZE], 0, __ATOMIC_RELAXED)) w->errors++;
	__atomic_fetch_sub(&w->tables, 1, __ATOMIC_RELAXED);
	memset((void *)page, 0xff, PAGE_SIZE);
	pool_give(&tables, page);
}

/* Before ept_init(): as many tables as these slots can need. */
static void tables_begin(struct ept_world *w, const struct ept_slot *slot, unsigned slots)
{
	tables = (struct pool){.start = (uint64_t)w->memory, .size = ept_tables_for(slot, slots) * PAGE_SIZE};
	w->host.alloc_table = tables_take;
	w->host.free_table = tables_give;
}
