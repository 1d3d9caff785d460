// SPDX-License-Identifier: MIT
/*
 * The walk over the tables of a range, in the order that a zap needs: children first. It reads
 * entries and counts and changes nothing.
 *
 *    guest-physical address
 *    47      39 38      30 29      21 20      12 11         0
 *   +----------+----------+----------+----------+------------+
 *   |  PML4    |  PDPT    |  PD      |  PT      |  offset    |
 *   +----+-----+----+-----+----+-----+----+-----+------------+
 *        |          |          |          |
 *   root |  level 4 |  level 3 |  level 2 |  level 1
 *    +---v---+  +---v---+  +---v---+  +---v---+
 *    |       |  |       |  |  2M   |  |  4K   |      down:     into a child table
 *    | PML4E +->| PDPTE +->|  PDE  +->|  PTE  |      sideways: into the next child of the
 *    |       |  |  1G   |  |       |  |       |                same parent
 *    +-------+  +-------+  +-------+  +-------+      up:       to the parent, when it has no
 *        4          3          2          1                    further child
 *
 * The iterator stands on a table, not on an entry: what a caller does to the entries of one table
 * is then a plain loop. Each table is visited once, after all its children:
 *
 *   Down. From a table it goes to the first child in the range, and on from there, until it
 *   stands on a table that has no child to visit. That one is the first to be visited.
 *   Sideways. After a visit it goes back to the parent and looks for the next child behind the
 *   one it came from; if there is one it goes down again.
 *   Up. If there is none, the parent itself is visited. The root is the last.
 *
 * It visits only what exists. A table's count of children (of live ones, where only those are
 * wanted) says how many are left to find, so that the search ends at the last child and not at the
 * last entry. A live child is seen before its visit, so the visit may clear it and lower the
 * counts: 'left' was taken when the table was entered.
 */
#include "ept/iter.h"

/* The number of 4K pages that one entry of a table of this level covers. */
static unsigned page_shift(unsigned level) { return level_shift(level) - 12; }

/* Begin with a table: which of its entries lie in the range, how many children it has. */
static void enter(struct ept_iter *iter, unsigned level, uint64_t table, uint64_t base)
{
	struct ept_iter_step *step = &iter->at[level];
	uint64_t last = base + ((uint64_t)EPT_ENTRIES << page_shift(level)) - 1;
	uint32_t counts = *table_counts(iter->ept, table);

	step->table = table;
	step->base = base;
	step->begin = (unsigned)((MAX(iter->first, base) - base) >> page_shift(level));
	step->end = (unsigned)((MIN(iter->last, last) - base) >> page_shift(level)) + 1;
	step->next = step->begin;
	step->left = (unsigned)FIELD(counts, iter->live_only ? INFO_LIVE : INFO_TABLES);
	iter->level = level;
}

/* Into the next child of the table it stands on; false when there is none left. */
static bool step_down(struct ept_iter *iter)
{
	struct ept_iter_step *step = &iter->at[iter->level];
	const uint64_t *entries = table_entries(iter->ept, step->table);

	while (step->left && (step->next = next_present(entries, step->next, step->end)) < step->end) {
		unsigned index = step->next++;
		uint64_t entry = entry_load(&entries[index]);
		uint64_t child = entry & EPT_ADDRESS;

		if (!entry_is_table(entry)) continue;
		if (iter->live_only && !counts_live(*table_counts(iter->ept, child))) continue;
		step->left--;
		enter(iter, iter->level - 1, child, step->base + ((uint64_t)index << page_shift(iter->level)));
		return true;
	}
	return false;
}

bool ept_iter_first(struct ept_iter *iter, const struct ept *ept, uint64_t gpa, uint64_t size, bool live_only)
{
	uint64_t space = 1ULL << EPT_GPA_BITS;

	if (size == 0 || gpa >= space) return false;
	iter->ept = ept;
	iter->first = gpa >> 12;
	iter->last = (gpa + MIN(size, space - gpa) - 1) >> 12;
	iter->live_only = live_only;
	enter(iter, EPT_ROOT_LEVEL, ept->root, 0);
	while (step_down(iter))
		;
	return true;
}

bool ept_iter_next(struct ept_iter *iter)
{
	if (iter->level == EPT_ROOT_LEVEL) return false;
	iter->level++;
	while (step_down(iter))
		;
	return true;
}
