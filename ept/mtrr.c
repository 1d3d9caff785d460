// SPDX-License-Identifier: MIT
/*
 * A guest CPU's memory type range registers: RDMSR and WRMSR of them, the type they give a range,
 * and which addresses a write gives another type. It looks at no EPT entry.
 *
 * Everything about addresses rests on one question, which mtrr_type_at() answers: which type has
 * this page, and up to which address can the type not change? A range is uniform if a walk through
 * it, from answer to answer, never finds another type. A write changes the addresses on which two
 * such walks disagree, one through the registers before it and one through those after it.
 */
#include "ept/mtrr.h"

#include "lib/errno.h"
#include "lib/string.h"
#include "lib/x86.h"

/* SDM 3A 12.11.1 to 12.11.2.3. */
#define MTRRCAP_VCNT BITS(7, 0)
#define MTRRCAP_FIX  BIT(8)
#define MTRRCAP_WC   BIT(10)

#define ADDRESS_BITS 52 /* no physical address is wider (SDM 3A 4.1.4) */

/*
 * With contiguous masks a walk has at most 88 fixed steps and two per variable range. Masks with
 * holes (the SDM discourages them, 12.11.2.3) can have as many pieces as there are pages: a walk
 * gives up after this many steps and answers on the safe side.
 */
#define STEPS_MAX 128

void mtrr_reset(struct mtrr *mtrr, unsigned address_width)
{
	memset(mtrr, 0, sizeof(*mtrr));
	mtrr->address_width = address_width;
	for (unsigned n = 0; n < MTRR_VARIABLE_COUNT; n++) mtrr_prepare(mtrr, n);
}

void mtrr_prepare(struct mtrr *mtrr, unsigned n)
{
	uint64_t mask = ALIGN_DOWN(mtrr->mask[n], PAGE_SIZE) | (~0ULL << mtrr->address_width);
	unsigned others = mtrr->valid & ~(1U << n);

	mtrr->match[n] = (struct mtrr_match){.base = mtrr->base[n] & mask, .mask = mask};
	mtrr->valid = others | (mtrr->mask[n] & PHYSMASK_V ? 1U << n : 0);
}

static bool is_variable(uint32_t msr) { return msr - MSR_IA32_MTRR_PHYSBASE0 < 2 * MTRR_VARIABLE_COUNT; }

/* Which of fixed[] this MSR is, or -1. */
static int fixed_index(uint32_t msr)
{
	if (msr == MSR_IA32_MTRR_FIX64K_00000) return 0;
	if (msr == MSR_IA32_MTRR_FIX16K_80000 || msr == MSR_IA32_MTRR_FIX16K_A0000)
		return (int)(1 + msr - MSR_IA32_MTRR_FIX16K_80000);
	if (msr >= MSR_IA32_MTRR_FIX4K_C0000 && msr <= MSR_IA32_MTRR_FIX4K_F8000)
		return (int)(3 + msr - MSR_IA32_MTRR_FIX4K_C0000);
	return -1;
}

/* The word behind a writable MTRR, or NULL. */
static uint64_t *find_register(struct mtrr *mtrr, uint32_t msr)
{
	unsigned n = (msr - MSR_IA32_MTRR_PHYSBASE0) / 2;

	if (is_variable(msr)) return msr & 1 ? &mtrr->mask[n] : &mtrr->base[n];
	if (fixed_index(msr) >= 0) return &mtrr->fixed[fixed_index(msr)];
	return msr == MSR_IA32_MTRR_DEF_TYPE ? &mtrr->def_type : NULL;
}

bool mtrr_has(uint32_t msr)
{
	return msr == MSR_IA32_MTRRCAP || msr == MSR_IA32_MTRR_DEF_TYPE || is_variable(msr) || fixed_index(msr) >= 0;
}

