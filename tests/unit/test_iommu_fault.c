/* SPDX-License-Identifier: MIT */
/* Fault records, their status bits, and the event that tells software of them. */
#include "tests/lib/iommu_world.h"

#define CONDITIONS (VTD_FSTS_PFO | VTD_FSTS_PPF | VTD_FSTS_IQE)

/* Translation on and no context: each DMA of each device faults. */
static struct iommu_world *faulting(void)
{
	struct iommu_world *w = world_new(CM);

	start(w);
	return w;
}

static void unmask(struct iommu_world *w)
{
	reg_write(w, VTD_FEDATA, 0x43);
	reg_write(w, VTD_FEADDR, 0xfee00000);
	reg_write(w, VTD_FECTL, 0);
}

TEST(a_record_tells_reason_source_kind_and_page)
{
	struct iommu_world *w = faulting();

	dma_write(w, EDU_B, 0x123456789a98, 1);
	assert_int_equal(reg_read8(w, VTD_FRCD), 0x123456789000);
	assert_int_equal(reg_read8(w, VTD_FRCD_HI), VTD_FRCD_F | 2ULL << 32 | EDU_B);
	assert_int_equal(reg_read(w, VTD_FSTS), VTD_FSTS_PPF);
	reg_write(w, VTD_FRCD_HI + 4, BIT(31)); /* the half with F, as Linux does it */
	assert_int_equal(reg_read(w, VTD_FSTS), 0);
	dma_read(w, EDU, 0x1000);
	assert_int_equal(reg_read8(w, VTD_FRCD_HI), VTD_FRCD_F | VTD_FRCD_T_READ | 2ULL << 32 | EDU);
}

TEST(a_record_is_told_as_software_reads_it_and_an_overflow_is_not)
{
	struct iommu_world *w = faulting();

	dma_write(w, EDU_B, 0x7000, 1);
	assert_int_equal(w->records, 1);
	assert_int_equal(w->record[0], reg_read8(w, VTD_FRCD));
	assert_int_equal(w->record[1], reg_read8(w, VTD_FRCD_HI));
	dma_write(w, EDU, 0x1000, 1);
	assert_int_equal(w->records, 1);
}

TEST(a_fault_while_the_record_is_taken_is_an_overflow)
{
	struct iommu_world *w = faulting();

	dma_write(w, EDU, 0x1000, 1);
	dma_write(w, EDU, 0x2000, 1);
	assert_int_equal(reg_read(w, VTD_FSTS), VTD_FSTS_PPF | VTD_FSTS_PFO);
	assert_int_equal(reg_read8(w, VTD_FRCD), 0x1000); /* the first is kept */
}

TEST(with_an_overflow_standing_nothing_is_recorded)
{
	struct iommu_world *w = faulting();

	dma_write(w, EDU, 0x1000, 1);
	dma_write(w, EDU, 0x2000, 1);
	reg_write8(w, VTD_FRCD_HI, VTD_FRCD_F);
	assert_int_equal(reg_read(w, VTD_FSTS), VTD_FSTS_PFO);
	dma_write(w, EDU, 0x3000, 1);
	assert_int_equal(reg_read(w, VTD_FSTS), VTD_FSTS_PFO);
	reg_write(w, VTD_FSTS, (uint32_t)VTD_FSTS_PFO);
	dma_write(w, EDU, 0x4000, 1);
	assert_int_equal(reg_read(w, VTD_FSTS), VTD_FSTS_PPF);
	assert_int_equal(reg_read8(w, VTD_FRCD), 0x4000);
}

TEST(ppf_cannot_be_cleared_but_through_the_record)
{
	struct iommu_world *w = faulting();

	dma_write(w, EDU, 0x1000, 1);
	reg_write(w, VTD_FSTS, ~0U);
	assert_int_equal(reg_read(w, VTD_FSTS), VTD_FSTS_PPF);
	reg_write8(w, VTD_FRCD_HI, ~VTD_FRCD_F);
	assert_int_equal(reg_read(w, VTD_FSTS), VTD_FSTS_PPF);
}

TEST(the_first_condition_interrupts_and_the_others_do_not)
{
	struct iommu_world *w = faulting();

	unmask(w);
	dma_write(w, EDU, 0x1000, 1);
	assert_int_equal(w->interrupt_count, 1);
	assert_int_equal(w->interrupts[0].address, 0xfee00000);
	assert_int_equal(w->interrupts[0].data, 0x43);
	dma_write(w, EDU, 0x2000, 1); /* overflow */
	submit(w, 0, 0);              /* queue error */
	assert_int_equal(reg_read(w, VTD_FSTS), CONDITIONS);
	assert_int_equal(w->interrupt_count, 1);
	reg_write8(w, VTD_FRCD_HI, VTD_FRCD_F);
	dma_write(w, EDU, 0x2000, 1);
	assert_int_equal(w->interrupt_count, 1);
	poke(w, QUEUE, VTD_DESC_WAIT);
	reg_write(w, VTD_FSTS, ~0U);
	assert_int_equal(reg_read(w, VTD_FSTS), 0);
	dma_write(w, EDU, 0x2000, 1);
	assert_int_equal(w->interrupt_count, 2);
}

