// SPDX-License-Identifier: MIT
/*
 * ept/: transition=retype and fill=table. What a transition that changes leaves in place leaves
 * behind, leaf by leaf: types, sizes, flags, tables, figures; and what one fault fills.
 */
#include <errno.h>

#include "tests/lib/test.h"
#include "tests/ept_fixture.h"
#include "tests/slow_mtrr.h"

#define LEAVES_2M 512U
#define AD        (EPT_ACCESSED | EPT_DIRTY)

static int setup_retype(void **state)
{
	int error = setup(state);

	ept.transition = EPT_TRANSITION_RETYPE;
	return error;
}

static int setup_fill(void **state)
{
	int error = setup(state);

	ept.fill = EPT_FILL_TABLE;
	return error;
}

/* Variable range n: this type, over a power of two. */
static void range(unsigned n, uint64_t start, uint64_t size, enum memtype type)
{
	wrmsr(0x200 + 2 * n, start | type);
	wrmsr(0x201 + 2 * n, (BIT(39) - size) | 0x800);
}

/* Every other page of [start, start + size) by a mask with a hole. */
static void range_with_holes(unsigned n, uint64_t start, uint64_t size, enum memtype type)
{
	wrmsr(0x200 + 2 * n, start | type);
	wrmsr(0x201 + 2 * n, (BIT(39) - size) | 0x1000 | 0x800);
}

static void attach(void) { assert_true(ept_noncoherent_change(&ept, &cpu, 1)); }

static void detach(void) { assert_true(ept_noncoherent_change(&ept, &cpu, -1)); }

/* The entry itself, to read it or to do what a CPU does to it. */
static uint64_t *entry_at(uint64_t gpa, unsigned level)
{
	uint64_t table = ept.root;

	for (unsigned l = 4; l > level; l--)
		table = world_table(&w, table)[gpa >> (12 + 9 * (l - 1)) & 511] & EPT_ADDRESS;
	return &world_table(&w, table)[gpa >> (12 + 9 * (level - 1)) & 511];
}

/* What a fault of the CPU would give each page, and has given none since. */
static void expect_types(uint64_t gpa, unsigned count)
{
	for (unsigned i = 0; i < count; i++, gpa += PAGE_SIZE) {
		unsigned type = slow_mtrr_type(&mtrr, gpa);

		assert_int_equal(bits_of(gpa), ept.noncoherent ? type << 3 : WB_IPAT);
		assert_true(level_of(gpa) > 0);
	}
}

#define RETYPE(name) TEST_WITH(name, setup_retype, teardown)
#define FILL(name)   TEST_WITH(name, setup_fill, teardown)

RETYPE(a_retype_keeps_every_leaf_and_flushes_once)
{
	mtrr_all_wb();
	small_ram(0, 4 * MiB);
	large_ram(4 * MiB, 4 * MiB);
	touch_pages(0, 700);
	touch(5 * MiB);
	for (unsigned transition = 1; transition <= 4; transition++) {
		if (transition % 2)
			attach();
		else
			detach();
		assert_int_equal(w.flushes, transition);
		expect_types(0, 700);
		assert_int_equal(level_of(700 * PAGE_SIZE), 0);
		expect_leaf(5 * MiB, 2, (8 * GiB + 4 * MiB) | EPT_RWX | EPT_LARGE | (transition % 2 ? WB : WB_IPAT));
		assert_int_equal(ept.stats.leaves_retyped, 701 * transition);
		assert_int_equal(ept.stats.tables_retyped, 3 * transition);
	}
	assert_int_equal(ept.stats.leaves_cleared, 0);
	assert_int_equal(w.zaps, 0);
	assert_int_equal(ept.stats.transitions, 4);
}

RETYPE(without_a_leaf_nothing_is_flushed)
{
	small_ram(0, MiB);
	attach();
	touch(0);
	ept_zap_all(&ept);
	detach();
	assert_int_equal(w.flushes, 1); /* the zap's */
	assert_int_equal(ept.stats.leaves_retyped, 0);
}

