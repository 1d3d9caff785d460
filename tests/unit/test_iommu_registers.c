/* SPDX-License-Identifier: MIT */
/*
 * The register page as software meets it: what it reads at reset, what it can write, in which
 * widths, and how command and status go together.
 */
#include "tests/lib/iommu_world.h"

TEST(reset_values_are_those_of_the_specification)
{
	struct iommu_world *w = world_new(CM | SC);

	assert_int_equal(reg_read(w, VTD_VER), 0x10);
	assert_int_equal(reg_read(w, VTD_GSTS), 0);
	assert_int_equal(reg_read(w, VTD_FECTL), 0x80000000);
	assert_int_equal(reg_read(w, VTD_IECTL), 0x80000000);
	assert_int_equal(reg_read(w, VTD_FSTS), 0);
	assert_int_equal(reg_read8(w, VTD_RTADDR), 0);
	assert_int_equal(reg_read8(w, VTD_CCMD), 0);
}

/* Spelled out in numbers: software's macros, not ours, decode them. */
TEST(capabilities_follow_the_configuration)
{
	struct iommu_host host = {0};
	struct iommu_config plain = {0};
	struct iommu_config full = {true, true, true};
	static struct iommu iommu;
	uint64_t cap, ecap;

	iommu_init(&iommu, &plain, &host);
	cap = iommu_register_read(&iommu, VTD_CAP, 8);
	ecap = iommu_register_read(&iommu, VTD_ECAP, 8);
	assert_int_equal(cap & 7, 6);                      /* 16-bit domain ids */
	assert_int_equal(cap >> 7 & 1, 0);                 /* CM */
	assert_int_equal(cap >> 8 & 0x1f, 6);              /* SAGAW: 39 and 48 bits */
	assert_int_equal((cap >> 16 & 0x3f) + 1, 48);      /* MGAW */
	assert_int_equal((cap >> 24 & 0x3ff) * 16, 0x220); /* FRO */
	assert_int_equal(cap >> 34 & 0xf, 3);              /* SLLPS: 2 MiB and 1 GiB */
	assert_int_equal(cap >> 39 & 1, 1);                /* PSI */
	assert_int_equal((cap >> 40 & 0xff) + 1, 1);       /* NFR */
	assert_int_equal(cap >> 48 & 0x3f, 18);            /* MAMV */
	assert_int_equal(cap >> 62, 3);                    /* ESRTPS, ESIRTPS */
	assert_int_equal(ecap & 0xff, 0x43);               /* C, QI, PT; no DT, IR, EIM, SC */
	assert_int_equal((ecap >> 8 & 0x3ff) * 16, 0xf0);  /* IRO */

	iommu_init(&iommu, &full, &host);
	assert_int_equal(iommu_register_read(&iommu, VTD_CAP, 8), cap | 1 << 7);
	assert_int_equal(iommu_register_read(&iommu, VTD_ECAP, 8), ecap | 0xf00098);
}

TEST(an_8_byte_register_can_be_accessed_in_halves)
{
	struct iommu_world *w = world_new(CM | SC);

	reg_write(w, VTD_RTADDR + 4, 0x12345678);
	reg_write(w, VTD_RTADDR, 0x9abcd000);
	assert_int_equal(reg_read8(w, VTD_RTADDR), 0x123456789abcd000);
	assert_int_equal(reg_read(w, VTD_RTADDR), 0x9abcd000);
	assert_int_equal(reg_read(w, VTD_RTADDR + 4), 0x12345678);
}

/* ICC is in the upper half: that half's write is the command. */
TEST(the_half_with_the_command_bit_executes_it)
{
	struct iommu_world *w = world_new(CM | SC);

	passed_through(w, EDU, DID);
	start(w);
	set_context(w, EDU, 0, 0);
	reg_write(w, VTD_CCMD, DID);
	assert_int_equal(w->noncoherent, 1);
	reg_write(w, VTD_CCMD + 4, (uint32_t)((VTD_CCMD_ICC | TO_FIELD(VTD_DOMAIN, VTD_CCMD_CIRG)) >> 32));
	assert_int_equal(w->noncoherent, 0);
	assert_int_equal(FIELD(reg_read8(w, VTD_CCMD), VTD_CCMD_CAIG), VTD_DOMAIN);
}

