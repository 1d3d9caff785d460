// SPDX-License-Identifier: MIT
/*
 * What is blocked, why, and how it is recorded (VT-d 7.1 to 7.4).
 */
#include "guest/iommu/cases.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "lib/apic.h"

#define NOTHING    0xb0000000UL /* neither RAM nor a device on Leafcutter */
#define CONTROL_IM (1U << 31)
#define CONTROL_IP (1U << 30)
#define WIDTH      (DOMAIN << 8 | CONTEXT_3_LEVELS)
#define TTM        BIT(10) /* RTADDR: scalable mode, which is not there */
#define PLMBASE    0x68
#define PLMLIMIT   0x6c
#define PHMBASE    0x70
#define PMEN_EPM   (1U << 31)
#define PMEN_PRS   1U

static void root_and_context(void)
{
	uint64_t good = vtd_root()[0];

	vtd_root()[0] = 0;
	good_context(&edu[0]);
	blocked(&edu[0], IOVA, true, 0x1, "no root entry");
	vtd_root()[0] = good | BIT(1);
	good_context(&edu[0]);
	blocked(&edu[0], IOVA, true, 0xa, "root entry with a reserved bit");
	vtd_root()[0] = good;
	set_context(&edu[0], 0, 0);
	blocked(&edu[0], IOVA, true, 0x2, "no context entry");
	blocked(&edu[0], IOVA, false, 0x2, "no context entry, read");
	set_context(&edu[0], (uint64_t)table | CONTEXT_PRESENT, DOMAIN << 8 | 7);
	blocked(&edu[0], IOVA, true, 0x3, "context entry with a width that does not exist");
	set_context(&edu[0], (uint64_t)table | CONTEXT_PRESENT | TO_FIELD(3, BITS(3, 2)), WIDTH);
	blocked(&edu[0], IOVA, true, 0x3, "context entry with a reserved type");
	set_context(&edu[0], (uint64_t)table | CONTEXT_PRESENT | BIT(4), WIDTH);
	blocked(&edu[0], IOVA, true, 0xb, "context entry with a reserved bit");
}

static void second_level(void)
{
	uint64_t *middle = vtd_entry(table, 3, IOVA, 2), good = *middle;

	set_leaf(0, 0);
	good_context(&edu[0]);
	blocked(&edu[0], IOVA, true, 0x5, "write to a page that is not mapped");
	blocked(&edu[0], IOVA, false, 0x6, "read of a page that is not mapped");
	set_leaf(0, (uint64_t)pages[0] | SL_RW);
	*middle = good & ~SL_WRITE;
	good_context(&edu[0]);
	blocked(&edu[0], IOVA, true, 0x5, "write where an upper level forbids it");
	*middle = 0;
	good_context(&edu[0]);
	blocked(&edu[0], IOVA, false, 0x6, "read where a table is missing");
	*middle = good | BIT(62);
	good_context(&edu[0]);
	blocked(&edu[0], IOVA, true, 0xc, "second-level entry with a reserved bit");
	*middle = good;
	set_leaf(0, (uint64_t)pages[0] | SL_RW | SL_SNOOP);
	good_context(&edu[0]);
	if (!(vtd_read64(VTD_ECAP) & ECAP_SC)) blocked(&edu[0], IOVA, true, 0xc, "SNP in a leaf while ECAP.SC = 0");
	set_leaf(0, MESSAGE_BASE | SL_RW);
	good_context(&edu[0]);
	blocked(&edu[0], IOVA, true, 0xe, "a page in the interrupt range");
}

/* QEMU reads whatever is there. */
static void not_readable(void)
{
	uint64_t good = vtd_root()[0], *middle = vtd_entry(table, 3, IOVA, 2), entry = *middle;

	if (native) return;
	vtd_root()[0] = NOTHING | CONTEXT_PRESENT;
	good_context(&edu[0]);
	blocked(&edu[0], IOVA, true, 0x9, "a context table where no memory is");
	vtd_root()[0] = good;
	set_context(&edu[0], NOTHING | CONTEXT_PRESENT, WIDTH);
	blocked(&edu[0], IOVA, true, 0x3, "a second-level root where no memory is");
	*middle = NOTHING | SL_RW;
	good_context(&edu[0]);
	blocked(&edu[0], IOVA, true, 0x7, "a second-level table where no memory is");
	*middle = entry;
	vtd_write64(VTD_RTADDR, NOTHING);
	vtd_command(GCMD_SRTP, true);
	blocked(&edu[0], IOVA, true, 0x8, "a root table where no memory is");
	vtd_write64(VTD_RTADDR, (uint64_t)vtd_root() | TTM);
	vtd_command(GCMD_SRTP, true);
	blocked(&edu[0], IOVA, true, 0x30, "a table mode other than legacy");
	vtd_set_root();
}

static bool no_fault(void) { return !(vtd_read32(VTD_FSTS) & FSTS_PPF); }

static void start_dma(uint64_t iova)
{
	mmio_write64(edu[0].bar + EDU_DMA_SOURCE, EDU_DMA_BUFFER + 0x400);
	mmio_write64(edu[0].bar + EDU_DMA_DESTINATION, iova);
	mmio_write64(edu[0].bar + EDU_DMA_COUNT, BYTES);
	mmio_write64(edu[0].bar + EDU_DMA_COMMAND, EDU_DMA_RUN | EDU_DMA_TO_MEMORY);
}

