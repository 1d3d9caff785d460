// SPDX-License-Identifier: MIT
/*
 * Everything that takes leaves away: zaps, the transition of the noncoherent count (where that does
 * not retype, retype.c), MTRR and CD changes, and the unmapping of a slot. A zap clears leaves and
 * keeps tables; only unmapping frees tables. Nothing here installs an entry or decides a memory
 * type.
 */
#include "ept/iter.h"

/*
 * Clear a table's leaves in [begin, end); returns how many there were. Where the table holds
 * leaves only and is at least half full, storing to all of it is cheaper than to look first: a zap of
 * 4096 leaves takes 10,572 ticks, 181,288 without that, 21,844 with the loop not unrolled. (A
 * memset would take half the time where the table is cached, but nobody promises that it stores
 * eight bytes at once, and a CPU may be walking here.)
 */
static unsigned clear_leaves(struct ept *ept, const struct ept_iter_step *step, unsigned level)
{
	uint64_t *entries = table_entries(ept, step->table);
	uint32_t *counts = table_counts(ept, step->table);
	unsigned leaves = (unsigned)FIELD(*counts, INFO_LEAVES), left = leaves;

	if (leaves >= EPT_ENTRIES / 2 && !(*counts & INFO_TABLES) && step->end - step->begin == EPT_ENTRIES) {
#pragma GCC unroll 16
		for (unsigned i = 0; i < EPT_ENTRIES; i++) entry_store(&entries[i], 0);
		left = 0;
	}
	for (unsigned i = step->begin; left && (i = next_present(entries, i, step->end)) < step->end; i++) {
		if (entry_is_leaf(entry_load(&entries[i]), level)) {
			entry_store(&entries[i], 0);
			left--;
		}
	}
	*counts -= (leaves - left) * INFO_LEAF;
	return leaves - left;
}

/* The guest-physical address of the step's entry 'index'. */
static uint64_t entry_gpa(const struct ept_iter_step *step, unsigned level, unsigned index)
{
	return step->base * PAGE_SIZE + index * level_size(level);
}

/*
 * The same where pages have two copies: what the CPUs noted in each leaf is taken over. With 'clean',
 * for a WBINVD, leaves stay without what was noted, but for those of pages that a device has changed
 * behind the cache; that is no zap, and no figure of one counts them.
 */
static unsigned take_leaves(struct ept *ept, const struct ept_iter_step *step, unsigned level, bool clean)
{
	uint64_t *entries = table_entries(ept, step->table);
	unsigned leaves = 0;

	for (unsigned i = step->begin; (i = next_present(entries, i, step->end)) < step->end; i++) {
		uint64_t entry = entry_load(&entries[i]), gpa = entry_gpa(step, level, i);
		bool stays = clean && !ept_page_diverged(ept, gpa);

		if (!entry_is_leaf(entry, level) || (clean && !leaf_is_write_back(entry))) continue;
		entry = stays ? entry & ~(EPT_ACCESSED | EPT_DIRTY) : 0;
		ept_leaf_goes(ept, gpa, entry_exchange(&entries[i], entry));
		leaves += !stays;
	}
	*table_counts(ept, step->table) -= leaves * INFO_LEAF;
	return clean ? 0 : leaves;
}

/*
 * The one loop of all zaps: take the leaves of the range, adding to the last zap's figures.
 * Every table the iterator visits was live; one that is no longer is taken off its parent's
 * count, which is right because the parent comes after all its children.
 */
static void take_range(struct ept *ept, uint64_t gpa, uint64_t size, bool clean)
{
	struct ept_iter iter;

	if (!counts_live(*table_counts(ept, ept->root))) return;
	for (bool more = ept_iter_first(&iter, ept, gpa, size, true); more; more = ept_iter_next(&iter)) {
		const struct ept_iter_step *here = ept_iter_here(&iter);
		const struct ept_iter_step *parent = ept_iter_parent(&iter);
		unsigned leaves = ept->host.copy_page ? take_leaves(ept, here, iter.level, clean)
						      : clear_leaves(ept, here, iter.level);

		ept->stats.last_zap_leaves += leaves;
		ept->stats.last_zap_tables += leaves != 0;
		if (parent && !counts_live(*table_counts(ept, here->table)))
			*table_counts(ept, parent->table) -= INFO_LIVING;
	}
}

/* Before the first take_range() of a zap, and after the last. */
static void zap_begin(struct ept *ept)
{
	ept_advance(ept);
	ept->stats.last_zap_leaves = 0;
	ept->stats.last_zap_tables = 0;
}

void ept_zapped(struct ept *ept, uint64_t gpa, uint64_t size)
{
	ept->stats.leaves_cleared += ept->stats.last_zap_leaves;
	if (ept->host.zapped) ept->host.zapped(ept->host.ctx, gpa, size, ept->stats.last_zap_leaves);
}

