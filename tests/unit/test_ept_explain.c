// SPDX-License-Identifier: MIT
/*
 * ept/explain.c: what it says is what ept/ does. Random worlds, in which each explanation must
 * predict the leaf that the next fault installs, with reasons that hold by tests/slow_mtrr.h and
 * by arithmetic; then the words, line by line.
 */

#include "tests/lib/test.h"
#include "ept/explain.h"
#include "lib/x86.h"
#include "tests/ept_fixture.h"
#include "tests/slow_mtrr.h"

#define TYPES (EPT_TYPE | EPT_IGNORE_PAT)

static const struct ept_pat reset_pat = {.value = PAT_RESET, .index = 0};
static struct ept_explanation why;

static void explain(uint64_t gpa) { ept_explain(&ept, &cpu, &reset_pat, gpa, &why); }

static uint64_t state64;

static uint64_t random64(void)
{
	state64 ^= state64 << 13;
	state64 ^= state64 >> 7;
	return state64 ^= state64 << 17;
}

/* The range of 'bytes' around gpa. */
static uint64_t start_of(uint64_t gpa, uint64_t bytes) { return ALIGN_DOWN(gpa, bytes); }

static uint64_t bytes_of(unsigned level) { return PAGE_SIZE << 9 * (level - 1); }

static bool holds_by_the_sdm(unsigned n, uint64_t page)
{
	uint64_t bits = BITS(38, 12);

	return (mtrr.mask[n] & 0x800) && !(page >> 39) &&
	       (page & mtrr.mask[n] & bits) == (mtrr.base[n] & mtrr.mask[n] & bits);
}

static void mtrr_reason_holds(uint64_t page)
{
	const struct ept_mtrr_reason *r = &why.mtrr;

	assert_int_equal(r->type, slow_mtrr_type(&mtrr, page));
	assert_int_equal(r->by == EPT_MTRR_OFF, !(mtrr.def_type & 0x800));
	if (r->by == EPT_MTRR_FIXED) assert_true(page - r->start < r->size && page < MiB);
	if (r->by < EPT_MTRR_DEFAULT) return;
	for (unsigned n = 0; n < MTRR_VARIABLE_COUNT; n++) {
		assert_int_equal(r->holders >> n & 1, holds_by_the_sdm(n, page));
		if (holds_by_the_sdm(n, page) && r->range[n].size)
			assert_true(page - r->range[n].start < r->range[n].size);
		if (holds_by_the_sdm(n, page) && r->range[n].type == r->type)
			assert_true(r->winner <= n && r->by == EPT_MTRR_VARIABLE);
	}
	if (r->by == EPT_MTRR_VARIABLE) assert_int_equal(mtrr.base[r->winner] & 7, r->type);
	if (r->by == EPT_MTRR_DEFAULT) assert_int_equal(r->type, mtrr.def_type & 7);
	if (r->by == EPT_MTRR_UNDEFINED) assert_true(r->type == MEMTYPE_UC && r->holders);
}

/* Is some leaf smaller than that of 'level' in the place that it would take? */
static bool smaller_leaf_within(uint64_t gpa, unsigned level)
{
	uint64_t start = start_of(gpa, bytes_of(level));

	for (uint64_t at = start; at < start + bytes_of(level); at += PAGE_SIZE) {
		if (level_of(at) && level_of(at) < level) return true;
	}
	return false;
}

/* Then mtrr_type() may call a large range not uniform that is (ept/mtrr.h). */
static bool some_mask_has_holes(void)
{
	for (unsigned n = 0; n < MTRR_VARIABLE_COUNT; n++) {
		uint64_t mask = mtrr.mask[n] & BITS(38, 12);

		if ((mtrr.mask[n] & 0x800) && mask + (mask & -mask) != BIT(39)) return true;
	}
	return false;
}

