/* SPDX-License-Identifier: MIT */
/*
 * Which attached device is noncoherent: by what it can emit, by Enable No Snoop, and with snoop
 * control by what it went through. The other half of the state table in docs/iommu.md.
 */
#include "tests/lib/iommu_world.h"

TEST(a_device_that_never_emits_no_snoop_attaches_coherent)
{
	struct iommu_world *w = world_new(CM);

	assert_int_equal(iommu_add_device(&w->iommu, 0x30, false), 0);
	passed_through(w, 0x30, DID);
	start(w);
	assert_int_equal(w->event_count, 1);
	assert_true(w->events[0].attached);
	assert_int_equal(w->noncoherent, 0);
	iommu_set_no_snoop(&w->iommu, 0x30, false);
	iommu_set_no_snoop(&w->iommu, 0x30, true);
	assert_int_equal(w->event_count, 1);
}

TEST(enable_no_snoop_of_an_attached_device_counts_at_once)
{
	struct iommu_world *w = prepared(CM, RW);

	start(w);
	iommu_set_no_snoop(&w->iommu, EDU, false);
	assert_int_equal(w->noncoherent, 0);
	assert_true(w->events[1].attached && w->events[1].was_attached);
	iommu_set_no_snoop(&w->iommu, EDU, true);
	assert_int_equal(w->noncoherent, 1);
	iommu_set_no_snoop(&w->iommu, EDU, true);
	assert_int_equal(w->event_count, 3);
	iommu_set_no_snoop(&w->iommu, EDU_B, false); /* not attached */
	iommu_set_no_snoop(&w->iommu, 0x99, false);  /* no such device */
	assert_int_equal(w->event_count, 3);
}

TEST(with_sc_pass_through_is_noncoherent)
{
	struct iommu_world *w = world_new(CM | SC);

	passed_through(w, EDU, DID);
	start(w);
	assert_int_equal(w->noncoherent, 1);
}

TEST(with_sc_a_translated_device_attaches_coherent)
{
	struct iommu_world *w = prepared(CM | SC, RW | VTD_SL_SNP);

	start(w);
	assert_int_equal(w->event_count, 1);
	assert_true(w->events[0].attached);
	assert_int_equal(dma_write(w, EDU, 0, 42), 0);
	assert_int_equal(peek(w, DATA), 42);
	assert_int_equal(w->noncoherent, 0);
	assert_int_equal(w->event_count, 1);
}

TEST(with_sc_the_first_leaf_without_snp_counts_before_its_data_moves)
{
	struct iommu_world *w = prepared(CM | SC, RW);

	start(w);
	assert_int_equal(w->noncoherent, 0);
	w->on_event = see_data;
	w->seen[0] = ~0ULL;
	assert_int_equal(dma_write(w, EDU, 0, 42), 0);
	assert_int_equal(w->noncoherent, 1);
	assert_int_equal(w->seen[0], 0);
	assert_int_equal(dma_write(w, EDU, 0, 43), 0);
	assert_int_equal(w->event_count, 2);
}

TEST(with_sc_noncoherent_lasts_until_the_context_changes)
{
	struct iommu_world *w = prepared(CM | SC, RW);

	start(w);
	assert_int_equal(dma_write(w, EDU, 0, 42), 0);
	flush_contexts(w); /* says nothing new */
	flush_iotlb(w);
	assert_int_equal(w->noncoherent, 1);
	translated(w, EDU, new_table(w), DID);
	flush_device(w, EDU, DID, 0);
	assert_int_equal(w->noncoherent, 0);
	assert_true(w->events[2].attached);
}

TEST(with_sc_a_faulting_access_does_not_count)
{
	struct iommu_world *w = prepared(CM | SC, VTD_SL_R);

	start(w);
	assert_int_equal(dma_write(w, EDU, 0, 42), -EFAULT);
	assert_int_equal(w->noncoherent, 0);
	dma_read(w, EDU, 0);
	assert_int_equal(w->noncoherent, 1);
}

/* Whether the data of a DMA went around the cache, with one leaf of these bits. */
static bool goes_around(unsigned options, uint64_t leaf, bool write)
{
	struct iommu_world *w = prepared(options, leaf);
	bool around;

	start(w);
	if (write)
		assert_int_equal(dma_write(w, EDU, 0, 42), 0);
	else
		dma_read(w, EDU, 0);
	around = w->around;
	return around;
}