RETYPE(accessed_and_dirty_flags_stay)
{
	mtrr_all_wb();
	small_ram(0, 2 * MiB);
	large_ram(2 * MiB, 2 * MiB);
	for (unsigned pages = 200; pages <= LEAVES_2M; pages += 312) {
		touch_pages(0, pages);
		touch(2 * MiB);
		*entry_at(0x3000, 1) |= EPT_ACCESSED;
		*entry_at(0x7000, 1) |= AD;
		*entry_at(2 * MiB, 2) |= AD;
		for (unsigned i = 0; i < 2; i++) {
			if (i)
				detach();
			else
				attach();
			assert_int_equal(*entry_at(0x2000, 1) & AD, 0);
			assert_int_equal(*entry_at(0x3000, 1) & AD, EPT_ACCESSED);
			assert_int_equal(*entry_at(0x7000, 1) & AD, AD);
			assert_int_equal(*entry_at(2 * MiB, 2) & AD, AD);
		}
	}
}

static const enum memtype types[] = {MEMTYPE_UC, MEMTYPE_WC, MEMTYPE_WT, MEMTYPE_WP, MEMTYPE_WB};

RETYPE(a_full_table_gets_any_type_and_loses_it_again)
{
	small_ram(0, 2 * MiB);
	touch_pages(0, LEAVES_2M);
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		wrmsr(0x2ff, 0x800 | types[i]);
		attach();
		expect_types(0, LEAVES_2M);
		detach();
		expect_types(0, LEAVES_2M);
	}
}

/* Two CPUs with other MTRRs: each leaf has the type of the CPU that faulted it in. */
RETYPE(leaves_of_one_table_may_have_different_old_types)
{
	struct mtrr others;
	struct ept_cpu other = {.mtrr = &others};
	unsigned count;

	mtrr_reset(&others, 39);
	small_ram(0, 2 * MiB);
	for (unsigned a = 0; a < ARRAY_SIZE(types); a++) {
		for (unsigned b = 0; b < ARRAY_SIZE(types); b++) {
			ept_zap_all(&ept);
			wrmsr(0x2ff, 0x800 | types[a]);
			mtrr_write(&others, 0x2ff, 0x800 | types[b], NULL, &count);
			attach();
			touch_pages(0, 17);
			for (unsigned p = 17; p < LEAVES_2M; p++) serve_fault(&ept, &other, p * PAGE_SIZE, true);
			assert_int_equal(bits_of(0x11000), types[b] << 3);
			detach();
			expect_types(0, LEAVES_2M);
		}
	}
}

RETYPE(the_types_are_those_of_the_cpu_that_caused_it)
{
	struct mtrr others;
	struct ept_cpu other = {.mtrr = &others}, disabled = {.mtrr = &others, .cd = true};
	unsigned count;

	mtrr_all_wb();
	mtrr_reset(&others, 39);
	mtrr_write(&others, 0x2ff, 0x800 | MEMTYPE_WT, NULL, &count);
	small_ram(0, 2 * MiB);
	touch_pages(0, 3);
	assert_true(ept_noncoherent_change(&ept, &other, 1));
	assert_int_equal(bits_of(0), MEMTYPE_WT << 3);
	detach();
	assert_true(ept_noncoherent_change(&ept, &disabled, 1));
	assert_int_equal(bits_of(0x2000), UC_IPAT);
}

RETYPE(where_types_differ_each_leaf_gets_its_own)
{
	mtrr_all_wb();
	range(0, 0x8000, 0x8000, MEMTYPE_UC);
	range(1, 0xa000, 0x1000, MEMTYPE_WT);
	range_with_holes(2, 2 * MiB, 4 * MiB, MEMTYPE_WC);
	wrmsr(0x268, 0x0605040100060504);
	small_ram(0, 8 * MiB);
	for (unsigned fixed = 0; fixed < 2; fixed++) {
		wrmsr(0x2ff, fixed ? 0xc06 : 0x806);
		touch_pages(0, 4 * LEAVES_2M);
		attach();
		expect_types(0, 4 * LEAVES_2M);
		detach();
		expect_types(0, 4 * LEAVES_2M);
	}
	assert_int_equal(ept.stats.leaves_cleared, 0);
}