static void limit_holds(uint64_t gpa)
{
	uint64_t bytes = bytes_of(why.fill_level + 1), start = start_of(gpa, bytes);
	bool inside = start >= why.slot.gpa && start + bytes <= why.slot.gpa + why.slot.size;
	bool aligned = IS_ALIGNED(why.slot.hpa - why.slot.gpa, bytes), uniform = true;

	switch (why.limit) {
	case EPT_LIMIT_NONE: assert_int_equal(why.fill_level, 3); break;
	case EPT_LIMIT_EDGE: assert_false(inside); break;
	case EPT_LIMIT_ALIGNMENT: assert_true(inside && !aligned); break;
	case EPT_LIMIT_CPU:
		assert_true(inside && aligned);
		assert_false(ept.caps.large_2m && (why.fill_level == 1 || ept.caps.large_1g));
		break;
	case EPT_LIMIT_TYPE:
		assert_int_equal(why.decided_by, EPT_BY_MTRR);
		for (uint64_t at = start; at < start + bytes; at += PAGE_SIZE)
			uniform &= slow_mtrr_type(&mtrr, at) == why.mtrr.type;
		assert_false(uniform && !some_mask_has_holes());
		break;
	case EPT_LIMIT_COPIES: assert_int_equal(why.slot.kind, EPT_SLOT_RAM_TWICE); break;
	case EPT_LIMIT_TABLE: assert_true(smaller_leaf_within(gpa, why.fill_level + 1)); break;
	}
}

/* The explanation before the fault, the fault, and the explanation after it. */
static void predict(uint64_t gpa)
{
	static const uint64_t by[] = {
		[EPT_BY_HOST_MMIO] = 0, [EPT_BY_COUNT] = WB_IPAT, [EPT_BY_POLICY] = WB, [EPT_BY_CD] = UC_IPAT};
	unsigned level, fill_level;
	uint64_t leaf, bits;

	explain(gpa);
	if (serve_fault(&ept, &cpu, gpa, false)) {
		assert_false(why.has_slot);
		return;
	}
	leaf = ept_walk(&ept, gpa, &level);
	assert_true(why.has_slot);
	assert_int_equal(why.bits, leaf & (EPT_RWX | TYPES));
	assert_int_equal(why.fill_level, level);
	if (why.decided_by == EPT_BY_MTRR) {
		assert_int_equal(leaf & TYPES, why.mtrr.type << 3);
		mtrr_reason_holds(ALIGN_DOWN(gpa, PAGE_SIZE));
	} else {
		assert_int_equal(leaf & TYPES, by[why.decided_by]);
	}
	limit_holds(gpa);
	fill_level = why.fill_level, bits = why.bits;
	explain(gpa);
	assert_int_equal(why.level, level);
	assert_int_equal(why.entry[level], leaf);
	assert_int_equal(why.fill_level, fill_level);
	assert_int_equal(why.bits, bits);
	assert_false(why.stale);
	assert_int_equal(why.effective, why.in_place);
	assert_int_equal(why.effective, memtype_effective(leaf, MEMTYPE_WB, false));
}

/* A few ranges near the slots, of 4 KiB to 64 MiB, one in eight with holes in its mask. */
static void random_mtrrs(void)
{
	static const unsigned types[] = {0, 1, 4, 5, 6};

	for (unsigned n = 0; n < 4; n++) {
		uint64_t mask = BITS(38, 12) << random64() % 14 & BITS(38, 12);

		mask &= random64() % 8 ? ~0ULL : ~BIT(30);
		mtrr.base[n] = (random64() & BITS(24, 12)) | types[random64() % 5];
		mtrr.mask[n] = random64() % 2 ? mask | 0x800 : 0;
		mtrr_prepare(&mtrr, n);
	}
	for (unsigned n = 0; n < 11; n++) mtrr.fixed[n] = 0x0101010101010101 * types[random64() % 5];
	mtrr.def_type = (random64() % 8 ? 0x800 : 0) | (random64() % 2 ? 0x400 : 0) | types[random64() % 5];
}

