/* SPDX-License-Identifier: MIT */
/*
 * A fake machine under ept/: a block of memory that plays physical pages for tables, and counters
 * on everything ept/ asks of its host. For the unit tests, the model, the fuzzer and the bench.
 * Nothing real is behind guest memory: ept/ never touches it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ept/ept.h"
#include "lib/bits.h"

#define WORLD_BASE 0x7654000000ULL /* where table memory begins, physically */

struct ept_world {
	uint64_t *memory; /* 'pages' pages, page 0 at physical WORLD_BASE */
	struct ept_table_info *info;
	uint8_t *used;  /* by page: handed out as a table */
	uint32_t *free; /* page numbers freed and not taken again */
	unsigned pages, fresh, freed;
	unsigned tables;    /* in use now */
	unsigned allocs;    /* asked for, ever */
	unsigned fail_from; /* the alloc with this number and all later ones fail; 0: none */
	unsigned flushes;
	unsigned locked, lock_calls;
	unsigned zaps, zaps_at_flush;           /* told, and how many of them before the last flush */
	uint64_t zap_gpa, zap_size, zap_leaves; /* what was told of the last */
	unsigned errors;                        /* what ept/ must never do: double free, free while not locked, ... */
	void (*on_flush)(void *arg);
	void *on_flush_arg;
	struct ept_host host;
};

/* ept_fault() for who does not ask what it installed. */
static inline int serve_fault(struct ept *ept, const struct ept_cpu *cpu, uint64_t gpa, bool write)
{
	struct ept_fill fill;

	return ept_fault(ept, cpu, gpa, write, &fill);
}

static inline uint64_t ept_zap_all(struct ept *ept) { return ept_zap_range(ept, 0, ~0ULL); }

static inline uint64_t *world_table(struct ept_world *w, uint64_t table)
{
	return (uint64_t *)(table + w->host.phys_offset);
}

static uint64_t world_alloc(void *ctx)
{
	struct ept_world *w = ctx;
	unsigned page;

	w->allocs++;
	if (w->fail_from && w->allocs >= w->fail_from) return 0;
	if (w->freed)
		page = w->free[--w->freed];
	else if (w->fresh < w->pages)
		page = w->fresh++;
	else
		return 0;
	w->used[page] = 1;
	w->tables++;
	w->info[page].counts = 0xdeadbeef;
	memset((char *)w->memory + PAGE_SIZE * page, 0, PAGE_SIZE);
	return WORLD_BASE + PAGE_SIZE * page;
}

static void world_free(void *ctx, uint64_t table)
{
	struct ept_world *w = ctx;
	uint64_t page = (table - WORLD_BASE) / PAGE_SIZE;

	if (!IS_ALIGNED(table, PAGE_SIZE) || page >= w->pages || !w->used[page]) {
		w->errors++;
		return;
	}
	w->used[page] = 0;
	w->tables--;
	w->info[page].counts = 0xdeadbeef;
	memset((char *)w->memory + PAGE_SIZE * page, 0xff, PAGE_SIZE);
	w->free[w->freed++] = (uint32_t)page;
}

static void world_flush(void *ctx)
{
	struct ept_world *w = ctx;

	w->flushes++;
	w->zaps_at_flush = w->zaps;
	if (!w->locked) w->errors++;
	if (w->on_flush) w->on_flush(w->on_flush_arg);
}

static void world_zapped(void *ctx, uint64_t gpa, uint64_t size, uint64_t leaves)
{
	struct ept_world *w = ctx;

	w->zaps++;
	w->errors += !w->locked;
	w->zap_gpa = gpa;
	w->zap_size = size;
	w->zap_leaves = leaves;
}

static void world_lock(void *ctx)
{
	struct ept_world *w = ctx;

	w->errors += w->locked;
	w->locked = 1;
	w->lock_calls++;
}

static void world_unlock(void *ctx)
{
	struct ept_world *w = ctx;

	w->errors += !w->locked;
	w->locked = 0;
}