/* The first page has the default's type, and only every other one the range's. */
RETYPE(every_other_leaf_of_a_full_table_loses_its_type_again)
{
	mtrr_all_wb();
	small_ram(0, 2 * MiB);
	touch_pages(0, LEAVES_2M);
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		range_with_holes(2, 0x1000, 2 * MiB, types[i]);
		attach();
		expect_types(0, LEAVES_2M);
		detach();
		expect_types(0, LEAVES_2M);
	}
}

RETYPE(a_sparse_table_under_a_mask_with_holes)
{
	mtrr_all_wb();
	range_with_holes(2, 0, 8 * MiB, MEMTYPE_WC);
	small_ram(0, 2 * MiB);
	for (uint64_t gpa = 0x5000; gpa < 2 * MiB; gpa += 0x7000) touch(gpa);
	attach();
	for (uint64_t gpa = 0; gpa < 2 * MiB; gpa += PAGE_SIZE) {
		bool there = gpa >= 0x5000 && (gpa - 0x5000) % 0x7000 == 0;

		assert_int_equal(level_of(gpa), there);
		if (there) expect_types(gpa, 1);
	}
}

RETYPE(host_mmio_stays_uncached_and_rom_read_only)
{
	const struct ept_slot mmio = {.gpa = 0x10000, .size = 0x10000, .hpa = 0xf0000000, .kind = EPT_SLOT_HOST_MMIO};
	const struct ept_slot rom = {.gpa = 0x20000, .size = 0x10000, .hpa = 4 * GiB, .kind = EPT_SLOT_ROM};

	mtrr_all_wb();
	small_ram(0, 0x10000);
	ept_slot_add(&ept, &mmio);
	ept_slot_add(&ept, &rom);
	touch(0xf000);
	touch(0x10000);
	assert_int_equal(serve_fault(&ept, &cpu, 0x20000, false), 0);
	attach();
	expect_leaf(0xf000, 1, (8 * GiB + 0x10000) | EPT_RWX | WB);
	expect_leaf(0x10000, 1, 0xf0000000 | EPT_RWX);
	expect_leaf(0x20000, 1, (4 * GiB) | EPT_READ | EPT_EXECUTE | WB);
	detach();
	expect_leaf(0x10000, 1, 0xf0000000 | EPT_RWX);
	expect_leaf(0x20000, 1, (4 * GiB) | EPT_READ | EPT_EXECUTE | WB_IPAT);
}

RETYPE(a_full_table_of_host_mmio_stays_uncached)
{
	const struct ept_slot mmio = {.gpa = 2 * MiB, .size = 2 * MiB, .hpa = 0xf0001000, .kind = EPT_SLOT_HOST_MMIO};

	mtrr_all_wb();
	ept_slot_add(&ept, &mmio);
	touch_pages(2 * MiB, LEAVES_2M);
	for (unsigned i = 0; i < 2; i++) {
		if (i)
			detach();
		else
			attach();
		for (unsigned p = 0; p < LEAVES_2M; p++) assert_int_equal(bits_of(2 * MiB + p * PAGE_SIZE), 0);
	}
}

RETYPE(a_large_leaf_under_which_types_differ_is_split)
{
	mtrr_all_wb();
	range(0, 2 * MiB + 0x4000, 0x1000, MEMTYPE_UC);
	large_ram(0, 6 * MiB);
	for (uint64_t gpa = 0; gpa < 6 * MiB; gpa += 2 * MiB) touch(gpa);
	*entry_at(2 * MiB, 2) |= AD;
	attach();
	assert_int_equal(level_of(0), 2);
	assert_int_equal(level_of(4 * MiB), 2);
	for (unsigned i = 0; i < LEAVES_2M; i++)
		expect_leaf(2 * MiB + i * PAGE_SIZE, 1,
			    (8 * GiB + 2 * MiB + i * PAGE_SIZE) | EPT_RWX | AD | (i == 4 ? 0 : WB));
	assert_int_equal(ept.stats.leaves_retyped, 3);
	assert_int_equal(ept.stats.tables_retyped, 1);
}

