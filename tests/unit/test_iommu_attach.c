/* SPDX-License-Identifier: MIT */
/*
 * What the IOMMU tells the CPU: attachment and the noncoherent count. One test for each row of
 * the state table in docs/iommu.md, which names them.
 */
#include "tests/lib/iommu_world.h"

/* Needs ECAP.DT (VT-d 9.3). */
#define VTD_TT_DEVICE_TLB 1 /* needs ECAP.DT */

TEST(translation_off_means_nothing_is_attached)
{
	struct iommu_world *w = prepared(CM, RW);

	set_root(w, ROOT);
	start_queue(w);
	flush_contexts(w);
	flush_domain(w, DID);
	assert_int_equal(w->event_count, 0);
	assert_int_equal(dma_write(w, EDU, DATA, 42), 0);
	assert_int_equal(peek(w, DATA), 42);
	assert_int_equal(w->event_count, 0);
}

static void dma_of_the_other_device(struct iommu_world *w)
{
	w->on_event = NULL;
	w->seen[0] = (uint64_t)dma_write(w, EDU_B, 0, 1);
}

/* TE goes through the devices one by one; a host may let another device go on meanwhile. */
TEST(a_dma_while_te_attaches_another_device_goes_by_its_own_context)
{
	struct iommu_world *w = prepared(CM, RW);

	w->on_event = dma_of_the_other_device;
	start(w);
	assert_int_equal(w->event_count, 1);
	assert_int_equal((int)w->seen[0], -EFAULT);
	assert_int_equal(take_fault(w), VTD_CONTEXT_NOT_PRESENT);
}

TEST(turning_translation_on_attaches_each_present_context)
{
	struct iommu_world *w = prepared(CM, RW);

	passed_through(w, EDU_B, 6);
	start(w);
	assert_int_equal(w->event_count, 2);
	assert_int_equal(w->noncoherent, 2);
	assert_int_equal(w->events[0].source_id, EDU);
	assert_int_equal(w->events[0].domain_id, DID);
	assert_true(w->events[0].attached && w->events[0].noncoherent);
	assert_false(w->events[0].was_attached || w->events[0].was_noncoherent);
	assert_int_equal(w->events[1].source_id, EDU_B);
}

static void see_tes(struct iommu_world *w) { w->seen[w->event_count - 1] = reg_read(w, VTD_GSTS) & VTD_GCMD_TE; }

TEST(tes_changes_only_after_the_transition)
{
	struct iommu_world *w = prepared(CM, RW);

	w->on_event = see_tes;
	start(w);
	command(w, 0, VTD_GCMD_TE);
	assert_int_equal(w->event_count, 2);
	assert_int_equal(w->seen[0], 0);           /* 0 -> 1 while TES still reads 0 */
	assert_int_equal(w->seen[1], VTD_GCMD_TE); /* 1 -> 0 while TES still reads 1 */
	assert_int_equal(reg_read(w, VTD_GSTS) & VTD_GCMD_TE, 0);
}

TEST(turning_translation_off_detaches_all)
{
	struct iommu_world *w = prepared(CM, RW);

	passed_through(w, EDU_B, 6);
	start(w);
	command(w, 0, VTD_GCMD_TE);
	assert_int_equal(w->event_count, 4);
	assert_int_equal(w->noncoherent, 0);
	assert_false(w->events[3].attached);
	assert_int_equal(w->events[3].domain_id, 6);
	command(w, VTD_GCMD_TE, 0);
	assert_int_equal(w->noncoherent, 2);
}

TEST(not_present_to_present_attaches_at_a_global_flush)
{
	struct iommu_world *w = prepared(CM, RW);
	uint64_t lo = peek(w, context_at(EDU));

	poke(w, context_at(EDU), 0);
	start(w);
	poke(w, context_at(EDU), lo);
	assert_int_equal(w->event_count, 0);
	flush_contexts(w);
	assert_int_equal(w->noncoherent, 1);
}

