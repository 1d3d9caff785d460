/* SPDX-License-Identifier: MIT */
/*
 * iommu/show.c: what a person reads of a unit is what it holds, and looking changes nothing of it.
 */
#include <stdio.h>

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
	struct iommu_world *w = world_new(false, false);

	show(w);
	expect_line("translation off, queue off, interrupt remapping off; root table 0x0, bus 0 "
		    "not present");
	expect_line("IOTLB: empty");
	expect_line("queue: 0x0, 256 descriptors, head 0, tail 0");
	expect_line("faults: none pending");
}

TEST(contexts_cached_and_in_memory)
{
	struct iommu_world *w = world_new(true, false);
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
	struct iommu_world *w = world_new(false, true);
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
	struct iommu_world *w = world_new(false, false);

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