/* The table goes only when no CPU can have its address any more. */
static unsigned tables_at_flush;
static void note_tables(void *arg)
{
	(void)arg;
	tables_at_flush = w.tables;
}

RETYPE(small_leaves_of_one_type_become_a_large_one)
{
	unsigned tables;

	mtrr_all_wb();
	range(0, 0x4000, 0x1000, MEMTYPE_UC);
	large_ram(0, 4 * MiB);
	attach();
	touch(0); /* one is enough: a fault there would now give a large one */
	touch(2 * MiB);
	tables = w.tables;
	w.on_flush = note_tables;
	detach();
	expect_leaf(0, 2, (8 * GiB) | EPT_RWX | WB_IPAT | EPT_LARGE | AD);
	expect_leaf(2 * MiB, 2, (8 * GiB + 2 * MiB) | EPT_RWX | WB_IPAT | EPT_LARGE);
	assert_int_equal(tables_at_flush, tables);
	assert_int_equal(w.tables, tables - 1);
	assert_int_equal(ept.last_table, 0);
	assert_int_equal(ept.stats.leaves_retyped, 2);
	assert_int_equal(ept.stats.tables_retyped, 2);
	assert_int_equal(ept_zap_all(&ept), 2);
}

RETYPE(without_flags_in_the_ept_a_merged_leaf_has_none)
{
	mtrr_all_wb();
	range(0, 0x4000, 0x1000, MEMTYPE_UC);
	large_ram(0, 4 * MiB);
	ept.caps.accessed_dirty = false;
	attach();
	touch(0);
	detach();
	expect_leaf(0, 2, (8 * GiB) | EPT_RWX | WB_IPAT | EPT_LARGE);
}

RETYPE(merged_rom_stays_read_only)
{
	const struct ept_slot rom = {.gpa = 2 * MiB, .size = 4 * MiB, .hpa = 4 * GiB + 2 * MiB, .kind = EPT_SLOT_ROM};

	mtrr_all_wb();
	range(0, 4 * MiB, 0x1000, MEMTYPE_UC);
	ept_slot_add(&ept, &rom);
	attach();
	assert_int_equal(serve_fault(&ept, &cpu, 4 * MiB, false), 0);
	assert_int_equal(level_of(4 * MiB), 1);
	detach();
	expect_leaf(4 * MiB, 2, (4 * GiB + 4 * MiB) | EPT_READ | EPT_EXECUTE | WB_IPAT | EPT_LARGE | AD);
}

RETYPE(leaves_do_not_merge_where_host_memory_or_the_slot_forbids)
{
	mtrr_all_wb();
	small_ram(0, 2 * MiB);
	large_ram(2 * MiB, MiB);
	touch_pages(0, LEAVES_2M);
	touch_pages(2 * MiB, 256);
	attach();
	detach();
	expect_types(0, LEAVES_2M + 256);
	assert_int_equal(level_of(0), 1);
	assert_int_equal(level_of(2 * MiB), 1);
	assert_int_equal(level_of(3 * MiB), 0);
}

RETYPE(a_leaf_of_1g_is_split_as_far_as_needed_and_comes_back)
{
	mtrr_all_wb();
	range(0, GiB + 6 * MiB + 0x1000, 0x1000, MEMTYPE_WC);
	range(1, GiB + 8 * MiB, 2 * MiB, MEMTYPE_UC);
	large_ram(0, 3 * GiB);
	for (uint64_t gpa = 0; gpa < 3 * GiB; gpa += GiB) touch(gpa);
	attach();
	expect_leaf(0, 3, (8 * GiB) | EPT_RWX | EPT_LARGE | WB);
	expect_leaf(GiB, 2, (9 * GiB) | EPT_RWX | EPT_LARGE | WB);
	expect_leaf(GiB + 6 * MiB + 0x1000, 1, (9 * GiB + 6 * MiB + 0x1000) | EPT_RWX | MEMTYPE_WC << 3);
	expect_leaf(GiB + 8 * MiB, 2, (9 * GiB + 8 * MiB) | EPT_RWX | EPT_LARGE);
	expect_types(GiB + 4 * MiB, 4 * LEAVES_2M);
	assert_int_equal(ept.stats.leaves_retyped, 3);
	consistent();
	detach();
	for (uint64_t gpa = 0; gpa < 3 * GiB; gpa += GiB)
		expect_leaf(gpa, 3, (8 * GiB + gpa) | EPT_RWX | EPT_LARGE | WB_IPAT | (gpa == GiB ? AD : 0));
	assert_int_equal(ept.stats.leaves_retyped, 3 + 2 + 511 + 512);
	assert_int_equal(w.tables, 2);
}