TEST(not_present_to_present_attaches_at_a_flush_of_domain_0)
{
	struct iommu_world *w = prepared(CM, RW);
	uint64_t lo = peek(w, context_at(EDU));

	poke(w, context_at(EDU), 0);
	start(w);
	poke(w, context_at(EDU), lo);
	flush_domain(w, 0);
	assert_int_equal(w->noncoherent, 1);
}

TEST(device_flush_attaches_whatever_the_domain_id)
{
	struct iommu_world *w = prepared(CM, RW);
	uint64_t lo = peek(w, context_at(EDU));

	poke(w, context_at(EDU), 0);
	start(w);
	poke(w, context_at(EDU), lo);
	flush_device(w, EDU, 0, 0); /* Linux with CM names domain 0 */
	assert_int_equal(w->noncoherent, 1);
}

TEST(device_flush_with_the_old_domain_id_detaches)
{
	struct iommu_world *w = prepared(CM, RW);

	start(w);
	set_context(w, EDU, 0, 0);
	assert_int_equal(w->noncoherent, 1);
	flush_device(w, EDU, DID, 0);
	assert_int_equal(w->event_count, 2);
	assert_false(w->events[1].attached);
	assert_true(w->events[1].was_noncoherent);
	assert_int_equal(w->events[1].domain_id, DID);
	assert_int_equal(w->noncoherent, 0);
}

TEST(domain_flush_with_the_old_domain_id_detaches)
{
	struct iommu_world *w = prepared(CM, RW);

	start(w);
	set_context(w, EDU, 0, 0);
	flush_domain(w, DID);
	assert_int_equal(w->noncoherent, 0);
}

TEST(domain_flush_with_the_new_domain_id_rereads)
{
	struct iommu_world *w = prepared(CM, RW);

	start(w);
	/* Present with domain 5, now invalid (a reserved bit) with domain 9. */
	poke(w, context_at(EDU) + 8, context_hi(9, VTD_AW_48BIT) | BIT(30));
	flush_domain(w, 7);
	assert_int_equal(w->noncoherent, 1);
	flush_domain(w, 9);
	assert_int_equal(w->noncoherent, 0);
}

TEST(domain_flush_leaves_other_domains_alone)
{
	struct iommu_world *w = prepared(CM, RW);

	start(w);
	set_context(w, EDU, 0, 0);
	flush_domain(w, DID + 1);
	assert_int_equal(w->event_count, 1);
	assert_int_equal(dma_write(w, EDU, 0, 1), 0); /* stale, and rightly so */
}

/* The functions of EDU's slot that are attached, one bit for each. */
static unsigned attached_functions(const struct iommu_world *w)
{
	unsigned functions = 0;

	for (unsigned i = 0; i < w->event_count; i++) {
		unsigned bit = 1U << (w->events[i].source_id & 7);

		functions = w->events[i].attached ? functions | bit : functions & ~bit;
	}
	return functions;
}

/* FM leaves out bit 2, bits 2:1 or bits 2:0 of the function number (here 3). */
TEST(device_flush_covers_the_functions_of_its_mask)
{
	struct iommu_world *w = world_new(CM);
	static const unsigned covered[] = {0x08, 0x88, 0xaa, 0xff};

	for (uint16_t function = 1; function < 8; function++)
		assert_int_equal(iommu_add_device(&w->iommu, EDU + function, true), 0);
	start(w);
	for (unsigned fm = 0; fm < 4; fm++) {
		for (uint16_t function = 0; function < 8; function++) passed_through(w, EDU + function, DID);
		flush_device(w, EDU + 3, 0, fm);
		assert_int_equal(attached_functions(w), covered[fm]);
		memset(w->ram + CONTEXT, 0, PAGE_SIZE);
		flush_contexts(w);
		assert_int_equal(w->noncoherent, 0);
	}
}