TEST(a_masked_event_is_pending_until_unmasked)
{
	struct iommu_world *w = faulting();

	unmask(w);
	reg_write(w, VTD_FECTL, (uint32_t)VTD_EVENT_IM);
	dma_write(w, EDU, 0x1000, 1);
	assert_int_equal(w->interrupt_count, 0);
	for (unsigned i = 0; i < 2; i++) { /* masked once more it is still pending */
		assert_int_equal(reg_read(w, VTD_FECTL), VTD_EVENT_IM | VTD_EVENT_IP);
		reg_write(w, VTD_FECTL, (uint32_t)VTD_EVENT_IM);
		assert_int_equal(w->interrupt_count, 0);
	}
	reg_write(w, VTD_FECTL, 0);
	assert_int_equal(w->interrupt_count, 1);
	assert_int_equal(reg_read(w, VTD_FECTL), 0);
}

TEST(a_pending_event_is_void_when_all_conditions_are_serviced)
{
	struct iommu_world *w = faulting();

	unmask(w);
	reg_write(w, VTD_FECTL, (uint32_t)VTD_EVENT_IM);
	dma_write(w, EDU, 0x1000, 1);
	dma_write(w, EDU, 0x2000, 1);
	reg_write8(w, VTD_FRCD_HI, VTD_FRCD_F);
	assert_int_equal(reg_read(w, VTD_FECTL), VTD_EVENT_IM | VTD_EVENT_IP);
	reg_write(w, VTD_FSTS, (uint32_t)VTD_FSTS_PFO);
	assert_int_equal(reg_read(w, VTD_FECTL), VTD_EVENT_IM);
	reg_write(w, VTD_FECTL, 0);
	assert_int_equal(w->interrupt_count, 0);
}

TEST(an_event_that_is_no_interrupt_goes_nowhere)
{
	static const uint32_t elsewhere[] = {(uint32_t)DATA, 0xfedffffc, 0xfef00000};

	for (unsigned i = 0; i < ARRAY_SIZE(elsewhere); i++) {
		struct iommu_world *w = faulting();

		unmask(w);
		reg_write(w, VTD_FEADDR, elsewhere[i]);
		dma_write(w, EDU, 0x1000, 1);
		assert_int_equal(w->interrupt_count, 0);
		assert_int_equal(peek(w, DATA), 0);
	}
}

TEST(the_unit_s_own_events_are_not_remapped)
{
	struct iommu_world *w = faulting();

	unmask(w);
	command(w, VTD_GCMD_IRE, 0); /* no table, compatibility format blocked */
	dma_write(w, EDU, 0x1000, 1);
	assert_int_equal(w->interrupt_count, 1);
}

TEST(fpd_blocks_in_silence)
{
	static const uint64_t contexts[][2] = {
		{VTD_CONTEXT_FPD, 0},                                                 /* 2 */
		{VTD_CONTEXT_P | VTD_CONTEXT_FPD, DID << 8},                          /* 3 */
		{VTD_CONTEXT_P | VTD_CONTEXT_FPD | BIT(40), DID << 8 | VTD_AW_48BIT}, /* 3 */
		{VTD_CONTEXT_P | VTD_CONTEXT_FPD | DATA, DID << 8 | VTD_AW_48BIT},    /* 5 */
		{VTD_CONTEXT_P | VTD_CONTEXT_FPD | BIT(4), DID << 8 | VTD_AW_48BIT},  /* b */
	};

	for (unsigned i = 0; i < ARRAY_SIZE(contexts); i++) {
		struct iommu_world *w = faulting();

		set_context(w, EDU, contexts[i][0], contexts[i][1]);
		flush_contexts(w);
		assert_int_equal(dma_write(w, EDU, 0, 1), -EFAULT);
		assert_int_equal(reg_read(w, VTD_FSTS), 0);
		set_context(w, EDU, contexts[i][0] & ~VTD_CONTEXT_FPD, contexts[i][1]);
		flush_contexts(w);
		flush_iotlb(w);
		assert_int_equal(dma_write(w, EDU, 0, 1), -EFAULT);
		assert_int_equal(reg_read(w, VTD_FSTS), VTD_FSTS_PPF);
	}
}

TEST(a_pending_event_is_void_when_its_record_is_taken)
{
	struct iommu_world *w = faulting();

	dma_write(w, EDU, 0x1000, 1);
	assert_int_equal(reg_read(w, VTD_FECTL), VTD_EVENT_IM | VTD_EVENT_IP);
	reg_write8(w, VTD_FRCD_HI, VTD_FRCD_F);
	assert_int_equal(reg_read(w, VTD_FECTL), VTD_EVENT_IM);
}

TEST(a_fault_is_recorded_though_nobody_wants_to_be_told)
{
	struct iommu_world *w = faulting();

	w->iommu.host.fault_recorded = NULL;
	dma_write(w, EDU, 0x1000, 1);
	assert_int_equal(w->records, 0);
	assert_int_equal(reg_read(w, VTD_FSTS), VTD_FSTS_PPF);
}
