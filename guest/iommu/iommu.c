// SPDX-License-Identifier: MIT
/*
 * The VT-d unit from inside a guest, one line per case. Needs two edu devices behind a unit
 * (a third, dev=edu,snoop, is used when it is there). With the word "native" it runs under
 * QEMU's intel-iommu and leaves out what concerns attach tracking: the two transcripts agree
 * but for what guest/iommu/qemu_differs lists.
 */
#include "guest/iommu/cases.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/start.h"
#include "guest/lib/vmcall.h"
#include "lib/string.h"

#define SCRATCH    0x1000000UL /* an IOVA of the good table, for reading a device's buffer back */
#define AT_PATTERN 0x400       /* in the device's buffer: what it writes to memory */
#define AT_READ    0x800       /* ... and where it puts what it reads */

bool native;
struct edu_device edu[2];
uint64_t *table;
uint8_t *pages[PAGES];
static uint8_t pattern[BYTES];
static uint8_t *scratch;

void set_context(const struct edu_device *device, uint64_t low, uint64_t high)
{
	uint64_t *entry = vtd_context(device->source_id);

	entry[0] = low;
	entry[1] = high;
	vtd_invalidate_context(DESC_GLOBAL, 0, 0);
	vtd_invalidate_iotlb(DESC_GLOBAL, 0, 0);
}

void good_context(const struct edu_device *device)
{
	set_context(device, (uint64_t)table | CONTEXT_PRESENT, DOMAIN << 8 | CONTEXT_3_LEVELS);
}

void set_leaf(uint64_t offset, uint64_t value) { *vtd_entry(table, 3, IOVA + offset, 1) = value; }

void restore(void)
{
	for (unsigned i = 0; i < PAGES; i++) set_leaf(i * PAGE_SIZE, (uint64_t)pages[i] | SL_RW);
	vtd_map(table, 3, SCRATCH, (uint64_t)scratch, SL_RW);
	good_context(&edu[0]);
	good_context(&edu[1]);
	clear_faults();
}

/* Put the pattern into the device's buffer, with translation off. */
static void load_pattern(const struct edu_device *device)
{
	edu_dma_raw(device, (uint64_t)pattern, EDU_DMA_BUFFER + AT_PATTERN, BYTES, 0);
}

bool write_arrives(const struct edu_device *device, uint64_t iova, uint8_t *target)
{
	memset(target, 0, BYTES);
	return edu_dma_raw(device, EDU_DMA_BUFFER + AT_PATTERN, iova, BYTES, EDU_DMA_TO_MEMORY) &&
	       !memcmp(target, pattern, BYTES);
}

bool read_arrives(const struct edu_device *device, uint64_t iova, uint8_t *source)
{
	static uint8_t fresh;

	memset(source, ++fresh, BYTES);
	memset(scratch, 0, BYTES);
	edu_dma_raw(device, iova, EDU_DMA_BUFFER + AT_READ, BYTES, 0);
	edu_dma_raw(device, EDU_DMA_BUFFER + AT_READ, SCRATCH, BYTES, EDU_DMA_TO_MEMORY);
	return !memcmp(scratch, source, BYTES);
}

void clear_faults(void)
{
	struct vtd_fault fault;

	for (unsigned i = 0; i < vtd_fault_records(); i++) vtd_fault_take(i, &fault);
	vtd_write32(VTD_FSTS, FSTS_PFO | FSTS_IQE);
}

void blocked(const struct edu_device *device, uint64_t iova, bool to_memory, uint8_t reason, const char *text)
{
	uint64_t page = iova & ~(PAGE_SIZE - 1);
	struct vtd_fault f = {0};

	if (to_memory)
		edu_dma_raw(device, EDU_DMA_BUFFER + AT_PATTERN, iova, BYTES, EDU_DMA_TO_MEMORY);
	else
		edu_dma_raw(device, iova, EDU_DMA_BUFFER + AT_READ, BYTES, 0);
	if (!check_whether(true, vtd_fault_next(&f), "a record", "none", "%s: recorded", text)) return;
	check_words(f.reason == reason, vtd_reason_words(f.reason), vtd_reason_words(reason), "... as reason 0x%x, %s",
		    reason, vtd_reason(reason));
	check_words(f.source_id == device->source_id && f.address == page && f.read == !to_memory,
		    vtd_request_words(f.source_id, f.address, f.read),
		    vtd_request_words(device->source_id, page, !to_memory), "... with device, page and direction");
}

/* For who compares them with what the hypervisor names under iommu=on,strict. */
static void show_addresses(void)
{
	for (unsigned i = 0; i < PAGES; i++) printf("page%u is at 0x%lx\n", i, (uint64_t)pages[i]);
	printf("table is at 0x%lx\n", (uint64_t)table);
}

int guest_main(void)
{
	native = guest_word("native");
	if (!check(edu_find(0, &edu[0]) && edu_find(1, &edu[1]), "two edu devices") ||
	    !check_whether(true, vtd_init(), "a unit", "none", "a VT-d unit"))
		return check_status();
	if (!native && vmcall_present()) {
		vmcall_wants_policy(1U << MEMTYPE_KVM_6_7 | 1U << MEMTYPE_KVM_6_11,
				    "it expects that a transition changes leaves");
		vmcall_wants_no_model("its DMA is to memory that is WB, without WBINVD");
	}
	for (unsigned i = 0; i < BYTES; i++) pattern[i] = (uint8_t)(0xa0 ^ i);
	for (unsigned i = 0; i < PAGES; i++) pages[i] = page_alloc();
	scratch = page_alloc();
	table = vtd_table();
	show_addresses();
	load_pattern(&edu[0]);
	load_pattern(&edu[1]);
	register_cases();
	check(vtd_set_root() && vtd_queue_on() && vtd_command(GCMD_TE, true), "root table, queue, translation on");
	restore();
	queue_cases();
	restore();
	translation_cases();
	restore();
	stale_cases();
	restore();
	fault_cases();
	restore();
	interrupt_cases();
	restore();
	intx_cases();
	restore();
	if (!native) attach_cases();
	if (vmcall_present())
		printf("the hypervisor counted %lu uses of stale entries\n", vmcall_counter(COUNTER_STALE_USES));
	return check_status();
}
