// SPDX-License-Identifier: MIT
/*
 * Table pages: taking one, freeing a tree of them, and looking up what maps an address. What one
 * entry means is in table.h. Nothing here changes an entry.
 */
#include "ept/table.h"

uint64_t table_new(struct ept *ept)
{
	uint64_t table = ept->host.alloc_table(ept->host.ctx);

	if (table) {
		*table_counts(ept, table) = 0;
		__atomic_fetch_add(&ept->stats.tables, 1, __ATOMIC_RELAXED);
	}
	return table;
}

void table_free(struct ept *ept, uint64_t table)
{
	if (table == ept->last_table) ept->last_table = 0;
	ept->host.free_table(ept->host.ctx, table);
	__atomic_fetch_sub(&ept->stats.tables, 1, __ATOMIC_RELAXED);
}

/* At most four deep, and below level 1 there is nothing. */
void table_free_tree(struct ept *ept, uint64_t table, unsigned level)
{
	unsigned left = (unsigned)FIELD(*table_counts(ept, table), INFO_TABLES);
	const uint64_t *entries = table_entries(ept, table);

	for (unsigned i = 0; left && i < EPT_ENTRIES; i++) {
		uint64_t entry = entry_load(&entries[i]);

		if (entry_is_table(entry)) {
			table_free_tree(ept, entry & EPT_ADDRESS, level - 1);
			left--;
		}
	}
	table_free(ept, table);
}

/*
 * Chained through the first entry: an address with clear permission bits is not present, so a CPU
 * that still walks there finds nothing. What else the table holds is of no use any more.
 */
void table_chain(struct ept *ept, uint64_t table, uint64_t *chain)
{
	*table_counts(ept, table) = 0;
	entry_store(table_entries(ept, table), *chain);
	*chain = table;
}

void table_free_chain(struct ept *ept, uint64_t chain)
{
	while (chain) {
		uint64_t next = entry_load(table_entries(ept, chain));

		table_free(ept, chain);
		chain = next;
	}
}

uint64_t *ept_descend(const struct ept *ept, uint64_t gpa, unsigned *level)
{
	uint64_t table = ept->root;

	for (*level = EPT_ROOT_LEVEL;; --*level) {
		uint64_t *entry = &table_entries(ept, table)[level_index(gpa, *level)];

		if (*level == 1 || !entry_is_table(entry_load(entry))) return entry;
		table = entry_load(entry) & EPT_ADDRESS;
	}
}

uint64_t *ept_find_leaf(const struct ept *ept, uint64_t gpa, unsigned *level)
{
	uint64_t *entry = ept_descend(ept, gpa, level);

	if (entry_present(entry_load(entry))) return entry;
	*level = 0;
	return NULL;
}

uint64_t ept_walk(const struct ept *ept, uint64_t gpa, unsigned *level)
{
	const uint64_t *leaf;
	uint64_t entry;

	*level = 0;
	if (gpa >> EPT_GPA_BITS) return 0;
	ept_lock(ept);
	leaf = ept_find_leaf(ept, gpa, level);
	entry = leaf ? entry_load(leaf) : 0;
	ept_unlock(ept);
	return entry;
}
