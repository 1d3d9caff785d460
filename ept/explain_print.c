// SPDX-License-Identifier: MIT
/*
 * An explanation (explain.c) in words: the entries from the root down, the slot, the rule in one
 * line, and what of it does not hold for the leaf in place. It only reads the explanation.
 */
#include "ept/explain.h"
#include "ept/table.h"
#include "lib/format.h"

#define LINE 480

/* No CPU has leaves of 512G: such an entry is a misconfiguration, and named so. */
static const char *const level_names[] = {"no", "4K", "2M", "1G", "reserved 512G"};
static const char *const level_spans[] = {"", "4 KiB", "2 MiB", "1 GiB"};

/* 0x2240000+256K: the start and the size, at least a page, in the largest unit that divides it. */
static void add_range(char *text, uint64_t start, uint64_t size)
{
	static const char units[] = "KMGTP";
	unsigned unit = 0;

	for (size >>= 10; IS_ALIGNED(size, KiB); size >>= 10) unit++;
	format_append(text, LINE, "0x%lx+%lu%c", start, size, units[unit]);
}

static void add_type(char *text, uint64_t bits)
{
	format_append(text, LINE, "%s%s", memtype_name((unsigned)FIELD(bits, EPT_TYPE)),
		      bits & EPT_IGNORE_PAT ? " + ignore PAT" : "");
}

static void add_entry(char *text, uint64_t entry, unsigned level)
{
	uint64_t address = entry & EPT_ADDRESS;

	format_append(text, LINE, "level %u: 0x%lx: ", level, entry);
	if (!entry_present(entry)) {
		format_append(text, LINE, "not present");
		return;
	}
	format_append(text, LINE, "%s at 0x%lx, %c%c%c%s%s", entry_is_leaf(entry, level) ? level_names[level] : "table",
		      address, entry & EPT_READ ? 'R' : '-', entry & EPT_WRITE ? 'W' : '-',
		      entry & EPT_EXECUTE ? 'X' : '-', entry & EPT_ACCESSED ? ", accessed" : "",
		      entry & EPT_DIRTY ? ", dirty" : "");
	if (entry_is_leaf(entry, level)) {
		format_append(text, LINE, ", ");
		add_type(text, entry);
	}
}

static void add_slot(char *text, const struct ept_explanation *why)
{
	static const char *const kinds[] = {
		[EPT_SLOT_RAM] = "RAM",
		[EPT_SLOT_ROM] = "ROM",
		[EPT_SLOT_HOST_MMIO] = "host MMIO",
		[EPT_SLOT_RAM_TWICE] = "RAM in two copies",
	};

	if (!why->has_slot) {
		format_append(text, LINE, "no slot: an access is the device models'");
		return;
	}
	format_append(text, LINE, "slot %u: %s ", why->slot_number, kinds[why->slot.kind]);
	add_range(text, why->slot.gpa, why->slot.size);
	format_append(text, LINE, " at 0x%lx; policy %s", why->slot.hpa, memtype_policy_name(why->policy));
}

/* "variable 2 (WC, 0x2240000+256K)" */
static void add_variable(char *text, const struct ept_mtrr_range *range, unsigned n)
{
	format_append(text, LINE, "variable %u (%s, ", n, memtype_name(range->type));
	if (range->size)
		add_range(text, range->start, range->size);
	else
		format_append(text, LINE, "0x%lx, mask with holes", range->start);
	format_append(text, LINE, ")");
}

/* The other ranges that hold the page; by how many words a list of them is begun. */
static void add_losers(char *text, const struct ept_mtrr_reason *mtrr, const char *before)
{
	for (unsigned n = 0; n < MTRR_VARIABLE_COUNT; n++) {
		if (!(mtrr->holders & 1U << n) || n == mtrr->winner) continue;
		format_append(text, LINE, "%s", before);
		add_variable(text, &mtrr->range[n], n);
		before = ", ";
	}
}

static void add_mtrr(char *text, const struct ept_mtrr_reason *mtrr)
{
	const char *default_name = memtype_name(mtrr->default_type);

	switch (mtrr->by) {
	case EPT_MTRR_OFF: format_append(text, LINE, "MTRRs disabled"); break;
	case EPT_MTRR_FIXED:
		format_append(text, LINE, "MTRR fixed (%s, ", memtype_name(mtrr->type));
		add_range(text, mtrr->start, mtrr->size);
		format_append(text, LINE, ") over variable and default");
		break;
	case EPT_MTRR_DEFAULT: format_append(text, LINE, "MTRR default %s, in no variable range", default_name); break;
	case EPT_MTRR_VARIABLE:
		format_append(text, LINE, "MTRR ");
		add_variable(text, &mtrr->range[mtrr->winner], mtrr->winner);
		add_losers(text, mtrr, " over ");
		format_append(text, LINE, " over default %s", default_name);
		break;
	case EPT_MTRR_UNDEFINED:
		format_append(text, LINE, "MTRR ");
		add_losers(text, mtrr, "");
		format_append(text, LINE, ", whose mixture SDM 3A 12.11.4.1 leaves undefined");
		break;
	}
}

static void add_decision(char *text, const struct ept_explanation *why)
{
	static const char *const words[] = {
		[EPT_BY_HOST_MMIO] = "host MMIO",
		[EPT_BY_COUNT] = "no noncoherent DMA",
		[EPT_BY_POLICY] = "the policy asks neither MTRRs nor CD",
		[EPT_BY_CD] = "caches disabled",
	};

	format_append(text, LINE, "count %u, CR0.CD %u, ", why->count, why->cd);
	if (why->decided_by == EPT_BY_MTRR)
		add_mtrr(text, &why->mtrr);
	else
		format_append(text, LINE, "%s", words[why->decided_by]);
	format_append(text, LINE, ": ");
	add_type(text, why->bits);
}

