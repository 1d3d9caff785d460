// SPDX-License-Identifier: MIT
/*
 * ept/: slots, faults, leaf sizes and lookups. Each test states the rule it proves; after each,
 * the whole tree is counted the slow way and checked against the SDM's misconfiguration rules.
 */
#include <errno.h>

#include "tests/lib/test.h"
#include "tests/ept_fixture.h"

TEST(an_aligned_gigabyte_gets_one_1g_leaf)
{
	assert_int_equal(ept_slot_add(&ept, RAM(GiB, 2 * GiB, 4 * GiB)), 0);
	touch(GiB + 0x12345678);
	expect_leaf(GiB, 3, 4 * GiB | EPT_RWX | WB_IPAT | EPT_LARGE);
	expect_leaf(2 * GiB - 1, 3, 4 * GiB | EPT_RWX | WB_IPAT | EPT_LARGE);
	expect_leaf(2 * GiB, 0, 0);
	assert_int_equal(ept.stats.tables, 2);
	assert_int_equal(ept.stats.flushes, 0);
}

TEST(without_1g_pages_2m_is_the_largest)
{
	ept.caps.large_1g = false;
	assert_int_equal(ept_slot_add(&ept, RAM(GiB, 2 * GiB, 4 * GiB)), 0);
	touch(GiB + 0x12345678);
	expect_leaf(GiB + 0x12345678, 2, (4 * GiB + 0x12200000) | EPT_RWX | WB_IPAT | EPT_LARGE);
}

TEST(without_2m_pages_4k_is_the_largest)
{
	ept.caps.large_2m = false; /* and so no 1G leaf either, which the CPU has */
	assert_int_equal(ept_slot_add(&ept, RAM(GiB, 2 * GiB, 4 * GiB)), 0);
	touch(GiB + 0x12345678);
	expect_leaf(GiB + 0x12345678, 1, (4 * GiB + 0x12345000) | EPT_RWX | WB_IPAT);
}

TEST(the_host_address_must_be_aligned_for_a_large_leaf)
{
	assert_int_equal(ept_slot_add(&ept, RAM(GiB, GiB, 4 * GiB + 2 * MiB)), 0);
	assert_int_equal(ept_slot_add(&ept, RAM(4 * GiB, GiB, 8 * GiB + 4 * KiB)), 0);
	touch(GiB);
	expect_leaf(GiB, 2, (4 * GiB + 2 * MiB) | EPT_RWX | WB_IPAT | EPT_LARGE);
	touch(4 * GiB + 0x5000);
	expect_leaf(4 * GiB + 0x5000, 1, (8 * GiB + 0x6000) | EPT_RWX | WB_IPAT);
	assert_int_equal(ept_slot_add(&ept, RAM(6 * GiB + 4 * KiB, GiB, 10 * GiB)), 0);
	touch(6 * GiB + 4 * MiB);
	expect_leaf(6 * GiB + 4 * MiB, 1, (10 * GiB + 4 * MiB - 4 * KiB) | EPT_RWX | WB_IPAT);
}

TEST(a_large_leaf_never_reaches_out_of_its_slot)
{
	assert_int_equal(ept_slot_add(&ept, RAM(0, 5 * MiB, GiB)), 0);
	assert_int_equal(ept_slot_add(&ept, RAM(7 * MiB, GiB, GiB + 7 * MiB)), 0);
	touch(2 * MiB);
	expect_leaf(2 * MiB, 2, (GiB + 2 * MiB) | EPT_RWX | WB_IPAT | EPT_LARGE);
	touch(4 * MiB);
	expect_leaf(4 * MiB, 1, (GiB + 4 * MiB) | EPT_RWX | WB_IPAT);
	touch(7 * MiB);
	expect_leaf(7 * MiB, 1, (GiB + 7 * MiB) | EPT_RWX | WB_IPAT);
	touch(8 * MiB);
	expect_leaf(8 * MiB, 2, (GiB + 8 * MiB) | EPT_RWX | WB_IPAT | EPT_LARGE);
}

TEST(one_fault_installs_one_leaf)
{
	struct world_census census;

	assert_int_equal(ept_slot_add(&ept, RAM(0, 4 * MiB, GiB + 4 * KiB)), 0);
	touch(0x1000);
	assert_null(world_check(&w, &ept, &census));
	assert_int_equal(census.leaves[1], 1);
	assert_int_equal(ept.stats.installed[1], 1);
	touch(0x1fff);
	assert_int_equal(ept.stats.installed[1], 1);
}

TEST(a_fault_beside_every_slot_is_the_devices)
{
	assert_int_equal(serve_fault(&ept, &cpu, 0, false), -ENOENT);
	assert_int_equal(ept_slot_add(&ept, RAM(0x1000, 0x2000, 0x1000)), 0);
	assert_int_equal(serve_fault(&ept, &cpu, 0xfff, false), -ENOENT);
	assert_int_equal(serve_fault(&ept, &cpu, 0x3000, false), -ENOENT);
	assert_int_equal(serve_fault(&ept, &cpu, 0x2fff, false), 0);
	assert_int_equal(serve_fault(&ept, &cpu, ~0ULL, false), -ENOENT);
	assert_int_equal(serve_fault(&ept, &cpu, 1ULL << 48 | 0x1000, false), -ENOENT);
}

