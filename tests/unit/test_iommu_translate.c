/* SPDX-License-Identifier: MIT */
/*
 * DMA through the tables: where it goes, what blocks it, and what stays visible in the caches
 * until the guest invalidates it. Every legacy fault reason has its case here.
 */
#include "tests/lib/iommu_world.h"
#include "lib/apic.h"

TEST(a_page_goes_where_its_leaf_says)
{
	uint64_t table;
	struct iommu_world *w = translating(CM, &table);

	map_page(w, table, 4, 0x7fff12345000, 1, DATA, RW);
	assert_int_equal(dma_write(w, EDU, 0x7fff12345678, 42), 0);
	assert_int_equal(peek(w, DATA + 0x678), 42);
	assert_int_equal(dma_read(w, EDU, 0x7fff12345678), 42);
}

TEST(a_3_level_table_begins_at_level_3)
{
	struct iommu_world *w = world_new(CM);
	uint64_t table = new_table(w);

	set_context(w, EDU, table | VTD_CONTEXT_P, context_hi(DID, VTD_AW_39BIT));
	map_page(w, table, 3, BITS(38, 12), 1, DATA, RW);
	start(w);
	assert_int_equal(dma_write(w, EDU, BITS(38, 12), 42), 0);
	assert_int_equal(peek(w, DATA), 42);
	assert_int_equal(dma_write(w, EDU, BIT(39) | BITS(38, 12), 43), -EFAULT);
	assert_int_equal(take_fault(w), VTD_ADDRESS_TOO_WIDE);
}

TEST(superpages_map_2_mib_and_1_gib)
{
	uint64_t table;
	struct iommu_world *w = translating(CM, &table);

	map_page(w, table, 4, 4 * GiB, 2, DATA, RW);
	map_page(w, table, 4, 8 * GiB, 3, 0, RW);
	assert_int_equal(dma_write(w, EDU, 4 * GiB + 0x1ffff8, 42), 0);
	assert_int_equal(peek(w, DATA + 0x1ffff8), 42);
	assert_int_equal(dma_write(w, EDU, 8 * GiB + DATA + 8, 43), 0);
	assert_int_equal(peek(w, DATA + 8), 43);
	/* Past the end of memory: dropped, and no fault of translation. */
	assert_int_equal(dma_write(w, EDU, 8 * GiB + RAM_SIZE, 44), -EFAULT);
	assert_int_equal(dma_read(w, EDU, 8 * GiB + RAM_SIZE), ~0ULL);
	assert_int_equal(take_fault(w), 0);
}

TEST(a_transfer_is_translated_page_by_page)
{
	uint64_t table;
	struct iommu_world *w = translating(CM, &table);
	uint8_t out[3 * PAGE_SIZE], in[sizeof(out)];

	for (size_t i = 0; i < sizeof(out); i++) out[i] = (uint8_t)(i * 7 + i / 256);
	for (uint64_t page = 0; page < 4; page++) /* in reverse order, with gaps */
		map_page(w, table, 4, page * PAGE_SIZE, 1, DATA + (6 - 2 * page) * PAGE_SIZE, RW);
	assert_int_equal(iommu_dma_write(&w->iommu, EDU, 100, out, sizeof(out)), 0);
	assert_memory_equal(w->ram + DATA + 6 * PAGE_SIZE + 100, out, PAGE_SIZE - 100);
	assert_memory_equal(w->ram + DATA + 4 * PAGE_SIZE, out + PAGE_SIZE - 100, PAGE_SIZE);
	assert_int_equal(w->ram[DATA + 5 * PAGE_SIZE], 0);
	assert_int_equal(iommu_dma_read(&w->iommu, EDU, 100, in, sizeof(in)), 0);
	assert_memory_equal(in, out, sizeof(in));
}

