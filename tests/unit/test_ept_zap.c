// SPDX-License-Identifier: MIT
/*
 * ept/: what takes leaves away. Zaps and their figures, slot removal, and large leaves that come
 * back over kept, empty tables.
 */
#include <errno.h>

#include "tests/lib/test.h"
#include "tests/ept_fixture.h"

TEST(a_zap_clears_every_leaf_and_keeps_every_table)
{
	uint64_t tables;

	small_ram(0, 4 * MiB);
	large_ram(GiB, 2 * GiB);
	assert_int_equal(ept_slot_add(&ept, RAM(512 * GiB, 2 * MiB, 4 * GiB)), 0);
	touch_pages(0, 1024);
	touch(GiB);
	touch(512 * GiB);
	tables = ept.stats.tables;
	assert_int_equal(ept_zap_all(&ept), 1026);
	assert_int_equal(ept.stats.tables, tables);
	assert_int_equal(w.tables, tables);
	assert_int_equal(level_of(0), 0);
	assert_int_equal(level_of(GiB), 0);
	assert_int_equal(level_of(512 * GiB), 0);
	assert_int_equal(ept.stats.leaves_cleared, 1026);
	assert_int_equal(ept.stats.last_zap_leaves, 1026);
	assert_int_equal(ept.stats.last_zap_tables, 4); /* two of level 1, one each of 2 and 3 */
	assert_int_equal(w.flushes, 1);
}

TEST(a_zap_that_finds_nothing_flushes_nothing)
{
	assert_int_equal(ept_zap_all(&ept), 0);
	small_ram(0, MiB);
	touch(0);
	assert_int_equal(ept_zap_range(&ept, 0, 0), 0);
	assert_int_equal(ept_zap_range(&ept, SPACE, 0x1000), 0);
	assert_int_equal(ept_zap_range(&ept, 0x1000, SPACE), 0);
	assert_int_equal(w.flushes, 0);
	assert_int_equal(ept_zap_all(&ept), 1);
	assert_int_equal(ept_zap_all(&ept), 0);
	assert_int_equal(w.flushes, 1);
	assert_int_equal(ept.stats.last_zap_leaves, 0);
	assert_int_equal(ept.stats.last_zap_tables, 0);
}

static void assert_told(unsigned zaps, uint64_t gpa, uint64_t size, uint64_t leaves)
{
	assert_int_equal(w.zaps, zaps);
	assert_int_equal(w.zap_gpa, gpa);
	assert_int_equal(w.zap_size, size);
	assert_int_equal(w.zap_leaves, leaves);
}

TEST(each_zap_is_told_with_its_range_and_leaves_before_its_flush)
{
	const struct ept_range ranges[] = {{0x200000, 0x1000}, {0x1000, 0x2000}};

	small_ram(0, 4 * MiB);
	touch_pages(0, 1024);
	ept_zap_range(&ept, 0x3000, 0x2000);
	assert_told(1, 0x3000, 0x2000, 2);
	assert_int_equal(w.zaps_at_flush, 1);
	ept_zap_range(&ept, 0x3000, 0x2000); /* none is left there, and none is flushed */
	assert_told(2, 0x3000, 0x2000, 0);
	ept_noncoherent_change(&ept, &cpu, 1);
	assert_told(3, 0, SPACE, 1022);
	assert_int_equal(w.zaps_at_flush, 3);
	touch_pages(0, 1024);
	ept_type_changed(&ept, ranges, 2); /* one zap, from the first page to the last */
	assert_told(4, 0x1000, 0x200000, 3);
	ept_slot_remove(&ept, 0);
	assert_told(5, 0, 4 * MiB, 1021);
	assert_int_equal(w.zaps_at_flush, 5);
}

static unsigned leaves_at_flush;

static void count_leaves_at_flush(void *arg)
{
	struct world_census census;

	(void)arg;
	w.locked = 0;
	world_check(&w, &ept, &census);
	w.locked = 1;
	leaves_at_flush = census.leaves[1] + census.leaves[2] + census.leaves[3];
}

TEST(a_host_that_wants_to_be_told_nothing_is_told_nothing)
{
	small_ram(0, MiB);
	touch(0);
	ept.host.zapped = NULL;
	assert_int_equal(ept_zap_all(&ept), 1);
	assert_int_equal(w.zaps, 0);
	assert_int_equal(w.flushes, 1);
}

TEST(the_flush_comes_after_the_last_leaf_is_gone)
{
	small_ram(0, 4 * MiB);
	touch_pages(0, 1024);
	w.on_flush = count_leaves_at_flush;
	leaves_at_flush = 99;
	ept_zap_all(&ept);
	assert_int_equal(leaves_at_flush, 0);
}

