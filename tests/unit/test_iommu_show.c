/* SPDX-License-Identifier: MIT */
/*
 * iommu/show.c: what a person reads of a unit is what it holds, and looking changes nothing of it.
 */
#include <stdio.h>

#include "iommu/parts.h"
#include "tests/lib/iommu_world.h"

static char said[80][256];
static unsigned lines;

static void keep_line(void *ctx, const char *text)
{
	(void)ctx;
	assert_true(lines < ARRAY_SIZE(said));
	strcpy(said[lines++], text);
}

/* Show it; the unit is byte for byte as before. */
static void show(struct iommu_world *w)
{
	struct iommu before = w->iommu;

	lines = 0;
	iommu_show(&w->iommu, keep_line, NULL);
	assert_memory_equal(&before, &w->iommu, sizeof(before));
}

static void expect_line(const char *text)
{
	for (unsigned i = 0; i < lines; i++)
		if (!strcmp(said[i], text)) return;
	for (unsigned i = 0; i < lines; i++) print_error("%s\n", said[i]);
	fail_msg("no line: %s", text);
}

TEST(a_unit_after_reset)
{
	struct iommu_world *w = world_new(NO_CM);

	show(w);
	expect_line("translation off, queue off, interrupt remapping off; root table 0x0, bus 0 "
		    "not present");
	expect_line("IOTLB: empty");
	expect_line("queue: 0x0, 256 descriptors, head 0, tail 0");
	expect_line("faults: none pending");
}

TEST(contexts_cached_and_in_memory)
{
	struct iommu_world *w = world_new(CM);
	uint64_t table = new_table(w);
	char line[200];

	translated(w, EDU, table, DID);
	passed_through(w, EDU_B, 9);
	start(w);
	flush_contexts(w);
	show(w);
	snprintf(line, sizeof(line),
		 "translation on, queue on, interrupt remapping off; root table 0x%llx, bus 0's "
		 "contexts 0x%llx",
		 (unsigned long long)ROOT, (unsigned long long)CONTEXT);
	expect_line(line);
	snprintf(line, sizeof(line),
		 "device 00:04.0: attached, noncoherent; context in memory: 0x502:0x%llx: domain 5, "
		 "48 bits, table 0x%llx; cached",
		 (unsigned long long)table | 1, (unsigned long long)table);
	expect_line(line);
	expect_line("device 00:05.0: attached, noncoherent; context in memory: 0x902:0x9: domain 9, "
		    "passed through; cached");
	set_context(w, EDU_B, 0, 0);
	show(w);
	expect_line("device 00:05.0: attached, noncoherent; context in memory: none (not present); "
		    "cached otherwise: 0x902:0x9: domain 9, passed through");
}

TEST(translations_of_the_iotlb)
{
	struct iommu_world *w = world_new(NO_CM | SC);
	uint64_t table = new_table(w);
	char line[200];

	map_page(w, table, 4, 0x5000, 1, DATA, VTD_SL_R | VTD_SL_W | VTD_SL_SNP);
	map_page(w, table, 4, 0x6000, 1, DATA + 0x1000, VTD_SL_W);
	translated(w, EDU, table, DID);
	start(w);
	assert_int_equal(dma_write(w, EDU, 0x5000, 1), 0);
	assert_int_equal(dma_write(w, EDU, 0x6000, 1), 0);
	show(w);
	snprintf(line, sizeof(line), "IOTLB: 00:04.0 domain 5 iova 0x5000: 0x%llx 4K RW SNP", (unsigned long long)DATA);
	expect_line(line);
	snprintf(line, sizeof(line), "IOTLB: 00:04.0 domain 5 iova 0x6000: 0x%llx 4K -W",
		 (unsigned long long)DATA + 0x1000);
	expect_line(line);
}

