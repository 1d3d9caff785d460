// SPDX-License-Identifier: MIT
/*
 * Why an address has the memory type it has. Each reason is found by a question to the code that
 * decides: would the answer be another if this range were off, if the count were 0, if the slot
 * were aligned? So this file has no rule of its own that could differ from theirs. That takes time,
 * but a person waits for it and no guest. In words: explain_print.c.
 */
#include "ept/explain.h"

#include "ept/table.h"

/* The entries on the way down, under the lock. */
static void read_entries(const struct ept *ept, struct ept_explanation *why)
{
	uint64_t table = ept->root, entry;

	why->lowest = EPT_ROOT_LEVEL + 1;
	if (why->gpa >> EPT_GPA_BITS) return;
	do {
		unsigned level = --why->lowest;

		entry = entry_load(&table_entries(ept, table)[level_index(why->gpa, level)]);
		why->entry[level] = entry;
		if (entry_is_leaf(entry, level)) why->level = level;
		table = entry & EPT_ADDRESS;
	} while (entry_present(entry) && !why->level);
}

/* Where a mask is contiguous, its lowest bit is the size; a mask of 0 holds all (SDM 3A 12.11.2.3). */
struct ept_mtrr_range mtrr_range(const struct mtrr *mtrr, unsigned n)
{
	uint64_t mask = ALIGN_DOWN(mtrr->mask[n], PAGE_SIZE);
	uint64_t size = mask ? mask & -mask : BIT(mtrr->address_width);
	bool contiguous = mask + size == 1ULL << mtrr->address_width;

	return (struct ept_mtrr_range){.type = (enum memtype)(mtrr->base[n] & PHYSBASE_TYPE),
				       .start = ALIGN_DOWN(mtrr->base[n], PAGE_SIZE) & mask,
				       .size = contiguous ? size : 0};
}

static void read_ranges(const struct mtrr *mtrr, uint64_t page, struct ept_mtrr_reason *reason)
{
	reason->winner = MTRR_VARIABLE_COUNT;
	for (unsigned n = 0; n < MTRR_VARIABLE_COUNT; n++) {
		reason->range[n] = mtrr_range(mtrr, n);
		if (!(mtrr->valid & 1U << n) || !mtrr_range_holds(mtrr, n, page)) continue;
		reason->holders |= 1U << n;
		if (reason->range[n].type == reason->type) reason->winner = MIN(reason->winner, n);
	}
}

static void explain_mtrr(const struct mtrr *mtrr, uint64_t page, struct ept_mtrr_reason *reason)
{
	bool uniform;

	reason->type = mtrr_type(mtrr, page, PAGE_SIZE, &uniform);
	reason->default_type = (enum memtype)(mtrr->def_type & DEF_TYPE_TYPE);
	if (!(mtrr->def_type & DEF_TYPE_E)) {
		reason->by = EPT_MTRR_OFF;
		return;
	}
	if (mtrr_is_fixed(mtrr, page)) {
		reason->by = EPT_MTRR_FIXED;
		reason->size = 1ULL << mtrr_fixed_shift(page);
		reason->start = ALIGN_DOWN(page, reason->size);
		return;
	}
	read_ranges(mtrr, page, reason);
	reason->by = !reason->holders                        ? EPT_MTRR_DEFAULT
		     : reason->winner == MTRR_VARIABLE_COUNT ? EPT_MTRR_UNDEFINED
							     : EPT_MTRR_VARIABLE;
}

/* Whose word changes the bits? The policy's table is asked with one argument changed. */
static enum ept_decided_by decided_by(const struct ept_explanation *why)
{
	bool mmio = why->slot.kind == EPT_SLOT_HOST_MMIO, noncoherent = why->count != 0;
	uint64_t bits = memtype_leaf_bits(why->policy, mmio, noncoherent, why->cd, MEMTYPE_WB);

	if (mmio) return EPT_BY_HOST_MMIO;
	if (bits != memtype_leaf_bits(why->policy, mmio, noncoherent, why->cd, MEMTYPE_UC)) return EPT_BY_MTRR;
	if (bits != memtype_leaf_bits(why->policy, mmio, noncoherent, !why->cd, MEMTYPE_WB)) return EPT_BY_CD;
	return bits & EPT_IGNORE_PAT ? EPT_BY_COUNT : EPT_BY_POLICY;
}