static inline void world_init(struct ept_world *w, unsigned pages)
{
	memset(w, 0, sizeof(*w));
	w->pages = pages;
	w->memory = mmap(NULL, PAGE_SIZE * pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			 -1, 0);
	if (w->memory == MAP_FAILED) abort();
	w->info = calloc(pages, sizeof(*w->info));
	w->used = calloc(pages, 1);
	w->free = calloc(pages, sizeof(*w->free));
	w->host = (struct ept_host){
		.ctx = w,
		.phys_offset = (uint64_t)w->memory - WORLD_BASE,
		.info = w->info,
		.first_pfn = WORLD_BASE / PAGE_SIZE,
		.alloc_table = world_alloc,
		.free_table = world_free,
		.flush = world_flush,
		.zapped = world_zapped,
		.lock = world_lock,
		.unlock = world_unlock,
	};
}

static inline void world_destroy(struct ept_world *w)
{
	munmap(w->memory, PAGE_SIZE * w->pages);
	free(w->info);
	free(w->used);
	free(w->free);
}

/* What world_check() finds in a tree. */
struct world_census {
	unsigned leaves[4]; /* by level */
	unsigned tables;
	bool live;
	const char *broken; /* the first rule found violated, or NULL */
};

static inline void world_blame(struct world_census *census, const char *rule)
{
	if (!census->broken) census->broken = rule;
}

/* The SDM's misconfiguration rules for one present entry (SDM 3C 29.3.3.1). */
static inline void world_check_entry(struct world_census *census, uint64_t entry, unsigned level,
				     const struct ept_caps *caps)
{
	uint64_t type = FIELD(entry, EPT_TYPE);
	bool leaf = level == 1 || (entry & EPT_LARGE);

	if ((entry & EPT_WRITE) && !(entry & EPT_READ)) world_blame(census, "write without read");
	if (!(entry & EPT_READ)) world_blame(census, "execute-only");
	if (entry & EPT_ADDRESS & (~0ULL << caps->address_width)) world_blame(census, "address at or above MAXPHYADDR");
	if (entry >> 52) world_blame(census, "bits 63:52 in use");
	if (!leaf && (entry & (EPT_TYPE | EPT_IGNORE_PAT))) world_blame(census, "type in a table entry");
	if (level == 4 && (entry & EPT_LARGE)) world_blame(census, "bit 7 in a PML4E");
	if (!leaf) return;
	if (type == 2 || type == 3 || type == 7) world_blame(census, "reserved type in a leaf");
	if (level > 1 && (entry & BITS(12 + 9 * (level - 1) - 1, 12)))
		world_blame(census, "reserved address bits in a large leaf");
	if ((level == 2 && !caps->large_2m) || (level == 3 && !caps->large_1g))
		world_blame(census, "a leaf larger than the CPU offers");
}

/* Count a tree the slow way and compare with what ept/ keeps; returns the table's liveness. */
static inline bool world_check_table(struct ept_world *w, const struct ept_caps *caps, uint64_t table, unsigned level,
				     struct world_census *census)
{
	uint64_t page = (table - WORLD_BASE) / PAGE_SIZE;
	uint32_t leaves = 0, tables = 0, living = 0;

	if (page >= w->pages || !w->used[page]) {
		world_blame(census, "an entry points to no table");
		return false;
	}
	census->tables++;
	for (unsigned i = 0; i < 512; i++) {
		uint64_t entry = world_table(w, table)[i];

		if (!(entry & EPT_RWX)) {
			if (entry) world_blame(census, "a not-present entry is not 0");
			continue;
		}
		world_check_entry(census, entry, level, caps);
		if (level == 1 || (entry & EPT_LARGE)) {
			leaves++;
		} else {
			tables++;
			living += world_check_table(w, caps, entry & EPT_ADDRESS, level - 1, census);
		}
	}
	census->leaves[level % 4] += leaves;
	if (w->info[page].counts != (leaves | tables << 10 | living << 20))
		world_blame(census, "a table's counts are wrong");
	return leaves || living;
}

/* All that must hold of an EPT at rest. NULL, or the rule that does not. */
static inline const char *world_check(struct ept_world *w, const struct ept *ept, struct world_census *census)
{
	struct world_census scratch;

	if (!census) census = &scratch;
	memset(census, 0, sizeof(*census));
	census->live = world_check_table(w, &ept->caps, ept->root, 4, census);
	if (census->tables != w->tables || census->tables != ept->stats.tables)
		world_blame(census, "a table is leaked or not counted");
	if (w->flushes != ept->stats.flushes) world_blame(census, "a flush is not counted");
	if (w->errors) world_blame(census, "double free, or a flush or unlock without the lock");
	if (w->locked) world_blame(census, "the lock is still held");
	return census->broken;
}