TEST(a_dense_table_is_cleared_to_the_last_entry)
{
	small_ram(0, 4 * MiB);
	for (unsigned n = 0; n <= 512; n += n < 250 ? 50 : 1) {
		touch_pages((512 - n) * PAGE_SIZE, n);
		assert_int_equal(ept_zap_all(&ept), n);
		consistent();
	}
}

/* Every [first, last] among 6 pages that lie across the border of two tables. */
TEST(a_range_zap_touches_only_its_range)
{
	uint64_t start = 2 * MiB - 3 * PAGE_SIZE;

	small_ram(0, 4 * MiB);
	for (unsigned first = 0; first < 6; first++) {
		for (unsigned last = first; last < 6; last++) {
			touch_pages(start, 6);
			assert_int_equal(ept_zap_range(&ept, start + first * PAGE_SIZE, (last - first + 1) * PAGE_SIZE),
					 last - first + 1);
			for (unsigned i = 0; i < 6; i++)
				assert_int_equal(level_of(start + i * PAGE_SIZE), i < first || i > last);
			consistent();
		}
	}
}

TEST(a_range_zap_passes_over_half_of_a_full_table)
{
	small_ram(0, 2 * MiB);
	touch_pages(0, 512);
	assert_int_equal(ept_zap_range(&ept, 0, 2 * MiB - PAGE_SIZE), 511);
	assert_int_equal(level_of(2 * MiB - PAGE_SIZE), 1);
	assert_int_equal(ept_zap_range(&ept, MiB, 3 * GiB), 1);
}

TEST(a_large_leaf_across_the_edge_is_cleared_whole)
{
	large_ram(0, 4 * MiB);
	touch(0);
	touch(2 * MiB);
	assert_int_equal(ept_zap_range(&ept, MiB, 0x1000), 1);
	assert_int_equal(level_of(0), 0);
	assert_int_equal(level_of(2 * MiB), 2);
}

TEST(unaligned_edges_reach_the_pages_they_touch)
{
	small_ram(0, MiB);
	touch_pages(0, 4);
	assert_int_equal(ept_zap_range(&ept, 0x1fff, 2), 2);
	assert_int_equal(level_of(0), 1);
	assert_int_equal(level_of(0x3000), 1);
}

TEST(a_table_of_large_leaves_and_of_tables_is_cleared_of_both)
{
	large_ram(0, 3 * MiB);
	large_ram(4 * MiB, 4 * MiB);
	touch(0);
	touch(2 * MiB);
	touch(4 * MiB);
	touch(6 * MiB);
	assert_int_equal(level_of(2 * MiB), 1);
	assert_int_equal(ept_zap_all(&ept), 4);
	assert_int_equal(ept.stats.last_zap_tables, 2);
}

TEST(a_table_mostly_of_large_leaves_keeps_its_child_tables)
{
	uint64_t tables;

	ept.caps.large_1g = false;
	large_ram(0, GiB);
	for (unsigned i = 0; i < 511; i++) touch(i * 2 * MiB);
	ept.caps.large_2m = false;
	touch(GiB - 1);
	tables = ept.stats.tables;
	assert_int_equal(ept_zap_all(&ept), 512);
	assert_int_equal(ept.stats.tables, tables);
	assert_int_equal(level_of(GiB - 1), 0);
	consistent();
	touch(GiB - 1);
	assert_int_equal(ept.stats.tables, tables);
}

/* The count of children says when to stop: a table that is not live is not even read. */
TEST(a_zap_does_not_look_into_tables_without_leaves)
{
	uint64_t *table;

	small_ram(0, 2 * GiB);
	touch(0);
	touch(GiB);
	ept_zap_range(&ept, 0, GiB);
	/* Plant a leaf that is not counted in the table of address 0: nobody may find it. */
	table = world_table(&w, ept.root);
	for (unsigned i = 0; i < 3; i++) table = world_table(&w, table[0] & EPT_ADDRESS);
	table[5] = EPT_RWX;
	assert_int_equal(ept_zap_all(&ept), 1);
	assert_int_equal(table[5], EPT_RWX);
	table[5] = 0;
}

TEST(removing_a_slot_unmaps_flushes_and_frees_the_tables_left_empty)
{
	small_ram(0, 4 * MiB);
	small_ram(GiB, 4 * MiB);
	touch(0);
	touch(2 * MiB);
	touch(GiB);
	assert_int_equal(ept.stats.tables, 7);
	assert_int_equal(ept_slot_remove(&ept, 0), 0);
	assert_int_equal(ept.stats.tables, 4);
	assert_int_equal(w.flushes, 1);
	assert_int_equal(ept.stats.leaves_cleared, 2);
	assert_int_equal(level_of(0), 0);
	assert_int_equal(level_of(GiB), 1);
	assert_int_equal(serve_fault(&ept, &cpu, 0, false), -ENOENT);
	consistent();
	assert_int_equal(ept_slot_remove(&ept, GiB), 0);
	assert_int_equal(ept.stats.tables, 1);
}

