// SPDX-License-Identifier: MIT
/*
 * An explanation (explain.c) in words: the entries from the root down, the slot, whether the leaf
 * in place is stale, and the rule in one line. It only reads the explanation.
 */
#include "ept/explain.h"
#include "ept/table.h"
#include "lib/format.h"

/* No CPU has leaves of 512G: such an entry is a misconfiguration, and named so. */
static const char *const level_spans[] = {"", "4 KiB", "2 MiB", "1 GiB"};

/* 0x2240000+256K: the start and the size, at least a page, in the largest unit that divides it. */
static void add_range(struct lines *to, uint64_t start, uint64_t size)
{
	static const char units[] = "KMGTP";
	unsigned unit = 0;

	for (size >>= 10; IS_ALIGNED(size, KiB); size >>= 10) unit++;
	lines_add(to, "0x%lx+%lu%c", start, size, units[unit]);
}

static void add_entry(struct lines *to, uint64_t entry, unsigned level)
{
	uint64_t address = entry & EPT_ADDRESS;

	lines_add(to, "level %u: 0x%lx: ", level, entry);
	if (!entry_present(entry)) {
		lines_add(to, "not present");
		return;
	}
	lines_add(to, "%s at 0x%lx, %c%c%c%s%s", entry_is_leaf(entry, level) ? ept_level_names[level] : "table",
		  address, entry & EPT_READ ? 'R' : '-', entry & EPT_WRITE ? 'W' : '-', entry & EPT_EXECUTE ? 'X' : '-',
		  entry & EPT_ACCESSED ? ", accessed" : "", entry & EPT_DIRTY ? ", dirty" : "");
	if (entry_is_leaf(entry, level)) lines_add(to, ", %s", memtype_leaf_name(entry));
}

static void add_slot(struct lines *to, const struct ept_explanation *why)
{
	static const char *const kinds[] = {
		[EPT_SLOT_RAM] = "RAM",
		[EPT_SLOT_ROM] = "ROM",
		[EPT_SLOT_HOST_MMIO] = "host MMIO",
		[EPT_SLOT_RAM_TWICE] = "RAM in two copies",
	};

	if (!why->has_slot) {
		lines_add(to, "no slot: an access is the device models'");
		return;
	}
	lines_add(to, "slot %u: %s ", why->slot_number, kinds[why->slot.kind]);
	add_range(to, why->slot.gpa, why->slot.size);
	lines_add(to, " at 0x%lx; policy %s", why->slot.hpa, memtype_policy_name(why->policy));
}

/* "variable 2 (WC, 0x2240000+256K)" */
static void add_variable(struct lines *to, const struct ept_mtrr_range *range, unsigned n)
{
	lines_add(to, "variable %u (%s, ", n, memtype_name(range->type));
	if (range->size)
		add_range(to, range->start, range->size);
	else
		lines_add(to, "0x%lx, mask with holes", range->start);
	lines_add(to, ")");
}

/* The other ranges that hold the page; by how many words a list of them is begun. */
static void add_losers(struct lines *to, const struct ept_mtrr_reason *mtrr, const char *before)
{
	for (unsigned n = 0; n < MTRR_VARIABLE_COUNT; n++) {
		if (!(mtrr->holders & 1U << n) || n == mtrr->winner) continue;
		lines_add(to, "%s", before);
		add_variable(to, &mtrr->range[n], n);
		before = ", ";
	}
}

static void add_mtrr(struct lines *to, const struct ept_mtrr_reason *mtrr)
{
	const char *default_name = memtype_name(mtrr->default_type);

	switch (mtrr->by) {
	case EPT_MTRR_OFF: lines_add(to, "MTRRs disabled"); break;
	case EPT_MTRR_FIXED:
		lines_add(to, "MTRR fixed (%s, ", memtype_name(mtrr->type));
		add_range(to, mtrr->start, mtrr->size);
		lines_add(to, ") over variable and default");
		break;
	case EPT_MTRR_DEFAULT: lines_add(to, "MTRR default %s, in no variable range", default_name); break;
	case EPT_MTRR_VARIABLE:
		lines_add(to, "MTRR ");
		add_variable(to, &mtrr->range[mtrr->winner], mtrr->winner);
		add_losers(to, mtrr, " over ");
		lines_add(to, " over default %s", default_name);
		break;
	case EPT_MTRR_UNDEFINED:
		lines_add(to, "MTRR ");
		add_losers(to, mtrr, "");
		lines_add(to, ", whose mixture SDM 3A 12.11.4.1 leaves undefined");
		break;
	}
}

static void add_decision(struct lines *to, const struct ept_explanation *why)
{
	static const char *const words[] = {
		[EPT_BY_HOST_MMIO] = "host MMIO",
		[EPT_BY_COUNT] = "no noncoherent DMA",
		[EPT_BY_POLICY] = "the policy asks neither MTRRs nor CD",
		[EPT_BY_CD] = "caches disabled",
	};

	lines_add(to, "%scount %u, CR0.CD %u, ", why->stale ? "a fault would give: " : "", why->count, why->cd);
	if (why->decided_by == EPT_BY_MTRR)
		add_mtrr(to, &why->mtrr);
	else
		lines_add(to, "%s", words[why->decided_by]);
	lines_add(to, ": %s", memtype_leaf_name(why->bits));
}

