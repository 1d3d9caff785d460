// SPDX-License-Identifier: MIT
/*
 * The tree as a map: runs of leaves of one size and type, for a person who looks. It only reads.
 */
#include "ept/explain.h"
#include "ept/table.h"

bool ept_next_span(const struct ept *ept, uint64_t gpa, struct ept_span *span)
{
	unsigned level;

	*span = (struct ept_span){0};
	ept_lock(ept);
	while (!(gpa >> EPT_GPA_BITS)) {
		uint64_t entry = entry_load(ept_descend(ept, gpa, &level)), size = level_size(level);
		uint64_t bits = entry & (EPT_RWX | EPT_TYPE | EPT_IGNORE_PAT);

		gpa = ALIGN_DOWN(gpa, size);
		if (span->size && (level != span->level || bits != span->bits)) break;
		if (entry_present(entry) && !span->size)
			*span = (struct ept_span){.gpa = gpa, .level = level, .bits = bits};
		span->size += entry_present(entry) ? size : 0;
		gpa += size;
	}
	ept_unlock(ept);
	return span->size;
}