TEST(a_fault_in_the_middle_leaves_the_beginning_done)
{
	uint64_t table;
	struct iommu_world *w = translating(CM, &table);
	uint8_t data[3 * PAGE_SIZE];

	map_page(w, table, 4, 0, 1, DATA, RW);
	map_page(w, table, 4, 2 * PAGE_SIZE, 1, DATA + 2 * PAGE_SIZE, RW);
	memset(data, 0x55, sizeof(data));
	assert_int_equal(iommu_dma_write(&w->iommu, EDU, 0, data, sizeof(data)), -EFAULT);
	assert_int_equal(w->ram[DATA + PAGE_SIZE - 1], 0x55);
	assert_int_equal(w->ram[DATA + 2 * PAGE_SIZE], 0);
	assert_int_equal(reg_read8(w, VTD_FRCD), PAGE_SIZE);
	assert_int_equal(take_fault(w), VTD_NO_WRITE);
	memset(data, 0, sizeof(data));
	assert_int_equal(iommu_dma_read(&w->iommu, EDU, 0, data, sizeof(data)), -EFAULT);
	assert_int_equal(data[PAGE_SIZE - 1], 0x55);
	assert_int_equal(data[PAGE_SIZE], 0xff);
	assert_int_equal(data[sizeof(data) - 1], 0xff);
}

/* The table entries an access goes through, for the cases below to spoil. */
struct path {
	uint64_t root, context, level[5];
};

static void find_path(struct iommu_world *w, uint64_t table, struct path *path)
{
	path->root = ROOT;
	path->context = context_at(EDU);
	for (unsigned level = 4; level >= 1; level--) {
		path->level[level] = table;
		table = peek(w, table) & VTD_SL_ADDR;
	}
}

/* One word of guest memory is set or changed, and a write of EDU to iova 0 gets 'reason'. */
struct fault_case {
	enum { AT_ROOT, AT_CONTEXT, AT_LEVEL } where;
	unsigned level; /* or 1 for the high word of a root or context entry */
	uint64_t flip;
	enum vtd_reason write, read;
};

