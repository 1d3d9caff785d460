/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's VMCALL interface as a guest sees it (docs/contract.md). Used by images
 * that look at their own EPT; elsewhere VMCALL raises #UD, see vmcall_present().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guest/lib/check.h"
#include "ept/ept.h" /* the names of a leaf's bits */
#include "lib/contract.h"

struct vmcall {
	uint64_t rax; /* in: the whole number; out: 0 or a negative errno */
	uint64_t rbx, rcx, rdx;
};

/* The bare instruction: #UD where there is no hypervisor of ours. */
static inline void vmcall(struct vmcall *call)
{
	__asm__ volatile("vmcall" : "+a"(call->rax), "+b"(call->rbx), "+c"(call->rcx), "+d"(call->rdx) : : "memory");
}

/* Does VMCALL answer with the version this header knows, or one above it? Asked once. */
bool vmcall_present(void);

/*
 * The leaf that maps the guest-physical address, its address field cleared, and its level (1 =
 * 4K, 2 = 2M, 3 = 1G); both 0 when none is present. Never faults one in.
 */
uint64_t vmcall_ept_walk(uint64_t gpa, unsigned *level);
uint64_t vmcall_counter(enum counter index);
/* What was chosen for the VM on its GRUB line: CHOSEN_ bits. */
uint64_t vmcall_chosen(void);
enum memtype_policy vmcall_policy(void);
/* Say beforehand that the image fails by design, and why, unless the VM has one of these policies. */
void vmcall_wants_policy(unsigned policies, const char *why);
/* The same where the VM has coherence=model. */
void vmcall_wants_no_model(const char *why);
/* Was this VM made with transition=retype: do transitions change leaves where they are? */
bool vmcall_retypes(void);
/* A number for the record of what happened (version 2). */
void vmcall_mark(uint64_t number);

/* A leaf as vmcall_ept_walk() gives it: "a 2M leaf, WB + ignore PAT", or "no leaf". */
struct words leaf_words(uint64_t leaf, unsigned level);
/* The memory-type bits alone: "WB + ignore PAT". */
struct words type_words(uint64_t type_bits);

/* What the leaves over a range of memory are like, page by page. */
struct leaf_survey {
	unsigned pages;     /* of 4K in the range */
	unsigned absent;    /* pages no leaf maps */
	unsigned matching;  /* pages that are as asked for */
	unsigned seen;      /* pages so far, while it runs */
	unsigned leaves[4]; /* leaves seen, by level */
	/* The first that does not match: where, and what vmcall_ept_walk() says of it. */
	uint64_t other_at, other;
	unsigned other_level;
};
/* Its pages that do not match, for a check that fails. */
struct words survey_words(const struct leaf_survey *survey);

/* The memory-type bits of a leaf: type and "ignore PAT". */
#define LEAF_TYPE_BITS  (EPT_TYPE | EPT_IGNORE_PAT)
#define LEAF_TYPE(type) TO_FIELD(type, EPT_TYPE)

/* Survey [start, start + size), 4K-aligned, for leaves with 'type_bits', or for NO_LEAF. */
#define NO_LEAF (~0UL)
struct leaf_survey vmcall_survey(uint64_t start, uint64_t size, uint64_t type_bits);
