/* SPDX-License-Identifier: MIT */
/*
 * A guest CPU's memory type range registers (SDM 3A 12.11): what RDMSR and WRMSR of them do, and
 * which type they give an address. One 'struct mtrr' per vCPU. They act only through the EPT
 * leaf (ept/memtype.h).
 */
#pragma once

#include "ept/memtype.h"
#include "lib/bits.h"

#define MTRR_VARIABLE_COUNT 8

/* Fields of the registers (SDM 3A 12.11.2). */
#define DEF_TYPE_TYPE BITS(7, 0)
#define DEF_TYPE_FE   BIT(10)
#define DEF_TYPE_E    BIT(11)
#define PHYSBASE_TYPE BITS(7, 0)
#define PHYSMASK_V    BIT(11)

#define FIXED_END 0x100000ULL /* the fixed ranges lie below 1 MiB */

struct mtrr {
	uint64_t def_type;                  /* IA32_MTRR_DEF_TYPE: type 7:0, FE 10, E 11 */
	uint64_t fixed[11];                 /* 64K_00000, 16K_80000, 16K_A0000, 4K_C0000... */
	uint64_t base[MTRR_VARIABLE_COUNT]; /* IA32_MTRR_PHYSBASEn */
	uint64_t mask[MTRR_VARIABLE_COUNT]; /* IA32_MTRR_PHYSMASKn */
	unsigned address_width;             /* guest MAXPHYADDR in bits, 32-52 */
	/*
	 * Made of base[] and mask[] by each write, so that a lookup only compares: bit n of 'valid'
	 * for each range that is on, and its page bits, the mask with all bits above the width.
	 */
	unsigned valid;
	struct mtrr_match {
		uint64_t base, mask;
	} match[MTRR_VARIABLE_COUNT];
};

/* While MTRRs are on: does a fixed range decide the type of this address? (SDM 3A 12.11.4.1) */
static inline bool mtrr_is_fixed(const struct mtrr *mtrr, uint64_t gpa)
{
	return (mtrr->def_type & DEF_TYPE_FE) && gpa < FIXED_END;
}

/* Does the page lie where variable range n reaches, were it on? (SDM 3A 12.11.3) */
static inline bool mtrr_range_holds(const struct mtrr *mtrr, unsigned n, uint64_t gpa)
{
	return !((gpa ^ mtrr->match[n].base) & mtrr->match[n].mask);
}

/* log2 of the fixed sub-range around an address below 1 MiB (SDM 3A table 12-9). */
static inline unsigned mtrr_fixed_shift(uint64_t gpa) { return gpa < 0x80000 ? 16 : gpa < 0xc0000 ? 14 : 12; }

/* [start, start + size) of guest-physical space, in bytes. */
struct ept_range {
	uint64_t start, size;
};
/* All fixed ranges count as one range, so no register changes more than this many. */
#define MTRR_CHANGE_MAX 4

/* Power-on state: E=0, everything else 0. */
void mtrr_reset(struct mtrr *mtrr, unsigned address_width);

/* Compute what is derived from base[n] and mask[n]. Needed only after they were set by hand. */
void mtrr_prepare(struct mtrr *mtrr, unsigned n);

/* Is each of the eight bytes a type? Encodings 2, 3 and above 6 are reserved in an MTRR (SDM 3A table 12-8). */
bool mtrr_types_valid(uint64_t types);
/* And for a PAT, which may have UC- as well (SDM 3A table 12-10)? */
bool pat_valid(uint64_t pat);

/* Is this MSR one of those below (MTRRCAP, DEF_TYPE, fixed, variable)? */
bool mtrr_has(uint32_t msr);

/* RDMSR. 0, or -EINVAL where hardware would raise #GP(0) (not an MTRR). */
int mtrr_read(const struct mtrr *mtrr, uint32_t msr, uint64_t *value);

/*
 * WRMSR. 0, or -EINVAL for #GP(0): not an MTRR, read-only, a reserved bit, a reserved type. On 0
 * the ranges whose type the write has changed are in changed[0..n), n returned in *count (0 when
 * none has). They are sorted, disjoint and 4K-aligned. 'changed' may be NULL for a caller who
 * has no use for them (no noncoherent DMA): then the write costs next to nothing.
 */
int mtrr_write(struct mtrr *mtrr, uint32_t msr, uint64_t value, struct ept_range changed[MTRR_CHANGE_MAX],
	       unsigned *count);

/*
 * The type of [gpa, gpa + size), both 4K-aligned. *uniform says whether all of it has that
 * type; when not, the type is that of the first page. Exact where masks are contiguous; for a
 * range in many pieces by a mask with holes it may say "not uniform" of one that is.
 */
enum memtype mtrr_type(const struct mtrr *mtrr, uint64_t gpa, uint64_t size, bool *uniform);

/*
 * The type of the page at gpa (any address in it). Where next is not NULL, *next is an address
 * above it up to which the type is the same. It may be the same beyond, too.
 */
enum memtype mtrr_type_at(const struct mtrr *mtrr, uint64_t gpa, uint64_t *next);
/*
 * The types of 'pages' pages from gpa on. Their number is a power of two, and gpa is aligned to all
 * of them. Where masks have holes this is a tenth of the work of asking for each. False, and
 * nothing written, where MTRRs are off or a fixed range decides.
 */
bool mtrr_page_types(const struct mtrr *mtrr, uint64_t gpa, unsigned pages, uint8_t *types);
/* A border at or below gpa: from there to gpa the type is the same. */
uint64_t mtrr_border_below(const struct mtrr *mtrr, uint64_t gpa);