TEST(rom_is_readable_and_executable_and_a_write_is_refused)
{
	struct ept_slot rom = {.gpa = 0, .size = 4 * MiB, .hpa = GiB, .kind = EPT_SLOT_ROM};

	assert_int_equal(ept_slot_add(&ept, &rom), 0);
	assert_int_equal(serve_fault(&ept, &cpu, 0, true), -EPERM);
	assert_int_equal(serve_fault(&ept, &cpu, 0, false), 0);
	expect_leaf(0, 2, GiB | EPT_READ | EPT_EXECUTE | WB_IPAT | EPT_LARGE);
	assert_int_equal(serve_fault(&ept, &cpu, 0, true), -EPERM);
}

TEST(rom_leads_to_a_copy_that_may_be_written_and_back_and_each_is_flushed)
{
	struct ept_slot rom = {.gpa = 0xc0000, .size = 0x40000, .hpa = GiB + 0xc0000, .kind = EPT_SLOT_ROM};

	assert_int_equal(ept_slot_add(&ept, &rom), 0);
	ept_lead_rom(&ept, &rom, 4 * GiB);
	assert_int_equal(ept.stats.flushes, 0);
	ept_lead_rom(&ept, &rom, 0);
	assert_int_equal(serve_fault(&ept, &cpu, 0xc1000, false), 0);
	ept_lead_rom(&ept, &rom, 4 * GiB);
	expect_leaf(0xc1000, 0, 0);
	assert_int_equal(ept.stats.flushes, 1);
	assert_int_equal(serve_fault(&ept, &cpu, 0xc1000, true), 0);
	expect_leaf(0xc1000, 1, (5 * GiB + 0xc1000) | EPT_RWX | WB_IPAT);
	ept_lead_rom(&ept, &rom, 0);
	expect_leaf(0xc1000, 0, 0);
	assert_int_equal(ept.stats.flushes, 2);
	assert_int_equal(serve_fault(&ept, &cpu, 0xc1000, true), -EPERM);
	assert_int_equal(serve_fault(&ept, &cpu, 0xc1000, false), 0);
	expect_leaf(0xc1000, 1, (GiB + 0xc1000) | EPT_READ | EPT_EXECUTE | WB_IPAT);
}

TEST(host_mmio_is_uc_and_no_ram_leaf_covers_it)
{
	struct ept_slot mmio = {.gpa = 4 * MiB, .size = 0x1000, .hpa = 0xfe000000, .kind = EPT_SLOT_HOST_MMIO};

	assert_int_equal(ept_slot_add(&ept, RAM(0, 4 * MiB, GiB)), 0);
	assert_int_equal(ept_slot_add(&ept, &mmio), 0);
	assert_int_equal(ept_slot_add(&ept, RAM(4 * MiB + 0x1000, GiB, GiB + 4 * MiB + 0x1000)), 0);
	touch(0);
	touch(4 * MiB);
	touch(4 * MiB + 0x1000);
	expect_leaf(0, 2, GiB | EPT_RWX | WB_IPAT | EPT_LARGE);
	expect_leaf(4 * MiB, 1, 0xfe000000 | EPT_RWX);
	expect_leaf(4 * MiB + 0x1000, 1, (GiB + 4 * MiB + 0x1000) | EPT_RWX | WB_IPAT);
	ept_noncoherent_change(&ept, &cpu, 1);
	mtrr_all_wb();
	touch(4 * MiB);
	expect_leaf(4 * MiB, 1, 0xfe000000 | EPT_RWX);
}

TEST(guest_physical_space_reaches_to_48_bits)
{
	uint64_t top = 1ULL << 48;

	assert_int_equal(ept_slot_add(&ept, RAM(top - GiB, GiB, GiB)), 0);
	touch(top - 1);
	expect_leaf(top - 1, 3, GiB | EPT_RWX | WB_IPAT | EPT_LARGE);
	assert_int_equal(ept_zap_range(&ept, top - 1, ~0ULL), 1);
	assert_int_equal(ept_slot_add(&ept, RAM(top, GiB, 2 * GiB)), -EINVAL);
	assert_int_equal(ept_slot_add(&ept, RAM(top - 2 * GiB, 3 * GiB, 2 * GiB)), -EINVAL);
}