TEST(dma_of_a_noncoherent_device_goes_around_the_cache_unless_its_leaf_snoops)
{
	assert_true(goes_around(CM, RW, true));
	assert_true(goes_around(CM, RW, false));
	assert_true(goes_around(CM | SC, RW, true)); /* the first such part: it counts from now on */
	assert_false(goes_around(CM | SC, RW | VTD_SL_SNP, true));
	assert_false(goes_around(CM | SC, RW | VTD_SL_SNP, false));
}

/* The device stays noncoherent, its parts are one by one what their leaves say. */
TEST(each_part_goes_its_own_way)
{
	struct iommu_world *w = prepared(CM | SC, RW);
	uint64_t page = 0;

	start(w);
	map_page(w, peek(w, context_at(EDU)) & VTD_CONTEXT_SLPTPTR, 4, PAGE_SIZE, 1, DATA, RW | VTD_SL_SNP);
	assert_int_equal(dma_write(w, EDU, 0, 1), 0);
	assert_true(w->around);
	assert_int_equal(dma_write(w, EDU, PAGE_SIZE, 1), 0);
	assert_false(w->around);
	assert_int_equal(w->noncoherent, 1);
	assert_int_equal(iommu_dma_write(&w->iommu, EDU, PAGE_SIZE - 4, &page, 8), 0);
	assert_false(w->around);
}

TEST(pass_through_goes_around_the_cache_and_a_device_that_never_may_does_not)
{
	struct iommu_world *w = world_new(CM | SC);

	assert_int_equal(dma_write(w, EDU, DATA, 1), 0); /* translation is off */
	assert_false(w->around);
	passed_through(w, EDU, DID);
	start(w);
	assert_int_equal(dma_write(w, EDU, DATA, 1), 0);
	assert_true(w->around);
	iommu_set_no_snoop(&w->iommu, EDU, false);
	assert_int_equal(dma_write(w, EDU, DATA, 1), 0);
	assert_false(w->around);
}

TEST(the_units_own_accesses_never_go_around_the_cache)
{
	struct iommu_world *w = prepared(CM, RW);

	start(w);
	assert_int_equal(dma_write(w, EDU, 0, 1), 0);
	assert_true(w->around);
	w->ever = false;
	flush_contexts(w); /* reads the queue and the contexts, writes its status */
	assert_false(w->ever);
}

/* A write that runs over two pages, the second without SNP: the transition lies between them. */
static void see_both_pages(struct iommu_world *w)
{
	w->seen[0] = peek(w, DATA + PAGE_SIZE - 8);
	w->seen[1] = peek(w, DATA + PAGE_SIZE);
}

TEST(a_transition_in_the_middle_of_a_dma_comes_before_its_page)
{
	struct iommu_world *w = prepared(CM | SC, RW | VTD_SL_SNP);
	uint64_t table = peek(w, context_at(EDU)) & VTD_CONTEXT_SLPTPTR;
	uint64_t data[2] = {1, 2};

	map_page(w, table, 4, PAGE_SIZE, 1, DATA + PAGE_SIZE, RW);
	start(w);
	w->on_event = see_both_pages;
	assert_int_equal(iommu_dma_write(&w->iommu, EDU, PAGE_SIZE - 8, data, sizeof(data)), 0);
	assert_int_equal(w->noncoherent, 1);
	assert_int_equal(w->seen[0], 1);
	assert_int_equal(w->seen[1], 0);
	assert_int_equal(peek(w, DATA + PAGE_SIZE), 2);
}

TEST(with_sc_snp_is_for_leaves_only)
{
	struct iommu_world *w = prepared(CM | SC, RW | VTD_SL_SNP);
	uint64_t table = peek(w, context_at(EDU)) & VTD_CONTEXT_SLPTPTR;

	poke(w, table, peek(w, table) | VTD_SL_SNP);
	start(w);
	assert_int_equal(dma_write(w, EDU, 0, 42), -EFAULT);
	assert_int_equal(take_fault(w), VTD_TABLE_RESERVED);
}
