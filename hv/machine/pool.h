/* SPDX-License-Identifier: MIT */
/*
 * Zeroed pages out of one piece of memory, for several CPUs at once. A page that nobody had before comes by an atomic
 * addition. Those that came back are a list under a lock of its own, which nobody holds while it zeroes a page.
 */
#pragma once

#include "hv/machine/lock.h"
#include "lib/bits.h"
#include "lib/string.h"

struct pool {
	uint64_t start, size; /* the piece of memory, all zero at first */
	uint64_t used;        /* bytes that were given out for the first time, or asked for when all were */
	uint64_t free;        /* head of those that came back, linked by their first words */
	struct lock lock;     /* LOCK_MEMORY: the list */
};

/* A zeroed page, or 0: then others have all there are. */
static inline uint64_t pool_take(struct pool *pool)
{
	uint64_t page = 0, used;

	if (__atomic_load_n(&pool->free, __ATOMIC_RELAXED)) {
		lock(&pool->lock, LOCK_MEMORY);
		page = pool->free;
		if (page) __atomic_store_n(&pool->free, *(uint64_t *)page, __ATOMIC_RELAXED);
		unlock(&pool->lock, LOCK_MEMORY);
	}
	if (page) return (uint64_t)memset((void *)page, 0, PAGE_SIZE);
	used = __atomic_fetch_add(&pool->used, PAGE_SIZE, __ATOMIC_RELAXED);
	return used < pool->size ? pool->start + used : 0;
}

static inline void pool_give(struct pool *pool, uint64_t page)
{
	lock(&pool->lock, LOCK_MEMORY);
	*(uint64_t *)page = pool->free;
	__atomic_store_n(&pool->free, page, __ATOMIC_RELAXED);
	unlock(&pool->lock, LOCK_MEMORY);
}