TEST(removing_a_slot_that_was_never_touched_flushes_nothing)
{
	small_ram(0, 4 * MiB);
	assert_int_equal(ept_slot_remove(&ept, 0), 0);
	assert_int_equal(w.flushes, 0);
}

TEST(a_table_shared_with_another_slot_stays)
{
	small_ram(0, MiB);
	small_ram(MiB, MiB);
	touch(0);
	touch(MiB);
	assert_int_equal(ept_slot_remove(&ept, 0), 0);
	assert_int_equal(ept.stats.tables, 4);
	assert_int_equal(level_of(MiB), 1);
	assert_int_equal(ept_slot_remove(&ept, MiB), 0);
	assert_int_equal(ept.stats.tables, 1);
}

/* Tables kept empty by a zap have no leaf, but a CPU may have their address cached. */
TEST(empty_tables_are_flushed_before_they_are_freed)
{
	small_ram(0, 4 * MiB);
	touch(0);
	ept_zap_all(&ept);
	assert_int_equal(ept_slot_remove(&ept, 0), 0);
	assert_int_equal(w.flushes, 2);
	assert_int_equal(ept.stats.tables, 1);
}

static unsigned tables_at_flush;

static void count_tables_at_flush(void *arg)
{
	(void)arg;
	tables_at_flush = w.tables;
}

TEST(tables_are_freed_after_the_flush_and_not_before)
{
	w.on_flush = count_tables_at_flush;
	small_ram(0, 4 * MiB);
	touch(0);
	assert_int_equal(ept_slot_remove(&ept, 0), 0);
	assert_int_equal(tables_at_flush, 4);
	assert_int_equal(w.tables, 1);
}

TEST(a_2m_leaf_comes_back_over_its_empty_table_by_store_flush_free)
{
	large_ram(0, 4 * MiB);
	ept.caps.large_2m = false;
	touch(0);
	ept_zap_all(&ept);
	assert_int_equal(ept.stats.tables, 4);
	ept.caps.large_2m = true;
	w.on_flush = count_tables_at_flush;
	touch(0x5000);
	assert_int_equal(level_of(0), 2);
	assert_int_equal(w.flushes, 2);
	assert_int_equal(tables_at_flush, 4);
	assert_int_equal(ept.stats.tables, 3);
	touch(2 * MiB);
	assert_int_equal(w.flushes, 2); /* from not present: nothing to flush */
}

TEST(a_1g_leaf_comes_back_over_a_tree_of_empty_tables)
{
	large_ram(0, GiB);
	ept.caps.large_2m = ept.caps.large_1g = false;
	touch(0);
	touch(GiB / 2);
	touch(GiB - 1);
	ept_zap_all(&ept);
	assert_int_equal(ept.stats.tables, 6);
	ept.caps.large_2m = ept.caps.large_1g = true;
	touch(0);
	assert_int_equal(level_of(0), 3);
	assert_int_equal(ept.stats.tables, 2);
	assert_int_equal(w.flushes, 2);
}

TEST(a_large_leaf_never_replaces_a_table_with_a_leaf)
{
	large_ram(0, GiB);
	ept.caps.large_2m = ept.caps.large_1g = false;
	touch(GiB - 1);
	ept.caps.large_2m = ept.caps.large_1g = true;
	touch(0);
	assert_int_equal(level_of(0), 2);
	touch(GiB - 4096 - 1);
	assert_int_equal(level_of(GiB - 4096 - 1), 1);
	assert_int_equal(level_of(GiB - 1), 1);
	assert_int_equal(w.flushes, 0);
}

TEST(after_a_zap_and_the_same_touches_no_table_is_gained)
{
	uint64_t tables;

	small_ram(0, 64 * MiB);
	for (unsigned round = 0; round < 3; round++) {
		for (uint64_t gpa = 0; gpa < 64 * MiB; gpa += MiB) touch(gpa);
		if (round == 0) tables = ept.stats.tables;
		assert_int_equal(ept.stats.tables, tables);
		ept_noncoherent_change(&ept, &cpu, round % 2 ? -1 : 1);
	}
}

/* Whoever tells of a transition does so later, and another vCPU's MTRR may come between. */
TEST(what_a_transition_cleared_is_known_behind_the_next_zap)
{
	small_ram(0, 64 * MiB);
	for (uint64_t gpa = 0; gpa < 64 * MiB; gpa += MiB) touch(gpa);
	assert_true(ept_noncoherent_change(&ept, &cpu, 1));
	touch(0);
	assert_int_equal(ept_zap_range(&ept, 0, MiB), 1);
	assert_int_equal(ept.stats.change_leaves, 64);
	assert_int_equal(ept.stats.change_tables, 32);
	assert_false(ept_noncoherent_change(&ept, &cpu, 1));
	assert_int_equal(ept.stats.change_leaves, 0);
}