/* QEMU drops the second. */
static void two_at_once(void)
{
	if (native) return;
	pages[0][0] = pages[1][0] = 0;
	start_dma(IOVA);
	start_dma(IOVA + PAGE_SIZE);
	while (mmio_read64(edu[0].bar + EDU_DMA_COMMAND) & EDU_DMA_RUN) cpu_pause();
	check(pages[0][0] && pages[1][0], "a second transfer waits for the first");
}

/* QEMU has no protected memory, and something else at this address. */
static void dropped(void)
{
	uint8_t *target = (uint8_t *)ALIGN_UP((uint64_t)pages[0], 2 * MiB);

	if (native) return;
	set_leaf(0, NOTHING | SL_RW);
	good_context(&edu[0]);
	edu_dma_raw(&edu[0], IOVA, EDU_DMA_BUFFER, BYTES, 0);
	edu_dma_raw(&edu[0], EDU_DMA_BUFFER, IOVA + PAGE_SIZE, BYTES, EDU_DMA_TO_MEMORY);
	check(pages[1][0] == 0xff && pages[1][BYTES - 1] == 0xff && no_fault(),
	      "read where no memory is: ones, no fault");
	edu_dma_raw(&edu[0], EDU_DMA_BUFFER, IOVA, BYTES, EDU_DMA_TO_MEMORY);
	check_whether(true, no_fault(), "no fault", "a fault", "a write there: no fault");
	set_context(&edu[0], CONTEXT_PASS_THROUGH | CONTEXT_PRESENT, WIDTH);
	vtd_write32(PLMBASE, (uint32_t)(uint64_t)target);
	vtd_write32(PLMLIMIT, (uint32_t)(uint64_t)target);
	vtd_write64(PHMBASE, 4 * GiB); /* above its limit: nothing */
	vtd_write32(VTD_PMEN, PMEN_EPM);
	check_is(PMEN_EPM | PMEN_PRS, vtd_read32(VTD_PMEN), "PMEN: protection on");
	check(!write_arrives(&edu[0], (uint64_t)target, target) && no_fault(),
	      "pass-through into protected memory: dropped, no fault");
	check_whether(true, write_arrives(&edu[0], (uint64_t)pages[0], pages[0]), "the bytes arrive", "they do not",
		      "... beside it: arrives");
	vtd_command(GCMD_TE, false);
	check_whether(false, write_arrives(&edu[0], (uint64_t)target, target), "the bytes arrive", "they do not",
		      "... with translation off: dropped");
	vtd_write32(VTD_PMEN, 0);
	check_whether(true, write_arrives(&edu[0], (uint64_t)target, target), "the bytes arrive", "they do not",
		      "... protection off: arrives");
	vtd_command(GCMD_TE, true);
}

/* Until software takes the record a second fault finds no room. */
static void overflow(void)
{
	struct vtd_fault f = {0};

	set_context(&edu[0], 0, 0);
	set_context(&edu[1], 0, 0);
	for (unsigned i = 0; i <= vtd_fault_records(); i++) write_arrives(&edu[i & 1], IOVA, pages[0]);
	check_is(FSTS_PPF | FSTS_PFO, vtd_read32(VTD_FSTS) & (FSTS_PPF | FSTS_PFO),
		 "one fault more than records: pending and overflow");
	check(vtd_fault_next(&f) && f.source_id == edu[0].source_id, "the record is the first one's");
	check_is(FSTS_PFO, vtd_read32(VTD_FSTS) & (FSTS_PPF | FSTS_PFO), "taken: only the overflow is left");
	check(!write_arrives(&edu[0], IOVA, pages[0]) && !vtd_fault_next(&f), "while it stands nothing is recorded");
	clear_faults();
	check_is(0, vtd_read32(VTD_FSTS), "cleared by a 1");
	blocked(&edu[0], IOVA, true, 0x2, "the next fault");
}

static void disabled(void)
{
	set_context(&edu[0], (uint64_t)table | CONTEXT_PRESENT | CONTEXT_FPD, WIDTH);
	set_leaf(0, 0);
	vtd_invalidate_iotlb(DESC_GLOBAL, 0, 0);
	check(!write_arrives(&edu[0], IOVA, pages[0]) && !(vtd_read32(VTD_FSTS) & FSTS_PPF),
	      "context entry with FPD: blocked, not recorded");
}

static void event(void)
{
	set_context(&edu[0], 0, 0);
	write_arrives(&edu[0], IOVA, pages[0]);
	check_is(CONTROL_IM | CONTROL_IP, vtd_read32(VTD_FECTL), "a fault while masked: the event is pending");
	clear_faults();
	check_is(CONTROL_IM, vtd_read32(VTD_FECTL), "serviced: no longer");
}

void fault_cases(void)
{
	heading("Faults");
	root_and_context();
	restore();
	second_level();
	restore();
	not_readable();
	restore();
	two_at_once();
	dropped();
	restore();
	overflow();
	restore();
	disabled();
	restore();
	event();
}