TEST(two_4_byte_registers_can_be_written_at_once)
{
	struct iommu_world *w = world_new(CM | SC);

	reg_write8(w, VTD_FEADDR, 0x00000001fee01000);
	assert_int_equal(reg_read(w, VTD_FEADDR), 0xfee01000);
	assert_int_equal(reg_read(w, VTD_FEUADDR), 1);
	assert_int_equal(reg_read8(w, VTD_FEADDR), 0x00000001fee01000);
}

TEST(undefined_accesses_read_as_ones_and_write_nothing)
{
	struct iommu_world *w = world_new(CM | SC);
	static const struct {
		uint64_t offset;
		unsigned width;
	} bad[] = {{VTD_RTADDR, 1}, {VTD_RTADDR, 2}, {VTD_RTADDR + 2, 4}, {VTD_RTADDR + 4, 8}, {IOMMU_SIZE - 4, 8},
		   {IOMMU_SIZE, 4}, {~0ULL - 3, 4},  {VTD_RTADDR, 0},     {VTD_RTADDR, 16},    {~0ULL - 7, 8}};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		iommu_register_write(&w->iommu, bad[i].offset, bad[i].width, ~0ULL);
		assert_int_equal(iommu_register_read(&w->iommu, bad[i].offset, bad[i].width), ~0ULL);
	}
	reg_write8(w, VTD_END + 8, ~0ULL); /* defined, but nothing is there */
	assert_int_equal(reg_read8(w, VTD_RTADDR), 0);
}

TEST(reserved_offsets_read_as_zero)
{
	struct iommu_world *w = world_new(CM | SC);

	for (unsigned offset = VTD_END; offset < IOMMU_SIZE; offset += 4) {
		reg_write(w, offset, ~0U);
		assert_int_equal(reg_read(w, offset), 0);
	}
	reg_write(w, 0x30, ~0U);
	assert_int_equal(reg_read(w, 0x30), 0);
}

TEST(read_only_and_reserved_bits_do_not_change)
{
	struct iommu_world *w = world_new(CM | SC);
	static const unsigned read_only[] = {VTD_VER, VTD_CAP, VTD_ECAP, VTD_IQH};

	for (unsigned i = 0; i < ARRAY_SIZE(read_only); i++) {
		uint64_t before = reg_read8(w, read_only[i]);

		reg_write8(w, read_only[i], ~before);
		assert_int_equal(reg_read8(w, read_only[i]), before);
	}
	reg_write(w, VTD_GSTS, ~0U);
	assert_int_equal(reg_read(w, VTD_GSTS), 0);
	reg_write8(w, VTD_IQA, ~0ULL);
	assert_int_equal(reg_read8(w, VTD_IQA), 0xfffffffffffff007);
	reg_write8(w, VTD_IQT, ~0ULL);
	assert_int_equal(reg_read8(w, VTD_IQT), 0x7fff0);
	reg_write8(w, VTD_RTADDR, ~0ULL);
	assert_int_equal(reg_read8(w, VTD_RTADDR), 0xfffffffffffffc00);
	reg_write8(w, VTD_IRTA, ~0ULL);
	assert_int_equal(reg_read8(w, VTD_IRTA), 0xfffffffffffff80f);
	reg_write(w, VTD_FEDATA, ~0U);
	assert_int_equal(reg_read(w, VTD_FEDATA), 0xffff);
	reg_write(w, VTD_FECTL, ~0U); /* IP is read-only */
	assert_int_equal(reg_read(w, VTD_FECTL), 0x80000000);
}

TEST(a_status_follows_its_command)
{
	struct iommu_world *w = world_new(CM | SC);
	static const uint64_t bits[] = {VTD_GCMD_QIE, VTD_GCMD_IRE, VTD_GCMD_CFI, VTD_GCMD_TE};
	uint64_t expected = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(bits); i++) {
		command(w, bits[i], 0);
		expected |= bits[i];
		assert_int_equal(reg_read(w, VTD_GSTS), expected);
		assert_int_equal(reg_read(w, VTD_GCMD), 0); /* write-only */
	}
	command(w, VTD_GCMD_SRTP, 0);
	expected |= VTD_GCMD_SRTP;
	assert_int_equal(reg_read(w, VTD_GSTS), expected);
	command(w, VTD_GCMD_SIRTP, 0); /* RTPS stays, as software does not take it back */
	expected |= VTD_GCMD_SIRTP;
	assert_int_equal(reg_read(w, VTD_GSTS), expected);
	for (unsigned i = 0; i < ARRAY_SIZE(bits); i++) {
		command(w, 0, bits[i]);
		expected &= ~bits[i];
		assert_int_equal(reg_read(w, VTD_GSTS), expected);
	}
}