TEST(repeated_and_global_flushes_change_nothing)
{
	struct iommu_world *w = prepared(CM, RW);

	start(w);
	for (unsigned i = 0; i < 3; i++) {
		flush_contexts(w);
		flush_domain(w, DID);
		flush_device(w, EDU, DID, 0);
		flush_iotlb(w);
		set_root(w, ROOT);
	}
	assert_int_equal(w->event_count, 1);
}

TEST(two_devices_in_one_domain_are_two)
{
	struct iommu_world *w = prepared(CM, RW);

	set_context(w, EDU_B, peek(w, context_at(EDU)), peek(w, context_at(EDU) + 8));
	start(w);
	assert_int_equal(w->noncoherent, 2);
	set_context(w, EDU, 0, 0);
	flush_domain(w, DID);
	assert_int_equal(w->noncoherent, 1);
	assert_int_equal(w->event_count, 3);
}

TEST(another_root_table_is_compared_device_by_device)
{
	struct iommu_world *w = prepared(CM, RW);
	uint64_t contexts = new_table(w);
	uint64_t root = new_table(w);

	passed_through(w, EDU_B, 6);
	start(w);
	assert_int_equal(w->event_count, 2);
	/* The new tables know EDU, under another domain, and not EDU_B. */
	poke(w, root, contexts | VTD_ROOT_P);
	poke(w, contexts + EDU * 16, peek(w, context_at(EDU)));
	poke(w, contexts + EDU * 16 + 8, context_hi(8, VTD_AW_48BIT));
	set_root(w, root);
	assert_int_equal(w->event_count, 3);
	assert_int_equal(w->events[2].source_id, EDU_B);
	assert_false(w->events[2].attached);
	assert_int_equal(w->noncoherent, 1);
}

static void see_rtps(struct iommu_world *w) { w->seen[0] = reg_read(w, VTD_GSTS) & VTD_GCMD_SRTP; }

TEST(rtps_is_set_only_after_the_transition)
{
	struct iommu_world *w = prepared(CM, RW);

	start(w);
	w->on_event = see_rtps;
	w->seen[0] = ~0ULL;
	set_root(w, new_table(w));
	assert_int_equal(w->event_count, 2);
	assert_int_equal(w->seen[0], 0);
	assert_int_equal(reg_read(w, VTD_GSTS) & VTD_GCMD_SRTP, VTD_GCMD_SRTP);
}

TEST(present_to_present_goes_by_difference)
{
	struct iommu_world *w = prepared(CM, RW);

	start(w);
	passed_through(w, EDU, 9);
	flush_device(w, EDU, DID, 0);
	assert_int_equal(w->event_count, 1);
	assert_int_equal(w->noncoherent, 1);
}

TEST(an_invalid_context_is_not_attached)
{
	struct iommu_world *w = prepared(CM, RW);
	uint64_t lo = peek(w, context_at(EDU));
	uint64_t hi = peek(w, context_at(EDU) + 8);
	const uint64_t bad[][2] = {
		{lo | BIT(5), hi},                                      /* reserved */
		{lo | BIT(50), hi},                                     /* beyond HAW */
		{lo, hi | BIT(7)},                                      /* reserved */
		{lo, hi | BIT(40)},                                     /* reserved */
		{lo, context_hi(DID, 0)},                               /* width */
		{lo, context_hi(DID, 3)},                               /* width */
		{lo | TO_FIELD(VTD_TT_DEVICE_TLB, VTD_CONTEXT_TT), hi}, /* type */
		{lo | TO_FIELD(3, VTD_CONTEXT_TT), hi},                 /* type */
	};

	start(w);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		set_context(w, EDU, bad[i][0], bad[i][1]);
		flush_contexts(w);
		assert_int_equal(w->noncoherent, 0);
		set_context(w, EDU, lo, hi);
		flush_contexts(w);
		assert_int_equal(w->noncoherent, 1);
	}
}

static void see_status_word(struct iommu_world *w) { w->seen[0] = peek(w, STATUS); }