/* The level that a fault would be given in this EPT; the slot is known to be there. */
static unsigned level_in(const struct ept *ept, const struct ept_cpu *cpu, uint64_t gpa)
{
	struct ept_fill fill = {0};

	(void)ept_fault_begin(ept, cpu, gpa, false, &fill);
	return fill.level;
}

/* What keeps a leaf of 'level' from being larger, in a copy of the EPT that is ours to change. */
static enum ept_limit find_limit(struct ept *copy, const struct ept_cpu *cpu, uint64_t gpa, unsigned slot,
				 unsigned level)
{
	if (level == EPT_LEAF_LEVEL_MAX) return EPT_LIMIT_NONE;
	copy->noncoherent = 0; /* now all memory has one type */
	if (level_in(copy, cpu, gpa) > level) return EPT_LIMIT_TYPE;
	if (copy->slot[slot].kind == EPT_SLOT_RAM_TWICE) return EPT_LIMIT_COPIES;
	copy->caps.large_2m = copy->caps.large_1g = true;
	if (level_in(copy, cpu, gpa) > level) return EPT_LIMIT_CPU;
	copy->slot[slot].hpa = copy->slot[slot].gpa;
	return level_in(copy, cpu, gpa) > level ? EPT_LIMIT_ALIGNMENT : EPT_LIMIT_EDGE;
}

/*
 * The level at which the leaf stands, or would: that of the rule, or the first below it that no
 * live table takes.
 */
static unsigned standing_level(const struct ept *ept, const struct ept_explanation *why, unsigned level)
{
	if (why->level) return MIN(level, why->level);
	while (level > why->lowest && counts_live(*table_counts(ept, why->entry[level] & EPT_ADDRESS))) level--;
	return level;
}

/* What made the leaf in place differ? The policy's table is asked again with one argument changed. */
static enum ept_stale stale_by(const struct ept_explanation *why, const struct ept_cpu *cpu, uint64_t page)
{
	bool mmio = why->slot.kind == EPT_SLOT_HOST_MMIO, noncoherent = why->count != 0, uniform;
	uint64_t types = EPT_TYPE | EPT_IGNORE_PAT, leaf = why->entry[why->level] & types;
	enum memtype mtrr = mtrr_type(cpu->mtrr, page, PAGE_SIZE, &uniform);

	if (!why->level || leaf == (why->bits & types)) return EPT_NOT_STALE;
	if (leaf == (memtype_leaf_bits(why->policy, mmio, !noncoherent, why->cd, mtrr) & types)) return EPT_STALE_COUNT;
	if (leaf == (memtype_leaf_bits(why->policy, mmio, noncoherent, !why->cd, mtrr) & types)) return EPT_STALE_CD;
	return EPT_STALE_OTHER;
}

static void explain_leaf(const struct ept *ept, const struct ept_cpu *cpu, struct ept_explanation *why)
{
	struct ept copy = *ept;
	struct ept_fill fill;

	/* The level by the rule, not by the small leaf that went in beside it. */
	copy.last_generation = copy.generation + 1;
	if (ept_fault_begin(&copy, cpu, why->gpa, false, &fill)) return;
	why->has_slot = true;
	why->slot_number = fill.slot;
	why->slot = ept->slot[fill.slot];
	why->decided_by = decided_by(why);
	if (why->decided_by == EPT_BY_MTRR) explain_mtrr(cpu->mtrr, fill.gpa, &why->mtrr);
	why->bits = fill.bits;
	why->stale = stale_by(why, cpu, fill.gpa);
	why->fill_level = standing_level(ept, why, fill.level);
	why->limit = why->fill_level < fill.level ? EPT_LIMIT_TABLE
						  : find_limit(&copy, cpu, why->gpa, fill.slot, fill.level);
}

static void explain_access(struct ept_explanation *why)
{
	why->pat_type =
		why->pat.index == EPT_NO_PAGING ? MEMTYPE_WB : (enum memtype)(why->pat.value >> 8 * why->pat.index & 7);
	why->effective = memtype_effective(why->bits, why->pat_type, false);
	why->in_place = memtype_effective(why->entry[why->level], why->pat_type, false);
}

void ept_explain(const struct ept *ept, const struct ept_cpu *cpu, const struct ept_pat *pat, uint64_t gpa,
		 struct ept_explanation *why)
{
	*why = (struct ept_explanation){.gpa = gpa, .policy = ept->policy, .cd = cpu->cd, .pat = *pat};
	ept_lock(ept);
	why->count = ept->noncoherent;
	read_entries(ept, why);
	explain_leaf(ept, cpu, why);
	ept_unlock(ept);
	explain_access(why);
}
