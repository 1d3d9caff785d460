// SPDX-License-Identifier: MIT
/*
 * Building, reading and printing the small trees of tests/prove/tree.h. Reading shares nothing with
 * ept/ but the layout of an entry and of the counts.
 */
#include "tests/prove/tree.h"

#include <stdio.h>

/* What an entry of a table of this level can be: nothing, a leaf, or each table below it. */
static uint64_t entry_count(unsigned level)
{
	return 1 + (level <= LEAF_LEVELS) + (level > 1 ? tree_count(level - 1) : 0);
}

uint64_t tree_count(unsigned level)
{
	uint64_t count = 1;

	for (unsigned i = 0; i < EPT_ENTRIES; i++) count *= entry_count(level);
	return count;
}

/* Take the next entry off 'number': 0 nothing, 1 a leaf, else a table, its tree in *below. */
static unsigned next_entry(uint64_t *number, unsigned level, uint64_t *below)
{
	uint64_t choice = *number % entry_count(level);
	unsigned others = 1 + (level <= LEAF_LEVELS);

	*number /= entry_count(level);
	*below = choice - others;
	return choice < others ? (unsigned)choice : 2;
}

static uint64_t leaf_entry(unsigned first, unsigned level)
{
	return (HOST_RAM + first * PAGE_SIZE) | EPT_RWX | 0x70 | (level > 1 ? EPT_LARGE : 0);
}

/* Fill a table; returns whether a leaf is somewhere below it. */
static bool build(struct ept_world *w, struct ept *ept, uint64_t table, unsigned level, unsigned first, uint64_t number,
		  struct tree_map *map)
{
	uint32_t leaves = 0, tables = 0, living = 0;

	map->table[level][first] = true;
	map->tables++;
	if (level == 1) map->bottom[first] = table;
	for (unsigned i = 0; i < EPT_ENTRIES; i++, first += tree_span(level)) {
		uint64_t below, child;
		unsigned kind = next_entry(&number, level, &below);

		if (kind == 1) {
			world_table(w, table)[i] = leaf_entry(first, level);
			leaves++;
			for (unsigned p = first; p < first + tree_span(level); p++) {
				map->leaf[p] = leaf_entry(first, level);
				map->level[p] = level;
			}
		} else if (kind == 2) {
			child = table_new(ept);
			world_table(w, table)[i] = child | EPT_RWX;
			tables++;
			living += build(w, ept, child, level - 1, first, below, map);
		}
	}
	map->leaves += leaves;
	w->info[(table - WORLD_BASE) / PAGE_SIZE].counts = leaves | tables << 10 | living << 20;
	return leaves || living;
}

/* The world as new, without asking the host for memory again. */
static void clear_world(struct ept_world *w)
{
	memset(w->used, 0, w->pages);
	w->fresh = w->freed = w->tables = w->allocs = w->fail_from = 0;
	w->flushes = w->locked = w->lock_calls = w->errors = 0;
}

void tree_build(struct ept_world *w, struct ept *ept, uint64_t number, struct tree_map *map)
{
	static const struct ept_caps caps = {.large_2m = true, .large_1g = true, .address_width = 46};

	clear_world(w);
	memset(map, 0, sizeof(*map));
	ept_init(ept, &w->host, &caps, MEMTYPE_KVM_6_7);
	build(w, ept, ept->root, EPT_ROOT_LEVEL, 0, number, map);
}

static bool read(struct ept_world *w, uint64_t table, unsigned level, unsigned first, struct tree_map *map)
{
	uint64_t page = (table - WORLD_BASE) / PAGE_SIZE;
	uint32_t leaves = 0, tables = 0, living = 0;

	if (page >= w->pages || !w->used[page]) {
		map->broken = "an entry points to a page that is no table";
		return false;
	}
	map->table[level][first] = true;
	map->tables++;
	if (level == 1) map->bottom[first] = table;
	for (unsigned i = 0; i < EPT_ENTRIES; i++, first += tree_span(level)) {
		uint64_t entry = world_table(w, table)[i];

		if (!(entry & EPT_RWX)) {
			if (entry) map->broken = "a not-present entry is not 0";
		} else if (level == 1 || (entry & EPT_LARGE)) {
			leaves++;
			for (unsigned p = first; p < first + tree_span(level); p++) {
				map->leaf[p] = entry;
				map->level[p] = level;
			}
		} else {
			tables++;
			living += read(w, entry & EPT_ADDRESS, level - 1, first, map);
		}
	}
	map->leaves += leaves;
	if (w->info[page].counts != (leaves | tables << 10 | living << 20))
		map->broken = "a table's counts do not match the tree";
	return leaves || living;
}

void tree_read(struct ept_world *w, const struct ept *ept, struct tree_map *map)
{
	memset(map, 0, sizeof(*map));
	read(w, ept->root, EPT_ROOT_LEVEL, 0, map);
}

static void print(uint64_t number, unsigned level)
{
	printf("(");
	for (unsigned i = 0; i < EPT_ENTRIES; i++) {
		uint64_t below;
		unsigned kind = next_entry(&number, level, &below);

		if (kind == 2)
			print(below, level - 1);
		else
			printf("%c", ".L"[kind]);
	}
	printf(")");
}

void tree_print(uint64_t number) { print(number, EPT_ROOT_LEVEL); }