/* Tables are freed only after the flush: until then a CPU may have their address cached. */
static uint64_t zap_end(struct ept *ept, uint64_t gpa, uint64_t size, uint64_t unlinked)
{
	ept_zapped(ept, gpa, size);
	if (ept->stats.last_zap_leaves || unlinked) ept_flush(ept);
	table_free_chain(ept, unlinked);
	return ept->stats.last_zap_leaves;
}

static uint64_t zap_locked(struct ept *ept, uint64_t gpa, uint64_t size)
{
	zap_begin(ept);
	take_range(ept, gpa, size, false);
	return zap_end(ept, gpa, size, 0);
}

uint64_t ept_zap_range(struct ept *ept, uint64_t gpa, uint64_t size)
{
	uint64_t leaves;

	ept_lock(ept);
	leaves = zap_locked(ept, gpa, size);
	ept_unlock(ept);
	return leaves;
}

void ept_lead_rom(struct ept *ept, const struct ept_slot *rom, uint64_t offset)
{
	ept_lock(ept);
	WRITE_ONCE(ept->rom_offset, offset);
	zap_locked(ept, rom->gpa, rom->size);
	ept_unlock(ept);
}

void ept_write_back(struct ept *ept, uint64_t gpa, uint64_t size)
{
	ept_lock(ept);
	if (counts_live(*table_counts(ept, ept->root))) {
		take_range(ept, gpa, size, true);
		ept_flush(ept);
	}
	ept_settle(ept, gpa, size);
	ept_unlock(ept);
}

/* Unlink the empty tables of a range. Returns the head of the chain of them, or 0. */
static uint64_t unlink_empty(struct ept *ept, uint64_t gpa, uint64_t size)
{
	struct ept_iter iter;
	uint64_t chain = 0;

	for (bool more = ept_iter_first(&iter, ept, gpa, size, false); more; more = ept_iter_next(&iter)) {
		const struct ept_iter_step *here = ept_iter_here(&iter);
		const struct ept_iter_step *parent = ept_iter_parent(&iter);

		if (!parent || *table_counts(ept, here->table) != 0) continue;
		entry_store(&table_entries(ept, parent->table)[parent->next - 1], 0);
		*table_counts(ept, parent->table) -= INFO_TABLE;
		table_chain(ept, here->table, &chain);
	}
	return chain;
}

void ept_unmap_range(struct ept *ept, uint64_t gpa, uint64_t size)
{
	zap_begin(ept);
	take_range(ept, gpa, size, false);
	zap_end(ept, gpa, size, unlink_empty(ept, gpa, size));
}

bool ept_noncoherent_change(struct ept *ept, const struct ept_cpu *cpu, int delta)
{
	bool transition = false;
	uint64_t before;

	ept_lock(ept);
	before = ept->stats.leaves_cleared;
	if (delta > 0 || ept->noncoherent > 0) {
		bool was = ept->noncoherent != 0;

		WRITE_ONCE(ept->noncoherent, delta > 0 ? ept->noncoherent + 1 : ept->noncoherent - 1);
		transition = was != (ept->noncoherent != 0) && ept->policy != MEMTYPE_KVM_6_16;
	}
	if (transition) {
		ept->stats.transitions++;
		ept_advance(ept);
	}
	if (transition && memtype_zaps_transitions(ept->policy)) {
		if (ept->transition != EPT_TRANSITION_RETYPE)
			zap_locked(ept, 0, 1ULL << EPT_GPA_BITS);
		else if (!ept->host.copy_page) /* else by parts */
			ept_retype_all(ept, cpu, 0, 1ULL << EPT_GPA_BITS);
	}
	/* For who tells of it later: another CPU's zap may come behind. */
	ept->stats.change_leaves = ept->stats.leaves_cleared - before;
	ept->stats.change_tables = ept->stats.change_leaves ? ept->stats.last_zap_tables : 0;
	ept_unlock(ept);
	return transition;
}

static uint64_t range_end(struct ept_range range) { return range.start + MIN(range.size, ~0ULL - range.start); }

uint64_t ept_type_changed(struct ept *ept, const struct ept_range *range, unsigned count)
{
	uint64_t leaves = 0, start = ~0ULL, end = 0;

	ept_lock(ept);
	if (count && ept->noncoherent && ept->policy < MEMTYPE_KVM_6_11) {
		zap_begin(ept);
		for (unsigned i = 0; i < count; i++) {
			take_range(ept, range[i].start, range[i].size, false);
			start = MIN(start, range[i].start);
			end = MAX(end, range_end(range[i]));
		}
		leaves = zap_end(ept, start, end - start, 0);
	}
	ept_unlock(ept);
	return leaves;
}
