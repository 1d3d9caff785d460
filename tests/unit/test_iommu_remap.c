/* SPDX-License-Identifier: MIT */
/* Interrupt remapping: which entry, who may ask, what comes out, and what is blocked and why. */
#include "tests/lib/iommu_world.h"

#define SVT(type, sq, sid) (TO_FIELD(type, VTD_IRTE_SVT) | TO_FIELD(sq, VTD_IRTE_SQ) | (uint64_t)(sid))

static struct iommu_world *remapping(unsigned options)
{
	struct iommu_world *w = world_new(options);

	start_remapping(w);
	return w;
}

/* Nothing was delivered; the record says why. */
static void expect_fault(struct iommu_world *w, unsigned reason, unsigned index)
{
	assert_int_equal(w->interrupt_count, 0);
	if (reason) {
		assert_int_equal(reg_read8(w, VTD_FRCD) >> 48, index);
		assert_int_equal(reg_read8(w, VTD_FRCD_HI) & 0xffff, EDU);
	}
	assert_int_equal(take_fault(w), reason);
}

TEST(with_remapping_off_messages_pass_as_they_are)
{
	struct iommu_world *w = world_new(CM);

	iommu_interrupt(&w->iommu, EDU, 0xfee03ff8, 0x1234);
	assert_int_equal(w->interrupt_count, 1);
	assert_int_equal(w->interrupts[0].address, 0xfee03ff8);
	assert_int_equal(w->interrupts[0].data, 0x1234);
}

TEST(what_is_no_interrupt_address_is_no_interrupt)
{
	struct iommu_world *w = world_new(CM);

	iommu_interrupt(&w->iommu, EDU, 0xfef00000, 1);
	iommu_interrupt(&w->iommu, EDU, 0xfedffffc, 1);
	iommu_interrupt(&w->iommu, EDU, 0x1fee00000, 1);
	assert_int_equal(w->interrupt_count, 0);
}

TEST(an_entry_makes_the_message)
{
	struct iommu_world *w = remapping(CM);

	set_irte(w, 9, IRTE_LO, 0);
	iommu_interrupt(&w->iommu, EDU, remappable(9), 0);
	assert_int_equal(w->interrupts[0].address, 0xfee03000);
	assert_int_equal(w->interrupts[0].data, 0x4055);
	/* Lowest priority, logical, redirection hint, level. */
	set_irte(w, 10, IRTE_LO | TO_FIELD(1, VTD_IRTE_DLM) | VTD_IRTE_DM | VTD_IRTE_RH | VTD_IRTE_TM, 0);
	iommu_interrupt(&w->iommu, EDU, remappable(10), 0);
	assert_int_equal(w->interrupts[1].address, 0xfee0300c);
	assert_int_equal(w->interrupts[1].data, 0xc155);
}

/* Outside what xAPIC has for it the destination is reserved, unless IRTA.EIME says that it is x2APIC's. */
TEST(with_eime_a_destination_has_32_bits)
{
	struct iommu_world *w = remapping(CM);

	set_irte(w, 9, VTD_IRTE_P | 0x660000 | 0x12345603ULL << 32, 0);
	iommu_interrupt(&w->iommu, EDU, remappable(9), 0);
	expect_fault(w, VTD_IR_ENTRY_RESERVED, 9);
	reg_write8(w, VTD_IRTA, reg_read8(w, VTD_IRTA) | BIT(11));
	iommu_interrupt(&w->iommu, EDU, remappable(9), 0); /* not before it is set */
	expect_fault(w, VTD_IR_ENTRY_RESERVED, 9);
	command(w, VTD_GCMD_SIRTP, 0);
	iommu_interrupt(&w->iommu, EDU, remappable(9), 0);
	assert_int_equal(w->interrupt_count, 1);
	assert_int_equal(w->interrupts[0].address, 0x123456ULL << 40 | 0xfee03000);
	assert_int_equal(w->interrupts[0].data, 0x4066);
}

