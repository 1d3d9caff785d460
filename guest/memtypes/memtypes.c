// SPDX-License-Identifier: MIT
/*
 * Every combination of guest MTRR type, PAT type, noncoherent DMA and CR0.CD under one policy: a
 * page is mapped so, faulted in, its leaf read by VMCALL, and the SDM's combination table
 * applied; the result must be the line of expected.inc. Which policy the VM
 * has it asks by VMCALL; the word "policy=kvm-6.6" (or another) makes it expect that one, and where
 * the VM has another it says beforehand that it fails by design. Needs dev=edu iommu=on.
 *
 * This proves types by rule. Reads are timed besides: where the CPU shows a difference between
 * cached and uncached memory at all, the times must agree too, and only then it says measured.
 */
#include "guest/lib/caching.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/paging.h"
#include "guest/lib/pci.h"
#include "guest/lib/start.h"
#include "guest/lib/vmcall.h"
#include "guest/lib/vtd.h"
#include "lib/format.h"

#define MTRRS  5
#define PATS   6
#define PHASES 4 /* noncoherent x CD */
#define DOMAIN 1
/* Each phase has a 2 MiB of its own, so that no leaf of an earlier one covers its pages. */
#define BASE   (32 * MiB)
#define STRIDE (2 * MiB)

static const enum memtype mtrr_types[MTRRS] = {MEMTYPE_UC, MEMTYPE_WC, MEMTYPE_WT, MEMTYPE_WP, MEMTYPE_WB};
/* In the order of expected.inc; PAT entry n selects pat_types[n], entry 0 stays WB. */
static const struct {
	enum memtype type;
	unsigned entry;
} pats[PATS] = {{MEMTYPE_UC, 3}, {MEMTYPE_UC_MINUS, 2}, {MEMTYPE_WC, 4},
		{MEMTYPE_WT, 1}, {MEMTYPE_WP, 5},       {MEMTYPE_WB, 0}};

struct expected {
	enum memtype_policy policy;
	bool noncoherent, cd;
	enum memtype mtrr, leaf;
	bool ignore_pat;
	enum memtype effective[PATS];
};

