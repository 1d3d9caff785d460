// SPDX-License-Identifier: MIT
/*
 * Every operation of ept/ on every small tree (tests/prove/tree.h), with every argument. Each case
 * starts from a consistent tree and must end in one that maps exactly what it should; so no
 * sequence of operations, however long, leads out of the consistent trees. Prints TAP, and ends
 * at the first case that fails, with its tree and arguments. An operation to come (another way to
 * make a transition, another way to fill) is one more function in the table at the end.
 */
#include <errno.h>
#include <stdio.h>

#include "ept/explain.h"
#include "tests/prove/tree.h"

#define WHOLE ((struct tree_range){0, SPACE_PAGES})

static struct ept_world w;
static struct ept ept;
static struct mtrr mtrr;
static struct ept_cpu cpu = {.mtrr = &mtrr};
static struct tree_map before, expected, after;
static uint64_t number; /* of the tree */
static uint64_t cases;
static const char *broken; /* the rule that the last case broke */
static char arguments[128];
static unsigned flushes_expected;
static bool retyping; /* what it leaves is judged page by page, by judge_retyped() */

static void require(bool holds, const char *rule)
{
	if (!holds && !broken) broken = rule;
}

/* A table may go only when no CPU can have it cached any more. */
static void free_table(void *ctx, uint64_t table)
{
	require(w.flushes > 0, "a table was freed before the flush");
	world_free(ctx, table);
}

static bool maps_alike(const struct tree_map *a, const struct tree_map *b)
{
	return !memcmp(a->leaf, b->leaf, sizeof(a->leaf)) && !memcmp(a->level, b->level, sizeof(a->level));
}

/* When CPUs are told, everything is already as it will be. */
static void at_flush(void *arg)
{
	(void)arg;
	tree_read(&w, &ept, &after);
	require(retyping || maps_alike(&after, &expected), "the flush came before the last store");
}

/*
 * The tree again, as it was; 'last' chooses which table of level 1 the last leaf went into (0:
 * none), which ept/ remembers. False: there are not so many.
 */
static bool begin(unsigned last)
{
	tree_build(&w, &ept, number, &before);
	expected = before;
	flushes_expected = 0;
	cases++;
	for (unsigned p = 0; last && p < SPACE_PAGES; p += EPT_ENTRIES) {
		if (!before.bottom[p] || --last) continue;
		ept.last_table = before.bottom[p];
		ept.last_region = p / EPT_ENTRIES;
		ept.generation = 5;
		ept.last_generation = counts_live(*table_counts(&ept, ept.last_table)) ? 5 : 4;
	}
	return !last;
}

/* All that must hold after any operation. False: something does not. */
static bool end(void)
{
	tree_read(&w, &ept, &after);
	require(!after.broken, after.broken);
	require(maps_alike(&after, &expected), "a page is mapped otherwise than it should be");
	require(!memcmp(after.table, expected.table, sizeof(after.table)),
		"a table is missing, or is there and should not be");
	require(after.tables == w.tables && after.tables == ept.stats.tables, "a table is leaked, or not counted");
	require(w.flushes == flushes_expected && ept.stats.flushes == flushes_expected,
		"flushed too often, or not at all");
	require(!w.errors && !w.locked, "a table freed twice, or the lock not held or still held");
	require(!ept.last_table || after.bottom[ept.last_region * EPT_ENTRIES % SPACE_PAGES] == ept.last_table,
		"the remembered table is not in the tree");
	return !broken;
}

/* Take the leaves that touch the range out of 'expected'; returns how many. */
static unsigned expect_cleared(struct tree_range range)
{
	unsigned cleared = 0;

	for (unsigned p = 0; p < SPACE_PAGES;) {
		unsigned level = expected.level[p], span = level ? tree_span(level) : 1;

		if (level && p < range.end && p + span > range.first) {
			cleared++;
			memset(&expected.leaf[p], 0, span * sizeof(expected.leaf[0]));
			memset(&expected.level[p], 0, span * sizeof(expected.level[0]));
		}
		p += span;
	}
	return cleared;
}

static void args(const char *what, struct tree_range range, unsigned last)
{
	snprintf(arguments, sizeof(arguments), "%s of pages %u to %u, last table %u", what, range.first, range.end,
		 last);
}

/* Every range of pages, those of no page included. */
static bool next_range(struct tree_range *range)
{
	if (range->end < SPACE_PAGES) {
		range->end++;
	} else {
		range->first++;
		range->end = range->first;
	}
	return range->first < SPACE_PAGES;
}

static bool zap_one(struct tree_range range, unsigned last)
{
	unsigned cleared = expect_cleared(range);

	args("zap", range, last);
	flushes_expected = cleared != 0;
	require(ept_zap_range(&ept, range.first * PAGE_SIZE, (range.end - range.first) * PAGE_SIZE) == cleared,
		"the number of cleared leaves is wrong");
	return end();
}