TEST(commands_that_are_not_offered_have_no_status)
{
	struct iommu_host host = {0};
	struct iommu_config config = {0};
	static struct iommu iommu;

	iommu_init(&iommu, &config, &host);
	iommu_register_write(&iommu, VTD_GCMD, 4,
			     VTD_GCMD_IRE | VTD_GCMD_SIRTP | VTD_GCMD_CFI | VTD_GCMD_WBF | BIT(29) | BIT(28));
	assert_int_equal(iommu_register_read(&iommu, VTD_GSTS, 4), 0);
}

TEST(the_root_pointer_counts_only_once_it_is_set)
{
	struct iommu_world *w = world_new(CM | SC);

	passed_through(w, EDU, DID);
	start(w);
	reg_write8(w, VTD_RTADDR, 0);
	flush_contexts(w);
	assert_int_equal(w->noncoherent, 1);
	command(w, VTD_GCMD_SRTP, 0);
	assert_int_equal(w->noncoherent, 0);
}

TEST(a_reserved_granularity_completes_and_does_nothing)
{
	struct iommu_world *w = world_new(CM | SC);

	passed_through(w, EDU, DID);
	start(w);
	set_context(w, EDU, 0, 0);
	reg_write8(w, VTD_CCMD, VTD_CCMD_ICC | VTD_CCMD_CAIG);
	assert_int_equal(reg_read8(w, VTD_CCMD), 0);
	reg_write8(w, VTD_IOTLB, VTD_IOTLB_IVT | VTD_IOTLB_IAIG);
	assert_int_equal(reg_read8(w, VTD_IOTLB), 0);
	assert_int_equal(w->noncoherent, 1);
}

TEST(ccmd_tells_the_granularity_it_used)
{
	struct iommu_world *w = world_new(CM | SC);

	start(w);
	for (uint64_t g = VTD_GLOBAL; g <= VTD_DEVICE; g++) {
		passed_through(w, EDU, DID);
		reg_write8(w, VTD_CCMD, VTD_CCMD_ICC | TO_FIELD(g, VTD_CCMD_CIRG) | TO_FIELD(EDU, VTD_CCMD_SID) | DID);
		assert_int_equal(FIELD(reg_read8(w, VTD_CCMD), VTD_CCMD_CAIG), g);
		assert_int_equal(w->noncoherent, 1);
		set_context(w, EDU, 0, 0);
		reg_write8(w, VTD_CCMD, VTD_CCMD_ICC | TO_FIELD(VTD_GLOBAL, VTD_CCMD_CIRG));
		assert_int_equal(w->noncoherent, 0);
	}
}

/* Each IIRG, with pages 0 and 1 in the IOTLB and their leaves gone; 'left' are still served. */
TEST(iotlb_register_invalidates_what_it_says)
{
	static const struct {
		uint64_t granularity, domain_id, iva, told;
		bool left[2];
	} cases[] = {
		{VTD_GLOBAL, 0, 0, VTD_GLOBAL, {false, false}},
		{VTD_DOMAIN, DID, 0, VTD_DOMAIN, {false, false}},
		{VTD_DOMAIN, DID + 1, 0, VTD_DOMAIN, {true, true}},
		{VTD_PAGE, DID, PAGE_SIZE, VTD_PAGE, {true, false}},
		{VTD_PAGE, DID, PAGE_SIZE | 1, VTD_PAGE, {false, false}},
		{VTD_PAGE, DID, VTD_IVA_IH, VTD_PAGE, {false, true}},
		{VTD_PAGE, DID, BIT(48) | PAGE_SIZE, VTD_PAGE, {true, false}}, /* above MGAW */
		{VTD_PAGE, DID, VTD_MAMV + 1, 0, {true, true}},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct iommu_world *w = world_new(NO_CM);
		uint64_t table = new_table(w);
		uint64_t leaf = map_page(w, table, 4, 0, 1, DATA, VTD_SL_R | VTD_SL_W);

		map_page(w, table, 4, PAGE_SIZE, 1, DATA, VTD_SL_R | VTD_SL_W);
		translated(w, EDU, table, DID);
		start(w);
		assert_int_equal(dma_write(w, EDU, 0, 1) | dma_write(w, EDU, PAGE_SIZE, 1), 0);
		poke(w, leaf, 0);
		poke(w, leaf + 8, 0);
		reg_write8(w, VTD_IVA, cases[i].iva);
		reg_write8(w, VTD_IOTLB,
			   VTD_IOTLB_IVT | TO_FIELD(cases[i].granularity, VTD_IOTLB_IIRG) |
				   TO_FIELD(cases[i].domain_id, VTD_IOTLB_DID));
		assert_int_equal(reg_read8(w, VTD_IOTLB) & VTD_IOTLB_IVT, 0);
		assert_int_equal(FIELD(reg_read8(w, VTD_IOTLB), VTD_IOTLB_IAIG), cases[i].told);
		assert_int_equal(dma_write(w, EDU, 0, 1) == 0, cases[i].left[0]);
		assert_int_equal(dma_write(w, EDU, PAGE_SIZE, 1) == 0, cases[i].left[1]);
	}
}

