/* SPDX-License-Identifier: MIT */
/*
 * Why an address has the memory type it has: the entries that lead to it, and the rule applied
 * step by step. For people (the monitor, `make explain`, the page); no type is decided here. What
 * a step says is found by asking the functions that decide what they would say if one thing were
 * different, so no rule is written a second time.
 */
#pragma once

#include "ept/ept.h"

/* The guest's PAT as one access uses it. */
struct ept_pat {
	uint64_t value; /* IA32_PAT */
	unsigned index; /* 0-7: PAT, PCD and PWT of the guest's page; EPT_NO_PAGING: CR0.PG = 0 */
	bool assumed;   /* no page of the guest's was looked at for the index */
};
#define EPT_NO_PAGING 8

/* Who decided the leaf's type: the column of the policy's table (docs/memory-types.md). */
enum ept_decided_by {
	EPT_BY_HOST_MMIO, /* a device of the host: UC */
	EPT_BY_COUNT,     /* no noncoherent DMA: WB, PAT ignored */
	EPT_BY_POLICY,    /* it asks neither MTRRs nor CD: WB */
	EPT_BY_CD,        /* the guest's CR0.CD: UC, PAT ignored */
	EPT_BY_MTRR,
};

enum ept_mtrr_by {
	EPT_MTRR_OFF, /* E = 0: UC */
	EPT_MTRR_FIXED,
	EPT_MTRR_DEFAULT,   /* no variable range holds the page */
	EPT_MTRR_VARIABLE,  /* range 'winner' */
	EPT_MTRR_UNDEFINED, /* ranges of types whose mixture the SDM leaves undefined: UC here */
};

/* Which MTRR gave the page its type. */
struct ept_mtrr_reason {
	enum ept_mtrr_by by;
	enum memtype type;
	enum memtype default_type;
	uint64_t start, size; /* the fixed sub-range */
	unsigned holders;     /* bit n: variable range n holds the page */
	unsigned winner;      /* the first of them that has the type */
	/* The variable ranges, whoever holds the page; size 0 where a mask has holes. */
	struct ept_mtrr_range {
		enum memtype type;
		uint64_t start, size;
	} range[MTRR_VARIABLE_COUNT];
};

/* What keeps the leaf from being one level larger. */
enum ept_limit {
	EPT_LIMIT_NONE,      /* it is as large as leaves get */
	EPT_LIMIT_EDGE,      /* the larger one would reach beyond the slot */
	EPT_LIMIT_ALIGNMENT, /* host memory is not as aligned as guest memory */
	EPT_LIMIT_CPU,       /* the CPU has no such leaves, or they are masked off */
	EPT_LIMIT_TYPE,      /* the guest's MTRRs differ within it */
	EPT_LIMIT_COPIES,    /* the slot has two copies of each page (coherence=model) */
	EPT_LIMIT_TABLE,     /* smaller leaves stand in its place */
};

/* With what else the rule gives the type of the leaf in place: what has changed since it was installed. */
enum ept_stale {
	EPT_NOT_STALE, /* or there is no leaf */
	EPT_STALE_COUNT,
	EPT_STALE_CD,
	EPT_STALE_OTHER, /* MTRRs, or several at once; another vCPU's, or earlier ones */
};

struct ept_explanation {
	uint64_t gpa;
	/* What is there now: the entries by level, from EPT_ROOT_LEVEL down to 'lowest'. */
	uint64_t entry[EPT_ROOT_LEVEL + 1];
	unsigned lowest; /* above EPT_ROOT_LEVEL: the address has no entry at all */
	unsigned level;  /* of the leaf in place, 0: none */
	/* What a fault of this CPU would install. */
	bool has_slot; /* false: the access is the device models', and nothing below is set */
	unsigned slot_number;
	struct ept_slot slot;
	enum memtype_policy policy;
	unsigned count; /* noncoherent devices */
	bool cd;
	enum ept_decided_by decided_by;
	struct ept_mtrr_reason mtrr; /* of EPT_BY_MTRR */
	uint64_t bits;               /* permissions and memory type */
	unsigned fill_level;
	enum ept_limit limit;
	/* What an access through that leaf is; 'in_place' through the one that is there. */
	struct ept_pat pat;
	enum memtype pat_type;
	enum memtype effective, in_place;
	enum ept_stale stale; /* the leaf in place has another type than a fault would give */
};

/*
 * Explain gpa (any byte of a page) for an access of 'cpu'. Takes the lock for as long as it reads
 * tables; changes nothing.
 */
void ept_explain(const struct ept *ept, const struct ept_cpu *cpu, const struct ept_pat *pat, uint64_t gpa,
		 struct ept_explanation *why);

/* The same in words: each line, without its end, goes to line(ctx, text). */
void ept_explain_print(const struct ept_explanation *why, void (*line)(void *ctx, const char *text), void *ctx);

/* Variable range n as its registers say, whether or not it is on. */
struct ept_mtrr_range mtrr_range(const struct mtrr *mtrr, unsigned n);

/* All of a CPU's MTRRs in words, as ept_explain_print(). */
void mtrr_print(const struct mtrr *mtrr, void (*line)(void *ctx, const char *text), void *ctx);

/* Leaves side by side, of one size, permissions and type. */
struct ept_span {
	uint64_t gpa, size; /* bytes */
	unsigned level;
	uint64_t bits; /* permissions and memory type */
};

/*
 * The first such run of leaves at or behind gpa, whole where gpa lies before it. False: there is
 * none. Takes the lock for as long as it looks.
 */
bool ept_next_span(const struct ept *ept, uint64_t gpa, struct ept_span *span);