/* Its data has the vector and trigger of the redirection entry; the table's count. */
TEST(an_ioapic_s_request_is_remapped_by_its_handle_alone)
{
	struct iommu_world *w = remapping(CM);

	set_irte(w, 2, IRTE_LO, SVT(VTD_SVT_SID, 0, IOMMU_IOAPIC_SOURCE_ID));
	iommu_interrupt(&w->iommu, IOMMU_IOAPIC_SOURCE_ID, remappable(2), 0xc031);
	assert_int_equal(w->interrupt_count, 1);
	assert_int_equal(w->interrupts[0].data, 0x4055);
}

TEST(an_entry_for_the_ioapic_may_name_the_device_behind_it)
{
	struct iommu_world *w = remapping(CM);

	set_irte(w, 2, IRTE_LO, SVT(VTD_SVT_SID, 0, EDU));
	iommu_interrupt(&w->iommu, IOMMU_IOAPIC_SOURCE_ID, remappable(2), 0);
	assert_int_equal(w->interrupt_count, 1);
	set_irte(w, 3, IRTE_LO, SVT(VTD_SVT_SID, 0, 0x1234)); /* no such device */
	iommu_interrupt(&w->iommu, IOMMU_IOAPIC_SOURCE_ID, remappable(3), 0);
	assert_int_equal(w->interrupt_count, 1);
	assert_int_equal(take_fault(w), VTD_IR_WRONG_SOURCE);
}

TEST(a_subhandle_is_added_to_the_handle)
{
	struct iommu_world *w = remapping(CM);

	set_irte(w, 13, IRTE_LO, 0);
	iommu_interrupt(&w->iommu, EDU, remappable(10) | VTD_MSI_SHV, 3);
	assert_int_equal(w->interrupt_count, 1);
	w->interrupt_count = 0;
	iommu_interrupt(&w->iommu, EDU, remappable(10), 0xffff0003); /* no SHV: entry 10 */
	expect_fault(w, VTD_IR_NOT_PRESENT, 10);
}

TEST(reserved_data_bits_of_a_request_are_fault_20)
{
	struct iommu_world *w = remapping(CM);

	set_irte(w, 13, IRTE_LO, 0);
	iommu_interrupt(&w->iommu, EDU, remappable(10) | VTD_MSI_SHV, 0x10003);
	expect_fault(w, VTD_IR_REQUEST_RESERVED, 13);
}

TEST(an_index_beyond_the_table_is_fault_21)
{
	struct iommu_world *w = remapping(CM);

	iommu_interrupt(&w->iommu, EDU, remappable(256), 0);
	expect_fault(w, VTD_IR_INDEX_TOO_LARGE, 256);
	iommu_interrupt(&w->iommu, EDU, remappable(0x8000), 0); /* bit 15 is elsewhere */
	expect_fault(w, VTD_IR_INDEX_TOO_LARGE, 0x8000);
	iommu_interrupt(&w->iommu, EDU, remappable(255) | VTD_MSI_SHV, 1);
	expect_fault(w, VTD_IR_INDEX_TOO_LARGE, 256);
	/* It does not wrap at 2^16. */
	set_irte(w, 0, IRTE_LO, 0);
	iommu_interrupt(&w->iommu, EDU, remappable(0xffff) | VTD_MSI_SHV, 1);
	expect_fault(w, VTD_IR_INDEX_TOO_LARGE, 0);
}

TEST(an_entry_not_present_is_fault_22)
{
	struct iommu_world *w = remapping(CM);

	iommu_interrupt(&w->iommu, EDU, remappable(9), 0);
	expect_fault(w, VTD_IR_NOT_PRESENT, 9);
}

TEST(a_table_outside_memory_is_fault_23)
{
	struct iommu_world *w = remapping(CM);

	reg_write8(w, VTD_IRTA, (RAM_SIZE - PAGE_SIZE) | 15);
	command(w, VTD_GCMD_SIRTP, 0);
	iommu_interrupt(&w->iommu, EDU, remappable(255), 0);
	expect_fault(w, VTD_IR_NOT_PRESENT, 255);
	iommu_interrupt(&w->iommu, EDU, remappable(256), 0);
	expect_fault(w, VTD_IR_UNREADABLE, 256);
	iommu_interrupt(&w->iommu, EDU, remappable(0xffff), 0);
	expect_fault(w, VTD_IR_UNREADABLE, 0xffff);
	/* Beyond the width of addresses it counts as beyond the table. */
	reg_write8(w, VTD_IRTA, BIT(48) | 15);
	command(w, VTD_GCMD_SIRTP, 0);
	iommu_interrupt(&w->iommu, EDU, remappable(0), 0);
	expect_fault(w, VTD_IR_INDEX_TOO_LARGE, 0);
}

