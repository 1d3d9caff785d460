/* SPDX-License-Identifier: MIT */
/*
 * All trees of a small EPT, one by one. ept/ is compiled with few entries per table and few levels,
 * and a number names a tree: what each entry holds (nothing, a leaf, a table), all the way down.
 * Beside the tree stands what it maps, written down while it is built; ept/'s own counts and walk
 * have no part in that.
 */
#pragma once

/* tests/prove.mk chooses the geometry; this one, so that the header compiles alone. */
#ifndef EPT_INDEX_BITS
#define EPT_INDEX_BITS 1
#define EPT_ROOT_LEVEL 3
#endif

#include "tests/ept_world.h"

#include "ept/table.h"

#define LEAF_LEVELS  3
#define SPACE_PAGES  (1U << (EPT_INDEX_BITS * EPT_ROOT_LEVEL))
#define SPACE_SIZE   ((uint64_t)SPACE_PAGES * PAGE_SIZE)
#define HOST_RAM     GiB
#define TREE_TABLES  64
#define TABLES_OF_L1 (SPACE_PAGES / EPT_ENTRIES)

/* What is mapped, page by page, and which tables there are. */
struct tree_map {
	uint64_t leaf[SPACE_PAGES]; /* the entry that maps the page, or 0 */
	unsigned level[SPACE_PAGES];
	bool table[EPT_ROOT_LEVEL + 1][SPACE_PAGES]; /* by level, at the first page it covers */
	uint64_t bottom[SPACE_PAGES];                /* the table of level 1 there */
	unsigned leaves, tables;
	const char *broken; /* what is wrong with the tree itself, or NULL */
};

/* Pages [first, end). */
struct tree_range {
	unsigned first, end;
};

/* How many trees there are under a table of this level. */
uint64_t tree_count(unsigned level);

/* Pages that an entry of a table of this level covers. */
static inline unsigned tree_span(unsigned level) { return 1U << EPT_INDEX_BITS * (level - 1); }

/* An EPT that holds tree 'number'; what it maps in *map. */
void tree_build(struct ept_world *w, struct ept *ept, uint64_t number, struct tree_map *map);

/* What the tree in memory maps, and whether its counts are right. */
void tree_read(struct ept_world *w, const struct ept *ept, struct tree_map *map);

/* Print tree 'number': . nothing, L a leaf, ( ) a table. */
void tree_print(uint64_t number);
