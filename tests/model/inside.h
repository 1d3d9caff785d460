/* SPDX-License-Identifier: MIT */
/*
 * What the files of the model share and nobody else includes: the state of a run, and the bytes of
 * memory (bytes.c) for the interpreter of operations (model.c).
 */
#pragma once

#include "tests/model/caches.h"
#include "tests/model/model.h"
#include "tests/model/model_cpu.h"

/* What can be plugged in. */
#define CANDIDATES 14
extern const struct ept_slot candidates[CANDIDATES];

struct model {
	const struct model_config *config;
	struct model_result *result;
	struct ept_world world;
	struct ept ept;
	struct model_cpu cpu[MODEL_CPUS];
	bool present[CANDIDATES]; /* the reference's slots */
	unsigned noncoherent;
	/* With two copies of each page: */
	struct caches caches;
	uint8_t *flags[CANDIDATES];
	uint64_t value;     /* the last that was written: each write has its own */
	bool in_write_back; /* of this range: */
	uint64_t write_back, write_back_size;
};

/* Where the second copy of all RAM lies. */
#define TWICE (1ULL << 44)

static inline bool is_twice(const struct model *m, const struct ept_slot *slot)
{
	return m->config->twice && slot && slot->kind == EPT_SLOT_RAM;
}

static inline bool is_write_back(uint64_t entry) { return (entry & EPT_TYPE) == MEMTYPE_WB << 3; }

/* model.c */
void require(struct model *m, bool holds, const char *rule);
const struct ept_slot *reference_slot(const struct model *m, uint64_t gpa);
/* What an access by the CPU, or in its place, has to return. */
int expected_error(const struct model *m, uint64_t gpa, bool write);
/* All that must be right of an entry by which a CPU reaches the page at gpa. */
void check_use(struct model *m, uint64_t gpa, uint64_t entry, unsigned level);
struct ept_cpu as_ept_cpu(const struct model_cpu *cpu);

/* bytes.c: the number that a page holds, reached by this entry, is the reference's or becomes it.
 */
void use_page(struct model *m, uint64_t gpa, uint64_t entry, bool write);
/* model_translate(), and a walk that ends in a WB leaf caches the page. */
uint64_t translate(struct model *m, struct model_cpu *cpu, uint64_t gpa, bool write, unsigned *level);
/* There was a leaf, or none; if one has come since, and its type is not WB, the cache let go. */
void note_leaves(struct model *m);
/* Until its own INVEPT a CPU writes on where the leaf was dirty when it saw it. */
void write_through_stale(struct model *m, struct model_cpu *cpu);
/* ept_host.copy_page. */
void copy_page(void *ctx, uint64_t to, uint64_t from);
void emulated_access(struct model *m, struct model_cpu *cpu, uint64_t gpa, bool write);
void dma(struct model *m, uint64_t gpa, bool write, bool around);
void write_back(struct model *m, uint64_t gpa, uint64_t size);
/* What the cache had of a slot that was removed is lost. */
void forget_lines(struct model *m, unsigned n);
/* Both copies of each page that was ever touched are as the reference has them. */
void check_lines(struct model *m);