TEST(reserved_bits_of_an_entry_are_fault_24)
{
	static const uint64_t bad[][2] = {{BIT(12), 0}, {BIT(15), 0}, {BIT(24), 0}, {BIT(32), 0},
					  {BIT(48), 0}, {0, BIT(20)}, {0, BIT(63)}};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct iommu_world *w = remapping(CM);

		set_irte(w, 9, IRTE_LO | bad[i][0], bad[i][1]);
		iommu_interrupt(&w->iommu, EDU, remappable(9), 0);
		expect_fault(w, VTD_IR_ENTRY_RESERVED, 9);
		/* The source is verified first. */
		set_irte(w, 9, IRTE_LO | bad[i][0], bad[i][1] | SVT(VTD_SVT_SID, 0, EDU_B));
		invalidate_entries(w, 9, 0);
		iommu_interrupt(&w->iommu, EDU, remappable(9), 0);
		expect_fault(w, VTD_IR_WRONG_SOURCE, 9);
	}
}

TEST(compatibility_format_is_fault_25_unless_allowed)
{
	struct iommu_world *w = remapping(CM);

	iommu_interrupt(&w->iommu, EDU, 0xfee00000, 0x31);
	expect_fault(w, VTD_IR_COMPATIBILITY_BLOCKED, 0);
	command(w, VTD_GCMD_CFI, 0);
	iommu_interrupt(&w->iommu, EDU, 0xfee00000, 0x31);
	assert_int_equal(w->interrupt_count, 1);
	assert_int_equal(w->interrupts[0].data, 0x31);
}

TEST(source_verification_follows_svt_and_sq)
{
	static const struct {
		uint64_t hi;
		uint16_t source_id;
		bool accepted;
	} cases[] = {
		{SVT(VTD_SVT_NONE, 0, 0x1234), EDU, true},
		{SVT(VTD_SVT_SID, 0, EDU), EDU, true},
		{SVT(VTD_SVT_SID, 0, EDU), EDU + 1, false},
		{SVT(VTD_SVT_SID, 0, EDU), EDU + 0x100, false},
		{SVT(VTD_SVT_SID, 1, EDU), EDU + 4, true}, /* all but function bit 2 */
		{SVT(VTD_SVT_SID, 1, EDU), EDU + 2, false},
		{SVT(VTD_SVT_SID, 2, EDU), EDU + 6, true}, /* all but bits 2:1 */
		{SVT(VTD_SVT_SID, 2, EDU), EDU + 1, false},
		{SVT(VTD_SVT_SID, 3, EDU), EDU + 7, true}, /* any function */
		{SVT(VTD_SVT_SID, 3, EDU), EDU + 8, false},
		{SVT(VTD_SVT_BUS, 0, 0x0500), EDU, true}, /* buses 0 to 5 */
		{SVT(VTD_SVT_BUS, 0, 0x0501), EDU, false},
		{SVT(VTD_SVT_BUS, 0, 0x0501), 0x05ff, true},
		{SVT(VTD_SVT_BUS, 0, 0x0501), 0x0600, false},
		{SVT(3, 0, EDU), EDU, false}, /* reserved */
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct iommu_world *w = remapping(CM);

		set_irte(w, 9, IRTE_LO, cases[i].hi);
		iommu_interrupt(&w->iommu, cases[i].source_id, remappable(9), 0);
		assert_int_equal(w->interrupt_count, cases[i].accepted);
		assert_int_equal(take_fault(w), cases[i].accepted ? 0 : VTD_IR_WRONG_SOURCE);
	}
}