#define T(type) MEMTYPE_##type
#define E(policy, noncoherent, cd, mtrr, leaf, ignore, a, b, c, d, e, f)                                               \
	{MEMTYPE_KVM_##policy, noncoherent, cd, T(mtrr), T(leaf), ignore, {T(a), T(b), T(c), T(d), T(e), T(f)}},
static const struct expected expected[] = {
#include "guest/memtypes/expected.inc"
};

/* Ticks of reads of one line, and whether they should have been cached. */
struct timing {
	uint64_t ticks;
	bool cached;
};
static struct timing timings[PHASES * MTRRS * PATS];
static unsigned timed;

static enum memtype_policy policy;
static struct edu_device edu;
static uint64_t *second_level;

static const struct expected *find_expected(bool noncoherent, bool cd, enum memtype mtrr)
{
	for (unsigned i = 0; i < ARRAY_SIZE(expected); i++) {
		const struct expected *e = &expected[i];

		if (e->policy == policy && e->noncoherent == noncoherent && e->cd == cd && e->mtrr == mtrr) return e;
	}
	return NULL;
}

static uint64_t phase_base(bool noncoherent, bool cd) { return BASE + (2 * noncoherent + cd) * STRIDE; }

/* Page n of the phase has type mtrr_types[n]; WB is the default type, the others are ranges. */
static void set_ranges(uint64_t base)
{
	for (unsigned i = 0; i < MTRRS; i++)
		if (mtrr_types[i] != MEMTYPE_WB) mtrr_set(i + 1, base + i * PAGE_SIZE, PAGE_SIZE, mtrr_types[i]);
}

static uint64_t time_reads(uint64_t page)
{
	uint64_t best = ~0UL;

	for (unsigned round = 0; round < 3; round++) {
		uint64_t start = rdtsc();

		for (unsigned i = 0; i < 64; i++) mmio_read64(page);
		best = MIN(best, rdtsc() - start);
	}
	return best;
}

static bool cached(enum memtype type) { return type != MEMTYPE_UC && type != MEMTYPE_WC; }

static uint64_t leaf_expected(const struct expected *e)
{
	return LEAF_TYPE(e->leaf) | (e->ignore_pat ? EPT_IGNORE_PAT : 0);
}

/* The types that the leaf gives with each PAT type; the CPU's own CR0.CD stays 0. */
static void effective_of(uint64_t leaf, enum memtype types[PATS])
{
	for (unsigned i = 0; i < PATS; i++) types[i] = memtype_effective(leaf, pats[i].type, false);
}

/* A row of the table: " UC  WC  ...". */
static struct words row(const enum memtype types[PATS])
{
	struct words w = words("%s", "");

	for (unsigned i = 0; i < PATS; i++) format_append(w.text, sizeof(w.text), " %-3s", memtype_name(types[i]));
	return w;
}

/* One line: a page of one MTRR type under all PAT types. */
static void try_page(uint64_t page, const struct expected *e)
{
	enum memtype found[PATS];
	uint64_t leaf = 0;
	unsigned level, wrong = 0;

	for (unsigned i = 0; i < PATS; i++) {
		page_set_pat(page, pats[i].entry);
		mmio_read8(page);
		leaf = vmcall_ept_walk(page, &level);
		/* The CPU's own CR0.CD stays 0: the guest's acts through the leaf only. */
		wrong += memtype_effective(leaf, pats[i].type, false) != e->effective[i];
		timings[timed++] = (struct timing){time_reads(page), cached(e->effective[i])};
	}
	page_set_pat(page, 0);
	wrong += (leaf & LEAF_TYPE_BITS) != leaf_expected(e);
	effective_of(leaf, found);
	check_words(!wrong, words("%s, effective%s", type_words(leaf).text, row(found).text),
		    words("%s, effective%s", type_words(leaf_expected(e)).text, row(e->effective).text),
		    "%u %u   %-4s  %-2s%-6s %s  proved by rule", e->noncoherent, e->cd, memtype_name(e->mtrr),
		    memtype_name(e->leaf), e->ignore_pat ? "+IPAT" : "", row(e->effective).text);
}

static void phase(bool noncoherent, bool cd)
{
	uint64_t base = phase_base(noncoherent, cd);

	set_ranges(base);
	cache_disable(cd);
	for (unsigned i = 0; i < MTRRS; i++)
		try_page(base + i * PAGE_SIZE, find_expected(noncoherent, cd, mtrr_types[i]));
	cache_disable(false);
}

/* RDMSR reads what the CPU has loaded, so a PAT that reads back is one that is applied. */
static void set_pat(void)
{
	uint64_t pat, wrong = 0;

	for (unsigned i = 0; i < PATS; i++)
		if (pats[i].entry) pat_set(pats[i].entry, pats[i].type);
	pat = rdmsr(MSR_IA32_PAT);
	for (unsigned i = 0; i < PATS; i++) wrong += (pat >> 8 * pats[i].entry & 0xff) != pats[i].type;
	if (wrong)
		check_words(false, words("0x%016lx", pat), words("UC, UC-, WC, WT, WP and WB"),
			    "the PAT has the six types");
	else
		check(true, "the PAT has the six types: 0x%016lx", pat);
}

static void attach(void)
{
	static const struct {
		uint64_t leaf, transitions;
		const char *what;
	} after[MEMTYPE_POLICIES] = {
		[MEMTYPE_KVM_6_6] = {LEAF_TYPE(MEMTYPE_WB) | EPT_IGNORE_PAT, 1,
				     "kvm-6.6: the first page's leaf is stale, WB + ignore PAT"},
		[MEMTYPE_KVM_6_7] = {0, 1, "kvm-6.7: the first page's leaf was cleared"},
		[MEMTYPE_KVM_6_11] = {0, 1, "kvm-6.11: the first page's leaf was cleared"},
		[MEMTYPE_KVM_6_16] = {LEAF_TYPE(MEMTYPE_WB), 0, "kvm-6.16: the first page's leaf is as it was, WB"},
	};
	uint64_t page = phase_base(false, false), leaf;
	unsigned level;

	check_whether(true, vtd_attach(edu.source_id, DOMAIN, second_level), "the wait is over", "it never is",
		      "device attached");
	leaf = vmcall_ept_walk(page, &level);
	if (vmcall_retypes() && !after[policy].leaf)
		check_words(level && (leaf & LEAF_TYPE_BITS) != (LEAF_TYPE(MEMTYPE_WB) | EPT_IGNORE_PAT),
			    leaf_words(leaf, level), words("a leaf of another type"),
			    "the first page's leaf was retyped where it is");
	else
		check_words((leaf & LEAF_TYPE_BITS) == after[policy].leaf && !level == !after[policy].leaf,
			    leaf_words(leaf, level),
			    after[policy].leaf ? type_words(after[policy].leaf) : leaf_words(0, 0), "%s",
			    after[policy].what);
	check_count(1, vmcall_counter(COUNTER_NONCOHERENT), "noncoherent devices", "noncoherent count is 1");
	check_count(after[policy].transitions, vmcall_counter(COUNTER_TRANSITIONS), "transitions", "the attach was %s",
		    after[policy].transitions ? "a transition" : "no transition");
}

/* Does any uncached time look unlike the cached ones? If so, all have to. */
static void judge_timings(void)
{
	uint64_t cached_max = 0, uncached_min = ~0UL;
	unsigned agree = 0;

	for (unsigned i = 0; i < timed; i++) {
		if (timings[i].cached)
			cached_max = MAX(cached_max, timings[i].ticks);
		else
			uncached_min = MIN(uncached_min, timings[i].ticks);
	}
	printf("64 reads: cached at most %lu ticks, uncached at least %lu\n", cached_max, uncached_min);
	if (uncached_min < 3 * cached_max) {
		printf("This CPU shows no memory types in its times: nothing is measured.\n");
		return;
	}
	for (unsigned i = 0; i < timed; i++) agree += timings[i].cached == (timings[i].ticks <= cached_max);
	check_count(timed, agree, "of the times agree", "cached or not, as expected: measured");
}

/* The VM's own; a word of the command line makes the image fail where that is another. */
static enum memtype_policy choose_policy(void)
{
	static const char *const words[] = {
		[MEMTYPE_KVM_6_6] = "policy=kvm-6.6",
		[MEMTYPE_KVM_6_7] = "policy=kvm-6.7",
		[MEMTYPE_KVM_6_11] = "policy=kvm-6.11",
		[MEMTYPE_KVM_6_16] = "policy=kvm-6.16",
	};

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		if (guest_word(words[i])) return (enum memtype_policy)i;
	}
	return vmcall_policy();
}

int guest_main(void)
{
	if (!check_whether(true, vmcall_present(), "an answer", "none", "VMCALL answers with version 2 or above") ||
	    !check(edu_find(0, &edu) && vtd_init(), "an edu device behind a VT-d unit"))
		return check_status();
	policy = choose_policy();
	printf("Memory types under policy %s\n", memtype_policy_name(policy));
	vmcall_wants_policy(1U << policy, "policy= makes it expect the types of another policy");
	second_level = vtd_table();
	check(vtd_set_root() && vtd_queue_on() && vtd_command(GCMD_TE, true), "translation on");
	set_pat();
	printf("n: noncoherent DMA present; CD: guest CR0.CD; then the effective type by PAT "
	       "type\n");
	printf("          n CD MTRR leaf      UC  UC- WC  WT  WP  WB\n");
	phase(false, false);
	phase(false, true);
	attach();
	phase(true, false);
	phase(true, true);
	judge_timings();
	return check_status();
}