static const struct fault_case fault_cases[] = {
	{AT_ROOT, 0, VTD_ROOT_P, VTD_ROOT_NOT_PRESENT, VTD_ROOT_NOT_PRESENT},
	{AT_ROOT, 0, BIT(1), VTD_ROOT_RESERVED, VTD_ROOT_RESERVED},
	{AT_ROOT, 0, BIT(11), VTD_ROOT_RESERVED, VTD_ROOT_RESERVED},
	{AT_ROOT, 0, BIT(48), VTD_ROOT_RESERVED, VTD_ROOT_RESERVED},
	{AT_ROOT, 1, BIT(0), VTD_ROOT_RESERVED, VTD_ROOT_RESERVED},
	{AT_ROOT, 0, BIT(40), VTD_CONTEXT_UNREADABLE, VTD_CONTEXT_UNREADABLE},
	{AT_CONTEXT, 0, VTD_CONTEXT_P, VTD_CONTEXT_NOT_PRESENT, VTD_CONTEXT_NOT_PRESENT},
	{AT_CONTEXT, 0, BIT(4), VTD_CONTEXT_RESERVED, VTD_CONTEXT_RESERVED},
	{AT_CONTEXT, 0, BIT(48), VTD_CONTEXT_RESERVED, VTD_CONTEXT_RESERVED},
	{AT_CONTEXT, 1, BIT(7), VTD_CONTEXT_RESERVED, VTD_CONTEXT_RESERVED},
	{AT_CONTEXT, 1, BIT(24), VTD_CONTEXT_RESERVED, VTD_CONTEXT_RESERVED},
	{AT_CONTEXT, 0, BIT(2), VTD_CONTEXT_INVALID, VTD_CONTEXT_INVALID}, /* type 1 */
	{AT_CONTEXT, 0, BITS(3, 2), VTD_CONTEXT_INVALID, VTD_CONTEXT_INVALID},
	{AT_CONTEXT, 1, BIT(1), VTD_CONTEXT_INVALID, VTD_CONTEXT_INVALID},  /* width 0 */
	{AT_CONTEXT, 1, BIT(2), VTD_CONTEXT_INVALID, VTD_CONTEXT_INVALID},  /* width 6 */
	{AT_CONTEXT, 0, BIT(40), VTD_CONTEXT_INVALID, VTD_CONTEXT_INVALID}, /* top table */
	{AT_LEVEL, 4, BIT(40), VTD_TABLE_UNREADABLE, VTD_TABLE_UNREADABLE},
	{AT_LEVEL, 3, BIT(40), VTD_TABLE_UNREADABLE, VTD_TABLE_UNREADABLE},
	{AT_LEVEL, 2, BIT(40), VTD_TABLE_UNREADABLE, VTD_TABLE_UNREADABLE},
	{AT_LEVEL, 4, RW, VTD_NO_WRITE, VTD_NO_READ},
	{AT_LEVEL, 1, RW, VTD_NO_WRITE, VTD_NO_READ},
	{AT_LEVEL, 4, VTD_SL_W, VTD_NO_WRITE, VTD_OK},
	{AT_LEVEL, 3, VTD_SL_W, VTD_NO_WRITE, VTD_OK},
	{AT_LEVEL, 2, VTD_SL_R, VTD_OK, VTD_NO_READ},
	{AT_LEVEL, 1, VTD_SL_R, VTD_OK, VTD_NO_READ},
	{AT_LEVEL, 4, BIT(7), VTD_TABLE_RESERVED, VTD_TABLE_RESERVED}, /* no 512 GiB pages */
	{AT_LEVEL, 4, VTD_SL_SNP, VTD_TABLE_RESERVED, VTD_TABLE_RESERVED},
	{AT_LEVEL, 2, VTD_SL_SNP, VTD_TABLE_RESERVED, VTD_TABLE_RESERVED},
	{AT_LEVEL, 1, VTD_SL_SNP, VTD_TABLE_RESERVED, VTD_TABLE_RESERVED}, /* ECAP.SC = 0 */
	{AT_LEVEL, 3, BIT(48), VTD_TABLE_RESERVED, VTD_TABLE_RESERVED},
	{AT_LEVEL, 1, BIT(51), VTD_TABLE_RESERVED, VTD_TABLE_RESERVED},
	{AT_LEVEL, 1, VTD_SL_TM, VTD_TABLE_RESERVED, VTD_TABLE_RESERVED}, /* ECAP.DT = 0 */
	{AT_LEVEL, 2, VTD_SL_PS, VTD_TABLE_RESERVED, VTD_TABLE_RESERVED}, /* 2 MiB, unaligned */
	{AT_LEVEL, 3, VTD_SL_PS, VTD_TABLE_RESERVED, VTD_TABLE_RESERVED}, /* 1 GiB, unaligned */
	/* A denied access comes before a reserved bit of the same entry. */
	{AT_LEVEL, 1, VTD_SL_W | BIT(50), VTD_NO_WRITE, VTD_TABLE_RESERVED},
	/* Ignored bits are ignored. */
	{AT_LEVEL, 1, BIT(63) | BITS(61, 52) | BITS(10, 3), VTD_OK, VTD_OK},
	{AT_CONTEXT, 1, BITS(6, 3), VTD_OK, VTD_OK},
};

static void expect_reason(struct iommu_world *w, enum vtd_reason reason, bool write)
{
	uint64_t hi;
	uint64_t value = 1;
	int result =
		write ? iommu_dma_write(&w->iommu, EDU, 0, &value, 8) : iommu_dma_read(&w->iommu, EDU, 0, &value, 8);

	assert_int_equal(result, reason == VTD_OK ? 0 : -EFAULT);
	hi = reg_read8(w, VTD_FRCD_HI);
	if (reason != VTD_OK) {
		assert_int_equal(hi, VTD_FRCD_F | (write ? 0 : VTD_FRCD_T_READ) | (uint64_t)reason << 32 | EDU);
		assert_int_equal(reg_read8(w, VTD_FRCD), 0);
	}
	assert_int_equal(take_fault(w), reason);
}

TEST(each_flaw_of_a_table_has_its_fault_reason)
{
	for (unsigned i = 0; i < ARRAY_SIZE(fault_cases); i++) {
		const struct fault_case *c = &fault_cases[i];
		struct iommu_world *w = world_new(i % 2 ? CM : NO_CM);
		uint64_t table = new_table(w);
		struct path path;
		uint64_t at;

		map_page(w, table, 4, 0, 1, DATA, RW);
		translated(w, EDU, table, DID);
		find_path(w, table, &path);
		at = c->where == AT_ROOT      ? path.root + c->level * 8
		     : c->where == AT_CONTEXT ? path.context + c->level * 8
					      : path.level[c->level];
		poke(w, at, peek(w, at) ^ c->flip);
		start(w);
		expect_reason(w, c->write, true);
		expect_reason(w, c->read, false);
	}
}

