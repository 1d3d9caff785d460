/* SPDX-License-Identifier: MIT */
/*
 * What the caches keep: a translation or a context that software changed is stale until it
 * invalidates it, with CAP.CM one that was not there as well, and no longer than that.
 */
#include "tests/lib/iommu_world.h"

TEST(an_unmapped_page_is_stale_until_invalidated)
{
	uint64_t table, leaf;
	struct iommu_world *w;

	for (unsigned cm = 0; cm < 2; cm++) {
		w = translating(cm ? CM : NO_CM, &table);
		leaf = map_page(w, table, 4, 0, 1, DATA, RW);
		assert_int_equal(dma_write(w, EDU, 0, 1), 0);
		poke(w, leaf, 0);
		assert_int_equal(dma_write(w, EDU, 0, 2), 0);
		assert_int_equal(peek(w, DATA), 2);
		flush_pages(w, DID + 1, 0, 0); /* another domain's */
		flush_pages(w, DID, PAGE_SIZE, 0);
		assert_int_equal(dma_write(w, EDU, 0, 3), 0);
		flush_pages(w, DID, 0, 0);
		assert_int_equal(dma_write(w, EDU, 0, 4), -EFAULT);
		assert_int_equal(take_fault(w), VTD_NO_WRITE);
		assert_int_equal(peek(w, DATA), 3);
	}
}

TEST(a_remapped_page_and_a_permission_are_stale_too)
{
	uint64_t table, leaf;
	struct iommu_world *w = translating(NO_CM, &table);

	leaf = map_page(w, table, 4, 0, 1, DATA, VTD_SL_R);
	dma_read(w, EDU, 0);
	poke(w, leaf, (DATA + PAGE_SIZE) | RW);
	assert_int_equal(dma_write(w, EDU, 0, 7), -EFAULT);
	assert_int_equal(take_fault(w), VTD_NO_WRITE);
	flush_pages(w, DID, 0, 0);
	assert_int_equal(dma_write(w, EDU, 0, 7), 0);
	assert_int_equal(peek(w, DATA + PAGE_SIZE), 7);
}

TEST(without_cm_a_new_mapping_needs_no_invalidation)
{
	uint64_t table;
	struct iommu_world *w = translating(NO_CM, &table);

	assert_int_equal(dma_write(w, EDU, 0, 1), -EFAULT);
	map_page(w, table, 4, 0, 1, DATA, RW);
	assert_int_equal(dma_write(w, EDU, 0, 1), 0);
}

TEST(with_cm_a_page_that_faulted_faults_until_invalidated)
{
	uint64_t table;
	struct iommu_world *w = translating(CM, &table);

	assert_int_equal(dma_write(w, EDU, 0, 1), -EFAULT);
	assert_int_equal(take_fault(w), VTD_NO_WRITE);
	map_page(w, table, 4, 0, 1, DATA, RW);
	map_page(w, table, 4, PAGE_SIZE, 1, DATA + PAGE_SIZE, RW);
	assert_int_equal(dma_write(w, EDU, 0, 1), -EFAULT);
	assert_int_equal(take_fault(w), VTD_NO_WRITE); /* each request is told of */
	assert_int_equal(dma_write(w, EDU, PAGE_SIZE, 1), 0);
	flush_pages(w, DID, 0, 0);
	assert_int_equal(dma_write(w, EDU, 0, 1), 0);
}

TEST(a_page_inside_a_superpage_invalidates_the_superpage)
{
	uint64_t table, leaf;
	struct iommu_world *w = translating(NO_CM, &table);

	leaf = map_page(w, table, 4, 0, 2, DATA, RW);
	assert_int_equal(dma_write(w, EDU, 8, 1), 0);
	poke(w, leaf, 0);
	assert_int_equal(dma_write(w, EDU, 0x100000, 1), 0);
	flush_pages(w, DID, 0x180000, 0);
	assert_int_equal(dma_write(w, EDU, 8, 1), -EFAULT);
}

TEST(an_address_mask_covers_its_aligned_range)
{
	uint64_t table;
	struct iommu_world *w = translating(NO_CM, &table);

	for (uint64_t page = 0; page < 16; page++) {
		map_page(w, table, 4, page * PAGE_SIZE, 1, DATA, RW);
		assert_int_equal(dma_write(w, EDU, page * PAGE_SIZE, 1), 0);
	}
	memset(w->ram + (peek(w, peek(w, peek(w, table) & VTD_SL_ADDR) & VTD_SL_ADDR) & VTD_SL_ADDR), 0, PAGE_SIZE);
	flush_pages(w, DID, 5 * PAGE_SIZE, 2); /* pages 4 to 7 */
	for (uint64_t page = 0; page < 16; page++)
		assert_int_equal(dma_write(w, EDU, page * PAGE_SIZE, 1), page >= 4 && page < 8 ? -EFAULT : 0);
}

