/* SPDX-License-Identifier: MIT */
/*
 * One table page: its entries, what is counted of it, and how an EPT entry changes.
 * It is the inside of ept/; ept/ept.h is the interface.
 */
#pragma once

#include "ept/ept.h"

#define EPT_ENTRIES        (1U << EPT_INDEX_BITS)
#define EPT_LEAF_LEVEL_MAX 3 /* 1G */

_Static_assert(EPT_ENTRIES * sizeof(uint64_t) <= PAGE_SIZE, "a table fits a page");
_Static_assert(EPT_GPA_BITS <= 48, "at most four levels of nine bits");

/* struct ept_table_info.counts; each field can hold 512. */
#define INFO_LEAVES BITS(9, 0)
#define INFO_TABLES BITS(19, 10)
#define INFO_LIVE   BITS(29, 20)
#define INFO_LEAF   (1U << 0)  /* one leaf */
#define INFO_TABLE  (1U << 10) /* one child table */
#define INFO_LIVING (1U << 20) /* one child table that is live */

/* log2 of the bytes that one entry of a table of this level covers: 12, 21, 30, 39. */
static inline unsigned level_shift(unsigned level) { return 12 + EPT_INDEX_BITS * (level - 1); }

static inline uint64_t level_size(unsigned level)
{
	/* The analyzer cannot know that a 4K page has one type, and thinks of a level below 1. */
	/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
	return 1ULL << level_shift(level);
}

static inline unsigned level_index(uint64_t gpa, unsigned level)
{
	return (unsigned)(gpa >> level_shift(level)) % EPT_ENTRIES;
}

/* Not present is defined by the permissions alone (SDM 3C 29.3.2). */
static inline bool entry_present(uint64_t entry) { return entry & EPT_RWX; }

static inline bool entry_is_leaf(uint64_t entry, unsigned level)
{
	return entry_present(entry) && (level == 1 || (entry & EPT_LARGE));
}

/* For entries of level 2 and above. */
static inline bool entry_is_table(uint64_t entry) { return entry_present(entry) && !(entry & EPT_LARGE); }

/*
 * Every change of an entry is one 64-bit access, mostly this store: a CPU that walks at the same time
 * sees the old entry or the new one (an aligned 8-byte store is atomic, SDM 3A 9.1.1). Release:
 * whatever the entry points to has been written before.
 */
static inline void entry_store(uint64_t *entry, uint64_t value) { __atomic_store_n(entry, value, __ATOMIC_RELEASE); }

/*
 * The same, where the flags that CPUs set are wanted: the old entry has all that they set before
 * the change. Costlier than a store.
 */
static inline uint64_t entry_exchange(uint64_t *entry, uint64_t value)
{
	return __atomic_exchange_n(entry, value, __ATOMIC_ACQ_REL);
}

