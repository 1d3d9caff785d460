// SPDX-License-Identifier: MIT
/*
 * The demonstration: what a device that can do noncoherent DMA does to the memory types of a
 * guest's EPT leaves, told by the guest itself. Wants two edu devices behind a VT-d unit, and
 * 64 MiB. The word "native" skips what only the hypervisor can tell (its VMCALL).
 */
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/caching.h"
#include "guest/lib/pci.h"
#include "guest/lib/start.h"
#include "guest/lib/vmcall.h"
#include "guest/lib/vtd.h"
#include "lib/string.h"

/* A stretch of memory that gets one type by the guest's MTRRs. */
struct stretch {
	uint64_t start, size;
	enum memtype type;
};

/*
 * UC fills a 2 MiB page exactly, WC does not: there only 4 KiB leaves can tell the types apart.
 * What no variable range covers has the default type, which firmware left WB. Range 0 is the
 * PCI hole, so these are ranges 1 and 2.
 */
/* The number of the mark behind step 3: who looks with the monitor (stop=vmcall) finds all in
 * place. */
#define LEAVES_ARE_BACK 3

#define UC_BASE     (32 * MiB)
#define UC_SIZE     (2 * MiB)
#define WC_BASE     (34 * MiB + 256 * KiB)
#define WC_SIZE     (256 * KiB)
#define BUFFER_BASE (24 * MiB)
static const struct stretch stretches[] = {
	{16 * MiB, 4 * MiB, MEMTYPE_WB},
	{UC_BASE, UC_SIZE, MEMTYPE_UC},
	{34 * MiB, 256 * KiB, MEMTYPE_WB},
	{WC_BASE, WC_SIZE, MEMTYPE_WC},
	{WC_BASE + WC_SIZE, 512 * KiB, MEMTYPE_WB},
};

/* The DMA: the device reads the first IOVA and writes the second. */
#define IOVA_OUT  0x4000000UL
#define IOVA_IN   0x4001000UL
#define DOMAIN_A  1
#define DOMAIN_B  2
#define WB_IGNORE (LEAF_TYPE(MEMTYPE_WB) | EPT_IGNORE_PAT)
#define UC_IGNORE (LEAF_TYPE(MEMTYPE_UC) | EPT_IGNORE_PAT)

static struct edu_device edu[2];
static uint64_t *second_level;
static bool native;

static uint64_t pattern(uint64_t address) { return (address ^ 0x5555) * 0x9e3779b97f4a7c15; }

static void fill(const struct stretch *s)
{
	for (uint64_t at = s->start; at < s->start + s->size; at += 8) *(volatile uint64_t *)at = pattern(at);
}

static bool intact(const struct stretch *s)
{
	for (uint64_t at = s->start; at < s->start + s->size; at += 8)
		if (*(volatile uint64_t *)at != pattern(at)) return false;
	return true;
}

/* One byte of each page, so that each gets its leaf. */
static void touch(const struct stretch *s)
{
	for (uint64_t at = s->start; at < s->start + s->size; at += PAGE_SIZE) *(volatile uint8_t *)at;
}

/* Every page of the stretch has a leaf with these memory-type bits. */
static void check_leaves(const struct stretch *s, uint64_t type_bits)
{
	struct leaf_survey survey;
	struct words sizes;
	bool held;

	if (native) return;
	survey = vmcall_survey(s->start, s->size, type_bits);
	held = survey.matching == survey.pages;
	sizes = words(" (%u of 2M, %u of 4K)", survey.leaves[2], survey.leaves[1]);
	check_words(held, survey_words(&survey), type_words(type_bits), "0x%07lx-0x%07lx MTRR %s: leaves %s%s",
		    s->start, s->start + s->size - 1, memtype_name(s->type), type_words(type_bits).text,
		    held ? sizes.text : "");
}

static void check_all_leaves_ignore_pat(uint64_t type_bits)
{
	for (unsigned i = 0; i < ARRAY_SIZE(stretches); i++) {
		touch(&stretches[i]);
		check_leaves(&stretches[i], type_bits);
	}
}

/* What each stretch's MTRR says, with guest PAT in force. */
static void check_all_leaves_follow_mtrr(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(stretches); i++) {
		touch(&stretches[i]);
		check_leaves(&stretches[i], LEAF_TYPE(stretches[i].type));
	}
}