TEST(a_context_flush_alone_leaves_the_iotlb)
{
	uint64_t table, leaf;
	struct iommu_world *w = translating(CM, &table);

	leaf = map_page(w, table, 4, 0, 1, DATA, RW);
	assert_int_equal(dma_write(w, EDU, 0, 1), 0);
	poke(w, leaf, 0);
	flush_contexts(w);
	assert_int_equal(dma_write(w, EDU, 0, 2), 0);
	set_root(w, ROOT); /* CAP.ESRTPS: this drops all */
	assert_int_equal(dma_write(w, EDU, 0, 3), -EFAULT);
}

TEST(a_changed_context_is_stale_until_invalidated)
{
	uint64_t table;
	struct iommu_world *w = translating(NO_CM, &table);
	uint64_t other = new_table(w);

	map_page(w, table, 4, 0, 1, DATA, RW);
	map_page(w, other, 4, 0, 1, DATA + PAGE_SIZE, RW);
	assert_int_equal(dma_write(w, EDU, 0, 1), 0);
	translated(w, EDU, other, DID + 1);
	assert_int_equal(dma_write(w, EDU, 0, 2), 0);
	assert_int_equal(peek(w, DATA), 2);
	flush_device(w, EDU, DID, 0);
	assert_int_equal(dma_write(w, EDU, 0, 3), 0);
	assert_int_equal(peek(w, DATA + PAGE_SIZE), 3);
}

TEST(a_warm_iotlb_reads_no_table)
{
	uint64_t table;
	struct iommu_world *w = translating(CM, &table);
	uint64_t value = 1;

	map_page(w, table, 4, 0, 1, DATA, RW);
	assert_int_equal(dma_write(w, EDU, 0, 1), 0);
	w->reads = 0;
	assert_int_equal(iommu_dma_write(&w->iommu, EDU, 8, &value, 8), 0);
	assert_int_equal(w->reads, 0);
}

/* Far more pages than the IOTLB holds: the oldest are walked again, none is mixed up. */
TEST(eviction_loses_no_translation)
{
	uint64_t table;
	struct iommu_world *w = translating(CM, &table);

	for (unsigned round = 0; round < 2; round++) {
		for (uint64_t i = 0; i < 500; i++) {
			map_page(w, table, 4, i * 0x40000, 1, DATA + i * PAGE_SIZE % MiB, RW);
			assert_int_equal(dma_write(w, EDU, i * 0x40000, i), 0);
			assert_int_equal(peek(w, DATA + i * PAGE_SIZE % MiB), i);
		}
	}
}

/* Software gave two tables one domain id: VT-d leaves that open; here each keeps its own. */
TEST(two_devices_of_one_domain_are_tagged_apart)
{
	uint64_t table;
	struct iommu_world *w = translating(CM, &table);
	uint64_t other = new_table(w);

	assert_int_equal(iommu_add_device(&w->iommu, 0x60, true), 0); /* shares EDU's set */
	map_page(w, table, 4, 0, 1, DATA, RW);
	map_page(w, other, 4, 0, 1, DATA + PAGE_SIZE, RW);
	translated(w, 0x60, other, DID);
	flush_contexts(w);
	assert_int_equal(dma_write(w, EDU, 0, 1) | dma_write(w, 0x60, 0, 2), 0);
	assert_int_equal(peek(w, DATA), 1);
	assert_int_equal(peek(w, DATA + PAGE_SIZE), 2);
}

/* Six pages of one set of four ways: the first two had to go. */
TEST(the_oldest_of_a_set_is_evicted)
{
	uint64_t table;
	struct iommu_world *w = translating(CM, &table);

	for (uint64_t i = 0; i < 6; i++) {
		map_page(w, table, 4, i << 24, 1, DATA, RW);
		assert_int_equal(dma_write(w, EDU, i << 24, 1), 0);
	}
	for (uint64_t i = 2; i < 6; i++) {
		w->reads = 0;
		assert_int_equal(dma_write(w, EDU, i << 24, 1), 0);
		assert_int_equal(w->reads, 0);
	}
	for (uint64_t i = 0; i < 2; i++) {
		w->reads = 0;
		assert_int_equal(dma_write(w, EDU, i << 24, 1), 0);
		assert_int_equal(w->reads, 4);
	}
}

TEST(a_domain_flush_drops_the_pages_of_its_domain_only)
{
	uint64_t table;
	struct iommu_world *w = translating(NO_CM, &table);
	uint64_t leaf = map_page(w, table, 4, 0, 1, DATA, RW);

	passed_through(w, EDU_B, DID + 1);
	assert_int_equal(dma_write(w, EDU, 0, 1), 0);
	poke(w, leaf, 0);
	submit(w, VTD_DESC_IOTLB | TO_FIELD(VTD_DOMAIN, VTD_DESC_G) | TO_FIELD(DID + 1, VTD_DESC_DID), 0);
	assert_int_equal(dma_write(w, EDU, 0, 2), 0);
	submit(w, VTD_DESC_IOTLB | TO_FIELD(VTD_DOMAIN, VTD_DESC_G) | TO_FIELD(DID, VTD_DESC_DID), 0);
	assert_int_equal(dma_write(w, EDU, 0, 3), -EFAULT);
}