TEST(wait_status_is_written_only_after_the_transition)
{
	struct iommu_world *w = prepared(CM, RW);
	uint64_t lo = peek(w, context_at(EDU));

	poke(w, context_at(EDU), 0);
	start(w);
	poke(w, context_at(EDU), lo);
	w->on_event = see_status_word;
	w->seen[0] = ~0ULL;
	put_descriptor(w, VTD_DESC_CONTEXT | TO_FIELD(VTD_GLOBAL, VTD_DESC_G), 0);
	put_descriptor(w, VTD_DESC_WAIT | VTD_WAIT_DESC_SW | TO_FIELD(7, VTD_WAIT_DESC_DATA), STATUS);
	ring(w);
	assert_int_equal(w->event_count, 1);
	assert_int_equal(w->seen[0], 0);
	assert_int_equal(peek(w, STATUS), 7);
}

static void see_icc(struct iommu_world *w) { w->seen[0] = reg_read8(w, VTD_CCMD) & VTD_CCMD_ICC; }

TEST(icc_is_cleared_only_after_the_transition)
{
	struct iommu_world *w = prepared(CM, RW);

	start(w);
	set_context(w, EDU, 0, 0);
	w->on_event = see_icc;
	reg_write8(w, VTD_CCMD, VTD_CCMD_ICC | TO_FIELD(VTD_GLOBAL, VTD_CCMD_CIRG));
	assert_int_equal(w->event_count, 2);
	assert_int_equal(w->seen[0], VTD_CCMD_ICC);
	assert_int_equal(reg_read8(w, VTD_CCMD) & VTD_CCMD_ICC, 0);
}

TEST(without_cm_a_dma_finds_a_context_nobody_announced)
{
	struct iommu_world *w = prepared(NO_CM, RW);
	uint64_t lo = peek(w, context_at(EDU));

	poke(w, context_at(EDU), 0);
	start(w);
	assert_int_equal(dma_write(w, EDU, 0, 1), -EFAULT);
	poke(w, context_at(EDU), lo);
	assert_int_equal(w->event_count, 0);
	w->on_event = see_data;
	w->seen[0] = ~0ULL;
	assert_int_equal(dma_write(w, EDU, 0, 42), 0);
	assert_int_equal(w->noncoherent, 1);
	assert_int_equal(w->seen[0], 0); /* the transition came before the DMA's data */
	assert_int_equal(peek(w, DATA), 42);
}

static void three_parts(struct iommu_world *w) { w->unfinished = 3; }

TEST(what_a_dma_changes_is_done_before_its_data_moves)
{
	struct iommu_world *w = prepared(NO_CM, RW);
	uint64_t lo = peek(w, context_at(EDU)), data = 42;

	poke(w, context_at(EDU), 0);
	start(w);
	poke(w, context_at(EDU), lo);
	w->on_event = three_parts;
	for (unsigned waits = 0; waits < 2; waits++) {
		assert_int_equal(iommu_dma_write(&w->iommu, EDU, 0, &data, sizeof(data)), -EAGAIN);
		assert_int_equal(peek(w, DATA), 0);
	}
	assert_int_equal(iommu_dma_write(&w->iommu, EDU, 0, &data, sizeof(data)), 0);
	assert_int_equal(peek(w, DATA), 42);
	w->unfinished = 2;
	assert_int_equal(iommu_dma_read(&w->iommu, EDU, 0, &data, sizeof(data)), -EAGAIN);
	data = 0;
	assert_int_equal(iommu_dma_read(&w->iommu, EDU, 0, &data, sizeof(data)), 0);
	assert_int_equal(data, 42);
	assert_int_equal(w->event_count, 1);
}

