// SPDX-License-Identifier: MIT
/*
 * The transition that changes leaves where they are: one walk over the live tables, one store for
 * each leaf, one flush. No vCPU of the VM may be in its guest meanwhile, so entries are changed by
 * plain reads and stores: no CPU walks, and none sets accessed or dirty flags. Where pages have two
 * copies it takes two walks with the flush between them, because a leaf of another type leads to
 * the other copy; and it is done in parts, for it copies. Which type a leaf gets is asked of fault.c.
 */
#include "ept/table.h"

#define TYPE_BITS (EPT_TYPE | EPT_IGNORE_PAT)

struct retype {
	struct ept *ept;
	const struct ept_cpu *cpu;
	struct ept_slot slot; /* the last one found */
	unsigned largest;     /* level of the largest leaf there, were it not for its edges */
	uint64_t start, end;  /* a part of it in which all pages have one type */
	uint64_t bits;        /* that type */
	uint64_t uncounted;   /* the type of all RAM while no device counts */
	uint64_t seen;        /* what ept->seen was */
	uint64_t chain;       /* of tables that a large leaf has replaced */
	uint64_t from, to;    /* only leaves that begin there */
	uint64_t leaves, tables, cleared;
	bool parts;  /* it is done in parts, */
	bool parked; /* where pages have two copies: leaves have been taken away and flushed */
};

/* Is there a slot at gpa? Then r->slot is it. */
static bool find_slot(struct retype *r, uint64_t gpa)
{
	const struct ept_slot *slot;

	if (gpa - r->slot.gpa < r->slot.size) return true;
	slot = ept_slot_find(r->ept, gpa);
	if (slot) {
		struct ept_slot endless = {.size = ~0ULL, .hpa = slot->hpa - slot->gpa};

		r->slot = *slot;
		r->largest = ept_largest_level(&r->ept->caps, &endless, 0);
	}
	return slot;
}

static bool ask_type(struct retype *r, uint64_t gpa)
{
	uint64_t next;

	if (!find_slot(r, gpa)) return false;
	ept_leaf_type(r->ept, r->cpu, r->slot.kind, gpa, 1, &r->bits, &next);
	r->start = gpa;
	r->end = MIN(next, r->slot.gpa + r->slot.size);
	r->ept->seen |= r->bits;
	return true;
}

/*
 * The type of the page at gpa, in r->bits: asked only where the last answer does not reach. That saves
 * a transition of 4096 leaves 33,077 of 51,397 ticks.
 */
static inline bool find_type(struct retype *r, uint64_t gpa)
{
	return gpa - r->start < r->end - r->start || ask_type(r, gpa);
}

/*
 * A border lies below 'end', but types on both sides of it may be the same. (Inline it would cost a
 * transition of 1024 pages 116 of 8278 ticks.)
 */
static __attribute__((noinline)) bool is_alike(struct retype *r, uint64_t gpa, unsigned level, uint64_t end)
{
	uint64_t bits;

	if (r->slot.gpa + r->slot.size < end || !ept_leaf_type(r->ept, r->cpu, r->slot.kind, gpa, level, &bits, NULL))
		return false;
	r->end = end;
	return true;
}

/* Have all pages of [gpa, gpa + the span of such an entry) one slot and one type? */
static inline bool is_uniform(struct retype *r, uint64_t gpa, unsigned level)
{
	uint64_t end = gpa + level_size(level);

	return find_type(r, gpa) && (r->end >= end || is_alike(r, gpa, level, end));
}

/* May one leaf of this level stand for all of a table? */
static inline bool one_leaf_may_stand(struct retype *r, uint64_t gpa, unsigned level)
{
	return find_type(r, gpa) && r->largest >= level && is_uniform(r, gpa, level) && !r->ept->host.copy_page;
}

/*
 * Every leaf of a full table of RAM or ROM. While the count was 0 they all had one type, whoever
 * faulted them in: the difference changes them. The other way the new type has all bits but the lowest
 * set: where no leaf has that, as WC and WP do, setting bits is enough. Both are one instruction a
 * leaf; looking at each takes four. A transition of 4096 leaves takes 18,320 ticks; without the first
 * two 44,592, with them but no loop unrolled 42,528, with 16 at once 19,488.
 */
static void change_full_table(const struct retype *r, uint64_t *entries)
{
	uint64_t bits = r->bits, differs = r->uncounted ^ bits;

	if (r->ept->noncoherent) {
#pragma GCC unroll 64
		for (unsigned i = 0; i < EPT_ENTRIES; i++) entries[i] ^= differs;
	} else if (!(r->seen & TYPE_BITS & ~bits)) {
#pragma GCC unroll 64
		for (unsigned i = 0; i < EPT_ENTRIES; i++) entries[i] |= bits;
	} else {
#pragma GCC unroll 16
		for (unsigned i = 0; i < EPT_ENTRIES; i++) entries[i] = (entries[i] & ~TYPE_BITS) | bits;
	}
}

/* One leaf, of any level: its type, and nothing else of it. */
static inline void change_leaf(uint64_t *entry, uint64_t bits)
{
	entry_store(entry, (entry_load(entry) & ~TYPE_BITS) | bits);
}