static void random_world(void)
{
	static const struct ept_slot slots[] = {
		{.gpa = 0, .size = 0xa0000, .hpa = 8 * GiB, .kind = EPT_SLOT_RAM},
		{.gpa = 0xe0000, .size = 0x20000, .hpa = 8 * GiB + 0xe0000, .kind = EPT_SLOT_ROM},
		{.gpa = MiB, .size = 15 * MiB, .hpa = 8 * GiB + MiB, .kind = EPT_SLOT_RAM},
		{.gpa = 16 * MiB, .size = 8 * MiB, .hpa = 16 * GiB + PAGE_SIZE, .kind = EPT_SLOT_RAM},
		{.gpa = 24 * MiB, .size = 8 * MiB, .hpa = 24 * MiB, .kind = EPT_SLOT_HOST_MMIO},
		{.gpa = GiB, .size = GiB, .hpa = 32 * GiB, .kind = EPT_SLOT_RAM},
	};

	ept.policy = (enum memtype_policy)(random64() % MEMTYPE_POLICIES);
	ept.caps.large_2m = random64() % 4 != 0;
	ept.caps.large_1g = random64() % 2;
	cpu.cd = random64() % 4 == 0;
	random_mtrrs();
	for (unsigned i = 0; i < ARRAY_SIZE(slots); i++) assert_int_equal(ept_slot_add(&ept, &slots[i]), 0);
	for (uint64_t devices = random64() % 3; devices; devices--) ept_noncoherent_change(&ept, &cpu, 1);
}

TEST_WITH(an_explanation_is_what_the_next_fault_installs, NULL, NULL)
{
	for (unsigned world = 0; world < 300; world++) {
		state64 = world + 1;
		setup(state);
		random_world();
		for (unsigned i = 0; i < 20; i++) {
			uint64_t base = random64() % 16 ? 0 : GiB;

			if (random64() % 8 == 0) ept_zap_all(&ept);
			predict(base + random64() % (34 * MiB));
		}
		teardown(state);
	}
}

TEST(empty_tables_in_its_place_do_not_make_a_leaf_smaller)
{
	large_ram(0, 4 * MiB);
	ept.caps.large_2m = false;
	touch(0);
	ept_zap_all(&ept);
	ept.caps.large_2m = true;
	predict(0);
	assert_int_equal(why.fill_level, 2);
	assert_int_equal(why.limit, EPT_LIMIT_EDGE);
}

/* Another CPU's MTRRs, or kvm-6.6: the leaf in place is not what the rule would give. */
TEST(a_stale_leaf_is_called_stale)
{
	ept.policy = MEMTYPE_KVM_6_6;
	small_ram(0, MiB);
	wrmsr(0x2ff, 0x800 | MEMTYPE_WC);
	touch(0);
	ept_noncoherent_change(&ept, &cpu, 1);
	explain(0);
	assert_true(why.stale);
	assert_int_equal(why.effective, MEMTYPE_WC);
	assert_int_equal(why.in_place, MEMTYPE_WB);
}

TEST(the_pat_entry_is_chosen_by_index_and_is_wb_without_paging)
{
	static const enum memtype types[] = {MEMTYPE_WB, MEMTYPE_WT,       MEMTYPE_UC_MINUS, MEMTYPE_UC, MEMTYPE_WB,
					     MEMTYPE_WT, MEMTYPE_UC_MINUS, MEMTYPE_UC,       MEMTYPE_WB};

	ept.policy = MEMTYPE_KVM_6_16;
	small_ram(0, MiB);
	for (unsigned i = 0; i <= EPT_NO_PAGING; i++) {
		ept_explain(&ept, &cpu, &(struct ept_pat){PAT_RESET, i, false}, 0, &why);
		assert_int_equal(why.pat_type, types[i]);
	}
}

static char said[16][512];
static unsigned lines;

static void keep_line(void *ctx, const char *text)
{
	(void)ctx;
	assert_true(lines < ARRAY_SIZE(said));
	strcpy(said[lines++], text);
}