static bool zap(void)
{
	for (struct tree_range range = {0, 0}; next_range(&range);) {
		if (range.first == range.end) continue;
		for (unsigned last = 0; begin(last); last++) {
			if (!zap_one(range, last)) return false;
		}
	}
	return true;
}

/* Counts around both transitions, each policy. */
static bool transition(void)
{
	static const struct {
		unsigned count;
		int delta;
		bool crosses;
	} steps[] = {{0, 1, true}, {1, 1, false}, {2, -1, false}, {1, -1, true}, {0, -1, false}};

	for (unsigned i = 0; i < ARRAY_SIZE(steps) * MEMTYPE_POLICIES; i++) {
		unsigned step = i / MEMTYPE_POLICIES;
		bool crosses = steps[step].crosses;

		begin(0);
		ept.policy = (enum memtype_policy)(i % MEMTYPE_POLICIES);
		ept.noncoherent = steps[step].count;
		if (crosses && (ept.policy == MEMTYPE_KVM_6_7 || ept.policy == MEMTYPE_KVM_6_11))
			flushes_expected = expect_cleared(WHOLE) != 0;
		snprintf(arguments, sizeof(arguments), "count %u%+d under %s", steps[step].count, steps[step].delta,
			 memtype_policy_name(ept.policy));
		require(ept_noncoherent_change(&ept, &cpu, steps[step].delta) ==
				(crosses && ept.policy != MEMTYPE_KVM_6_16),
			"a transition is reported wrongly");
		if (!end()) return false;
	}
	return true;
}

/* One page of type UC by MTRR, all others WB: what a fault would give. */
static uint64_t fault_type(unsigned page, unsigned uncached)
{
	return !ept.noncoherent ? 0x70 : page == uncached ? 0 : 0x30;
}

/*
 * What was mapped still is, and all that is has the type that a fault would give and leads where it
 * should; more is mapped only by large leaves.
 */
static void judge_retyped(unsigned uncached)
{
	tree_read(&w, &ept, &after);
	require(!after.broken, after.broken);
	for (unsigned p = 0; p < SPACE_PAGES; p++) {
		unsigned level = after.level[p];
		unsigned first = level ? p / tree_span(level) * tree_span(level) : p;

		require(level || !before.level[p], "a retype has lost a leaf");
		require(!level || before.level[p] || level > 1, "a retype has made a leaf");
		require(!level || (after.leaf[p] & 0x7f) == (EPT_RWX | fault_type(p, uncached)),
			"a retyped leaf has another type than a fault would give");
		require(!level || (after.leaf[p] & EPT_ADDRESS) == HOST_RAM + first * PAGE_SIZE,
			"a retyped leaf leads elsewhere");
	}
	require(after.tables == w.tables && after.tables == ept.stats.tables && !w.errors,
		"a table is leaked, freed twice, or not counted");
	require(w.flushes == (before.leaves != 0), "flushed too often, or not at all");
}

/* Both directions, each page the one that is UC or none, each size of leaf. */
static bool retype(void)
{
	static const struct ept_slot slot = {.size = SPACE_SIZE, .hpa = HOST_RAM, .kind = EPT_SLOT_RAM};
	unsigned count;

	for (unsigned i = 0; i <= SPACE_PAGES; i++) {
		for (unsigned j = 0; j < 2 * LEAF_LEVELS; j++) {
			begin(0);
			ept_slot_add(&ept, &slot);
			ept.transition = EPT_TRANSITION_RETYPE;
			ept.noncoherent = j % 2;
			ept.caps.large_2m = j / 2 > 0;
			ept.caps.large_1g = j / 2 > 1;
			mtrr_write(&mtrr, 0x200, i * PAGE_SIZE | MEMTYPE_UC, NULL, &count);
			mtrr_write(&mtrr, 0x201, (BIT(40) - PAGE_SIZE) | 0x800, NULL, &count);
			mtrr_write(&mtrr, 0x2ff, 0x800 | MEMTYPE_WB, NULL, &count);
			snprintf(arguments, sizeof(arguments),
				 "retype from count %u, page %u UC, leaves up to level %u", j % 2, i, 1 + j / 2);
			retyping = true;
			ept_noncoherent_change(&ept, &cpu, j % 2 ? -1 : 1);
			retyping = false;
			judge_retyped(i);
			if (broken) return false;
		}
	}
	mtrr_reset(&mtrr, 40);
	return true;
}

