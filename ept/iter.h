/* SPDX-License-Identifier: MIT */
/*
 * The walk over the tables of a range, children first. It only reads.
 */
#pragma once

#include "ept/table.h"

struct ept_iter {
	const struct ept *ept;
	uint64_t first, last; /* 4K pages of the range, by number, both included */
	bool live_only;       /* pass over tables without a leaf below them */
	unsigned level;       /* of the table it stands on, 1-4 */
	/* The path from the root to there, by level. */
	struct ept_iter_step {
		uint64_t table;
		uint64_t base;       /* number of the first 4K page the table covers */
		unsigned begin, end; /* its entries that lie in the range: begin <= i < end */
		unsigned next;       /* where to look for the next child table */
		unsigned left;       /* child tables not yet seen */
	} at[EPT_ROOT_LEVEL + 1];
};

/*
 * Stand on the first table of [gpa, gpa + size), clipped to 48 bits. False: the range is empty.
 * The caller holds the lock from here to the last step.
 */
bool ept_iter_first(struct ept_iter *iter, const struct ept *ept, uint64_t gpa, uint64_t size, bool live_only);
/* Go on; false when the root has been visited, which comes last. */
bool ept_iter_next(struct ept_iter *iter);

/* Where it stands. */
static inline const struct ept_iter_step *ept_iter_here(const struct ept_iter *iter) { return &iter->at[iter->level]; }

/* The table above, or 0 at the root; its entry that points here is number 'next' - 1. */
static inline const struct ept_iter_step *ept_iter_parent(const struct ept_iter *iter)
{
	return iter->level == EPT_ROOT_LEVEL ? NULL : &iter->at[iter->level + 1];
}