static void say(uint64_t gpa, struct ept_pat pat)
{
	lines = 0;
	ept_explain(&ept, &cpu, &pat, gpa, &why);
	ept_explain_print(&why, keep_line, NULL);
}

/* The n-th line from the end; 0 is the last. */
static const char *last(unsigned n)
{
	assert_true(lines > n);
	return said[lines - 1 - n];
}

/* The demonstration's WC buffer, in the words of the monitor's example. */
TEST(the_words_name_every_step)
{
	assert_int_equal(ept_slot_add(&ept, RAM(MiB, 63 * MiB, 8 * GiB + MiB)), 0);
	wrmsr(0x204, 0x2240000 | MEMTYPE_WC);
	wrmsr(0x205, (BIT(39) - 256 * KiB) | 0x800);
	mtrr_all_wb();
	ept_noncoherent_change(&ept, &cpu, 1);
	touch(0x2240000);
	say(0x2240000, reset_pat);
	assert_int_equal(lines, 7);
	assert_string_equal(said[0], "level 4: 0x7654001007: table at 0x7654001000, RWX");
	assert_string_equal(said[1], "level 3: 0x7654002007: table at 0x7654002000, RWX");
	assert_string_equal(said[2], "level 2: 0x7654003007: table at 0x7654003000, RWX");
	assert_string_equal(said[3], "level 1: 0x20224000f: 4K at 0x202240000, RWX, WC");
	assert_string_equal(said[4], "slot 0: RAM 0x100000+63M at 0x200100000; policy kvm-6.7");
	assert_string_equal(said[5], "count 1, CR0.CD 0, MTRR variable 2 (WC, 0x2240000+256K) over default "
				     "WB: WC; not uniform over 2 MiB: 4K leaf; PAT entry 0 WB: effective WC "
				     "(SDM 3A table 12-7)");
	assert_string_equal(said[6], "table 12-7: row WC (the leaf), column WB (PAT entry 0, the page's PAT 0, PCD 0, "
				     "PWT 0): WC");
	say(0x2240000, (struct ept_pat){.value = PAT_RESET, .assumed = true});
	assert_string_equal(said[6], "table 12-7: row WC (the leaf), column WB (PAT entry 0, assumed: a page with "
				     "PAT 0, PCD 0, PWT 0): WC");
	say(0x2240000, (struct ept_pat){.value = PAT_RESET, .index = 5});
	assert_string_equal(said[6], "table 12-7: row WC (the leaf), column WT (PAT entry 5, the page's PAT 1, PCD 0, "
				     "PWT 1): UC");
	say(0x2240000, (struct ept_pat){.value = PAT_RESET, .index = EPT_NO_PAGING});
	assert_string_equal(said[6], "table 12-7: row WC (the leaf), column WB (paging off): WC");
}

TEST(the_words_for_what_is_not_there)
{
	say(1ULL << 48, reset_pat);
	assert_int_equal(lines, 1);
	assert_string_equal(said[0], "no slot: an access is the device models'");
	say(0xfee00000, reset_pat);
	assert_int_equal(lines, 2);
	assert_string_equal(said[0], "level 4: 0x0: not present");
	assert_string_equal(said[1], "no slot: an access is the device models'");
}

/* They come before the rule: what differs, since when, and what an access is then. */
static const char *stale_line(void)
{
	unsigned n = 0;

	while (n < lines && !strncmp(said[n], "level ", 6)) n++;
	return n < lines && !strncmp(said[n], "stale: ", 7) ? said[n] : NULL;
}