/* The leaves of a table whose pages differ in nothing but what the MTRRs say of each. */
static bool change_by_mtrrs(struct retype *r, uint64_t *entries, uint64_t base, unsigned left)
{
	uint8_t types[EPT_ENTRIES];
	uint64_t bits[MEMTYPES];

	if (!find_slot(r, base) || r->slot.gpa + r->slot.size < base + level_size(2) ||
	    !ept_table_types(r->ept, r->cpu, base, types, bits))
		return false;
	r->ept->seen |= EPT_TYPE;
	for (unsigned i = 0; left; i++) {
		if (!entry_present(entry_load(&entries[i]))) continue;
		change_leaf(&entries[i], bits[types[i]]);
		left--;
	}
	return true;
}

/* Each for itself. */
static void change_each(struct retype *r, uint64_t *entries, uint64_t base, unsigned left)
{
	for (unsigned i = 0; left; i++) {
		if (!entry_present(entry_load(&entries[i]))) continue;
		find_type(r, base + i * PAGE_SIZE);
		change_leaf(&entries[i], r->bits);
		left--;
	}
}

/* What stands in the place of a leaf that has been taken away for a moment; not present. */
#define PARKED EPT_IGNORE_PAT

/* What the CPUs noted in the leaves of a table is taken over; they wait for the flush. */
static void park_leaves(struct retype *r, uint64_t *entries, uint64_t base, unsigned left)
{
	for (unsigned i = 0; left; i++, left--) {
		i = next_present(entries, i, EPT_ENTRIES);
		ept_leaf_goes(r->ept, base + i * PAGE_SIZE, entry_exchange(&entries[i], PARKED));
	}
}

/* Behind the flush each comes back with its type, and the copy that belongs to it. */
static void put_leaves(struct retype *r, uint64_t *entries, uint64_t base, unsigned left)
{
	for (unsigned i = 0; left; i++) {
		uint64_t gpa = base + i * PAGE_SIZE, leaf;

		if (!entry_load(&entries[i])) continue;
		find_type(r, gpa);
		leaf = (r->slot.kind == EPT_SLOT_RAM_TWICE && !leaf_is_write_back(r->bits) ? r->slot.uncached_hpa
											   : r->slot.hpa) +
		       (gpa - r->slot.gpa);
		leaf |= r->bits | slot_rights(r->slot.kind);
		ept_leaf_comes(r->ept, gpa, leaf);
		entry_store(&entries[i], leaf);
		left--;
	}
}

/* Only asked where it is done in parts: else a transition of 202 leaves takes 9660 ticks in the place of 9077. */
static __attribute__((noinline)) bool is_outside(const struct retype *r, uint64_t gpa, uint64_t size)
{
	return gpa >= r->to || gpa + size <= r->from;
}

/* The leaves of a table of level 1, from base on. */
static void retype_leaves(struct retype *r, uint64_t table, uint64_t base)
{
	uint64_t *entries = table_entries(r->ept, table);
	unsigned left = (unsigned)FIELD(*table_counts(r->ept, table), INFO_LEAVES);

	if (r->ept->host.copy_page) {
		if (is_outside(r, base, level_size(2))) return;
		(r->parked ? put_leaves : park_leaves)(r, entries, base, left);
	} else if (!is_uniform(r, base, 2)) {
		if (!change_by_mtrrs(r, entries, base, left)) change_each(r, entries, base, left);
	} else if (left < EPT_ENTRIES || r->slot.kind == EPT_SLOT_HOST_MMIO) {
		change_each(r, entries, base, left);
	} else {
		change_full_table(r, entries);
	}
	r->leaves += left;
	r->tables++;
}

static void take_off_below(struct retype *r, uint64_t table, unsigned level);

/* A table and all below it goes: nothing leads there any more. Its leaves have become one. */
static inline void take_off(struct retype *r, uint64_t table, unsigned level)
{
	unsigned leaves = (unsigned)FIELD(*table_counts(r->ept, table), INFO_LEAVES);

	r->leaves += leaves;
	r->tables += leaves != 0;
	if (level > 1) take_off_below(r, table, level);
	table_chain(r->ept, table, &r->chain);
}

static void take_off_below(struct retype *r, uint64_t table, unsigned level)
{
	unsigned left = (unsigned)FIELD(*table_counts(r->ept, table), INFO_TABLES);
	const uint64_t *entries = table_entries(r->ept, table);

	for (unsigned i = 0; left; i++) {
		uint64_t entry = entry_load(&entries[i]);

		if (!entry_is_table(entry)) continue;
		take_off(r, entry & EPT_ADDRESS, level - 1);
		left--;
	}
}

/*
 * One large leaf over a live table. That it was accessed and written to is taken for granted: to
 * know, all entries would have to be read.
 */
