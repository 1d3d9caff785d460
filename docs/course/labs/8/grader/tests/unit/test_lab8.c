/* SPDX-License-Identifier: MIT */
/* Lab 8: what is so when the unit writes the status of a wait. */
#include "tests/lib/iommu_world.h"

#define PAGE_RW (VTD_SL_R | VTD_SL_W)

/* At the write of a status: would a DMA still get through? */
static void try_dma(struct iommu_world *w, uint64_t gpa)
{
	uint8_t byte = 1;

	if (gpa != STATUS) return;
	w->seen[0]++;
	w->seen[1] = (uint64_t)iommu_dma_write(&w->iommu, EDU, 0, &byte, 1);
}

static void put_wait(struct iommu_world *w, uint64_t status, uint32_t data)
{
	put_descriptor(w, VTD_DESC_WAIT | VTD_WAIT_DESC_SW | TO_FIELD(data, VTD_WAIT_DESC_DATA), status);
}

TEST(a_status_is_written_after_the_translation_is_gone)
{
	struct iommu_world *w = world_new(CM);
	uint64_t table = new_table(w), leaf = map_page(w, table, 4, 0, 1, DATA, PAGE_RW);
	uint8_t byte = 1;

	translated(w, EDU, table, DID);
	start(w);
	assert_int_equal(iommu_dma_write(&w->iommu, EDU, 0, &byte, 1), 0);
	poke(w, leaf, 0);
	w->on_write = try_dma;
	put_descriptor(w, VTD_DESC_IOTLB | TO_FIELD(VTD_GLOBAL, VTD_DESC_G), 0);
	put_wait(w, STATUS, 7);
	ring(w);
	assert_int_equal(w->seen[0], 1);
	assert_int_equal(w->seen[1], (uint64_t)-EFAULT);
}

static void count_statuses(struct iommu_world *w, uint64_t gpa)
{
	if (gpa == STATUS || gpa == STATUS + 8) w->seen[gpa == STATUS]++;
}

TEST(each_wait_has_its_answer_once)
{
	struct iommu_world *w = world_new(CM);

	start(w);
	w->on_write = count_statuses;
	put_wait(w, STATUS, 1);
	put_descriptor(w, VTD_DESC_IOTLB | TO_FIELD(VTD_GLOBAL, VTD_DESC_G), 0);
	put_wait(w, STATUS + 8, 2);
	put_descriptor(w, VTD_DESC_CONTEXT | TO_FIELD(VTD_GLOBAL, VTD_DESC_G), 0);
	ring(w);
	assert_int_equal(w->seen[0], 1);
	assert_int_equal(w->seen[1], 1);
	assert_int_equal((uint32_t)peek(w, STATUS), 1);
	assert_int_equal((uint32_t)peek(w, STATUS + 8), 2);
}
