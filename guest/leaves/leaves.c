// SPDX-License-Identifier: MIT
/*
 * The sizes of EPT leaves, and what exactly a guest's MTRR write or CR0.CD takes away: a large leaf
 * is split where a page of it gets another type, and a later zap lets it come back whole. MTRRs are
 * written here one register at a time, so that each zap can be counted. Needs dev=edu iommu=on.
 *
 * The large leaf is one of 2M; with mem=2048M or more it is one of 1G, for then the second gibibyte
 * is RAM from its first byte to its last.
 */
#include "guest/lib/caching.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/pci.h"
#include "guest/lib/start.h"
#include "guest/lib/vmcall.h"
#include "guest/lib/vtd.h"

#define DOMAIN    1
#define RANGE     1 /* the variable ranges in use; the firmware's is range 0 */
#define RANGE2    2
#define WB        LEAF_TYPE(MEMTYPE_WB)
#define WC        LEAF_TYPE(MEMTYPE_WC)
#define UC        LEAF_TYPE(MEMTYPE_UC)
#define WB_IGNORE (WB | EPT_IGNORE_PAT)
#define UC_IGNORE (UC | EPT_IGNORE_PAT)

static struct edu_device edu;
static uint64_t *second_level;
static uint64_t cleared, flushes;
/* The large leaf, the 2 MiB of it in which a page changes, and that page. */
static uint64_t large, large_size, region, page;
static unsigned top; /* the level of the large leaf */

static void touch(uint64_t start, uint64_t size)
{
	for (uint64_t at = start; at < start + size; at += PAGE_SIZE) mmio_read8(at);
}

static void check_leaf(uint64_t gpa, unsigned level, uint64_t type_bits)
{
	struct words expected = leaf_words(type_bits, level);
	unsigned found;
	uint64_t leaf;

	mmio_read8(gpa);
	leaf = vmcall_ept_walk(gpa, &found);
	check_words(found == level && (leaf & LEAF_TYPE_BITS) == type_bits, leaf_words(leaf, found), expected,
		    "0x%lx: %s", gpa, expected.text);
}

static void check_absent(uint64_t gpa)
{
	unsigned level;
	uint64_t leaf = vmcall_ept_walk(gpa, &level);

	check_words(!leaf && !level, leaf_words(leaf, level), leaf_words(0, 0), "0x%lx: no leaf", gpa);
}

static void check_present(uint64_t gpa)
{
	unsigned level;

	check_words(vmcall_ept_walk(gpa, &level), leaf_words(0, 0), words("a leaf"), "0x%lx: its leaf is still there",
		    gpa);
}

static void before(void)
{
	cleared = vmcall_counter(COUNTER_LEAVES_CLEARED);
	flushes = vmcall_counter(COUNTER_INVEPT);
}

/* What happened since before(). */
static struct words since(void)
{
	return words("%lu leaves cleared, %lu INVEPTs", vmcall_counter(COUNTER_LEAVES_CLEARED) - cleared,
		     vmcall_counter(COUNTER_INVEPT) - flushes);
}

/* A transition takes the large leaf away, or retypes it where it is. */
static void check_after_transition(void)
{
	if (vmcall_retypes())
		check_present(large);
	else
		check_absent(large);
}

/* Since before(): one zap, one INVEPT, and so many leaves. */
static void check_zapped(uint64_t leaves, const char *why)
{
	check_words(vmcall_counter(COUNTER_LAST_ZAP) == leaves &&
			    vmcall_counter(COUNTER_LEAVES_CLEARED) == cleared + leaves &&
			    vmcall_counter(COUNTER_INVEPT) == flushes + 1,
		    since(), words("%lu by one zap, 1 INVEPT", leaves), "%s: exactly %lu leaves cleared, one INVEPT",
		    why, leaves);
}

static void check_nothing(const char *why)
{
	check_words(vmcall_counter(COUNTER_LEAVES_CLEARED) == cleared && vmcall_counter(COUNTER_INVEPT) == flushes,
		    since(), words("none"), "%s: nothing cleared, no INVEPT", why);
}

/* Range n becomes [base, base + size): only the last of the two writes changes a type. */
static void range_on(unsigned n, uint64_t base, uint64_t size, enum memtype type)
{
	unsigned width = cpuid(0x80000008, 0).eax & CPUID_80000008_EAX_MAXPHYADDR;

	wrmsr(MSR_IA32_MTRR_PHYSBASE0 + 2 * n, base | type);
	wrmsr(MSR_IA32_MTRR_PHYSMASK0 + 2 * n, (~(size - 1) & BITS(width - 1, 12)) | BIT(11));
}

static void range_off(unsigned n) { wrmsr(MSR_IA32_MTRR_PHYSMASK0 + 2 * n, 0); }

static void choose(void)
{
	top = ram_end() >= 2 * GiB ? 3 : 2;
	large = top == 3 ? GiB : 40 * MiB;
	large_size = top == 3 ? GiB : 2 * MiB;
	region = top == 3 ? large + 10 * MiB : large;
	page = region + 5 * PAGE_SIZE;
}