static void merge(struct retype *r, uint64_t *entry, uint64_t parent, unsigned level, uint64_t gpa)
{
	uint64_t table = entry_load(entry) & EPT_ADDRESS;
	uint64_t flags = r->ept->caps.accessed_dirty ? EPT_ACCESSED | EPT_DIRTY : 0;

	entry_store(entry,
		    (r->slot.hpa + (gpa - r->slot.gpa)) | slot_rights(r->slot.kind) | r->bits | EPT_LARGE | flags);
	*table_counts(r->ept, parent) += INFO_LEAF - INFO_TABLE - INFO_LIVING;
	take_off(r, table, level - 1);
}

/*
 * A table of smaller leaves in the place of a large one, alike but for their size. Without memory
 * for it the leaf goes, and comes back by faults.
 */
static bool split(struct retype *r, uint64_t *entry, uint64_t parent, unsigned level)
{
	uint64_t small = entry_load(entry) & ~(level == 2 ? EPT_LARGE : 0);
	uint64_t table = table_new(r->ept);

	if (!table) {
		entry_store(entry, 0);
		*table_counts(r->ept, parent) -= INFO_LEAF;
		r->cleared++;
		return false;
	}
	for (unsigned i = 0; i < EPT_ENTRIES; i++, small += level_size(level - 1))
		entry_store(&table_entries(r->ept, table)[i], small);
	*table_counts(r->ept, table) = EPT_ENTRIES * INFO_LEAF;
	entry_store(entry, table | EPT_RWX);
	*table_counts(r->ept, parent) += INFO_TABLE + INFO_LIVING - INFO_LEAF;
	return true;
}

static void retype_entries(struct retype *r, uint64_t table, unsigned level, uint64_t base);

/* A live table below an entry of the parent; no single leaf may stand for it. */
static void retype_table(struct retype *r, uint64_t entry, uint64_t parent, unsigned level, uint64_t gpa)
{
	uint64_t table = entry & EPT_ADDRESS;

	if (level == 1) {
		retype_leaves(r, table, gpa);
		return;
	}
	if (r->parts && is_outside(r, gpa, level_size(level + 1))) return;
	retype_entries(r, table, level, gpa);
	if (!counts_live(*table_counts(r->ept, table))) *table_counts(r->ept, parent) -= INFO_LIVING;
}

/* A large leaf. It counts as one, whatever becomes of it. */
static void retype_large(struct retype *r, uint64_t *entry, uint64_t parent, unsigned level, uint64_t gpa)
{
	uint64_t leaves = r->leaves + 1, tables = r->tables;

	if (r->parts && (r->parked || is_outside(r, gpa, 1))) return;
	if (is_uniform(r, gpa, level)) {
		change_leaf(entry, r->bits);
	} else if (split(r, entry, parent, level)) {
		retype_table(r, entry_load(entry), parent, level - 1, gpa);
	} else {
		leaves--;
	}
	r->leaves = leaves;
	r->tables = tables;
}

/* All leaves of a table above level 1, and all below it. */
static void retype_entries(struct retype *r, uint64_t table, unsigned level, uint64_t base)
{
	uint64_t *entries = table_entries(r->ept, table);
	uint32_t counts = *table_counts(r->ept, table);
	unsigned left = (unsigned)(FIELD(counts, INFO_LEAVES) + FIELD(counts, INFO_LIVE));

	r->tables += (counts & INFO_LEAVES) != 0;
	for (unsigned i = 0; left; i++) {
		uint64_t entry = entry_load(&entries[i]), gpa = base + i * level_size(level);

		if (!entry_present(entry)) continue;
		if (entry_is_leaf(entry, level))
			retype_large(r, &entries[i], table, level, gpa);
		else if (!counts_live(*table_counts(r->ept, entry & EPT_ADDRESS)))
			continue;
		else if (one_leaf_may_stand(r, gpa, level))
			merge(r, &entries[i], table, level, gpa);
		else
			retype_table(r, entry, table, level - 1, gpa);
		left--;
	}
}

void ept_retype_all(struct ept *ept, const struct ept_cpu *cpu, uint64_t from, uint64_t to)
{
	struct retype r = {
		.ept = ept, .cpu = cpu, .seen = ept->seen, .from = from, .to = to, .parts = ept->host.copy_page};

	r.uncounted = memtype_leaf_bits(ept->policy, false, false, cpu->cd, MEMTYPE_WB);
	ept->seen = 0;
	if (!counts_live(*table_counts(ept, ept->root))) return;
	retype_entries(&r, ept->root, EPT_ROOT_LEVEL, 0);
	if (!r.leaves && !r.cleared) return;
	ept->stats.leaves_retyped += r.leaves;
	ept->stats.tables_retyped += r.tables;
	if (r.cleared) {
		ept->stats.last_zap_leaves = r.cleared;
		ept->stats.last_zap_tables = 1;
		ept_zapped(ept, 0, 1ULL << EPT_GPA_BITS);
	}
	ept_flush(ept);
	table_free_chain(ept, r.chain);
	if (ept->host.copy_page) {
		r.parked = true;
		retype_entries(&r, ept->root, EPT_ROOT_LEVEL, 0);
	}
}

void ept_retype_part(struct ept *ept, const struct ept_cpu *cpu, uint64_t gpa, uint64_t size)
{
	ept_lock(ept);
	ept_retype_all(ept, cpu, gpa, gpa + size);
	ept_unlock(ept);
}
