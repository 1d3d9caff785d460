// SPDX-License-Identifier: MIT
/*
 * A lesson in stale translations: a page is mapped for a device, unmapped without telling the
 * IOMMU, and the device still reaches it, until the IOTLB is invalidated; then its DMA faults,
 * and the fault record is decoded. Needs dev=edu iommu=on; the same under QEMU's intel-iommu. With
 * iommu=on,strict the hypervisor names the stale entry where it is first used, and counts.
 */
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/pci.h"
#include "guest/lib/start.h"
#include "guest/lib/vmcall.h"
#include "guest/lib/vtd.h"
#include "lib/string.h"

#define IOVA   0x200000UL
#define DOMAIN 7
#define SIZE   256

static struct edu_device edu;
static uint64_t *second_level;
static uint8_t *pages[2];

/* Fill the device's buffer with 'byte': from a page that stays mapped beside. */
static void load_device(uint8_t byte)
{
	memset(pages[1] + SIZE, byte, SIZE);
	edu_dma(&edu, IOVA + PAGE_SIZE + SIZE, SIZE, false);
}

/* The device writes its buffer to IOVA; where did it go? */
static bool arrives(uint8_t byte, const uint8_t *page)
{
	load_device(byte);
	return edu_dma(&edu, IOVA, SIZE, true) && page[0] == byte && page[SIZE - 1] == byte;
}

static void set_entry(uint64_t value) { *vtd_entry(second_level, 3, IOVA, 1) = value; }

/* Under iommu=on,strict: each use of a stale entry counts, though one line names the entry. */
static void show_stale_uses(void)
{
	if (vmcall_present()) printf("uses of stale entries counted: %lu\n", vmcall_counter(COUNTER_STALE_USES));
}

static void map(void)
{
	heading("1. Map a page, and let the device write to it");
	set_entry((uint64_t)pages[0] | SL_RW);
	printf("second-level entry of IOVA 0x%lx := 0x%lx\n", IOVA, (uint64_t)pages[0] | SL_RW);
	check_whether(true, vtd_invalidate_iotlb(DESC_SELECTIVE, DOMAIN, IOVA), "the wait is over", "it never is",
		      "IOTLB invalidated for it");
	check_whether(true, arrives(0x11, pages[0]), "the bytes arrive", "they do not", "DMA write arrives");
}

static void unmap(void)
{
	heading("2. Unmap it, but do not tell the IOMMU");
	set_entry(0);
	check_whether(true, arrives(0x22, pages[0]), "the bytes arrive", "they do not",
		      "DMA write still arrives: the IOTLB is stale");
	show_stale_uses();
}

static void remap(void)
{
	heading("3. Map another page at the same IOVA, and still do not tell");
	set_entry((uint64_t)pages[1] | SL_RW);
	check(arrives(0x33, pages[0]) && pages[1][0] != 0x33, "DMA write goes to the old page");
	show_stale_uses();
	check_whether(true, vtd_invalidate_iotlb(DESC_SELECTIVE, DOMAIN, IOVA), "the wait is over", "it never is",
		      "now the IOTLB is invalidated");
	check(arrives(0x44, pages[1]) && pages[0][0] == 0x33, "DMA write goes to the new page");
	show_stale_uses();
}

static void fault(void)
{
	struct vtd_fault f = {0};

	heading("4. Unmap it and invalidate");
	set_entry(0);
	check_whether(true, vtd_invalidate_iotlb(DESC_SELECTIVE, DOMAIN, IOVA), "the wait is over", "it never is",
		      "IOTLB invalidated");
	check(!arrives(0x55, pages[1]) && pages[1][0] == 0x44, "DMA write does not arrive");
	printf("FSTS is 0x%x: primary pending fault%s\n", vtd_read32(VTD_FSTS),
	       vtd_read32(VTD_FSTS) & FSTS_PFO ? ", overflow" : "");
	if (!check_whether(true, vtd_fault_next(&f), "a record", "none", "a fault record is filled")) return;
	printf("   device %02x:%02x.%x, %s of page 0x%lx, reason 0x%x: %s\n", f.source_id >> 8, f.source_id >> 3 & 31,
	       f.source_id & 7, f.read ? "read" : "write", f.address, f.reason, vtd_reason(f.reason));
	check_is(edu.source_id, f.source_id, "it names the device");
	check_is(IOVA, f.address, "... and the page");
	check(f.reason == 0x5 && !f.read, "... and a write without permission");
	check_whether(false, vtd_fault_next(&f), "a record", "none", "no other record is filled");
}

static void permissions(void)
{
	struct vtd_fault f = {0};

	heading("5. Map it read-only");
	set_entry((uint64_t)pages[1] | SL_READ);
	check_whether(true, vtd_invalidate_iotlb(DESC_SELECTIVE, DOMAIN, IOVA), "the wait is over", "it never is",
		      "IOTLB invalidated");
	check(!arrives(0x66, pages[1]) && vtd_fault_next(&f) && f.reason == 0x5,
	      "DMA write is not allowed: reason 0x5");
	edu_dma(&edu, IOVA, SIZE, false);
	check_whether(false, vtd_fault_next(&f), "a record", "none", "DMA read is");
}

static void detach(void)
{
	struct vtd_fault f = {0};

	heading("6. Take the device's context entry away");
	check_whether(true, vtd_detach(edu.source_id, DOMAIN), "the wait is over", "it never is", "detached");
	edu_dma(&edu, IOVA, SIZE, true);
	check(vtd_fault_next(&f) && f.reason == 0x2, "DMA faults: reason 0x2, %s", vtd_reason(0x2));
}

int guest_main(void)
{
	if (!check(edu_find(0, &edu) && vtd_init(), "an edu device behind a VT-d unit")) return check_status();
	printf("VER 0x%x CAP 0x%lx ECAP 0x%lx\n", vtd_read32(VTD_VER), vtd_read64(VTD_CAP), vtd_read64(VTD_ECAP));
	if (vmcall_present()) vmcall_wants_no_model("its DMA is to memory that is WB, without WBINVD");
	pages[0] = page_alloc();
	pages[1] = page_alloc();
	second_level = vtd_table();
	vtd_map(second_level, 3, IOVA + PAGE_SIZE, (uint64_t)pages[1], SL_RW);
	check(vtd_set_root() && vtd_queue_on(), "root table set, queue on");
	check_whether(true, vtd_attach(edu.source_id, DOMAIN, second_level), "the wait is over", "it never is",
		      "context entry written");
	check_whether(true, vtd_command(GCMD_TE, true), "the status follows", "it never does", "translation on");
	map();
	unmap();
	remap();
	fault();
	permissions();
	detach();
	return check_status();
}