TEST(fpd_of_an_entry_blocks_in_silence)
{
	struct iommu_world *w = remapping(CM);

	set_irte(w, 1, VTD_IRTE_FPD, 0);
	set_irte(w, 2, IRTE_LO | VTD_IRTE_FPD | BIT(12), 0);
	set_irte(w, 3, IRTE_LO | VTD_IRTE_FPD, SVT(VTD_SVT_SID, 0, EDU_B));
	for (unsigned i = 1; i <= 3; i++) {
		iommu_interrupt(&w->iommu, EDU, remappable(i), 0);
		expect_fault(w, 0, 0);
	}
}

static unsigned vector_of(struct iommu_world *w, unsigned index)
{
	w->interrupt_count = 0;
	iommu_interrupt(&w->iommu, EDU, remappable(index), 0);
	return w->interrupt_count ? w->interrupts[0].data & 0xff : 0;
}

TEST(a_changed_entry_is_stale_until_invalidated)
{
	struct iommu_world *w = remapping(NO_CM);

	set_irte(w, 9, IRTE_LO, 0);
	assert_int_equal(vector_of(w, 9), 0x55);
	set_irte(w, 9, IRTE_LO ^ TO_FIELD(0x0f, VTD_IRTE_VECTOR), 0);
	assert_int_equal(vector_of(w, 9), 0x55);
	invalidate_entries(w, 8, 0);
	invalidate_entries(w, 10, 1);
	assert_int_equal(vector_of(w, 9), 0x55);
	invalidate_entries(w, 9, 0);
	assert_int_equal(vector_of(w, 9), 0x5a);
	set_irte(w, 9, 0, 0);
	assert_int_equal(vector_of(w, 9), 0x5a);
	invalidate_entries(w, 8, 1);
	assert_int_equal(vector_of(w, 9), 0);
}

TEST(a_global_invalidation_and_sirtp_drop_all_entries)
{
	struct iommu_world *w = remapping(CM);

	for (unsigned round = 0; round < 2; round++) {
		set_irte(w, 9, IRTE_LO, 0);
		assert_int_equal(vector_of(w, 9), 0x55);
		set_irte(w, 9, IRTE_LO ^ TO_FIELD(0x0f, VTD_IRTE_VECTOR), 0);
		if (round)
			command(w, VTD_GCMD_SIRTP, 0);
		else
			submit(w, VTD_DESC_IEC, 0);
		assert_int_equal(vector_of(w, 9), 0x5a);
		submit(w, VTD_DESC_IEC, 0);
	}
}

TEST(only_with_cm_an_unusable_entry_is_cached)
{
	static const uint64_t unusable[] = {0, IRTE_LO | BIT(12)};

	for (unsigned i = 0; i < 4; i++) {
		bool cm = i & 1;
		struct iommu_world *w = remapping(cm ? CM : NO_CM);

		set_irte(w, 9, unusable[i / 2], 0);
		assert_int_equal(vector_of(w, 9), 0);
		set_irte(w, 9, IRTE_LO, 0);
		assert_int_equal(vector_of(w, 9), cm ? 0 : 0x55);
		invalidate_entries(w, 9, 0);
		assert_int_equal(vector_of(w, 9), 0x55);
	}
}

TEST(entries_that_share_a_place_in_the_cache_are_told_apart)
{
	struct iommu_world *w = remapping(CM);

	set_irte(w, 1, IRTE_LO, 0);
	set_irte(w, 65, IRTE_LO ^ TO_FIELD(0x0f, VTD_IRTE_VECTOR), 0);
	assert_int_equal(vector_of(w, 1), 0x55);
	assert_int_equal(vector_of(w, 65), 0x5a);
	assert_int_equal(vector_of(w, 1), 0x55);
}

TEST(a_dma_write_to_the_interrupt_range_is_remapped)
{
	struct iommu_world *w = remapping(CM);
	uint32_t data = 0;

	set_irte(w, 9, IRTE_LO, SVT(VTD_SVT_SID, 0, EDU));
	assert_int_equal(iommu_dma_write(&w->iommu, EDU, remappable(9), &data, 4), 0);
	assert_int_equal(w->interrupt_count, 1);
	iommu_dma_write(&w->iommu, EDU_B, remappable(9), &data, 4);
	assert_int_equal(w->interrupt_count, 1);
	assert_int_equal(take_fault(w), VTD_IR_WRONG_SOURCE);
}
