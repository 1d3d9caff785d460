/* SPDX-License-Identifier: MIT */
/*
 * For each rule of the VM-entry checker, changes to a good VMCS (entry_worlds.h) that break it.
 */
#pragma once

#include "hv/check/rules.h"
#include "tests/lib/entry_worlds.h"

#define NON_CANONICAL 0x0000800000000000ULL

/*
 * In the good VMCS, set each of the broken rule's fields in turn to (value & ~clear) | or, or where
 * 'changes' is not 0, make those changes to the fields they name.
 */
struct mutation {
	const char *rule; /* words that are in one rule's text only */
	enum world_name good;
	uint64_t clear, set_bits;
	unsigned changes;
	struct {
		uint32_t field;
		uint64_t clear, set_bits;
	} change[3];
	const char *also; /* words of the one other rule that is broken with it */
};
extern const struct mutation mutations[];
extern const unsigned mutation_count;

/* 'm' made to the good VMCS in 'w', at this field of the rule it breaks. */
void world_mutate(struct vmcs_world *w, const struct mutation *m, uint32_t field);

/* Every rule of every table, in turn, but for the rows that begin a section; null after the last. */
const struct entry_rule *rule_at(unsigned index);
bool text_begins(const char *text, const char *with);
/* 'words' stand in 'text', from the beginning of a word. */
bool has_words(const char *text, const char *words);