/* The same where nothing is, and others may put something there meanwhile; false, and *old is that, where one did. */
static inline bool entry_put(uint64_t *entry, uint64_t *old, uint64_t value)
{
	return __atomic_compare_exchange_n(entry, old, value, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* A CPU may set accessed and dirty flags meanwhile: read once, then decide. */
static inline uint64_t entry_load(const uint64_t *entry) { return __atomic_load_n(entry, __ATOMIC_ACQUIRE); }

/*
 * The first present entry at or behind 'index', or 'end'. Sparse tables are mostly nothing: four
 * entries at a time (what is not present is 0 in these tables).
 */
static inline unsigned next_present(const uint64_t *entries, unsigned index, unsigned end)
{
	while (index + 4 <= end && !(entry_load(&entries[index]) | entry_load(&entries[index + 1]) |
				     entry_load(&entries[index + 2]) | entry_load(&entries[index + 3])))
		index += 4;
	while (index < end && !entry_present(entry_load(&entries[index]))) index++;
	return index;
}

static inline uint64_t *table_entries(const struct ept *ept, uint64_t table)
{
	return (uint64_t *)(table + ept->host.phys_offset);
}

static inline uint32_t *table_counts(const struct ept *ept, uint64_t table)
{
	return &ept->host.info[(table >> 12) - ept->host.first_pfn].counts;
}

/* A table is live while a leaf exists in it or anywhere below it. */
static inline bool counts_live(uint32_t counts) { return counts & (INFO_LEAVES | INFO_LIVE); }

/*
 * ept_fault_begin() reads some words without the lock. Each is written in one piece, under the
 * lock. The generation alone orders these reads and writes.
 */
#define READ_ONCE(x)         __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, value) __atomic_store_n(&(x), value, __ATOMIC_RELAXED)

static inline void ept_lock(const struct ept *ept)
{
	if (ept->host.lock) ept->host.lock(ept->host.ctx);
}

static inline void ept_unlock(const struct ept *ept)
{
	if (ept->host.unlock) ept->host.unlock(ept->host.ctx);
}

/* Under the lock, after what a fault reads was changed and before the lock is dropped. */
static inline void ept_advance(struct ept *ept)
{
	__atomic_store_n(&ept->generation, ept->generation + 1, __ATOMIC_RELEASE);
}

static inline uint64_t slot_rights(enum ept_slot_kind kind)
{
	return kind == EPT_SLOT_ROM ? EPT_READ | EPT_EXECUTE : EPT_RWX;
}

/* The rest is in table.c, ept.c, fault.c, retype.c, zap.c and coherence.c; all but the first two under the lock. */

/* A new, empty table, or 0. */
uint64_t table_new(struct ept *ept);
/* Free 'table' alone. No CPU can reach it. */
void table_free(struct ept *ept, uint64_t table);
/* Free 'table' and all tables below it. No CPU can reach them any more. */
void table_free_tree(struct ept *ept, uint64_t table, unsigned level);
/*
 * A chain of tables that nothing leads to any more: put one at the head of it; free all of it,
 * after the flush: until then a CPU may have their addresses cached.
 */
void table_chain(struct ept *ept, uint64_t table, uint64_t *chain);
void table_free_chain(struct ept *ept, uint64_t chain);
void ept_flush(struct ept *ept);
/*
 * The last entry on the way to gpa, which is its leaf or not present, and the entry's level. Call
 * it with the lock held: otherwise a table could be freed on the way.
 */
uint64_t *ept_descend(const struct ept *ept, uint64_t gpa, unsigned *level);
/* The entry that is the leaf of gpa, and its level; NULL and 0 when none is present. */
uint64_t *ept_find_leaf(const struct ept *ept, uint64_t gpa, unsigned *level);
/* ept_fault() for who has the lock. */
int ept_fault_locked(struct ept *ept, const struct ept_cpu *cpu, uint64_t gpa, bool write, struct ept_fill *fill);

/* The level of the largest leaf around gpa that the CPU offers and the slot, its own, allows. */
unsigned ept_largest_level(const struct ept_caps *caps, const struct ept_slot *slot, uint64_t gpa);

/*
 * The type bits of the leaf of 'level' around gpa that a fault of 'cpu' would install, in *bits;
 * false when they are not the same over all of it. Where 'next' is not NULL, level is 1, and the pages
 * of such a slot up to *next have the same.
 */
bool ept_leaf_type(const struct ept *ept, const struct ept_cpu *cpu, enum ept_slot_kind kind, uint64_t gpa,
		   unsigned level, uint64_t *bits, uint64_t *next);
/*
 * The same of all pages of the table of level 1 at gpa, all of one slot, whose type the guest's
 * MTRRs decide: that of page i is bits[types[i]]. False where fixed ranges do.
 */
bool ept_table_types(const struct ept *ept, const struct ept_cpu *cpu, uint64_t gpa, uint8_t types[EPT_ENTRIES],
		     uint64_t bits[MEMTYPES]);

/* retype.c: every leaf that begins in [from, to) to the type that a fault of 'cpu' would give it; flushes. */
void ept_retype_all(struct ept *ept, const struct ept_cpu *cpu, uint64_t from, uint64_t to);
/* zap.c: leaves of [gpa, gpa + size) were cleared: count and tell. */
void ept_zapped(struct ept *ept, uint64_t gpa, uint64_t size);

/* Unmap a slot's range: zap its leaves, unlink tables left empty, flush, free those tables. */
void ept_unmap_range(struct ept *ept, uint64_t gpa, uint64_t size);

/*
 * Where pages have two copies, a leaf is announced before it is stored. One that is taken away, or
 * given another type, is exchanged, and the old entry announced after that. ept_flush() lies between
 * the taking and the next leaf of that page.
 */
void ept_leaf_comes(struct ept *ept, uint64_t gpa, uint64_t leaf);
void ept_leaf_goes(struct ept *ept, uint64_t gpa, uint64_t old);
/* Is the page one that a device has written while the cache had another? */
bool ept_page_diverged(const struct ept *ept, uint64_t gpa);
/* All of [gpa, gpa + size) to memory, nothing cached: no WB leaf there has a flag set. */
void ept_settle(struct ept *ept, uint64_t gpa, uint64_t size);

static inline bool leaf_is_write_back(uint64_t leaf) { return FIELD(leaf, EPT_TYPE) == MEMTYPE_WB; }