static void check_all_absent(void)
{
	struct words found = words("none");
	unsigned pages = 0, absent = 0;

	if (native) return;
	for (unsigned i = 0; i < ARRAY_SIZE(stretches); i++) {
		struct leaf_survey s = vmcall_survey(stretches[i].start, stretches[i].size, NO_LEAF);

		if (absent == pages && s.absent < s.pages) found = survey_words(&s);
		pages += s.pages;
		absent += s.absent;
	}
	if (vmcall_retypes())
		check_count(0, absent, "pages without", "all of the %u pages still have a leaf", pages);
	else
		check_words(absent == pages, found, words("no leaf"), "none of the %u pages has a leaf any more",
			    pages);
}

static void check_all_present(void)
{
	unsigned absent = 0;

	if (native) return;
	for (unsigned i = 0; i < ARRAY_SIZE(stretches); i++)
		absent += vmcall_survey(stretches[i].start, stretches[i].size, 0).absent;
	check_count(0, absent, "pages without a leaf", "every page still has its leaf");
}

static void check_intact(void)
{
	bool held = true;

	for (unsigned i = 0; i < ARRAY_SIZE(stretches); i++) held &= intact(&stretches[i]);
	check(held, "every byte written at the beginning is still there");
}

static void check_attached(uint64_t expected, const char *text)
{
	if (!native)
		check_count(expected, vmcall_counter(COUNTER_NONCOHERENT), "noncoherent devices", "%s is %lu", text,
			    expected);
}

/* The counters that a transition moves, before it. */
struct before {
	uint64_t transitions, cleared, flushes, retyped;
};

static struct before counters(void)
{
	if (native) return (struct before){0};
	return (struct before){
		vmcall_counter(COUNTER_TRANSITIONS),
		vmcall_counter(COUNTER_LEAVES_CLEARED),
		vmcall_counter(COUNTER_INVEPT),
		vmcall_counter(COUNTER_RETYPED),
	};
}

/* With transition=retype no leaf is cleared. */
static void check_retyped(const struct before *b)
{
	uint64_t retyped = vmcall_counter(COUNTER_RETYPED) - b->retyped;

	check_words(retyped, words("none"), words("some"), "it retyped %lu leaves, in %lu ticks", retyped,
		    vmcall_counter(COUNTER_TRANSITION_TICKS));
	check_count(b->cleared, vmcall_counter(COUNTER_LEAVES_CLEARED), "leaves", "no leaf was cleared");
}

/* A transition happened since: leaves were cleared and INVEPT executed. */
static void check_transition(const struct before *b)
{
	uint64_t cleared, in_all;

	if (native) return;
	cleared = vmcall_counter(COUNTER_LAST_ZAP);
	in_all = vmcall_counter(COUNTER_LEAVES_CLEARED) - b->cleared;
	check_count(b->transitions + 1, vmcall_counter(COUNTER_TRANSITIONS), "transitions", "one more transition");
	if (vmcall_retypes())
		check_retyped(b);
	else if (cleared && in_all == cleared)
		check(true, "its zap cleared %lu leaves, in %lu ticks", cleared,
		      vmcall_counter(COUNTER_TRANSITION_TICKS));
	else
		check_words(false, words("%lu leaves cleared since, %lu by the last zap", in_all, cleared),
			    words("some, all by one zap"), "its zap cleared leaves");
	check_words(vmcall_counter(COUNTER_INVEPT) > b->flushes, words("none"), words("one or more"),
		    "INVEPT was executed");
}

static void check_no_transition(const struct before *b)
{
	if (native) return;
	check_count(b->transitions, vmcall_counter(COUNTER_TRANSITIONS), "transitions", "no transition");
	check_count(b->cleared, vmcall_counter(COUNTER_LEAVES_CLEARED), "leaves", "no leaf was cleared");
}

static void memory(void)
{
	heading("1. Memory: %u stretches filled; by MTRR one of them UC, one WC", (unsigned)ARRAY_SIZE(stretches));
	mtrr_set(1, UC_BASE, UC_SIZE, MEMTYPE_UC);
	mtrr_set(2, WC_BASE, WC_SIZE, MEMTYPE_WC);
	for (unsigned i = 0; i < ARRAY_SIZE(stretches); i++) fill(&stretches[i]);
	check_attached(0, "noncoherent count");
	check_all_leaves_ignore_pat(WB_IGNORE);
}

