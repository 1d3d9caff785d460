// SPDX-License-Identifier: MIT
/*
 * Root, context and second-level tables that lie: each costs the guest a fault record and
 * nothing else. Needs dev=edu iommu=on.
 */
#include "guest/faults/faults.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/pci.h"
#include "guest/lib/start.h"
#include "guest/lib/vtd.h"

#define NOTHING  0xb0000000UL /* above RAM, below the devices */
#define DOMAIN   5
#define DMA_SIZE 64
#define IOVA     0x1000UL

static struct edu_device edu;
static uint64_t *table;
static uint8_t *page;

/* Point the context entry at these words, whatever they say, and make it known. */
static void set_context(uint64_t low, uint64_t high)
{
	uint64_t *entry = vtd_context(edu.source_id);

	entry[0] = low;
	entry[1] = high;
	vtd_invalidate_context(DESC_GLOBAL, 0, 0);
	vtd_invalidate_iotlb(DESC_GLOBAL, 0, 0);
}

static void good_context(void) { set_context((uint64_t)table | CONTEXT_PRESENT, DOMAIN << 8 | CONTEXT_3_LEVELS); }

/* A DMA write that must not arrive, and be recorded with this reason. */
static void faults_with(uint8_t reason, const char *what)
{
	struct vtd_fault fault = {0};

	page[0] = 0x77;
	edu_dma(&edu, IOVA, DMA_SIZE, true);
	if (!check_whether(true, vtd_fault_next(&fault), "a record", "none", "%s: a fault is recorded", what)) return;
	check_words(fault.reason == reason, vtd_reason_words(fault.reason), vtd_reason_words(reason), "... \"%s\"",
		    vtd_reason(reason));
	check_words(fault.source_id == edu.source_id && fault.address == IOVA && page[0] == 0x77,
		    words("%s, byte 0x%x", vtd_request_words(fault.source_id, fault.address, fault.read).text, page[0]),
		    words("%s, byte 0x77", vtd_request_words(edu.source_id, IOVA, false).text),
		    "... with device and address, and nothing was written");
}

static void works(const char *when)
{
	struct vtd_fault fault;

	page[0] = 0x77;
	check(edu_dma(&edu, IOVA, DMA_SIZE, true) && page[0] != 0x77 && !vtd_fault_next(&fault), "%s: DMA arrives",
	      when);
}

static void lying_contexts(void)
{
	uint64_t good = vtd_root()[0];

	set_context((uint64_t)table | CONTEXT_PRESENT, DOMAIN << 8 | 7);
	faults_with(0x3, "an address width that does not exist");
	set_context((uint64_t)table | CONTEXT_PRESENT | BIT(4), DOMAIN << 8 | CONTEXT_3_LEVELS);
	faults_with(0xb, "a reserved bit in the context entry");
	vtd_root()[0] = NOTHING | CONTEXT_PRESENT;
	good_context();
	faults_with(0x9, "a context table where no memory is");
	vtd_root()[0] = good | BIT(1);
	good_context();
	faults_with(0xa, "a reserved bit in the root entry");
	vtd_root()[0] = good;
	good_context();
	works("the good tables again");
}

static void lying_second_level(void)
{
	uint64_t *leaf = vtd_entry(table, 3, IOVA, 1), good = table[0];

	set_context(NOTHING | CONTEXT_PRESENT, DOMAIN << 8 | CONTEXT_3_LEVELS);
	faults_with(0x3, "a second-level root where no memory is");
	table[0] = NOTHING | SL_RW;
	good_context();
	faults_with(0x7, "a second-level table where no memory is");
	table[0] = BIT(62) | good;
	good_context();
	faults_with(0xc, "a reserved bit in a second-level entry");
	/* Every level is the same page: the walk ends at its own first entry. */
	table[0] = (uint64_t)table | SL_RW;
	table[1] = (uint64_t)page | SL_RW;
	good_context();
	works("a table that is its own child, walked to its second entry");
	table[1] = 0;
	table[0] = good;
	*leaf = VTD_BASE | SL_RW;
	good_context();
	edu_dma(&edu, IOVA, DMA_SIZE, true);
	check_is((uint64_t)vtd_root(), vtd_read64(VTD_RTADDR), "DMA onto the VT-d page is lost");
	*leaf = (uint64_t)page | SL_RW;
	good_context();
	works("the good tables again");
}

static void lying_root(void)
{
	vtd_write64(VTD_RTADDR, NOTHING);
	check_whether(true, vtd_command(GCMD_SRTP, true), "the status follows", "it never does",
		      "SRTP completes for a root where no memory is");
	faults_with(0x8, "a root table where no memory is");
	check_whether(true, vtd_set_root(), "the status follows", "it never does", "the good root again");
	good_context();
	works("the good tables again");
}

void lying_iommu_tables(void)
{
	if (!check(edu_find(0, &edu) && vtd_init(), "an edu device behind a VT-d unit")) return;
	table = vtd_table();
	page = page_alloc();
	vtd_map(table, 3, IOVA, (uint64_t)page, SL_RW);
	check(vtd_set_root() && vtd_queue_on(), "root table set, queue on");
	good_context();
	check_whether(true, vtd_command(GCMD_TE, true), "the status follows", "it never does", "translation on");
	works("good tables");
	lying_contexts();
	lying_second_level();
	lying_root();
}