int mtrr_read(const struct mtrr *mtrr, uint32_t msr, uint64_t *value)
{
	if (!mtrr_has(msr)) return -EINVAL;
	if (msr == MSR_IA32_MTRRCAP)
		*value = TO_FIELD(MTRR_VARIABLE_COUNT, MTRRCAP_VCNT) | MTRRCAP_FIX | MTRRCAP_WC;
	else
		*value = *find_register((struct mtrr *)mtrr, msr);
	return 0;
}

/* All eight bytes at once: no bit above 2, and with bit 1 set (2, 3, 6, 7) bit 2 set and bit 0 clear (6). */
bool mtrr_types_valid(uint64_t types)
{
	uint64_t ones = 0x0101010101010101;
	uint64_t bit0 = types & ones, bit1 = (types >> 1) & ones, bit2 = (types >> 2) & ones;

	return !(types & ~(7 * ones)) && !(bit1 & (~bit2 | bit0));
}

bool pat_valid(uint64_t pat)
{
	uint64_t uc_minus = pat & pat >> 1 & pat >> 2 & 0x0101010101010101;

	return mtrr_types_valid(pat & ~(uc_minus * MEMTYPE_UC_MINUS));
}

/* Would WRMSR of this value be taken? Elsewhere it raises #GP(0). */
static bool value_valid(const struct mtrr *mtrr, uint32_t msr, uint64_t value)
{
	uint64_t address = BITS(mtrr->address_width - 1, 12);

	if (msr == MSR_IA32_MTRR_DEF_TYPE)
		return mtrr_types_valid(value & DEF_TYPE_TYPE) &&
		       !(value & ~(DEF_TYPE_TYPE | DEF_TYPE_FE | DEF_TYPE_E));
	if (fixed_index(msr) >= 0) return mtrr_types_valid(value);
	if (msr & 1) return !(value & ~(address | PHYSMASK_V));
	return mtrr_types_valid(value & PHYSBASE_TYPE) && !(value & ~(address | PHYSBASE_TYPE));
}

/* The type of a page below 1 MiB; *next: the end of its sub-range (SDM 3A table 12-9). */
static enum memtype fixed_type(const struct mtrr *mtrr, uint64_t gpa, uint64_t *next)
{
	unsigned shift = mtrr_fixed_shift(gpa);
	uint64_t start = gpa < 0x80000 ? 0 : gpa < 0xc0000 ? 0x80000 : 0xc0000;
	unsigned first = gpa < 0x80000 ? 0 : gpa < 0xc0000 ? 1 : 3;
	unsigned n = (unsigned)((gpa - start) >> shift);

	if (next) *next = ALIGN_DOWN(gpa, 1ULL << shift) + (1ULL << shift);
	return (enum memtype)((mtrr->fixed[first + n / 8] >> (8 * (n % 8))) & 0xff);
}

/* Do the bits above the lowest one of the mask all count? (SDM 3A 12.11.2.3) */
static bool is_contiguous(uint64_t mask) { return (~mask & (~mask + 1)) == 0; }

/*
 * Around gpa, the aligned block in which a range gives one answer: where it matches, its smallest
 * piece (with a contiguous mask that is all of it); elsewhere the block over which the highest bit
 * that differs stays.
 */
static uint64_t block_size(uint64_t gpa, uint64_t base, uint64_t mask)
{
	uint64_t differs = (gpa ^ base) & mask;

	return differs ? BIT(63 - __builtin_clzll(differs)) : mask & -mask;
}

/*
 * Does variable range n hold this page? *next (unless NULL: nobody asks) is lowered to where the
 * answer may change. An address beyond the guest's width is in no range.
 */
static inline bool variable_match(const struct mtrr *mtrr, unsigned n, uint64_t gpa, uint64_t *next)
{
	uint64_t mask = mtrr->match[n].mask, base = mtrr->match[n].base;
	uint64_t size = block_size(gpa, base, mask);
	bool match = mtrr_range_holds(mtrr, n, gpa);

	if (!next) return match;
	if (match || !is_contiguous(mask))
		*next = MIN(*next, ALIGN_DOWN(gpa, size) + size);
	else if (gpa < base)
		*next = MIN(*next, base);
	return match;
}

