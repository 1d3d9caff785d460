// SPDX-License-Identifier: MIT
/*
 * What the caches keep after the tables changed, and what each invalidation drops (VT-d 6.2).
 */
#include "guest/iommu/cases.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"

#define OTHER_DOMAIN (DOMAIN + 1)

/* Cache pages[0] and [1] behind IOVA, then let the table name [2] and [3] there. */
static void make_stale(void)
{
	restore();
	write_arrives(&edu[0], IOVA, pages[0]);
	write_arrives(&edu[0], IOVA + PAGE_SIZE, pages[1]);
	set_leaf(0, (uint64_t)pages[2] | SL_RW);
	set_leaf(PAGE_SIZE, (uint64_t)pages[3] | SL_RW);
}

static bool first_stale(void)
{
	return write_arrives(&edu[0], IOVA, pages[0]);
}

static bool second_stale(void)
{
	return write_arrives(&edu[0], IOVA + PAGE_SIZE, pages[1]);
}

static void iotlb(void)
{
	make_stale();
	check(first_stale() && second_stale(), "a changed table: the old pages are still used");
	vtd_invalidate_iotlb(DESC_SELECTIVE, DOMAIN, IOVA + 8 * PAGE_SIZE);
	check(first_stale() && second_stale(), "another page invalidated: still");
	vtd_invalidate_iotlb(DESC_DOMAIN, OTHER_DOMAIN, 0);
	check(first_stale() && second_stale(), "another domain invalidated: still");
	vtd_invalidate_iotlb(DESC_SELECTIVE, DOMAIN, IOVA);
	check(!first_stale() && second_stale(), "one page invalidated: only that one is new");
	make_stale();
	vtd_put(DESC_IOTLB | DESC_SELECTIVE | DOMAIN << 16, IOVA | 1);
	vtd_wait();
	check(!first_stale() && !second_stale(), "two pages by address mask: both are new");
	make_stale();
	vtd_invalidate_iotlb(DESC_DOMAIN, DOMAIN, 0);
	check(!first_stale() && !second_stale(), "the domain invalidated: both are new");
	make_stale();
	vtd_invalidate_iotlb(DESC_GLOBAL, 0, 0);
	check(!first_stale() && !second_stale(), "all invalidated: both are new");
	make_stale();
	vtd_set_root();
	vtd_invalidate_context(DESC_GLOBAL, 0, 0);
	if (!native)
		check(!first_stale(), "the root pointer set: new (CAP.ESRTPS)");
}

static void permission(void)
{
	restore();
	set_leaf(0, (uint64_t)pages[0] | SL_READ);
	vtd_invalidate_iotlb(DESC_GLOBAL, 0, 0);
	check(read_arrives(&edu[0], IOVA, pages[0]), "a read-only page is read");
	if (!native)
		blocked(&edu[0], IOVA, true, 0x5, "a write to it, cached as it is");
	clear_faults();
	set_leaf(0, (uint64_t)pages[0] | SL_RW);
	check(!write_arrives(&edu[0], IOVA, pages[0]), "made writable: not yet");
	vtd_invalidate_iotlb(DESC_SELECTIVE, DOMAIN, IOVA);
	check(write_arrives(&edu[0], IOVA, pages[0]), "... invalidated: written");
}

static void contexts(void)
{
	uint64_t *entry = vtd_context(edu[0].source_id);

	restore();
	write_arrives(&edu[0], IOVA, pages[0]);
	entry[0] = 0;
	check(write_arrives(&edu[0], IOVA, pages[0]), "a cleared context entry: still attached");
	vtd_invalidate_context(DESC_SELECTIVE, DOMAIN, edu[1].source_id);
	check(write_arrives(&edu[0], IOVA, pages[0]), "another device invalidated: still");
	vtd_invalidate_context(DESC_SELECTIVE, DOMAIN, edu[0].source_id);
	if (!native)
		blocked(&edu[0], IOVA, true, 0x2, "the device invalidated, its IOTLB not");
	vtd_invalidate_iotlb(DESC_DOMAIN, DOMAIN, 0);
	clear_faults();
	blocked(&edu[0], IOVA, true, 0x2, "the device and its IOTLB invalidated");
	check(write_arrives(&edu[1], IOVA, pages[0]), "the other device is not concerned");
}

void stale_cases(void)
{
	heading("Stale until invalidated");
	iotlb();
	permission();
	contexts();
}