TEST(a_fault_and_a_queue_that_stopped)
{
	struct iommu_world *w = world_new(NO_CM);

	start(w);
	dma_write(w, EDU, 0x7000, 1);
	put_descriptor(w, VTD_DESC_IOTLB | TO_FIELD(VTD_GLOBAL, VTD_DESC_G), 0);
	put_descriptor(w, 0xf, 0x1234);
	submit(w, VTD_DESC_WAIT | VTD_WAIT_DESC_SW, DATA);
	show(w);
	expect_line("faults: reason 0x2, 00:04.0, write, 0x7000; one pending");
	expect_line("queue: 1: 0x1234:0xf: unknown");
	expect_line("queue: 2: 0x200000:0x25: wait");
	for (unsigned i = 0; i < lines; i++)
		if (strstr(said[i], "stopped by an error (FSTS.IQE)")) {
			assert_non_null(strstr(said[i], "head 1, tail 3"));
			return;
		}
	fail_msg("the queue's error is not told");
}

/* Is there a line with this in it? */
static bool is_said(const char *part)
{
	for (unsigned i = 0; i < lines; i++)
		if (strstr(said[i], part)) return true;
	return false;
}

TEST(tables_and_a_queue_where_no_memory_is)
{
	struct iommu_world *w = world_new(NO_CM);

	w->iommu.root_table = RAM_SIZE;
	reg_write8(w, VTD_IQA, RAM_SIZE);
	reg_write8(w, VTD_IQT, TO_FIELD(12, VTD_IQ_PTR));
	show(w);
	assert_true(is_said("root table 0x400000, not RAM"));
	expect_line("queue: 0: not RAM");
	expect_line("queue: 7: not RAM");
	assert_false(is_said("queue: 8: ")); /* eight are enough */
}

TEST(a_head_beyond_the_queue_shows_nothing_of_it)
{
	struct iommu_world *w = world_new(NO_CM);

	set_reg64(&w->iommu, VTD_IQH, TO_FIELD(300, VTD_IQ_PTR));
	show(w);
	expect_line("queue: 0x0, 256 descriptors, head 300, tail 0");
	assert_false(is_said("queue: 300: "));
}

TEST(contexts_and_translations_that_fault)
{
	struct iommu_world *w = world_new(CM);
	uint64_t table = new_table(w);

	set_context(w, EDU, VTD_CONTEXT_P | BIT(40), context_hi(DID, VTD_AW_48BIT));
	translated(w, EDU_B, table, DID);
	map_page(w, table, 4, 0x6000, 1, DATA, VTD_SL_R);
	start(w);
	command(w, VTD_GCMD_IRE, 0);
	flush_contexts(w);
	dma_write(w, EDU, 0, 1);
	dma_read(w, EDU_B, 0x5000);
	dma_read(w, EDU_B, 0x6000);
	dma_write(w, EDU_B, 0x6000, 1);
	show(w);
	assert_true(is_said("interrupt remapping on"));
	assert_true(is_said("iova 0x0: fault 0x3"));
	assert_true(is_said("iova 0x5000: 0x0 4K --"));
	assert_true(is_said("iova 0x6000: 0x200000 4K R-"));
	assert_true(is_said("one pending, more were lost (FSTS.PFO)"));
	set_context(w, EDU, VTD_CONTEXT_P | VTD_CONTEXT_TT, context_hi(DID, VTD_AW_48BIT));
	show(w);
	assert_true(is_said("context in memory: 0x502:0xd: fault 0x3; cached otherwise"));
}

TEST(a_fault_of_a_read_by_a_device_that_snoops)
{
	struct iommu_world *w = world_new(CM);

	passed_through(w, EDU_B, DID);
	start(w);
	iommu_set_no_snoop(&w->iommu, EDU_B, false);
	dma_read(w, EDU, 0x7000);
	show(w);
	assert_true(is_said("device 00:05.0: attached, coherent"));
	assert_true(is_said(", 00:04.0, read, 0x7000; one pending"));
}
