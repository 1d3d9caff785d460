// SPDX-License-Identifier: MIT
/*
 * What the caches keep after the tables changed, and what each invalidation drops (VT-d 6.2).
 */
#include "guest/iommu/cases.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "lib/string.h"

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

static bool first_stale(void) { return write_arrives(&edu[0], IOVA, pages[0]); }

static bool second_stale(void) { return write_arrives(&edu[0], IOVA + PAGE_SIZE, pages[1]); }

/* Which page does the device reach behind each IOVA, the "old" one or the "new" one? */
static void check_pages(const char *first, const char *second, const char *claim)
{
	const char *found_first = first_stale() ? "old" : "new";
	const char *found_second = second_stale() ? "old" : "new";

	check_words(!strcmp(found_first, first) && !strcmp(found_second, second),
		    words("first page %s, second %s", found_first, found_second), words("%s, %s", first, second), "%s",
		    claim);
}

static void iotlb(void)
{
	make_stale();
	check_pages("old", "old", "a changed table: the old pages are still used");
	vtd_invalidate_iotlb(DESC_SELECTIVE, DOMAIN, IOVA + 8 * PAGE_SIZE);
	check_pages("old", "old", "another page invalidated: still");
	vtd_invalidate_iotlb(DESC_DOMAIN, OTHER_DOMAIN, 0);
	check_pages("old", "old", "another domain invalidated: still");
	vtd_invalidate_iotlb(DESC_SELECTIVE, DOMAIN, IOVA);
	check_pages("new", "old", "one page invalidated: only that one is new");
	make_stale();
	vtd_put(DESC_IOTLB | DESC_SELECTIVE | DOMAIN << 16, IOVA | 1);
	vtd_wait();
	check_pages("new", "new", "two pages by address mask: both are new");
	make_stale();
	vtd_invalidate_iotlb(DESC_DOMAIN, DOMAIN, 0);
	check_pages("new", "new", "the domain invalidated: both are new");
	make_stale();
	vtd_invalidate_iotlb(DESC_GLOBAL, 0, 0);
	check_pages("new", "new", "all invalidated: both are new");
	make_stale();
	vtd_set_root();
	vtd_invalidate_context(DESC_GLOBAL, 0, 0);
	if (!native)
		check_whether(false, first_stale(), "the old page", "the new page",
			      "the root pointer set: new (CAP.ESRTPS)");
}

static void permission(void)
{
	restore();
	set_leaf(0, (uint64_t)pages[0] | SL_READ);
	vtd_invalidate_iotlb(DESC_GLOBAL, 0, 0);
	check_whether(true, read_arrives(&edu[0], IOVA, pages[0]), "the bytes arrive", "they do not",
		      "a read-only page is read");
	if (!native) blocked(&edu[0], IOVA, true, 0x5, "a write to it, cached as it is");
	clear_faults();
	set_leaf(0, (uint64_t)pages[0] | SL_RW);
	check_whether(false, write_arrives(&edu[0], IOVA, pages[0]), "the bytes arrive", "they do not",
		      "made writable: not yet");
	vtd_invalidate_iotlb(DESC_SELECTIVE, DOMAIN, IOVA);
	check_whether(true, write_arrives(&edu[0], IOVA, pages[0]), "the bytes arrive", "they do not",
		      "... invalidated: written");
}

static void contexts(void)
{
	uint64_t *entry = vtd_context(edu[0].source_id);

	restore();
	write_arrives(&edu[0], IOVA, pages[0]);
	entry[0] = 0;
	check_whether(true, write_arrives(&edu[0], IOVA, pages[0]), "the bytes arrive", "they do not",
		      "a cleared context entry: still attached");
	vtd_invalidate_context(DESC_SELECTIVE, DOMAIN, edu[1].source_id);
	check_whether(true, write_arrives(&edu[0], IOVA, pages[0]), "the bytes arrive", "they do not",
		      "another device invalidated: still");
	vtd_invalidate_context(DESC_SELECTIVE, DOMAIN, edu[0].source_id);
	if (!native) blocked(&edu[0], IOVA, true, 0x2, "the device invalidated, its IOTLB not");
	vtd_invalidate_iotlb(DESC_DOMAIN, DOMAIN, 0);
	clear_faults();
	blocked(&edu[0], IOVA, true, 0x2, "the device and its IOTLB invalidated");
	check_whether(true, write_arrives(&edu[1], IOVA, pages[0]), "the bytes arrive", "they do not",
		      "the other device is not concerned");
}

void stale_cases(void)
{
	heading("Stale until invalidated");
	iotlb();
	permission();
	contexts();
}
