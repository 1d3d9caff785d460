// SPDX-License-Identifier: MIT
/*
 * What is translated, and to where (VT-d 3.4, 3.7).
 */
#include "guest/iommu/cases.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/start.h"
#include "lib/string.h"

/* DMA of so many bytes writes these and none beside them. */
static bool moves_exactly(unsigned bytes)
{
	uint8_t *at = pages[0] + 3;
	bool right;

	memset(pages[0], 0, BYTES);
	edu_dma_raw(&edu[0], EDU_DMA_BUFFER + 0x400, IOVA + 3, bytes, EDU_DMA_TO_MEMORY);
	right = !at[-1] && !at[bytes];
	for (unsigned i = 0; i < bytes; i++) right &= at[i] == (0xa0 ^ i);
	return right;
}

static void sizes(void)
{
	bool right = true;

	for (unsigned bytes = 1; bytes <= 17; bytes++) right &= moves_exactly(bytes);
	check(right, "1 to 17 bytes, and none beside them");
}

static void small_pages(void)
{
	check_whether(true, write_arrives(&edu[0], IOVA, pages[0]), "the bytes arrive", "they do not",
		      "write through a 4 KiB page");
	check_whether(true, read_arrives(&edu[0], IOVA, pages[0]), "the bytes arrive", "they do not",
		      "read through a 4 KiB page");
	check_whether(true, write_arrives(&edu[1], IOVA + PAGE_SIZE, pages[1]), "the bytes arrive", "they do not",
		      "by the second device");
	check_whether(true, write_arrives(&edu[0], IOVA + 0x123, pages[0] + 0x123), "the bytes arrive", "they do not",
		      "at an odd address");
	/* pages[2] and [3] swapped: what follows in IOVA does not in memory. */
	set_leaf(2 * PAGE_SIZE, (uint64_t)pages[3] | SL_RW);
	set_leaf(3 * PAGE_SIZE, (uint64_t)pages[2] | SL_RW);
	vtd_invalidate_iotlb(DESC_GLOBAL, 0, 0);
	memset(pages[2], 0, PAGE_SIZE);
	memset(pages[3], 0, PAGE_SIZE);
	edu_dma_raw(&edu[0], EDU_DMA_BUFFER + 0x400, IOVA + 3 * PAGE_SIZE - 16, BYTES, EDU_DMA_TO_MEMORY);
	check(pages[3][PAGE_SIZE - 16] == 0xa0 && pages[2][0] == (0xa0 ^ 16), "over the border of two pages");
}

static void large_pages(void)
{
	uint64_t *large = vtd_table();
	uint8_t *target = (uint8_t *)ALIGN_UP((uint64_t)pages[0], 2 * MiB);

	*vtd_entry(large, 3, IOVA, 2) = (uint64_t)target | SL_RW | SL_LARGE;
	set_context(&edu[0], (uint64_t)large | CONTEXT_PRESENT, DOMAIN << 8 | CONTEXT_3_LEVELS);
	check_whether(true, write_arrives(&edu[0], IOVA + 0x54321, target + 0x54321), "the bytes arrive", "they do not",
		      "2 MiB page");
	large[0] = SL_RW | SL_LARGE;
	set_context(&edu[0], (uint64_t)large | CONTEXT_PRESENT, DOMAIN << 8 | CONTEXT_3_LEVELS);
	check_whether(true, write_arrives(&edu[0], (uint64_t)target, target), "the bytes arrive", "they do not",
		      "1 GiB page");
	large[0] = SL_RW | SL_LARGE | BIT(12);
	set_context(&edu[0], (uint64_t)large | CONTEXT_PRESENT, DOMAIN << 8 | CONTEXT_3_LEVELS);
	blocked(&edu[0], (uint64_t)target, true, 0xc, "1 GiB page with a reserved bit");
}

static void four_levels(void)
{
	uint64_t *deep = vtd_table();

	if (!(FIELD(vtd_read64(VTD_CAP), CAP_SAGAW) & 4)) return;
	vtd_map(deep, 4, IOVA, (uint64_t)pages[1], SL_RW);
	set_context(&edu[0], (uint64_t)deep | CONTEXT_PRESENT, DOMAIN << 8 | CONTEXT_4_LEVELS);
	check_whether(true, write_arrives(&edu[0], IOVA, pages[1]), "the bytes arrive", "they do not", "4 levels");
}

static void pass_through(void)
{
	set_context(&edu[0], CONTEXT_PASS_THROUGH | CONTEXT_PRESENT, DOMAIN << 8 | CONTEXT_3_LEVELS);
	check_whether(true, write_arrives(&edu[0], (uint64_t)pages[2], pages[2]), "the bytes arrive", "they do not",
		      "pass-through");
	check_whether(false, write_arrives(&edu[0], IOVA, pages[0]), "the bytes arrive", "they do not",
		      "... does not translate");
}

static void off(void)
{
	check_whether(true, vtd_command(GCMD_TE, false), "the status follows", "it never does",
		      "translation off: TES clears");
	check_whether(true, write_arrives(&edu[0], (uint64_t)pages[3], pages[3]), "the bytes arrive", "they do not",
		      "... and DMA is direct");
	check_whether(true, write_arrives(&edu[0], BIT(28) | (uint64_t)pages[3], pages[3]), "the bytes arrive",
		      "they do not", "... and cut to edu's 28 bits");
	check_whether(true, vtd_command(GCMD_TE, true), "the status follows", "it never does",
		      "translation on: TES sets");
	check_whether(true, write_arrives(&edu[0], IOVA, pages[0]), "the bytes arrive", "they do not",
		      "... and DMA is translated");
}

void translation_cases(void)
{
	heading("Translation");
	small_pages();
	sizes();
	large_pages();
	restore();
	four_levels();
	restore();
	pass_through();
	restore();
	off();
	pci_write16(edu[0].source_id, PCI_COMMAND, PCI_COMMAND_MEMORY);
	check_whether(false, write_arrives(&edu[0], IOVA, pages[0]), "the bytes arrive", "they do not",
		      "bus mastering off: dropped");
	check(!(vtd_read32(VTD_FSTS) & FSTS_PPF), "... without a fault");
	pci_write16(edu[0].source_id, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}