TEST(the_words_for_a_stale_leaf)
{
	a_stale_leaf_is_called_stale(state);
	say(0, reset_pat);
	assert_string_equal(stale_line(),
			    "stale: the leaf in place is WB + ignore PAT, as with count 0, not cleared "
			    "since; a fault would give WC; harmful where PAT is WB: an access is WB, not WC");
	assert_non_null(strstr(last(1), "a fault would give: count 1, CR0.CD 0, "));
	assert_non_null(strstr(last(0), "row WC (the leaf that would come), "));
	ept_noncoherent_change(&ept, &cpu, -1);
	wrmsr(0x2ff, 0x800 | MEMTYPE_WB);
	touch(0);
	ept_noncoherent_change(&ept, &cpu, 1);
	say(0, reset_pat);
	assert_string_equal(stale_line(),
			    "stale: the leaf in place is WB + ignore PAT, as with count 0, not cleared "
			    "since; a fault would give WB; harmless where PAT is WB: an access is WB either "
			    "way");
	say(0, (struct ept_pat){PAT_RESET, 3, false});
	assert_string_equal(stale_line(),
			    "stale: the leaf in place is WB + ignore PAT, as with count 0, not cleared "
			    "since; a fault would give WB; harmful where PAT is UC: an access is WB, not UC");
}

TEST(what_has_made_a_leaf_stale_is_named)
{
	ept.policy = MEMTYPE_KVM_6_6;
	small_ram(0, MiB);
	mtrr_all_wb();
	ept_noncoherent_change(&ept, &cpu, 1);
	cpu.cd = true;
	touch(0);
	say(0, reset_pat);
	assert_null(stale_line());
	assert_int_equal(why.stale, EPT_NOT_STALE);
	cpu.cd = false;
	say(0, reset_pat);
	assert_int_equal(why.stale, EPT_STALE_CD);
	assert_non_null(strstr(stale_line(), "UC + ignore PAT, as with CR0.CD 1,"));
	ept_noncoherent_change(&ept, &cpu, -1);
	say(0, reset_pat);
	assert_int_equal(why.stale, EPT_STALE_OTHER);
	assert_non_null(strstr(stale_line(), "as with other MTRRs or CD,"));
	cpu.cd = true;
	say(0, reset_pat);
	assert_int_equal(why.stale, EPT_STALE_COUNT);
	assert_non_null(strstr(stale_line(), "as with a noncoherent device,"));
}

TEST(the_words_for_who_decides)
{
	static const struct ept_slot mmio = {
		.gpa = 24 * MiB, .size = PAGE_SIZE, .hpa = MiB, .kind = EPT_SLOT_HOST_MMIO};
	static const struct ept_slot rom = {.gpa = 0xf0000, .size = 0x10000, .hpa = MiB, .kind = EPT_SLOT_ROM};

	assert_int_equal(ept_slot_add(&ept, &mmio), 0);
	assert_int_equal(ept_slot_add(&ept, &rom), 0);
	say(24 * MiB, (struct ept_pat){PAT_RESET, EPT_NO_PAGING, false});
	assert_non_null(strstr(last(2), "slot 0: host MMIO 0x1800000+4K at 0x100000"));
	assert_string_equal(last(1), "count 0, CR0.CD 0, host MMIO: UC; 2 MiB would reach beyond the slot: 4K "
				     "leaf; paging off, so PAT WB: effective UC (SDM 3A table 12-7)");
	touch(24 * MiB);
	assert_int_equal(serve_fault(&ept, &cpu, 0xf0000, false), 0);
	say(0xf0000, reset_pat);
	assert_non_null(strstr(last(2), "4K at 0x100000, R-X, WB + ignore PAT"));
	assert_string_equal(last(0), "count 0, CR0.CD 0, no noncoherent DMA: WB + ignore PAT; 2 MiB "
				     "would reach beyond the slot: 4K leaf; PAT ignored: effective WB "
				     "(SDM 3C 29.3.7.2)");
	cpu.cd = true;
	ept_noncoherent_change(&ept, &cpu, 1);
	say(0xf0000, reset_pat);
	assert_non_null(strstr(last(0), "count 1, CR0.CD 1, caches disabled: UC + ignore PAT;"));
	ept.policy = MEMTYPE_KVM_6_11;
	say(0xf0000, reset_pat);
	assert_non_null(strstr(last(1), "the policy asks neither MTRRs nor CD: WB;"));
}