static void add_size(struct lines *to, const struct ept_explanation *why)
{
	static const char *const words[][2] = {
		[EPT_LIMIT_NONE] = {"the largest there is", ""},
		[EPT_LIMIT_EDGE] = {"", " would reach beyond the slot"},
		[EPT_LIMIT_ALIGNMENT] = {"host memory not aligned to ", ""},
		[EPT_LIMIT_CPU] = {"no leaves of ", " on this CPU"},
		[EPT_LIMIT_TYPE] = {"not uniform over ", ""},
		[EPT_LIMIT_COPIES] = {"two copies of each page forbid ", ""},
		[EPT_LIMIT_TABLE] = {"smaller leaves stand in the ", ""},
	};
	const char *larger = why->limit == EPT_LIMIT_NONE ? "" : level_spans[why->fill_level + 1];

	lines_add(to, "%s%s%s: %s leaf", words[why->limit][0], larger, words[why->limit][1],
		  ept_level_names[why->fill_level]);
}

static void add_access(struct lines *to, const struct ept_explanation *why)
{
	const char *effective = memtype_name(why->effective), *pat = memtype_name(why->pat_type);

	if (why->bits & EPT_IGNORE_PAT) {
		lines_add(to, "PAT ignored: effective %s (SDM 3C 29.3.7.2)", effective);
		return;
	}
	if (why->pat.index == EPT_NO_PAGING)
		lines_add(to, "paging off, so PAT %s", pat);
	else
		lines_add(to, "PAT entry %u %s", why->pat.index, pat);
	lines_add(to, ": effective %s (SDM 3A table 12-7)", effective);
}

/* Row and column of the table, where one was looked up. */
static void add_row(struct lines *to, const struct ept_explanation *why)
{
	const char *row = memtype_name((unsigned)FIELD(why->bits, EPT_TYPE));
	unsigned index = why->pat.index;

	if (!why->has_slot || (why->bits & EPT_IGNORE_PAT)) return;
	lines_add(to, "table 12-7: row %s (the leaf%s), column %s (", row, why->stale ? " that would come" : "",
		  memtype_name(why->pat_type));
	if (index == EPT_NO_PAGING)
		lines_add(to, "paging off");
	else
		lines_add(to, "PAT entry %u, %s PAT %u, PCD %u, PWT %u", index,
			  why->pat.assumed ? "assumed: a page with" : "the page's", index >> 2, index >> 1 & 1,
			  index & 1);
	lines_add(to, "): %s", memtype_name(why->effective));
}

static void add_stale(struct lines *to, const struct ept_explanation *why)
{
	const char *in_place = memtype_name(why->in_place), *effective = memtype_name(why->effective);
	const char *pat = memtype_name(why->pat_type);

	if (!why->stale) return;
	lines_add(to, "stale: the leaf in place is %s, as with ", memtype_leaf_name(why->entry[why->level]));
	switch (why->stale) {
	case EPT_STALE_COUNT: lines_add(to, why->count ? "count 0" : "a noncoherent device"); break;
	case EPT_STALE_CD: lines_add(to, "CR0.CD %u", !why->cd); break;
	default: lines_add(to, "other MTRRs or CD, earlier or another vCPU's"); break;
	}
	lines_add(to, ", not cleared since; a fault would give %s", memtype_leaf_name(why->bits));
	if (why->in_place == why->effective)
		lines_add(to, "; harmless where PAT is %s: an access is %s either way", pat, effective);
	else
		lines_add(to, "; harmful where PAT is %s: an access is %s, not %s", pat, in_place, effective);
}

/* The rule in one line. */
static void add_rule(struct lines *to, const struct ept_explanation *why)
{
	if (!why->has_slot) return;
	add_decision(to, why);
	lines_add(to, "; ");
	add_size(to, why);
	lines_add(to, "; ");
	add_access(to, why);
}

void ept_explain_print(const struct ept_explanation *why, void (*line)(void *ctx, const char *text), void *ctx)
{
	/* Each adds nothing where it has nothing to say. */
	static void (*const parts[])(struct lines * to, const struct ept_explanation *why) = {add_stale, add_slot,
											      add_rule, add_row};
	struct lines to = {.line = line, .ctx = ctx};

	for (unsigned level = EPT_ROOT_LEVEL; level >= why->lowest; level--) {
		add_entry(&to, why->entry[level], level);
		lines_end(&to);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
		parts[i](&to, why);
		lines_end(&to);
	}
}

/* The fixed sub-ranges, those of one type as one. */
static void print_fixed(const struct mtrr *mtrr, struct lines *to)
{
	uint64_t start = 0, end;
	bool uniform;

	for (uint64_t gpa = 0; gpa < FIXED_END; gpa = end) {
		enum memtype type = mtrr_type(mtrr, gpa, PAGE_SIZE, &uniform);

		end = gpa + BIT(mtrr_fixed_shift(gpa));
		if (end < FIXED_END && mtrr_type(mtrr, end, PAGE_SIZE, &uniform) == type) continue;
		lines_add(to, "fixed: ");
		add_range(to, start, end - start);
		lines_add(to, " %s", memtype_name(type));
		lines_end(to);
		start = end;
	}
}

void mtrr_print(const struct mtrr *mtrr, void (*line)(void *ctx, const char *text), void *ctx)
{
	struct lines to = {.line = line, .ctx = ctx};
	bool on = mtrr->def_type & DEF_TYPE_E, fixed = mtrr->def_type & DEF_TYPE_FE;

	lines_add(&to, "MTRRs %s, default %s, fixed ranges %s", on ? "on" : "off",
		  memtype_name((unsigned)(mtrr->def_type & DEF_TYPE_TYPE)), fixed ? "on" : "off");
	lines_end(&to);
	if (on && fixed) print_fixed(mtrr, &to);
	for (unsigned n = 0; n < MTRR_VARIABLE_COUNT; n++) {
		const struct ept_mtrr_range range = mtrr_range(mtrr, n);

		if (!(mtrr->mask[n] & PHYSMASK_V)) continue;
		add_variable(&to, &range, n);
		lines_end(&to);
	}
}