/* MTRR writes: two ranges in any order, one flush; nothing while no device counts. */
static bool change_types(struct tree_range a, struct tree_range b)
{
	const struct ept_range ranges[] = {
		{a.first * PAGE_SIZE, (a.end - a.first) * PAGE_SIZE},
		{b.first * PAGE_SIZE, (b.end - b.first) * PAGE_SIZE},
	};
	unsigned cleared = 0;

	begin(0);
	snprintf(arguments, sizeof(arguments), "types changed of pages %u to %u and %u to %u", a.first, a.end, b.first,
		 b.end);
	ept.noncoherent = number % 4 != 0;
	if (ept.noncoherent) {
		cleared += a.first < a.end ? expect_cleared(a) : 0;
		cleared += b.first < b.end ? expect_cleared(b) : 0;
	}
	flushes_expected = cleared != 0;
	require(ept_type_changed(&ept, ranges, 2) == cleared, "the number of cleared leaves is wrong");
	return end();
}

static bool types_changed(void)
{
	for (struct tree_range a = {0, 0}; next_range(&a);) {
		for (struct tree_range b = {0, 0}; next_range(&b);) {
			if (!change_types(a, b)) return false;
		}
	}
	return true;
}

/* A table within the range that holds nothing any more is gone; returns whether this one is. */
static bool expect_pruned(unsigned level, unsigned first, struct tree_range range)
{
	unsigned span = tree_span(level), size = span * EPT_ENTRIES;
	bool empty = true;

	for (unsigned p = first; p < first + size; p += span) {
		if (expected.level[p] == level) empty = false;
		if (level > 1 && expected.table[level - 1][p]) empty &= expect_pruned(level - 1, p, range);
	}
	if (!empty || level == EPT_ROOT_LEVEL || first >= range.end || first + size <= range.first) return false;
	expected.table[level][first] = false;
	expected.tables--;
	return true;
}

static bool remove_slot(struct tree_range range, unsigned last)
{
	const struct ept_slot slot = {.gpa = range.first * PAGE_SIZE,
				      .size = (range.end - range.first) * PAGE_SIZE,
				      .hpa = HOST_RAM + range.first * PAGE_SIZE,
				      .kind = EPT_SLOT_RAM};
	unsigned cleared = expect_cleared(range);

	args("slot", range, last);
	expect_pruned(EPT_ROOT_LEVEL, 0, range);
	flushes_expected = cleared || expected.tables != before.tables;
	require(ept_slot_add(&ept, &slot) == 0, "a slot is refused");
	require(ept_slot_remove(&ept, slot.gpa) == 0, "a slot is not found");
	return end();
}

static bool slot_removal(void)
{
	for (struct tree_range range = {0, 0}; next_range(&range);) {
		if (range.first == range.end) continue;
		for (unsigned last = 0; begin(last); last++) {
			if (!remove_slot(range, last)) return false;
		}
	}
	return true;
}

/* The level of the leaf that a fault must install: the largest that meets no other leaf. */
static unsigned level_for(unsigned page, unsigned largest)
{
	for (unsigned level = largest; level > 1; level--) {
		unsigned span = tree_span(level), first = page / span * span, p = first;

		while (p < first + span && !before.level[p]) p++;
		if (p == first + span) return level;
	}
	return 1;
}

/* What the fault leaves behind; returns the tables it needs. */
static unsigned expect_leaf(unsigned page, unsigned level)
{
	unsigned span = tree_span(level), first = page / span * span, needed = 0;

	for (unsigned l = EPT_ROOT_LEVEL - 1; l >= level; l--) {
		unsigned at = page / tree_span(l + 1) * tree_span(l + 1);

		needed += !expected.table[l][at];
		expected.table[l][at] = true;
	}
	for (unsigned l = level - 1; l > 0; l--) {
		for (unsigned p = first; p < first + span; p++) {
			flushes_expected |= expected.table[l][p];
			expected.table[l][p] = false;
		}
	}
	for (unsigned p = first; p < first + span; p++) {
		expected.leaf[p] = (HOST_RAM + first * PAGE_SIZE) | EPT_RWX | 0x70 | (level > 1 ? EPT_LARGE : 0);
		expected.level[p] = level;
	}
	return needed;
}

/* 'spare': tables that the host still has; fewer than needed and nothing may change but tables. */
/* fill=table: with the leaf of 'page' come all that its table still has room for. */
static void expect_filled(unsigned page)
{
	unsigned first = page / EPT_ENTRIES * EPT_ENTRIES;

	for (unsigned p = first; p < first + EPT_ENTRIES; p++) {
		if (expected.level[p]) continue;
		expected.leaf[p] = (expected.leaf[page] & ~EPT_ADDRESS) | (HOST_RAM + p * PAGE_SIZE);
		expected.level[p] = 1;
	}
}

