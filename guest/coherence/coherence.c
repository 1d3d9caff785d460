// SPDX-License-Identifier: MIT
/*
 * What a memory type does to bytes: buffers shared with devices, before, while and after a device
 * is attached that goes around the caches, each byte compared. Needs coherence=model iommu=on
 * dev=edu dev=edu,snoop; with iommu=on,sc there are rounds more. Which policy the VM has the image
 * asks by VMCALL. With memtype=kvm-6.6 it fails by design: that is the bug, in bytes.
 */
#include "guest/lib/caching.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/pci.h"
#include "guest/lib/start.h"
#include "guest/lib/vmcall.h"
#include "guest/lib/vtd.h"
#include "lib/bits.h"

#define WORDS (PAGE_SIZE / sizeof(uint64_t))

/* Where the buffers are: the first are UC by the MTRRs, no page is used twice. */
#define UC_START     (16 * MiB)
#define UC_SIZE      MiB
#define WB_START     (20 * MiB)
#define WINDOW_START (24 * MiB)
#define BUFFERS_SIZE (12 * MiB)

/* How the driver treats a buffer. */
enum kind { UC, PLAIN, WRITTEN_BACK, KINDS };
static const char *const kinds[KINDS] = {
	[UC] = "UC by MTRR",
	[PLAIN] = "WB, no WBINVD",
	[WRITTEN_BACK] = "WB, WBINVD before and after",
};

/* One device, attached in one way. */
struct round {
	const char *name;
	unsigned device;
	bool pass_through;
	uint64_t leaf;    /* of its mappings, besides read and write */
	bool noncoherent; /* it goes around the caches */
	bool goes_around; /* and these are modelled */
};

/* A page, and what it holds. */
struct buffer {
	uint64_t page, pattern;
};

/* The buffers of a round that are there before the attach, by kind. */
static struct {
	struct buffer untouched, touched; /* since they were written */
	struct buffer rewritten, received, left_over;
} buffers[KINDS];

static struct edu_device edu[2];
static enum memtype_policy policy;
static bool modelled;
static uint64_t next_uc = UC_START, next_wb = WB_START, next_window = WINDOW_START;
static uint64_t next_pattern = 1;
static uint16_t domain;

/* A page that nobody has touched. */
static uint64_t fresh(enum kind kind)
{
	uint64_t *next = kind == UC ? &next_uc : &next_wb;

	*next += PAGE_SIZE;
	return *next - PAGE_SIZE;
}

/* Each word of a pattern is its number and its place, so that no two have a word in common. */
static uint64_t word_of(uint64_t pattern, uint64_t n) { return pattern ? pattern << 32 | n << 16 | (~n & 0xffff) : 0; }

/* Fill the page with a pattern of its own. Memory that nobody has written has pattern 0. */
static uint64_t fill(uint64_t page)
{
	for (uint64_t n = 0; n < WORDS; n++) mmio_write64(page + n * sizeof(uint64_t), word_of(next_pattern, n));
	return next_pattern++;
}

/* How many bytes of the page are the pattern's, as the CPU reads it. */
static unsigned count_bytes(uint64_t page, uint64_t pattern)
{
	unsigned bytes = 0;

	for (uint64_t n = 0; n < WORDS; n++)
		if (mmio_read64(page + n * sizeof(uint64_t)) == word_of(pattern, n)) bytes += sizeof(uint64_t);
	return bytes;
}

static void touch(uint64_t page) { mmio_read64(page); }

/* The types of leaves follow the guest's MTRRs, where a device goes around the caches. */
static bool mtrrs_count(void) { return policy < MEMTYPE_KVM_6_11; }

/* Attach and detach write back what is cached. */
static bool transitions_write_back(void) { return policy == MEMTYPE_KVM_6_7 || policy == MEMTYPE_KVM_6_11; }

/* What is to be found: the new bytes, or, where a real machine would have them too, the old. */
struct expected {
	bool new;
	const char *why; /* the old ones */
};

/* While the device is attached. */
static struct expected while_attached(const struct round *round, enum kind kind)
{
	if (!round->goes_around || kind == WRITTEN_BACK || (kind == UC && mtrrs_count()))
		return (struct expected){.new = true};
	return (struct expected){.why = kind == UC ? "this policy makes no buffer UC" : "no WBINVD came between"};
}

