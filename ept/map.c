// SPDX-License-Identifier: MIT
/*
 * The tree as a map: runs of leaves of one size and type, for a person who looks. It only reads.
 */
#include "ept/explain.h"
#include "ept/table.h"

/* The leaf at gpa; 0 where there is none, and *level is that of the entry that says so. */
static uint64_t leaf_at(const struct ept *ept, uint64_t gpa, unsigned *level)
{
	uint64_t table = ept->root, entry;

	for (*level = EPT_ROOT_LEVEL;; --*level) {
		entry = entry_load(&table_entries(ept, table)[level_index(gpa, *level)]);
		if (!entry_present(entry) || entry_is_leaf(entry, *level)) return entry_present(entry) ? entry : 0;
		table = entry & EPT_ADDRESS;
	}
}

bool ept_next_span(const struct ept *ept, uint64_t gpa, struct ept_span *span)
{
	unsigned level;

	*span = (struct ept_span){0};
	ept_lock(ept);
	while (!(gpa >> EPT_GPA_BITS)) {
		uint64_t entry = leaf_at(ept, gpa, &level), size = level_size(level);
		uint64_t bits = entry & (EPT_RWX | EPT_TYPE | EPT_IGNORE_PAT);

		gpa = ALIGN_DOWN(gpa, size);
		if (span->size && (level != span->level || bits != span->bits)) break;
		if (entry && !span->size) *span = (struct ept_span){.gpa = gpa, .level = level, .bits = bits};
		span->size += entry ? size : 0;
		gpa += size;
	}
	ept_unlock(ept);
	return span->size;
}
