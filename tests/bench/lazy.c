// SPDX-License-Identifier: MIT
/*
 * lazy.h. An entry that was taken away has its permissions clear and everything else as it was, so
 * the CPU finds nothing (SDM 3C 29.3.2: only bits 2:0 say what is present) and the way down is still
 * known. Its first visitor puts the permissions back, and hands the mark on to all entries of the table
 * below; in a table of level 1 each leaf gets its type instead. From not present nothing has to be
 * flushed, and what is handed on was out of reach. Large leaves are changed where they are: what must
 * be split is outside this prototype.
 */
#include "tests/bench/lazy.h"

#include "ept/table.h"

#define TYPE_BITS (EPT_TYPE | EPT_IGNORE_PAT)

/* All that is present in a table is taken away. Tables are RWX: what else is lost is a leaf's rights. */
static void take_away(uint64_t *entries)
{
	for (unsigned i = 0; i < EPT_ENTRIES; i++)
		if (entry_present(entries[i])) entry_store(&entries[i], entries[i] & ~EPT_RWX);
}

void lazy_transition(struct ept *ept, int delta)
{
	ept->noncoherent += (unsigned)delta;
	ept_advance(ept);
	take_away(table_entries(ept, ept->root));
	ept_flush(ept);
}

static void give_types(const struct ept *ept, const struct ept_cpu *cpu, uint64_t *entries, uint64_t base)
{
	uint8_t types[EPT_ENTRIES];
	uint64_t bits[MEMTYPES], one;

	if (ept_leaf_type(ept, cpu, EPT_SLOT_RAM, base, 2, &one, NULL)) {
		for (unsigned i = 0; i < EPT_ENTRIES; i++)
			if (entries[i]) entry_store(&entries[i], (entries[i] & ~TYPE_BITS) | one);
	} else if (ept_table_types(ept, cpu, base, types, bits)) {
		for (unsigned i = 0; i < EPT_ENTRIES; i++)
			if (entries[i]) entry_store(&entries[i], (entries[i] & ~TYPE_BITS) | bits[types[i]]);
	}
}

bool lazy_fault(struct ept *ept, const struct ept_cpu *cpu, uint64_t gpa)
{
	uint64_t table = ept->root, bits;
	bool came_back = false;

	for (unsigned level = EPT_ROOT_LEVEL; level > 1; level--) {
		uint64_t *entry = &table_entries(ept, table)[level_index(gpa, level)];

		table = *entry & EPT_ADDRESS;
		if (!table) return false;
		if (entry_present(*entry)) continue;
		came_back = true;
		if (*entry & EPT_LARGE) {
			ept_leaf_type(ept, cpu, EPT_SLOT_RAM, gpa, level, &bits, NULL);
			entry_store(entry, (*entry & ~TYPE_BITS) | bits | EPT_RWX);
			return true;
		}
		if (level > 2)
			take_away(table_entries(ept, table));
		else
			give_types(ept, cpu, table_entries(ept, table), ALIGN_DOWN(gpa, level_size(2)));
		entry_store(entry, *entry | EPT_RWX);
	}
	return came_back;
}