/* Where the attach, or the detach, lies between the writer and the reader. */
static struct expected across_transition(const struct round *round, enum kind kind)
{
	if (!round->goes_around || transitions_write_back()) return (struct expected){.new = true};
	if (policy == MEMTYPE_KVM_6_16)
		return (struct expected){.why = "this policy has no transition to write it back"};
	return (struct expected){.new = kind != PLAIN, .why = "no WBINVD came between"};
}

/* The line that tells a wrong type by what it did. */
static void tell_stale(const char *who, uint64_t page, unsigned old)
{
	unsigned level;
	uint64_t leaf = vmcall_ept_walk(page, &level);

	/* Another type is in the table by now: then the CPU goes on with what it had cached of it.
	 */
	printf("FAIL: the %s read %u old bytes of 0x%lx: its leaf is %s %s\n", who, old, page,
	       FIELD(leaf, EPT_TYPE) == MEMTYPE_WB ? "still" : "by now", type_words(leaf & LEAF_TYPE_BITS).text);
}

/* 'who' has read the page, and what it read is at 'seen'. */
static void judge(const char *who, uint64_t page, uint64_t seen, uint64_t old, uint64_t new, struct expected expected,
		  enum kind kind)
{
	unsigned olds = count_bytes(seen, old), news = count_bytes(seen, new);

	if (!expected.new)
		check_words(olds == PAGE_SIZE, words("%u old and %u new bytes", olds, news),
			    words("%u old ones", (unsigned)PAGE_SIZE),
			    "%s: the %s reads old bytes, as on a real machine, since %s", kinds[kind], who,
			    expected.why);
	else if (!check_words(news == PAGE_SIZE, words("%u old and %u new bytes", olds, news),
			      words("%u new ones", (unsigned)PAGE_SIZE), "%s: the %s reads what was written",
			      kinds[kind], who) &&
		 olds)
		tell_stale(who, page, olds);
}

/* The device reads the page; what it has read comes back by a page that no cache knows of. */
static void device_reads(const struct round *round, uint64_t page, uint64_t old, uint64_t new, struct expected expected,
			 enum kind kind)
{
	uint64_t window = next_window;

	next_window += PAGE_SIZE;
	if (!edu_dma(&edu[round->device], page, PAGE_SIZE, false) ||
	    !edu_dma(&edu[round->device], window, PAGE_SIZE, true))
		check(false, "the device does its DMA");
	judge("device", page, window, old, new, expected, kind);
}

/* The device's own buffer gets a pattern, by a page that is in memory for certain. */
static uint64_t load_device(const struct round *round)
{
	uint64_t source = next_window, pattern = fill(source);

	next_window += PAGE_SIZE;
	wbinvd();
	if (!edu_dma(&edu[round->device], source, PAGE_SIZE, false)) check(false, "the device does its DMA");
	return pattern;
}

static void device_writes(const struct round *round, uint64_t page)
{
	if (!edu_dma(&edu[round->device], page, PAGE_SIZE, true)) check(false, "the device does its DMA");
}

static void driver_writes_back(enum kind kind)
{
	if (kind == WRITTEN_BACK) wbinvd();
}

/* What a driver does before it lets its device loose. Its WBINVD is ignored: nothing is attached.
 */
static void before_attach(void)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		struct buffer *buffer = &buffers[kind].untouched;

		for (unsigned i = 0; i < 5; i++) buffer[i] = (struct buffer){.page = fresh(kind)};
		for (unsigned i = 0; i < 4; i++) buffer[i].pattern = fill(buffer[i].page);
		touch(buffers[kind].left_over.page);
		driver_writes_back(kind);
	}
}

static void attach(const struct round *round)
{
	uint64_t *context = vtd_context(edu[round->device].source_id), *table = vtd_table();

	for (uint64_t page = UC_START; page < UC_START + BUFFERS_SIZE; page += PAGE_SIZE)
		vtd_map(table, 3, page, page, SL_RW | round->leaf);
	context[1] = (uint64_t)++domain << 8 | CONTEXT_3_LEVELS;
	context[0] = (round->pass_through ? CONTEXT_PASS_THROUGH : (uint64_t)table) | CONTEXT_PRESENT;
	check_whether(true, vtd_invalidate_context(DESC_SELECTIVE, 0, edu[round->device].source_id), "the wait is over",
		      "it never is", "attached");
}