static void one_leaf(void)
{
	uint64_t violations;

	heading("1. The largest leaf that alignment, slot and type allow");
	check_leaf(large, top, WB_IGNORE);
	violations = vmcall_counter(COUNTER_VIOLATIONS);
	for (uint64_t at = large; at < large + large_size; at += large_size / 64) mmio_read8(at);
	check_count(violations, vmcall_counter(COUNTER_VIOLATIONS), "violations",
		    "64 places all over it: no further fault");
	check_leaf(32 * MiB, 2, WB_IGNORE);
	check_leaf(MiB + 900 * KiB, 1, WB_IGNORE);
	printf("   (The first 2 MiB have a hole.)\n");
}

static void no_device(void)
{
	heading("2. Without noncoherent DMA an MTRR write and CR0.CD zap nothing");
	before();
	range_on(RANGE, page, PAGE_SIZE, MEMTYPE_WC);
	check_nothing("a page becomes WC");
	range_off(RANGE);
	cache_disable(true);
	cache_disable(false);
	check_nothing("CR0.CD set and cleared");
	check_leaf(page, top, WB_IGNORE);
}

static void split(void)
{
	heading("3. With it: a write zaps what it changes, and leaves are split");
	check_whether(true, vtd_attach(edu.source_id, DOMAIN, second_level), "the wait is over", "it never is",
		      "device attached");
	check_after_transition();
	check_leaf(large, top, WB);
	mmio_read8(32 * MiB);
	mmio_read8(region + 2 * MiB);
	before();
	range_on(RANGE, page, PAGE_SIZE, MEMTYPE_WC);
	check_zapped(1, "one page of the large leaf becomes WC");
	check_absent(large);
	check_present(32 * MiB);
	check_leaf(page, 1, WC);
	check_leaf(page + PAGE_SIZE, 1, WB);
	check_leaf(region + 2 * MiB, 2, WB);
	before();
	range_on(RANGE, page, PAGE_SIZE, MEMTYPE_WC);
	check_nothing("the same once more");
}

static void exact_zaps(void)
{
	heading("4. Zaps of many leaves, and of none");
	touch(region, 2 * MiB);
	before();
	range_on(RANGE2, region, 2 * MiB, MEMTYPE_UC);
	check_zapped(512, "2 MiB of 4K leaves become UC");
	check_present(region + 2 * MiB);
	check_leaf(page, 2, UC);
	before();
	range_off(RANGE);
	check_nothing("below UC a WC range goes");
	range_off(RANGE2);
	check_zapped(1, "the UC range goes");
	check_leaf(region, 2, WB);
}

/* All fixed ranges count as one. */
static void fixed(void)
{
	uint64_t old = rdmsr(MSR_IA32_MTRR_FIX16K_80000);
	struct leaf_survey survey;

	heading("5. A fixed register");
	touch(0x1000, 0x9f000);
	survey = vmcall_survey(0, MiB, 0);
	check_words(survey.leaves[1] >= 0x9f, words("%u leaves of 4K", survey.leaves[1]), words("159 or more"),
		    "below 1 MiB: %u leaves", survey.leaves[1]);
	before();
	wrmsr(MSR_IA32_MTRR_FIX16K_80000, (old & ~0xffUL) | MEMTYPE_UC);
	check_zapped(survey.leaves[1], "16K of them become UC");
	check_present(32 * MiB);
	check_leaf(0x80000, 1, UC);
	check_leaf(0x84000, 1, WB);
	wrmsr(MSR_IA32_MTRR_FIX16K_80000, old);
}

static void cache_disabled(void)
{
	heading("6. CR0.CD changes every type");
	check_leaf(32 * MiB, 2, WB);
	cache_disable(true);
	check_absent(32 * MiB);
	check_leaf(large, top, UC_IGNORE);
	cache_disable(false);
	check_absent(large);
}

static void merge(void)
{
	heading("7. A zap lets leaves come back large");
	range_on(RANGE, page, PAGE_SIZE, MEMTYPE_WC);
	check_leaf(page, 1, WC);
	check_leaf(page + PAGE_SIZE, 1, WB);
	before();
	range_off(RANGE);
	check_zapped(1, "the page is WB again");
	check_leaf(page, 1, WB);
	printf("   (Beside a 4K leaf there is no room for a larger one.)\n");
	check_whether(true, vtd_detach(edu.source_id, DOMAIN), "the wait is over", "it never is", "device detached");
	before();
	check_leaf(large, top, WB_IGNORE);
	if (vmcall_retypes())
		check_count(flushes, vmcall_counter(COUNTER_INVEPT), "INVEPTs",
			    "it has stood where a table was since the transition: no INVEPT more");
	else
		check_count(flushes + 1, vmcall_counter(COUNTER_INVEPT), "INVEPTs",
			    "it stands where a table was: one INVEPT, and only then the table is free");
}

int guest_main(void)
{
	printf("Leaves: how large, and what takes them away\n");
	if (!check_whether(true, vmcall_present(), "an answer", "none", "VMCALL answers with version 2 or above") ||
	    !check(edu_find(0, &edu) && vtd_init(), "an edu device behind a VT-d unit"))
		return check_status();
	vmcall_wants_policy(1U << MEMTYPE_KVM_6_7, "it expects the guest's own types, and a transition");
	vmcall_wants_no_model("with two copies of each page all leaves are small");
	choose();
	second_level = vtd_table();
	check(vtd_set_root() && vtd_queue_on() && vtd_command(GCMD_TE, true), "translation on");
	one_leaf();
	no_device();
	split();
	exact_zaps();
	fixed();
	cache_disabled();
	merge();
	return check_status();
}