/* A border between two ranges of one type divides nothing. */
RETYPE(types_that_are_alike_on_both_sides_of_a_border_are_one)
{
	mtrr_all_wb();
	range(0, 0, MiB, MEMTYPE_WC);
	range(1, MiB, MiB, MEMTYPE_WC);
	large_ram(0, 2 * MiB);
	small_ram(2 * MiB, 2 * MiB);
	touch(0);
	attach();
	expect_leaf(0, 2, (8 * GiB) | EPT_RWX | EPT_LARGE | MEMTYPE_WC << 3);
}

RETYPE(without_memory_a_leaf_that_must_be_split_goes_and_comes_back)
{
	mtrr_all_wb();
	range(0, 2 * MiB + 0x4000, 0x1000, MEMTYPE_UC);
	large_ram(0, 4 * MiB);
	touch(0);
	touch(2 * MiB);
	w.fail_from = w.allocs + 1;
	attach();
	expect_leaf(0, 2, (8 * GiB) | EPT_RWX | EPT_LARGE | WB);
	assert_int_equal(level_of(2 * MiB), 0);
	assert_int_equal(ept.stats.leaves_retyped, 1);
	assert_int_equal(ept.stats.leaves_cleared, 1);
	assert_int_equal(ept.stats.last_zap_leaves, 1);
	assert_int_equal(w.zaps, 1);
	assert_int_equal(w.zap_leaves, 1);
	assert_int_equal(w.flushes, 1);
	w.fail_from = 0;
	touch(2 * MiB + 0x4000);
	assert_int_equal(bits_of(2 * MiB + 0x4000), 0);
}

/* The table above has lost its only leaf: it is not live, and a fault can put a large one there. */
RETYPE(a_table_that_has_lost_its_only_leaf_so_is_not_live)
{
	mtrr_all_wb();
	range(0, 2 * MiB + 0x4000, 0x1000, MEMTYPE_UC);
	large_ram(0, 4 * MiB);
	touch(2 * MiB);
	w.fail_from = w.allocs + 1;
	attach();
	consistent();
	assert_int_equal(ept_zap_all(&ept), 0);
}

RETYPE(the_policy_decides_whether_anything_is_retyped)
{
	wrmsr(0x2ff, 0x800 | MEMTYPE_WC);
	small_ram(0, 2 * MiB);
	ept.policy = MEMTYPE_KVM_6_6;
	touch_pages(0, 2);
	attach();
	assert_int_equal(bits_of(0), WB_IPAT);
	detach();
	ept.policy = MEMTYPE_KVM_6_16;
	assert_false(ept_noncoherent_change(&ept, &cpu, 1));
	assert_false(ept_noncoherent_change(&ept, &cpu, -1));
	assert_int_equal(ept.stats.leaves_retyped, 0);
	ept.policy = MEMTYPE_KVM_6_11;
	attach();
	assert_int_equal(bits_of(0), WB);
	detach();
	assert_int_equal(bits_of(0x1000), WB_IPAT);
	assert_int_equal(ept.stats.leaves_retyped, 4);
}