/* Written before the attach; nobody executes WBINVD now. */
static void read_what_was_written_before(const struct round *round)
{
	heading("%s: written before the attach, read by the device after it", round->name);
	for (unsigned kind = 0; kind < KINDS; kind++) {
		const struct buffer *buffer = &buffers[kind].untouched;

		device_reads(round, buffer->page, 0, buffer->pattern, across_transition(round, kind), kind);
	}
	printf("   ... and touched again in between\n");
	for (unsigned kind = 0; kind < KINDS; kind++) {
		const struct buffer *buffer = &buffers[kind].touched;

		touch(buffer->page);
		device_reads(round, buffer->page, 0, buffer->pattern, across_transition(round, kind), kind);
	}
	check_count(round->noncoherent, vmcall_counter(COUNTER_NONCOHERENT), "noncoherent devices", "the device is %s",
		    round->noncoherent ? "noncoherent" : "coherent");
}

/* In the order of the kinds: a WBINVD acts on all pages, so the kind that needs one comes last. */
static void read_what_is_written_now(const struct round *round)
{
	heading("%s: written while attached, read by the device", round->name);
	for (unsigned kind = 0; kind < KINDS; kind++) {
		const struct buffer *again = &buffers[kind].rewritten;
		uint64_t page = again->page, old = transitions_write_back() ? again->pattern : 0;
		uint64_t new = fill(page);

		driver_writes_back(kind);
		device_reads(round, page, old, new, while_attached(round, kind), kind);
		page = fresh(kind);
		new = fill(page);
		driver_writes_back(kind);
		device_reads(round, page, 0, new, while_attached(round, kind), kind);
	}
}

static void receive(const struct round *round)
{
	heading("%s: written by the device, read by the CPU", round->name);
	for (unsigned kind = 0; kind < KINDS; kind++) {
		uint64_t page = buffers[kind].received.page, old, new = load_device(round);

		old = fill(page);
		driver_writes_back(kind);
		device_writes(round, page);
		driver_writes_back(kind);
		judge("CPU", page, page, old, new, while_attached(round, kind), kind);
	}
}

/* The CPU has the pages in its cache as they were; behind the detach WBINVD is ignored again. */
static void receive_across_detach(const struct round *round)
{
	uint64_t new = load_device(round);

	heading("%s: written by the device, detached, read by the CPU", round->name);
	for (unsigned kind = 0; kind < KINDS; kind++) touch(buffers[kind].left_over.page);
	for (unsigned kind = 0; kind < KINDS; kind++) device_writes(round, buffers[kind].left_over.page);
	check_whether(true, vtd_detach(edu[round->device].source_id, domain), "the wait is over", "it never is",
		      "detached");
	for (unsigned kind = 0; kind < KINDS; kind++) {
		uint64_t page = buffers[kind].left_over.page;

		driver_writes_back(kind);
		judge("CPU", page, page, 0, new, across_transition(round, kind), kind);
	}
}

static void do_round(struct round round)
{
	round.goes_around = round.noncoherent && modelled;
	before_attach();
	attach(&round);
	read_what_was_written_before(&round);
	read_what_is_written_now(&round);
	receive(&round);
	receive_across_detach(&round);
}

/* What to expect of this VM, in words, before anything is checked. */
static void introduce(void)
{
	printf("What a memory type does to bytes, under %s, caches %s\n", memtype_policy_name(policy),
	       modelled ? "modelled" : "not modelled");
	if (!modelled)
		printf("Without coherence=model every byte arrives, whatever the type.\n");
	else if (policy == MEMTYPE_KVM_6_6)
		vmcall_wants_policy(0, "leaves keep a wrong type");
	else if (!mtrrs_count())
		printf("With memtype=%s no buffer can be made UC: such ones show old bytes.\n",
		       memtype_policy_name(policy));
}

int guest_main(void)
{
	if (!check_whether(true, vmcall_present(), "an answer", "none", "VMCALL answers with version 2 or above") ||
	    !check(edu_find(0, &edu[0]) && edu_find(1, &edu[1]) && vtd_init(), "two edu devices behind a VT-d unit"))
		return check_status();
	policy = vmcall_policy();
	modelled = vmcall_chosen() & CHOSEN_COHERENCE;
	introduce();
	mtrr_set(1, UC_START, UC_SIZE, MEMTYPE_UC);
	check(vtd_set_root() && vtd_queue_on() && vtd_command(GCMD_TE, true), "translation on");
	do_round((struct round){.name = "translated", .noncoherent = true});
	do_round((struct round){.name = "pass-through", .pass_through = true, .noncoherent = true});
	if (vtd_read64(VTD_ECAP) & ECAP_SC) do_round((struct round){.name = "SNP in its mappings", .leaf = SL_SNOOP});
	do_round((struct round){.name = "a device that snoops", .device = 1});
	return check_status();
}