static bool fault(unsigned page, unsigned largest, unsigned last, unsigned spare, enum ept_fill_way fill)
{
	const struct ept_slot slot = {.gpa = 0, .size = SPACE_SIZE, .hpa = HOST_RAM, .kind = EPT_SLOT_RAM};
	const struct ept_pat pat = {0};
	struct ept_explanation why;
	unsigned level = level_for(page, largest), needed = 0;

	snprintf(arguments, sizeof(arguments),
		 "fault at page %u, leaves up to level %u, last table %u, %u tables left%s", page, largest, last, spare,
		 fill == EPT_FILL_TABLE ? ", fill=table" : "");
	ept_slot_add(&ept, &slot);
	/* The slot was there before the last leaf was. */
	if (last && ept.last_generation == ept.generation - 1) ept.last_generation++;
	ept.caps.large_2m = largest > 1;
	ept.caps.large_1g = largest > 2;
	ept.fill = fill;
	ept_explain(&ept, &cpu, &pat, page * PAGE_SIZE, &why);
	if (!before.level[page]) require(why.fill_level == level, "the explanation names another size");
	if (!before.level[page]) needed = expect_leaf(page, level);
	if (!before.level[page] && level == 1 && fill == EPT_FILL_TABLE) expect_filled(page);
	w.fail_from = w.allocs + 1 + spare;
	if (needed > spare) {
		require(serve_fault(&ept, &cpu, page * PAGE_SIZE, true) == -ENOMEM,
			"a fault without memory for its tables is served");
		tree_read(&w, &ept, &after);
		require(maps_alike(&after, &before), "a fault without memory changed a page");
		memcpy(&expected, &after, sizeof(expected));
		flushes_expected = 0;
		return end();
	}
	require(serve_fault(&ept, &cpu, page * PAGE_SIZE, true) == 0, "a fault is not served");
	return end();
}

static bool faults_filling(enum ept_fill_way fill)
{
	for (unsigned i = 0; i < SPACE_PAGES * LEAF_LEVELS; i++) {
		for (unsigned last = 0; begin(last); last++) {
			if (!fault(i / LEAF_LEVELS, 1 + i % LEAF_LEVELS, last, TREE_TABLES, fill)) return false;
		}
		for (unsigned spare = 0; spare < EPT_ROOT_LEVEL - 1; spare++) {
			begin(0);
			if (!fault(i / LEAF_LEVELS, 1 + i % LEAF_LEVELS, 0, spare, fill)) return false;
		}
	}
	return true;
}

static bool faults(void) { return faults_filling(EPT_FILL_LEAF) && faults_filling(EPT_FILL_TABLE); }

static bool walks(void)
{
	begin(0);
	for (unsigned p = 0; p < SPACE_PAGES; p++) {
		unsigned level;

		snprintf(arguments, sizeof(arguments), "walk to page %u", p);
		require(ept_walk(&ept, p * PAGE_SIZE, &level) == before.leaf[p] && level == before.level[p],
			"a walk finds something else");
	}
	return end();
}

static bool destruction(void)
{
	begin(0);
	snprintf(arguments, sizeof(arguments), "destruction");
	w.flushes = 1; /* nobody runs any more */
	ept_destroy(&ept);
	require(!w.tables && !w.errors, "a table is leaked or freed twice");
	return !broken;
}

static const struct operation {
	const char *rule;
	bool (*run)(void);
} operations[] = {
	{"the tree is as it was built, and a walk finds each leaf", walks},
	{"after any zap no leaf of its range is left, all others are, and all tables", zap},
	{"after a transition that zaps no leaf is left, after any other every leaf is", transition},
	{"after any retype what was mapped is, with the type that a fault would give it", retype},
	{"a slot's removal clears its range and frees the tables it leaves empty, after the flush", slot_removal},
	{"a fault installs the largest leaf that has room, with fill=table all of its table, and changes no "
	 "other page",
	 faults},
	{"an EPT's end frees every table once", destruction},
	{"types that change clear their ranges with one flush", types_changed},
};

static bool run(const struct operation *operation)
{
	cases = 0;
	for (number = 0; number < tree_count(EPT_ROOT_LEVEL); number++) {
		if (operation->run()) continue;
		printf("# tree %lu: ", number);
		tree_print(number);
		printf(", %s: %s\n", arguments, broken);
		broken = NULL;
		return false;
	}
	return true;
}

int main(void)
{
	unsigned test = 0;
	bool good = true;

	world_init(&w, TREE_TABLES);
	w.host.free_table = free_table;
	w.on_flush = at_flush;
	mtrr_reset(&mtrr, 40);
	printf("# %lu trees: %u levels of %u entries\n", tree_count(EPT_ROOT_LEVEL), EPT_ROOT_LEVEL, EPT_ENTRIES);
	while (good && test < ARRAY_SIZE(operations)) {
		const struct operation *operation = &operations[test++];

		good = run(operation);
		printf("%sok %u - %s (%lu cases)\n", good ? "" : "not ", test, operation->rule, cases);
	}
	printf("1..%u\n", test);
	world_destroy(&w);
	return !good;
}