/* The other way: where, at or below gpa, the answer may have changed last. */
static uint64_t variable_border_below(const struct mtrr *mtrr, unsigned n, uint64_t gpa)
{
	uint64_t mask = mtrr->match[n].mask, base = mtrr->match[n].base;

	if (mtrr_range_holds(mtrr, n, gpa) || !is_contiguous(mask)) return ALIGN_DOWN(gpa, block_size(gpa, base, mask));
	return gpa < base ? 0 : base + (mask & -mask);
}

/*
 * Overlapping variable ranges (SDM 3A 12.11.4.1): equal types stand, UC wins, WT wins over WB;
 * everything else is undefined there and UC here. The index has bit t set for each type t.
 */
static const uint8_t combined[1 << MEMTYPES] = {
	[1 << MEMTYPE_WC] = MEMTYPE_WC,
	[1 << MEMTYPE_WP] = MEMTYPE_WP,
	[1 << MEMTYPE_WB] = MEMTYPE_WB,
	[1 << MEMTYPE_WT] = MEMTYPE_WT,
	[1 << MEMTYPE_WT | 1 << MEMTYPE_WB] = MEMTYPE_WT,
};

static inline enum memtype variable_type(const struct mtrr *mtrr, uint64_t gpa, uint64_t *next)
{
	unsigned seen = 0;

	for (unsigned left = mtrr->valid; left; left &= left - 1) {
		unsigned n = (unsigned)__builtin_ctz(left);

		if (variable_match(mtrr, n, gpa, next)) seen |= 1U << (mtrr->base[n] & 7);
	}
	if (!seen) return (enum memtype)(mtrr->def_type & DEF_TYPE_TYPE);
	return (enum memtype)combined[seen];
}

enum memtype mtrr_type_at(const struct mtrr *mtrr, uint64_t gpa, uint64_t *next)
{
	if (next) *next = ~0ULL;
	if (!(mtrr->def_type & DEF_TYPE_E)) return MEMTYPE_UC;
	if (mtrr_is_fixed(mtrr, gpa)) return fixed_type(mtrr, gpa, next);
	return next ? variable_type(mtrr, gpa, next) : variable_type(mtrr, gpa, NULL);
}

/* Set 'bit' of each page that range n holds: those whose number agrees with base where mask is 1.
 */
static void mark_pages(const struct mtrr_match *range, unsigned pages, uint8_t bit, uint8_t *seen)
{
	unsigned mask = (unsigned)(range->mask / PAGE_SIZE) % pages;
	unsigned base = (unsigned)(range->base / PAGE_SIZE) % pages, others = 0;

	do {
		seen[base | others] |= bit;
		others = ((others | mask) + 1) & ~mask & (pages - 1); /* count in the other bits */
	} while (others);
}

bool mtrr_page_types(const struct mtrr *mtrr, uint64_t gpa, unsigned pages, uint8_t *types)
{
	uint64_t above = ~(pages * PAGE_SIZE - 1);

	if (!(mtrr->def_type & DEF_TYPE_E) || mtrr_is_fixed(mtrr, gpa)) return false;
	memset(types, 0, pages);
	for (unsigned left = mtrr->valid; left; left &= left - 1) {
		unsigned n = (unsigned)__builtin_ctz(left);

		if (!((gpa ^ mtrr->match[n].base) & mtrr->match[n].mask & above))
			mark_pages(&mtrr->match[n], pages, (uint8_t)(1U << (mtrr->base[n] & 7)), types);
	}
	for (unsigned i = 0; i < pages; i++)
		types[i] = (uint8_t)(types[i] ? combined[types[i]] : mtrr->def_type & DEF_TYPE_TYPE);
	return true;
}