TEST(the_words_for_which_mtrr_wins)
{
	small_ram(0, 64 * MiB);
	ept_noncoherent_change(&ept, &cpu, 1);
	say(0, reset_pat);
	assert_non_null(strstr(last(1), "MTRRs disabled: UC;"));
	wrmsr(0x2ff, 0xc00 | MEMTYPE_WB);
	wrmsr(0x258, 0x0505050505050505);
	say(0x84000, reset_pat);
	assert_non_null(strstr(last(1), "MTRR fixed (WP, 0x84000+16K) over variable and default: WP;"));
	say(MiB, reset_pat);
	assert_non_null(strstr(last(1), "MTRR default WB, in no variable range: WB;"));
	wrmsr(0x200, 16 * MiB | MEMTYPE_WT);
	wrmsr(0x201, (BIT(39) - 16 * MiB) | 0x800);
	wrmsr(0x202, 16 * MiB | MEMTYPE_WB);
	wrmsr(0x203, (BIT(39) - 4 * KiB) | 0x800);
	wrmsr(0x204, MEMTYPE_WC);
	wrmsr(0x205, (BIT(39) - 4 * KiB) & ~BIT(24) & ~BIT(20) & ~BIT(25) & ~BIT(26));
	say(16 * MiB, reset_pat);
	assert_non_null(strstr(last(1), "MTRR variable 0 (WT, 0x1000000+16M) over variable 1 (WB, "
					"0x1000000+4K) over default WB: WT;"));
	wrmsr(0x205, ((BIT(39) - 4 * KiB) & ~BIT(24)) | 0x800);
	say(16 * MiB, reset_pat);
	assert_non_null(strstr(last(1), "MTRR variable 0 (WT, 0x1000000+16M), variable 1 (WB, "
					"0x1000000+4K), variable 2 (WC, 0x0, mask with holes), "
					"whose mixture SDM 3A 12.11.4.1 leaves undefined: UC;"));
	wrmsr(0x205, 0x800);
	say(MiB, reset_pat);
	assert_non_null(strstr(last(1), "MTRR variable 2 (WC, 0x0+512G) over default WB: WC;"));
}

TEST(of_ranges_of_one_type_the_first_is_told)
{
	small_ram(0, MiB);
	mtrr_all_wb();
	for (uint32_t n = 1; n < 4; n++) {
		wrmsr(0x200 + 2 * n, MEMTYPE_WC);
		wrmsr(0x201 + 2 * n, (BIT(39) - MiB) | 0x800);
	}
	ept_noncoherent_change(&ept, &cpu, 1);
	explain(0);
	assert_int_equal(why.mtrr.by, EPT_MTRR_VARIABLE);
	assert_int_equal(why.mtrr.holders, 14);
	assert_int_equal(why.mtrr.winner, 1);
}

TEST(the_words_for_the_size)
{
	large_ram(GiB, 3 * GiB);
	small_ram(0, 64 * MiB);
	say(0x1000, reset_pat);
	assert_non_null(strstr(last(0), "; host memory not aligned to 2 MiB: 4K leaf;"));
	say(2 * GiB, reset_pat);
	assert_non_null(strstr(last(0), "; the largest there is: 1G leaf;"));
	ept.caps.large_1g = false;
	say(2 * GiB, reset_pat);
	assert_non_null(strstr(last(0), "; no leaves of 1 GiB on this CPU: 2M leaf;"));
	ept.caps.large_2m = false;
	touch(2 * GiB);
	ept.caps.large_1g = ept.caps.large_2m = true;
	say(2 * GiB + PAGE_SIZE, reset_pat);
	assert_non_null(strstr(last(0), "; smaller leaves stand in the 2 MiB: 4K leaf;"));
	say(3 * GiB - PAGE_SIZE, reset_pat);
	assert_non_null(strstr(last(0), "; smaller leaves stand in the 1 GiB: 2M leaf;"));
}