TEST(a_root_table_outside_memory_is_fault_8)
{
	struct iommu_world *w = world_new(CM);

	start(w);
	set_root(w, RAM_SIZE);
	assert_int_equal(dma_write(w, EDU, 0, 1), -EFAULT);
	assert_int_equal(take_fault(w), VTD_ROOT_UNREADABLE);
	set_root(w, ~0ULL << 12);
	assert_int_equal(dma_write(w, EDU, 0, 1), -EFAULT);
	assert_int_equal(take_fault(w), VTD_ROOT_UNREADABLE);
}

TEST(an_address_beyond_the_width_is_fault_4)
{
	uint64_t table;
	struct iommu_world *w = translating(CM, &table);

	assert_int_equal(dma_write(w, EDU, BIT(48), 1), -EFAULT);
	assert_int_equal(take_fault(w), VTD_ADDRESS_TOO_WIDE);
	assert_int_equal(dma_write(w, EDU, ~0ULL - 7, 1), -EFAULT);
	assert_int_equal(take_fault(w), VTD_ADDRESS_TOO_WIDE);
}

TEST(a_translation_into_the_interrupt_range_is_fault_e)
{
	uint64_t table;
	struct iommu_world *w = translating(CM, &table);
	uint32_t data = 0x41;

	map_page(w, table, 4, 0, 1, MESSAGE_BASE, RW);
	assert_int_equal(iommu_dma_write(&w->iommu, EDU, 0, &data, 4), -EFAULT);
	assert_int_equal(take_fault(w), VTD_INTO_INTERRUPT_RANGE);
	assert_int_equal(w->interrupt_count, 0);
}

TEST(self_referencing_tables_end_at_the_leaf_level)
{
	uint64_t table;
	struct iommu_world *w = translating(CM, &table);

	poke(w, table, table | RW);
	assert_int_equal(dma_write(w, EDU, 0x100, 42), 0);
	assert_int_equal(peek(w, table + 0x100), 42);
}

TEST(pass_through_goes_to_the_same_address)
{
	struct iommu_world *w = world_new(CM);

	passed_through(w, EDU, DID);
	start(w);
	assert_int_equal(dma_write(w, EDU, DATA, 42), 0);
	assert_int_equal(peek(w, DATA), 42);
	assert_int_equal(dma_write(w, EDU, RAM_SIZE, 42), -EFAULT);
	assert_int_equal(dma_write(w, EDU, IOMMU_BASE + VTD_GCMD, 0), -EFAULT);
	assert_int_equal(dma_write(w, EDU, BIT(48) - 8, 0), -EFAULT);
	assert_int_equal(reg_read(w, VTD_GSTS) & VTD_GCMD_TE, VTD_GCMD_TE);
	assert_int_equal(take_fault(w), 0);
}

/* A host with memory everywhere. */
static int accept_any(void *ctx, uint64_t gpa, const void *from, size_t size, bool around)
{
	struct iommu_world *w = ctx;

	(void)gpa, (void)from, (void)size, (void)around;
	w->seen[0]++;
	return 0;
}

TEST(addresses_end_at_the_top_and_do_not_wrap)
{
	struct iommu_world *w = world_new(CM);
	uint8_t data[16] = {1, 2, 3};

	w->iommu.host.write = accept_any;
	assert_int_equal(iommu_dma_write(&w->iommu, EDU, ~0ULL - 7, data, 16), -EFAULT);
	assert_int_equal(w->seen[0], 1);
	assert_int_equal(iommu_dma_write(&w->iommu, EDU, ~0ULL - 7, data, 8), 0); /* the very last bytes */
}

TEST(a_device_the_unit_does_not_know_gets_nothing)
{
	struct iommu_world *w = world_new(CM);

	assert_int_equal(dma_write(w, 0x99, DATA, 1), -EFAULT);
	assert_int_equal(dma_read(w, 0x99, DATA), ~0ULL);
}