TEST(without_cm_a_dma_finds_a_pass_through_context_too)
{
	struct iommu_world *w = prepared(NO_CM, RW);

	poke(w, context_at(EDU), 0);
	start(w);
	passed_through(w, EDU, DID);
	assert_int_equal(w->event_count, 0);
	w->on_event = see_data;
	w->seen[0] = ~0ULL;
	assert_int_equal(dma_write(w, EDU, DATA, 42), 0);
	assert_int_equal(w->noncoherent, 1);
	assert_int_equal(w->seen[0], 0);
	assert_int_equal(peek(w, DATA), 42);
}

TEST(with_cm_a_context_nobody_announced_stays_not_present)
{
	struct iommu_world *w = prepared(CM, RW);
	uint64_t lo = peek(w, context_at(EDU));

	poke(w, context_at(EDU), 0);
	start(w);
	poke(w, context_at(EDU), lo);
	assert_int_equal(dma_write(w, EDU, 0, 42), -EFAULT);
	assert_int_equal(take_fault(w), VTD_CONTEXT_NOT_PRESENT);
	assert_int_equal(w->event_count, 0);
}

TEST(a_detached_device_faults_even_where_the_iotlb_holds_its_page)
{
	struct iommu_world *w = prepared(CM, RW);

	start(w);
	assert_int_equal(dma_write(w, EDU, 0, 1), 0);
	set_context(w, EDU, 0, 0);
	assert_int_equal(dma_write(w, EDU, 0, 2), 0); /* nothing invalidated yet */
	flush_device(w, EDU, DID, 0);
	assert_int_equal(dma_write(w, EDU, 0, 3), -EFAULT);
	assert_int_equal(take_fault(w), VTD_CONTEXT_NOT_PRESENT);
	assert_int_equal(peek(w, DATA), 2);
}

/* The guest (another CPU) detaches the device while its DMA has done the first page. */
static void detach_during_write(struct iommu_world *w, uint64_t gpa)
{
	if (gpa != DATA) return;
	w->on_write = NULL;
	set_context(w, EDU, 0, 0);
	flush_device(w, EDU, DID, 0);
}

TEST(a_detach_in_the_middle_of_a_dma_stops_the_rest)
{
	struct iommu_world *w = prepared(CM, RW);
	uint64_t table = peek(w, context_at(EDU)) & VTD_CONTEXT_SLPTPTR;
	uint8_t data[2 * PAGE_SIZE];

	memset(data, 0xab, sizeof(data));
	map_page(w, table, 4, PAGE_SIZE, 1, DATA + PAGE_SIZE, RW);
	start(w);
	w->on_write = detach_during_write;
	assert_int_equal(iommu_dma_write(&w->iommu, EDU, 0, data, sizeof(data)), -EFAULT);
	assert_int_equal(w->noncoherent, 0);
	assert_int_equal(w->ram[DATA + PAGE_SIZE - 1], 0xab);
	assert_int_equal(w->ram[DATA + PAGE_SIZE], 0);
	assert_int_equal(take_fault(w), VTD_CONTEXT_NOT_PRESENT);
}

TEST(a_device_added_while_translation_is_on_is_attached_by_its_context)
{
	struct iommu_world *w = world_new(CM);

	passed_through(w, 0x30, DID);
	start(w);
	assert_int_equal(w->event_count, 0);
	assert_int_equal(iommu_add_device(&w->iommu, 0x30, true), 0);
	assert_int_equal(w->noncoherent, 1);
	assert_int_equal(iommu_add_device(&w->iommu, 0x30, true), -EEXIST);
	for (uint16_t i = 0; i < IOMMU_DEVICES - 3; i++)
		assert_int_equal(iommu_add_device(&w->iommu, 0x40 + i, true), 0);
	assert_int_equal(iommu_add_device(&w->iommu, 0x80, true), -ENOSPC);
}

TEST(attachment_reads_one_context_for_each_device_and_no_page_table)
{
	struct iommu_world *w = prepared(CM | SC, RW);

	start(w);
	w->reads = 0;
	flush_contexts(w);
	assert_int_equal(w->reads, 1 + 2 * 2); /* a descriptor; root and context entry of two */
}
