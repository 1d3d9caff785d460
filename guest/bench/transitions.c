// SPDX-License-Identifier: MIT
/*
 * What only Leafcutter has: the transition of the noncoherent count by the number of leaves it
 * clears or retypes, touching memory again after it, and what the IOMMU costs. Needs dev=edu
 * iommu=on, and 1600 MiB for the largest number of leaves. With cpus=N all N run while CPU 0 makes
 * the transition, and each touches its share of the pages.
 */
#include "guest/bench/bench.h"
#include "guest/lib/caching.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/jobs.h"
#include "guest/lib/pci.h"
#include "guest/lib/start.h"
#include "guest/lib/vmcall.h"
#include "guest/lib/vtd.h"

#define DOMAIN 1
#define IOVA   0x100000UL

static struct edu_device edu;
static uint64_t *second_level;

#define MOST  262144UL    /* pages */
#define PIECE (512 * MiB) /* as much as one variable range covers of them */

/*
 * Make every other page of [base, base + size) WC, by ranges whose masks look at bit 12 too
 * (SDM 3A 12.11.2.3 allows it): then, while noncoherent DMA is present, all leaves there are
 * of 4K. Both are multiples of a piece, or size is a power of two and divides base.
 */
static void split(uint64_t base, uint64_t size)
{
	unsigned width = cpuid(0x80000008, 0).eax & CPUID_80000008_EAX_MAXPHYADDR, n = 1;
	uint64_t piece = MIN(size, PIECE);

	for (uint64_t end = base + size; base < end; base += piece, n++) {
		mtrr_set(n, base, piece, MEMTYPE_WC);
		wrmsr(MSR_IA32_MTRR_PHYSMASK0 + 2 * n, (~(piece - 1) & BITS(width - 1, 12)) | BIT(12) | BIT(11));
	}
}

/* Where so much memory can be had in one piece: the upper half, or all above 512 MiB. */
static uint64_t choose_base(uint64_t *size)
{
	uint64_t half = ram_end() / 2;

	*size = MOST * PAGE_SIZE;
	if (ram_end() >= PIECE + *size) return PIECE;
	while (*size > half) *size /= 2;
	return ALIGN_DOWN(half, *size);
}

static struct {
	uint64_t base, pages;
} range;

static void touch_share(unsigned id)
{
	uint64_t end = range.pages * (id + 1) / cpus;

	for (uint64_t i = range.pages * id / cpus; i < end; i++) mmio_write8(range.base + i * PAGE_SIZE, 1);
}

/* From the first page to the last. */
static uint64_t touch(void) { return job_on_all(touch_share, NULL); }

/* An attach or a detach: its ticks, the INVEPTs of all CPUs, how long the others stood still, and what it did to
 * leaves. */
static void change(bool attach)
{
	uint64_t retyped = vmcall_counter(COUNTER_RETYPED);
	uint64_t cleared = vmcall_counter(COUNTER_LEAVES_CLEARED);
	uint64_t invepts = vmcall_counter(COUNTER_INVEPT), ticks, still;

	jobs_watch_clock();
	if (attach)
		vtd_attach(edu.source_id, DOMAIN, second_level);
	else
		vtd_detach(edu.source_id, DOMAIN);
	ticks = vmcall_counter(COUNTER_TRANSITION_TICKS);
	still = jobs_stood_still(NULL);
	cleared = vmcall_counter(COUNTER_LEAVES_CLEARED) - cleared;
	retyped = vmcall_counter(COUNTER_RETYPED) - retyped;
	invepts = vmcall_counter(COUNTER_INVEPT) - invepts;
	printf("  %s: %lu ticks, others stood still %lu, INVEPT %lu, %lu leaves cleared, %lu retyped\n",
	       attach ? "0 -> 1" : "1 -> 0", ticks, still, invepts, cleared, retyped);
}

/* What touching the pages costs beyond the loop, by how many EPT violations, and the INVEPTs for it. */
static void report_touch(const char *when)
{
	uint64_t faults = vmcall_counter(COUNTER_VIOLATIONS), invepts = vmcall_counter(COUNTER_INVEPT), ticks, loop;

	ticks = touch();
	faults = vmcall_counter(COUNTER_VIOLATIONS) - faults;
	invepts = vmcall_counter(COUNTER_INVEPT) - invepts;
	loop = touch();
	printf("  touched %s: %lu ticks beyond the loop's %lu, %lu faults, INVEPT %lu\n", when,
	       ticks > loop ? ticks - loop : 0, loop, faults, invepts);
}

/* Both transitions over so many pages that are mapped, and touching all of them after each. */
static void transition(const char *types, uint64_t base, uint64_t pages)
{
	range.base = base;
	range.pages = pages;
	printf("%lu pages, %s\n", pages, types);
	report_touch("first");
	change(true);
	report_touch("again");
	change(false);
	report_touch("again");
}

static void do_invalidation(void) { vtd_invalidate_iotlb(DESC_SELECTIVE, DOMAIN, IOVA); }

static void do_dma(void) { edu_dma(&edu, IOVA, PAGE_SIZE, true); }

static void do_invalidation_and_dma(void)
{
	do_invalidation();
	do_dma();
}

static void iommu(void)
{
	uint64_t invalidation, warm, both;

	vtd_attach(edu.source_id, DOMAIN, second_level);
	invalidation = measure(do_invalidation);
	warm = measure(do_dma);
	both = measure(do_invalidation_and_dma);
	vtd_detach(edu.source_id, DOMAIN);
	report("queued invalidation of a page, with wait", invalidation);
	report("DMA of 4 KiB, IOTLB warm", warm);
	report("DMA of 4 KiB, IOTLB cold", both > invalidation ? both - invalidation : 0);
}

void bench_transitions(void)
{
	static const uint64_t sizes[] = {1024, 16384, 65536, MOST};
	uint64_t size, base = choose_base(&size);

	if (!edu_find(0, &edu) || !vtd_init() || !vtd_set_root() || !vtd_queue_on()) return;
	second_level = vtd_table();
	vtd_map(second_level, 3, IOVA, 8 * MiB, SL_RW);
	vtd_command(GCMD_TE, true);
	if (cpus == 1) iommu();
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++)
		if (sizes[i] * PAGE_SIZE <= size) transition("one type", base, sizes[i]);
	split(base, size);
	vtd_attach(edu.source_id, DOMAIN, second_level); /* no leaves of the larger sizes before */
	vtd_detach(edu.source_id, DOMAIN);
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++)
		if (sizes[i] * PAGE_SIZE <= size) transition("a mask with holes", base, sizes[i]);
}