RETYPE(a_fault_that_began_before_a_retype_is_not_installed_after_it)
{
	struct ept_fill fill;

	mtrr_all_wb();
	small_ram(0, 2 * MiB);
	touch(0);
	assert_int_equal(ept_fault_begin(&ept, &cpu, 0x1000, true, &fill), 0);
	attach();
	assert_int_equal(ept_fault_install(&ept, &fill), -EAGAIN);
	touch(0x1000); /* beside the last one, in the same table */
	assert_int_equal(bits_of(0x1000), WB);
}

FILL(one_fault_fills_its_table_with_fill_table)
{
	small_ram(0, 6 * MiB);
	touch(2 * MiB + 0x5000);
	for (unsigned i = 0; i < LEAVES_2M; i++)
		expect_leaf(2 * MiB + i * PAGE_SIZE, 1, (8 * GiB + 2 * MiB + (i + 1) * PAGE_SIZE) | EPT_RWX | WB_IPAT);
	assert_int_equal(level_of(2 * MiB - PAGE_SIZE), 0);
	assert_int_equal(level_of(4 * MiB), 0);
	assert_int_equal(ept.stats.installed[1], LEAVES_2M);
	touch(4 * MiB);
	assert_int_equal(ept_zap_all(&ept), 2 * LEAVES_2M);
}

FILL(it_fills_no_further_than_the_slot)
{
	const struct ept_slot rom = {.gpa = 0x10000, .size = 0x8000, .hpa = 4 * GiB, .kind = EPT_SLOT_ROM};

	ept_slot_add(&ept, &rom);
	assert_int_equal(serve_fault(&ept, &cpu, 0x13000, false), 0);
	expect_leaf(0x10000, 1, (4 * GiB) | EPT_READ | EPT_EXECUTE | WB_IPAT);
	expect_leaf(0x17000, 1, (4 * GiB + 0x7000) | EPT_READ | EPT_EXECUTE | WB_IPAT);
	assert_int_equal(level_of(0xf000), 0);
	assert_int_equal(level_of(0x18000), 0);
}

FILL(it_fills_no_further_than_the_type)
{
	mtrr_all_wb();
	range(0, 0x40000, 0x20000, MEMTYPE_UC);
	small_ram(0, 2 * MiB);
	attach();
	touch(0x50000);
	assert_int_equal(ept.stats.installed[1], 0x20);
	expect_types(0x40000, 0x20);
	touch(0x3f000);
	assert_int_equal(ept.stats.installed[1], 0x60);
	expect_types(0, 0x60);
	touch(2 * MiB - PAGE_SIZE);
	assert_int_equal(ept.stats.installed[1], LEAVES_2M);
	expect_types(0, LEAVES_2M);
	assert_int_equal(w.flushes, 0);
}

FILL(leaves_that_are_there_stay_as_they_are)
{
	struct ept_fill fill;

	small_ram(0, 2 * MiB);
	touch(0);
	*entry_at(0x3000, 1) |= AD;
	*entry_at(0x4000, 1) = 0;
	*entry_at(0x9000, 1) = 0;
	w.info[((uintptr_t)entry_at(0, 1) - (uintptr_t)w.memory) / PAGE_SIZE].counts -= 2;
	touch(0x9000);
	assert_int_equal(*entry_at(0x3000, 1) & AD, AD);
	assert_int_equal(level_of(0x4000), 1);
	assert_int_equal(ept.stats.installed[1], LEAVES_2M + 2);
	assert_int_equal(ept_fault(&ept, &cpu, 0x4000, true, &fill), 0);
	assert_int_equal(fill.level, 0);
}

FILL(large_leaves_are_as_without_it)
{
	large_ram(0, 4 * MiB);
	touch(2 * MiB);
	assert_int_equal(level_of(2 * MiB), 2);
	assert_int_equal(level_of(0), 0);
}

FILL(after_a_zap_a_table_is_filled_anew_with_the_new_type)
{
	mtrr_all_wb();
	small_ram(0, 2 * MiB);
	touch(0);
	attach();
	assert_int_equal(ept.stats.last_zap_leaves, LEAVES_2M);
	touch(0x8000);
	expect_types(0, LEAVES_2M);
}