TEST(each_device_has_its_own_tables)
{
	uint64_t table;
	struct iommu_world *w = translating(CM, &table);
	uint64_t other = new_table(w);

	map_page(w, table, 4, 0, 1, DATA, RW);
	map_page(w, other, 4, 0, 1, DATA + PAGE_SIZE, RW);
	translated(w, EDU_B, other, 6);
	flush_contexts(w);
	assert_int_equal(dma_write(w, EDU, 0, 1) | dma_write(w, EDU_B, 0, 2), 0);
	assert_int_equal(peek(w, DATA), 1);
	assert_int_equal(peek(w, DATA + PAGE_SIZE), 2);
}

TEST(snp_is_accepted_with_snoop_control)
{
	uint64_t table;
	struct iommu_world *w = translating(CM | SC, &table);

	map_page(w, table, 4, 0, 1, DATA, RW | VTD_SL_SNP);
	map_page(w, table, 4, 2 * MiB, 2, DATA, RW | VTD_SL_SNP);
	assert_int_equal(dma_write(w, EDU, 0, 1) | dma_write(w, EDU, 2 * MiB, 1), 0);
}

TEST(a_write_of_4_bytes_to_the_interrupt_range_is_an_interrupt)
{
	uint64_t table;
	struct iommu_world *w = translating(CM, &table);
	uint32_t data = 0x4041;
	uint64_t wide = 0;

	map_page(w, table, 4, MESSAGE_BASE, 1, DATA, RW); /* never translated */
	assert_int_equal(iommu_dma_write(&w->iommu, EDU, 0xfee01000, &data, 4), 0);
	assert_int_equal(w->interrupt_count, 1);
	assert_int_equal(w->interrupts[0].address, 0xfee01000);
	assert_int_equal(w->interrupts[0].data, 0x4041);
	assert_int_equal(iommu_dma_write(&w->iommu, EDU, 0xfee01002, &data, 4), -EFAULT);
	assert_int_equal(iommu_dma_write(&w->iommu, EDU, 0xfee01000, &wide, 8), -EFAULT);
	assert_int_equal(iommu_dma_read(&w->iommu, EDU, 0xfee01000, &data, 4), -EFAULT);
	assert_int_equal(data, 0xffffffff);
	assert_int_equal(w->interrupt_count, 1);
	command(w, 0, VTD_GCMD_TE);
	assert_int_equal(iommu_dma_write(&w->iommu, EDU, 0xfee01000, &data, 4), 0);
	assert_int_equal(w->interrupt_count, 2);
	assert_int_equal(take_fault(w), 0);
}

TEST(a_pass_through_address_beyond_the_host_s_width_is_fault_4)
{
	struct iommu_world *w = world_new(CM);

	passed_through(w, EDU, DID);
	start(w);
	assert_int_equal(dma_write(w, EDU, BIT(48), 1), -EFAULT);
	assert_int_equal(take_fault(w), VTD_ADDRESS_TOO_WIDE);
}

TEST(a_table_mode_other_than_legacy_is_fault_30)
{
	struct iommu_world *w = world_new(CM);

	passed_through(w, EDU, DID);
	start(w);
	for (uint64_t mode = 1; mode < 4; mode++) {
		set_root(w, ROOT | TO_FIELD(mode, VTD_RTADDR_TTM));
		assert_int_equal(w->noncoherent, 0);
		assert_int_equal(dma_write(w, EDU, DATA, 1), -EFAULT);
		assert_int_equal(take_fault(w), VTD_TABLE_MODE_INVALID);
		reg_write8(w, VTD_CCMD, VTD_CCMD_ICC | TO_FIELD(VTD_GLOBAL, VTD_CCMD_CIRG));
		assert_int_equal(reg_read8(w, VTD_CCMD) & (VTD_CCMD_ICC | VTD_CCMD_CAIG), 0);
		reg_write8(w, VTD_IOTLB, VTD_IOTLB_IVT | TO_FIELD(VTD_GLOBAL, VTD_IOTLB_IIRG));
		assert_int_equal(reg_read8(w, VTD_IOTLB) & (VTD_IOTLB_IVT | VTD_IOTLB_IAIG), 0);
		set_root(w, ROOT);
		assert_int_equal(w->noncoherent, 1);
	}
}