TEST(without_ivt_the_iotlb_register_does_nothing)
{
	struct iommu_world *w = prepared(CM, RW);
	uint64_t value = TO_FIELD(VTD_GLOBAL, VTD_IOTLB_IIRG);

	start(w);
	assert_int_equal(dma_write(w, EDU, 0, 1), 0);
	reg_write8(w, VTD_IOTLB, value);
	assert_int_equal(reg_read8(w, VTD_IOTLB), value);
	w->reads = 0;
	assert_int_equal(dma_write(w, EDU, 0, 2), 0);
	assert_int_equal(w->reads, 0);
}

TEST(protected_memory_is_kept_from_untranslated_dma)
{
	struct iommu_world *w = world_new(CM);
	uint64_t table = new_table(w);

	reg_write(w, VTD_PLMBASE, (uint32_t)DATA | 0xfff);
	reg_write(w, VTD_PLMLIMIT, (uint32_t)DATA);
	reg_write8(w, VTD_PHMBASE, 4 * GiB);
	reg_write8(w, VTD_PHMLIMIT, 4 * GiB);
	assert_int_equal(reg_read(w, VTD_PLMBASE), DATA);
	assert_int_equal(dma_write(w, EDU, DATA, 1), 0);
	reg_write(w, VTD_PMEN, (uint32_t)VTD_PMEN_EPM);
	assert_int_equal(reg_read(w, VTD_PMEN), VTD_PMEN_EPM | VTD_PMEN_PRS);
	assert_int_equal(dma_write(w, EDU, DATA, 2), -EFAULT);
	assert_int_equal(dma_write(w, EDU, DATA - 8, 2), 0);
	assert_int_equal(dma_read(w, EDU, DATA + 2 * MiB - 8), ~0ULL);
	reg_write(w, VTD_PLMBASE, 0);
	reg_write(w, VTD_PLMLIMIT, 0);
	assert_int_equal(dma_write(w, EDU, DATA - 8, 2), -EFAULT);
	assert_int_equal(dma_write(w, EDU, DATA, 2), 0);
	reg_write8(w, VTD_PHMBASE, DATA);
	reg_write8(w, VTD_PHMLIMIT, DATA);
	assert_int_equal(dma_write(w, EDU, DATA, 2), -EFAULT);
	/* Pass-through is as untranslated; page tables are software's own business. */
	passed_through(w, EDU, DID);
	map_page(w, table, 4, 0, 1, DATA, VTD_SL_R | VTD_SL_W);
	translated(w, EDU_B, table, 6);
	start(w);
	assert_int_equal(dma_write(w, EDU, DATA, 3), -EFAULT);
	assert_int_equal(dma_write(w, EDU_B, 0, 4), 0);
	assert_int_equal(reg_read(w, VTD_FSTS), 0); /* PMR violations are no faults */
	reg_write(w, VTD_PMEN, 0);
	assert_int_equal(reg_read(w, VTD_PMEN), 0);
	assert_int_equal(dma_write(w, EDU, DATA, 5), 0);
	assert_int_equal(peek(w, DATA), 5);
}
