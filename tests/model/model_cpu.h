/* SPDX-License-Identifier: MIT */
/*
 * A CPU that does with an EPT what the SDM allows a CPU to do, at its worst: it keeps every
 * translation and every table address it has seen until it is told to forget (INVEPT), and on an
 * EPT violation forgets only what it used for that address (SDM 3C 29.4.2, 29.4.3.1). Where A/D
 * is on it sets accessed flags in all it walks through and dirty flags in leaves (SDM 3C 29.3.5):
 * in all of them, or, where it counts what is dirty, for writes only.
 */
#pragma once

#include "tests/ept_world.h"

#define MODEL_LEAVES 24
#define MODEL_TABLES 24

struct model_cpu {
	struct mtrr mtrr;
	bool cd;
	bool accessed_dirty; /* what bit 6 of the EPTP says */
	bool exact;          /* a leaf gets its dirty flag by a write, and by nothing else */
	bool writes;         /* the access at hand is a write */
	bool walked;         /* the last translation came from the tables */
	uint64_t time;       /* set by who wants to know: */
	uint64_t since;      /* when what the last translation used was read */
	/* Guest-physical translations, and the paging-structure caches: 'level' of what is found.
	 */
	struct model_cached {
		uint64_t gpa;   /* of the first byte covered */
		uint64_t value; /* the leaf entry, or the address of the table */
		unsigned level; /* of the leaf, or of the table; 0: empty */
		uint64_t time;  /* when it was read */
	} leaf[MODEL_LEAVES], table[MODEL_TABLES];
	unsigned next_leaf, next_table;
	struct ept_fill fill; /* a fault that has begun */
	bool filling;
};

/* INVEPT, single context: everything is forgotten. */
void model_invept(struct model_cpu *cpu);
/* What an EPT violation at gpa invalidates, on this CPU only. */
void model_violation(struct model_cpu *cpu, uint64_t gpa);

/*
 * Translate gpa, from what is cached or by a walk of the tables in 'world' that fills the caches.
 * The leaf entry and its level, or 0 for an EPT violation. A walk that steps into a page that is
 * no table (any more) sets *broken.
 */
uint64_t model_translate(struct model_cpu *cpu, struct ept_world *world, uint64_t root, uint64_t gpa, unsigned *level,
			 const char **broken);