uint64_t mtrr_border_below(const struct mtrr *mtrr, uint64_t gpa)
{
	uint64_t border = 0;

	if (!(mtrr->def_type & DEF_TYPE_E)) return 0;
	if (mtrr_is_fixed(mtrr, gpa)) return ALIGN_DOWN(gpa, 1ULL << mtrr_fixed_shift(gpa));
	if (mtrr->def_type & DEF_TYPE_FE) border = FIXED_END;
	for (unsigned left = mtrr->valid; left; left &= left - 1)
		border = MAX(border, variable_border_below(mtrr, (unsigned)__builtin_ctz(left), gpa));
	return border;
}

enum memtype mtrr_type(const struct mtrr *mtrr, uint64_t gpa, uint64_t size, bool *uniform)
{
	uint64_t next = ~0ULL, end = gpa + size;
	enum memtype type = mtrr_type_at(mtrr, gpa, size > PAGE_SIZE ? &next : NULL);

	for (unsigned steps = 0; next < end; steps++) {
		if (steps == STEPS_MAX || mtrr_type_at(mtrr, next, &next) != type) {
			*uniform = false;
			return type;
		}
	}
	*uniform = true;
	return type;
}

/* Append [start, end): to the last range where they touch, or where there is no room. */
static unsigned add_change(struct ept_range changed[MTRR_CHANGE_MAX], unsigned count, uint64_t start, uint64_t end)
{
	struct ept_range *last = count ? &changed[count - 1] : NULL;

	if (last && (last->start + last->size >= start || count == MTRR_CHANGE_MAX)) {
		last->size = end - last->start;
		return count;
	}
	changed[count] = (struct ept_range){start, end - start};
	return count + 1;
}

/* Both take the types below 1 MiB from the fixed registers. */
static bool both_fixed(const struct mtrr *old, const struct mtrr *new)
{
	uint64_t both = old->def_type & new->def_type;

	return (both & DEF_TYPE_E) && (both & DEF_TYPE_FE);
}

/*
 * Where two states with the same fixed registers give different types: exact, but that all below
 * 1 MiB counts as one range, and that the last range takes in what is left when there are more
 * than MTRR_CHANGE_MAX or a mask with holes makes too many steps.
 */
static unsigned diff(const struct mtrr *old, const struct mtrr *new, struct ept_range changed[MTRR_CHANGE_MAX])
{
	uint64_t space = 1ULL << ADDRESS_BITS, next_old, next_new, next;
	unsigned count = 0, steps = 0;

	for (uint64_t gpa = both_fixed(old, new) ? FIXED_END : 0; gpa < space; gpa = next) {
		if (steps++ == 2 * STEPS_MAX) return add_change(changed, count, gpa, space);
		bool same = mtrr_type_at(old, gpa, &next_old) == mtrr_type_at(new, gpa, &next_new);

		next = MIN(MIN(next_old, next_new), space);
		if (same) continue;
		if (gpa < FIXED_END) {
			gpa = 0;
			next = MAX(next, FIXED_END);
		}
		count = add_change(changed, count, gpa, next);
	}
	return count;
}

int mtrr_write(struct mtrr *mtrr, uint32_t msr, uint64_t value, struct ept_range changed[MTRR_CHANGE_MAX],
	       unsigned *count)
{
	uint64_t *reg = find_register(mtrr, msr);
	uint64_t before;

	*count = 0;
	if (!reg || !value_valid(mtrr, msr, value)) return -EINVAL;
	before = *reg;
	*reg = value;
	if (before == value) return 0;
	if (is_variable(msr)) mtrr_prepare(mtrr, (msr - MSR_IA32_MTRR_PHYSBASE0) / 2);
	if (!changed) return 0;
	if (fixed_index(msr) >= 0) {
		if (both_fixed(mtrr, mtrr)) *count = add_change(changed, 0, 0, FIXED_END);
	} else {
		struct mtrr old = *mtrr;

		*find_register(&old, msr) = before;
		if (is_variable(msr)) mtrr_prepare(&old, (msr - MSR_IA32_MTRR_PHYSBASE0) / 2);
		*count = diff(&old, mtrr, changed);
	}
	return 0;
}