TEST(permissions_accessed_and_dirty_are_told)
{
	uint64_t *entry, leaf;

	small_ram(0, MiB);
	touch(0);
	entry = &world_table(&w, WORLD_BASE + 3 * PAGE_SIZE)[0];
	leaf = *entry;
	*entry |= EPT_ACCESSED | EPT_DIRTY;
	say(0, reset_pat);
	assert_string_equal(said[3], "level 1: 0x200001377: 4K at 0x200001000, RWX, accessed, dirty, WB + "
				     "ignore PAT");
	*entry = leaf & ~(EPT_WRITE | EPT_EXECUTE);
	say(0, reset_pat);
	assert_non_null(strstr(said[3], "4K at 0x200001000, R--,"));
	*entry = leaf & ~(EPT_READ | EPT_WRITE);
	say(0, reset_pat);
	assert_non_null(strstr(said[3], "4K at 0x200001000, --X,"));
	*entry = leaf;
}

/* The spans are the leaves that ept_walk() finds, none twice, and no two that could be one. */
TEST(the_map_is_the_leaves)
{
	struct ept_span span, before = {0};
	uint64_t gpa, pages = 0, found = 0;
	unsigned level;

	assert_false(ept_next_span(&ept, 0, &span));
	assert_int_equal(ept_slot_add(&ept, RAM(0, 640 * KiB, 8 * GiB)), 0);
	assert_int_equal(ept_slot_add(&ept, RAM(MiB, 63 * MiB, 8 * GiB + MiB)), 0);
	wrmsr(0x204, 0x2240000 | MEMTYPE_WC);
	wrmsr(0x205, (BIT(39) - 256 * KiB) | 0x800);
	mtrr_all_wb();
	ept_noncoherent_change(&ept, &cpu, 1);
	for (gpa = 0; gpa < 64 * MiB; gpa += 3 * PAGE_SIZE)
		if ((gpa >> 20) % 5) serve_fault(&ept, &cpu, gpa, false);
	for (gpa = 0; ept_next_span(&ept, gpa, &span); gpa = span.gpa + span.size) {
		assert_true(span.size && span.gpa >= gpa);
		assert_false(before.gpa + before.size == span.gpa && before.bits == span.bits &&
			     before.level == span.level);
		for (uint64_t at = span.gpa; at < span.gpa + span.size; at += PAGE_SIZE, found++) {
			assert_int_equal(ept_walk(&ept, at, &level) & (EPT_RWX | TYPES), span.bits);
			assert_int_equal(level, span.level);
		}
		before = span;
	}
	for (uint64_t at = 0; at < 64 * MiB; at += PAGE_SIZE) pages += ept_walk(&ept, at, &level) != 0;
	assert_int_equal(found, pages);
	assert_true(found > 1000);
	assert_false(ept_next_span(&ept, 1ULL << 48, &span));
}

TEST(all_mtrrs_in_words)
{
	lines = 0;
	mtrr_print(&mtrr, keep_line, NULL);
	assert_int_equal(lines, 1);
	assert_string_equal(said[0], "MTRRs off, default UC, fixed ranges off");
	wrmsr(0x204, 0x2240000 | MEMTYPE_WC);
	wrmsr(0x205, (BIT(39) - 256 * KiB) | 0x800);
	wrmsr(0x206, 0x40000000 | MEMTYPE_WT); /* its mask is not on */
	wrmsr(0x250, 0x0606060606060606);
	wrmsr(0x2ff, 0xc00 | MEMTYPE_WP);
	lines = 0;
	mtrr_print(&mtrr, keep_line, NULL);
	assert_int_equal(lines, 4);
	assert_string_equal(said[0], "MTRRs on, default WP, fixed ranges on");
	assert_string_equal(said[1], "fixed: 0x0+512K WB");
	assert_string_equal(said[2], "fixed: 0x80000+512K UC");
	assert_string_equal(said[3], "variable 2 (WC, 0x2240000+256K)");
	wrmsr(0x2ff, 0x800 | MEMTYPE_WB);
	lines = 0;
	mtrr_print(&mtrr, keep_line, NULL);
	assert_int_equal(lines, 2);
}