static void add_size(char *text, const struct ept_explanation *why)
{
	static const char *const words[][2] = {
		[EPT_LIMIT_NONE] = {"the largest there is", ""},
		[EPT_LIMIT_EDGE] = {"", " reach beyond the slot"},
		[EPT_LIMIT_ALIGNMENT] = {"host memory not aligned to ", ""},
		[EPT_LIMIT_CPU] = {"no leaves of ", " on this CPU"},
		[EPT_LIMIT_TYPE] = {"not uniform over ", ""},
		[EPT_LIMIT_COPIES] = {"two copies of each page forbid ", ""},
		[EPT_LIMIT_TABLE] = {"smaller leaves stand in the ", ""},
	};
	const char *larger = why->limit == EPT_LIMIT_NONE ? "" : level_spans[why->fill_level + 1];

	format_append(text, LINE, "%s%s%s: %s leaf", words[why->limit][0], larger, words[why->limit][1],
		      level_names[why->fill_level]);
}

static void add_access(char *text, const struct ept_explanation *why)
{
	const char *effective = memtype_name(why->effective), *pat = memtype_name(why->pat_type);

	if (why->bits & EPT_IGNORE_PAT) {
		format_append(text, LINE, "PAT ignored: effective %s (SDM 3C 29.3.7.2)", effective);
		return;
	}
	if (why->pat.index == EPT_NO_PAGING)
		format_append(text, LINE, "paging off, so PAT %s", pat);
	else
		format_append(text, LINE, "PAT entry %u %s", why->pat.index, pat);
	format_append(text, LINE, ": effective %s (SDM 3A table 12-7)", effective);
}

/* Row and column of the table, where one was looked up. */
static void add_row(char *text, const struct ept_explanation *why)
{
	const char *row = memtype_name((unsigned)FIELD(why->bits, EPT_TYPE));

	if (!why->has_slot || (why->bits & EPT_IGNORE_PAT)) return;
	format_append(text, LINE, "table 12-7: row %s (the leaf), column %s (the PAT): %s", row,
		      memtype_name(why->pat_type), memtype_name(why->effective));
}

static void add_stale(char *text, const struct ept_explanation *why)
{
	if (!why->stale) return;
	format_append(text, LINE, "stale: the leaf in place is ");
	add_type(text, why->entry[why->level]);
	format_append(text, LINE, ", effective %s", memtype_name(why->in_place));
}

/* The rule in one line. */
static void add_rule(char *text, const struct ept_explanation *why)
{
	if (!why->has_slot) return;
	add_decision(text, why);
	format_append(text, LINE, "; ");
	add_size(text, why);
	format_append(text, LINE, "; ");
	add_access(text, why);
}

void ept_explain_print(const struct ept_explanation *why, void (*line)(void *ctx, const char *text), void *ctx)
{
	/* Each leaves the line empty where it has nothing to say. */
	static void (*const parts[])(char *text, const struct ept_explanation *why) = {add_slot, add_rule, add_row,
										       add_stale};
	char text[LINE];

	for (unsigned level = EPT_ROOT_LEVEL; level >= why->lowest; level--) {
		text[0] = '\0';
		add_entry(text, why->entry[level], level);
		line(ctx, text);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
		text[0] = '\0';
		parts[i](text, why);
		if (text[0]) line(ctx, text);
	}
}

/* The fixed sub-ranges, those of one type as one. */
static void print_fixed(const struct mtrr *mtrr, void (*line)(void *ctx, const char *text), void *ctx)
{
	uint64_t start = 0, end;
	bool uniform;

	for (uint64_t gpa = 0; gpa < FIXED_END; gpa = end) {
		enum memtype type = mtrr_type(mtrr, gpa, PAGE_SIZE, &uniform);
		char text[LINE] = "fixed: ";

		end = gpa + BIT(mtrr_fixed_shift(gpa));
		if (end < FIXED_END && mtrr_type(mtrr, end, PAGE_SIZE, &uniform) == type) continue;
		add_range(text, start, end - start);
		format_append(text, LINE, " %s", memtype_name(type));
		line(ctx, text);
		start = end;
	}
}

void mtrr_print(const struct mtrr *mtrr, void (*line)(void *ctx, const char *text), void *ctx)
{
	char text[LINE] = "";

	format_append(text, LINE, "MTRRs %s, default %s, fixed ranges %s", mtrr->def_type & DEF_TYPE_E ? "on" : "off",
		      memtype_name((unsigned)(mtrr->def_type & DEF_TYPE_TYPE)),
		      mtrr->def_type & DEF_TYPE_FE ? "on" : "off");
	line(ctx, text);
	if (mtrr->def_type & DEF_TYPE_E && mtrr->def_type & DEF_TYPE_FE) print_fixed(mtrr, line, ctx);
	for (unsigned n = 0; n < MTRR_VARIABLE_COUNT; n++) {
		const struct ept_mtrr_range range = mtrr_range(mtrr, n);

		if (!(mtrr->mask[n] & PHYSMASK_V)) continue;
		text[0] = '\0';
		add_variable(text, &range, n);
		line(ctx, text);
	}
}