static bool device(void)
{
	heading("2. The device, and an IOMMU mapping for its DMA");
	if (!check(edu_find(0, &edu[0]) && edu_find(1, &edu[1]), "two edu devices are on PCI")) return false;
	check_is(EDU_IDENTIFIED, mmio_read32(edu[0].bar + EDU_IDENTIFICATION),
		 "the first, at %02x:%02x.%x, identifies itself", edu[0].source_id >> 8, edu[0].source_id >> 3 & 31,
		 edu[0].source_id & 7);
	check_is(3628800, edu_factorial(&edu[0], 10), "it computes 10! = 3628800");
	mmio_write32(edu[0].bar + EDU_LIVENESS, 0x12345678);
	check_is(~0x12345678U, mmio_read32(edu[0].bar + EDU_LIVENESS), "it is alive: ~0x12345678");
	if (!check_whether(true, vtd_init(), "a unit", "none", "a VT-d unit answers at 0x%lx", VTD_BASE)) return false;
	second_level = vtd_table();
	vtd_map(second_level, 3, IOVA_OUT, stretches[0].start, SL_RW);
	vtd_map(second_level, 3, IOVA_IN, BUFFER_BASE, SL_RW);
	check(vtd_set_root() && vtd_queue_on() && vtd_command(GCMD_TE, true),
	      "root table set, queue on, translation on");
	check_attached(0, "nothing is attached yet: noncoherent count");
	return true;
}

static void attach_first(void)
{
	struct before b = counters();

	heading("3. Attach it: 0 -> 1, every leaf is cleared");
	check_whether(true, vtd_attach(edu[0].source_id, DOMAIN_A, second_level), "the wait is over", "it never is",
		      "context entry written, context cache invalidated, wait status seen");
	check_all_absent();
	if (!native) printf("   (The pages this code runs on had to come back at once.)\n");
	check_attached(1, "noncoherent count");
	check_transition(&b);
	check_all_leaves_follow_mtrr();
	check_intact();
	if (!native) vmcall_mark(LEAVES_ARE_BACK);
}

static void dma(void)
{
	const struct stretch *source = &stretches[0];
	/* QEMU 7.2's edu refuses a transfer that ends where its buffer does. */
	unsigned size = native ? PAGE_SIZE / 2 : PAGE_SIZE;
	bool done;

	heading("4. DMA through the mapping: memory -> device -> memory");
	done = edu_dma(&edu[0], IOVA_OUT, size, false) && edu_dma(&edu[0], IOVA_IN, size, true);
	check(done, "out by 0x%lx and in by 0x%lx", IOVA_OUT, IOVA_IN);
	check(!memcmp((void *)source->start, (void *)BUFFER_BASE, size), "all %u bytes arrived", size);
}

static void toggle_cd(const char *when, uint64_t type_bits)
{
	struct before b = counters();

	cache_disable(true);
	touch(&stretches[0]);
	touch(&stretches[2]);
	printf("CR0.CD = 1 %s:\n", when);
	check_leaves(&stretches[0], type_bits);
	check_leaves(&stretches[2], type_bits);
	cache_disable(false);
	if (type_bits == WB_IGNORE) check_no_transition(&b);
}

static void more_devices(void)
{
	struct before b = counters();

	heading("5. A second device: 1 -> 2 -> 1, nothing is cleared; then 1 -> 0");
	check_whether(true, vtd_attach(edu[1].source_id, DOMAIN_B, second_level), "the wait is over", "it never is",
		      "second device attached");
	check_attached(2, "noncoherent count");
	check_no_transition(&b);
	check_whether(true, vtd_detach(edu[0].source_id, DOMAIN_A), "the wait is over", "it never is",
		      "first device detached");
	check_attached(1, "noncoherent count");
	check_no_transition(&b);
	check_all_present();
}

static void detach_last(void)
{
	struct before b = counters();

	check_whether(true, vtd_detach(edu[1].source_id, DOMAIN_B), "the wait is over", "it never is",
		      "second device detached");
	check_all_absent();
	check_attached(0, "noncoherent count");
	check_transition(&b);
	check_all_leaves_ignore_pat(WB_IGNORE);
	check_intact();
}

int guest_main(void)
{
	native = guest_word("native");
	printf("The demonstration of Leafcutter: noncoherent DMA and the EPT's memory types.\n");
	if (!native &&
	    !check_whether(true, vmcall_present(), "an answer", "none", "VMCALL answers with version 2 or above"))
		return check_status();
	if (!native) vmcall_wants_policy(1U << MEMTYPE_KVM_6_7, "it expects the guest's own types, and a transition");
	memory();
	if (!device()) return check_status();
	attach_first();
	dma();
	more_devices();
	toggle_cd("while one device is attached", UC_IGNORE);
	check_all_leaves_follow_mtrr();
	detach_last();
	heading("6. CR0.CD again, with no device attached: no effect");
	toggle_cd("with none attached", WB_IGNORE);
	return check_status();
}