TEST(slots_are_checked)
{
	assert_int_equal(ept_slot_add(&ept, RAM(0x800, 0x1000, 0)), -EINVAL);
	assert_int_equal(ept_slot_add(&ept, RAM(0, 0x800, 0)), -EINVAL);
	assert_int_equal(ept_slot_add(&ept, RAM(0, 0x1000, 0x800)), -EINVAL);
	assert_int_equal(ept_slot_add(&ept, RAM(0, 0, 0)), -EINVAL);
	assert_int_equal(ept_slot_add(&ept, RAM(0, 0x2000, (1ULL << 39) - 0x1000)), -EINVAL);
	assert_int_equal(ept_slot_add(&ept, RAM(0, 0x2000, 1ULL << 39)), -EINVAL);
	assert_int_equal(ept_slot_add(&ept, RAM(0, 0x1000, (1ULL << 39) - 0x1000)), 0);
	assert_int_equal(ept_slot_add(&ept, RAM(0, 0x1000, 0)), -EEXIST);
	assert_int_equal(ept_slot_add(&ept, RAM(0x2000, 0x2000, 0)), 0);
	assert_int_equal(ept_slot_add(&ept, RAM(0x1000, 0x2000, 0)), -EEXIST);
	assert_int_equal(ept_slot_add(&ept, RAM(0x3000, 0x2000, 0)), -EEXIST);
	assert_int_equal(ept_slot_add(&ept, RAM(0x1000, 0x1000, 0)), 0);
	assert_int_equal(ept_slot_remove(&ept, 0x800), -ENOENT);
	assert_int_equal(ept_slot_remove(&ept, 0x3000), -ENOENT);
}

TEST(a_slot_can_be_had_again_after_the_last_is_taken)
{
	for (unsigned i = 0; i < EPT_SLOTS; i++) assert_int_equal(ept_slot_add(&ept, RAM(i * MiB, MiB, i * MiB)), 0);
	assert_int_equal(ept_slot_add(&ept, RAM(GiB, MiB, 0)), -ENOSPC);
	assert_int_equal(ept_slot_remove(&ept, 3 * MiB), 0);
	assert_null(ept_slot_find(&ept, 3 * MiB));
	assert_int_equal(ept_slot_add(&ept, RAM(GiB, MiB, 0)), 0);
	assert_int_equal(ept_slot_find(&ept, GiB)->gpa, GiB);
	assert_int_equal(ept_slot_find(&ept, 15 * MiB)->gpa, 15 * MiB);
}

TEST(the_eptp_names_root_levels_and_accessed_dirty)
{
	assert_int_equal(ept_pointer(&ept), ept.root | 0x5e);
	ept.caps.accessed_dirty = false;
	assert_int_equal(ept_pointer(&ept), ept.root | 0x1e);
}

TEST(a_walk_beyond_48_bits_finds_nothing)
{
	unsigned level = 9;

	assert_int_equal(ept_slot_add(&ept, RAM(0, GiB, 0)), 0);
	touch(0);
	assert_int_equal(ept_walk(&ept, 1ULL << 48, &level), 0);
	assert_int_equal(level, 0);
}

TEST(the_tables_work_without_a_lock)
{
	ept.host.lock = NULL;
	ept.host.unlock = NULL;
	assert_int_equal(ept_slot_add(&ept, RAM(0, GiB, 0)), 0);
	touch(0);
	expect_leaf(0, 3, EPT_RWX | WB_IPAT | EPT_LARGE);
}

TEST(out_of_memory_at_any_table_leaves_the_tree_consistent)
{
	assert_int_equal(ept_slot_add(&ept, RAM(0, GiB, GiB + 0x1000)), 0);
	for (unsigned n = 1; n <= 3; n++) {
		w.fail_from = w.allocs + n;
		assert_int_equal(serve_fault(&ept, &cpu, n * 4 * MiB, true), -ENOMEM);
		consistent();
		w.fail_from = 0;
		assert_int_equal(ept_slot_remove(&ept, 0), 0);
		assert_int_equal(ept.stats.tables, 1);
		assert_int_equal(ept_slot_add(&ept, RAM(0, GiB, GiB + 0x1000)), 0);
	}
	touch(0);
	assert_int_equal(ept.stats.tables, 4);
}

TEST(no_page_for_the_root_is_enomem)
{
	struct ept other;

	w.fail_from = w.allocs + 1;
	assert_int_equal(ept_init(&other, &w.host, &all_caps, MEMTYPE_KVM_6_7), -ENOMEM);
}

/* Touching every page of the slots with 4K leaves takes exactly so many tables. */
TEST(as_many_tables_as_the_worst_case_says)
{
	static const struct ept_slot slots[] = {
		{.gpa = 512 * GiB, .size = 4 * KiB, .hpa = 3 * GiB, .kind = EPT_SLOT_RAM}, /* in no order */
		{.gpa = 0, .size = 640 * KiB, .hpa = GiB, .kind = EPT_SLOT_RAM},
		{.gpa = 768 * KiB, .size = 256 * KiB, .hpa = GiB + 768 * KiB, .kind = EPT_SLOT_RAM},
		{.gpa = MiB, .size = 8 * MiB, .hpa = GiB + MiB, .kind = EPT_SLOT_RAM},
		{.gpa = GiB - 4 * KiB, .size = 8 * KiB, .hpa = 2 * GiB, .kind = EPT_SLOT_RAM}, /* across two tables */
	};

	ept.caps.large_1g = ept.caps.large_2m = false;
	for (unsigned n = 0; n < ARRAY_SIZE(slots); n++) {
		assert_int_equal(ept_slot_add(&ept, &slots[n]), 0);
		for (uint64_t at = 0; at < slots[n].size; at += PAGE_SIZE) touch(slots[n].gpa + at);
		assert_int_equal(ept_tables_for(slots, n + 1), ept.stats.tables);
	}
}
