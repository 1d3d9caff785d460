// SPDX-License-Identifier: MIT
/*
 * ept/: what changes the types of leaves. The noncoherent count and its two transitions under
 * each policy, MTRR and CD changes, and faults that began before a change.
 */
#include <errno.h>

#include "tests/lib/test.h"
#include "tests/ept_fixture.h"

TEST(the_first_device_and_the_last_are_transitions)
{
	small_ram(0, MiB);
	touch(0);
	assert_true(ept_noncoherent_change(&ept, &cpu, 1));
	assert_int_equal(level_of(0), 0);
	touch(0);
	assert_false(ept_noncoherent_change(&ept, &cpu, 1));
	assert_int_equal(level_of(0), 1);
	assert_false(ept_noncoherent_change(&ept, &cpu, -1));
	assert_int_equal(level_of(0), 1);
	assert_int_equal(ept.noncoherent, 1);
	assert_true(ept_noncoherent_change(&ept, &cpu, -1));
	assert_int_equal(level_of(0), 0);
	assert_int_equal(ept.noncoherent, 0);
	assert_int_equal(ept.stats.transitions, 2);
	assert_int_equal(ept.stats.leaves_cleared, 2);
	assert_int_equal(w.flushes, 2);
}

TEST(the_count_never_goes_below_zero)
{
	assert_false(ept_noncoherent_change(&ept, &cpu, -1));
	assert_int_equal(ept.noncoherent, 0);
	assert_int_equal(ept.stats.transitions, 0);
	assert_true(ept_noncoherent_change(&ept, &cpu, 1));
}

TEST(after_a_transition_leaves_come_back_with_the_guests_types)
{
	large_ram(0, 16 * MiB);
	wrmsr(0x200, 4 * MiB | MEMTYPE_UC);
	wrmsr(0x201, (BIT(39) - 2 * MiB) | 0x800);
	wrmsr(0x202, 6 * MiB | MEMTYPE_WC);
	wrmsr(0x203, (BIT(39) - 4096) | 0x800);
	mtrr_all_wb();
	for (uint64_t gpa = 0; gpa < 8 * MiB; gpa += 2 * MiB) {
		touch(gpa);
		expect_leaf(gpa, 2, (8 * GiB + gpa) | EPT_RWX | WB_IPAT | EPT_LARGE);
	}
	ept_noncoherent_change(&ept, &cpu, 1);
	for (uint64_t gpa = 0; gpa < 8 * MiB; gpa += 2 * MiB) touch(gpa);
	touch(6 * MiB + 0x1000);
	expect_leaf(0, 2, (8 * GiB) | EPT_RWX | WB | EPT_LARGE);
	expect_leaf(4 * MiB, 2, (8 * GiB + 4 * MiB) | EPT_RWX | EPT_LARGE);
	expect_leaf(6 * MiB, 1, (8 * GiB + 6 * MiB) | EPT_RWX | MEMTYPE_WC << 3);
	expect_leaf(6 * MiB + 0x1000, 1, (8 * GiB + 6 * MiB + 0x1000) | EPT_RWX | WB);
	ept_noncoherent_change(&ept, &cpu, -1);
	touch(6 * MiB);
	expect_leaf(6 * MiB, 2, (8 * GiB + 6 * MiB) | EPT_RWX | WB_IPAT | EPT_LARGE);
}

TEST(under_kvm_6_6_a_transition_is_counted_and_the_stale_leaf_stays)
{
	ept.policy = MEMTYPE_KVM_6_6;
	large_ram(0, 4 * MiB);
	wrmsr(0x2ff, 0x800 | MEMTYPE_WC);
	touch(0);
	assert_true(ept_noncoherent_change(&ept, &cpu, 1));
	assert_int_equal(ept.stats.transitions, 1);
	assert_int_equal(w.flushes, 0);
	assert_int_equal(bits_of(0), WB_IPAT); /* the bug: the guest's type is WC now */
	touch(2 * MiB);
	assert_int_equal(bits_of(2 * MiB), MEMTYPE_WC << 3);
	assert_true(ept_noncoherent_change(&ept, &cpu, -1));
	assert_int_equal(bits_of(2 * MiB), MEMTYPE_WC << 3);
	assert_int_equal(ept.stats.leaves_cleared, 0);
}

TEST(under_kvm_6_7_the_same_leaf_is_not_stale)
{
	large_ram(0, 4 * MiB);
	wrmsr(0x2ff, 0x800 | MEMTYPE_WC);
	touch(0);
	ept_noncoherent_change(&ept, &cpu, 1);
	touch(0);
	assert_int_equal(bits_of(0), MEMTYPE_WC << 3);
}

TEST(under_kvm_6_11_a_transition_zaps_and_guest_mtrrs_are_ignored)
{
	struct ept_range all = {0, SPACE};

	ept.policy = MEMTYPE_KVM_6_11;
	large_ram(0, 4 * MiB);
	wrmsr(0x2ff, 0x800 | MEMTYPE_WC);
	touch(0);
	ept_noncoherent_change(&ept, &cpu, 1);
	assert_int_equal(level_of(0), 0);
	cpu.cd = true;
	touch(0);
	assert_int_equal(bits_of(0), WB);
	assert_int_equal(ept_type_changed(&ept, &all, 1), 0);
	assert_int_equal(bits_of(0), WB);
}

TEST(under_kvm_6_16_attach_and_detach_change_nothing_but_the_count)
{
	ept.policy = MEMTYPE_KVM_6_16;
	large_ram(0, 4 * MiB);
	wrmsr(0x2ff, 0x800 | MEMTYPE_WC);
	touch(0);
	assert_int_equal(bits_of(0), WB);
	for (int delta = 1; delta >= -1; delta -= 2) {
		assert_false(ept_noncoherent_change(&ept, &cpu, delta));
		assert_int_equal(ept.noncoherent, delta == 1);
		assert_int_equal(bits_of(0), WB);
		cpu.cd = true;
		touch(2 * MiB);
		assert_int_equal(bits_of(2 * MiB), WB);
		wrmsr(0x2ff, 0x800 | (delta == 1 ? MEMTYPE_UC : MEMTYPE_WT));
	}
	assert_int_equal(ept.stats.transitions, 0);
	assert_int_equal(ept.stats.leaves_cleared, 0);
	assert_int_equal(w.flushes, 0);
}

TEST(cd_makes_leaves_uc_only_while_noncoherent)
{
	struct ept_range all = {0, SPACE};

	large_ram(0, 4 * MiB);
	mtrr_all_wb();
	cpu.cd = true;
	touch(0);
	assert_int_equal(bits_of(0), WB_IPAT);
	assert_int_equal(ept_type_changed(&ept, &all, 1), 0);
	assert_int_equal(bits_of(0), WB_IPAT);
	ept_noncoherent_change(&ept, &cpu, 1);
	touch(0);
	assert_int_equal(bits_of(0), UC_IPAT);
	cpu.cd = false;
	assert_int_equal(ept_type_changed(&ept, &all, 1), 1);
	touch(0);
	assert_int_equal(bits_of(0), WB);
}

TEST(with_cd_the_leaf_is_large_whatever_the_mtrrs_say)
{
	large_ram(0, 4 * MiB);
	mtrr_all_wb();
	wrmsr(0x200, 3 * MiB | MEMTYPE_WC);
	wrmsr(0x201, (BIT(39) - 4096) | 0x800);
	ept_noncoherent_change(&ept, &cpu, 1);
	cpu.cd = true;
	touch(2 * MiB);
	assert_int_equal(level_of(2 * MiB), 2);
	assert_int_equal(bits_of(2 * MiB), UC_IPAT);
}

TEST(an_mtrr_write_zaps_only_what_it_changes)
{
	small_ram(0, 16 * MiB);
	mtrr_all_wb();
	ept_noncoherent_change(&ept, &cpu, 1);
	touch_pages(4 * MiB - 0x1000, 3);
	wrmsr(0x200, 4 * MiB | MEMTYPE_UC);
	wrmsr(0x201, (BIT(39) - 4096) | 0x800);
	assert_int_equal(level_of(4 * MiB - 0x1000), 1);
	assert_int_equal(level_of(4 * MiB), 0);
	assert_int_equal(level_of(4 * MiB + 0x1000), 1);
	assert_int_equal(ept.stats.last_zap_leaves, 1);
	touch(4 * MiB);
	assert_int_equal(bits_of(4 * MiB), 0);
}

/* KVM before 6.7 zapped here too (update_mtrr()): only the transition was missing. */
TEST(under_kvm_6_6_an_mtrr_write_zaps)
{
	ept.policy = MEMTYPE_KVM_6_6;
	small_ram(0, 16 * MiB);
	mtrr_all_wb();
	ept_noncoherent_change(&ept, &cpu, 1);
	touch(0);
	wrmsr(0x2ff, 0x800 | MEMTYPE_WT);
	assert_int_equal(level_of(0), 0);
}

TEST(without_noncoherent_dma_an_mtrr_write_zaps_nothing)
{
	small_ram(0, 16 * MiB);
	touch(0);
	mtrr_all_wb();
	assert_int_equal(level_of(0), 1);
	assert_int_equal(w.flushes, 0);
}

TEST(a_2m_leaf_is_split_when_part_of_it_gets_another_type_and_merges_again)
{
	large_ram(0, 4 * MiB);
	mtrr_all_wb();
	ept_noncoherent_change(&ept, &cpu, 1);
	touch(2 * MiB);
	assert_int_equal(level_of(3 * MiB), 2);
	wrmsr(0x200, 3 * MiB | MEMTYPE_WC);
	wrmsr(0x201, (BIT(39) - 4096) | 0x800);
	touch(2 * MiB);
	touch(3 * MiB);
	assert_int_equal(level_of(2 * MiB), 1);
	assert_int_equal(bits_of(2 * MiB), WB);
	assert_int_equal(bits_of(3 * MiB), MEMTYPE_WC << 3);
	wrmsr(0x201, 0);
	assert_int_equal(level_of(2 * MiB), 1); /* its type did not change: it stays */
	touch(3 * MiB);
	assert_int_equal(level_of(3 * MiB), 1);
	ept_zap_all(&ept);
	touch(3 * MiB);
	assert_int_equal(level_of(2 * MiB), 2);
}

TEST(a_1g_leaf_is_split_into_2m_and_4k_where_types_differ)
{
	large_ram(0, 2 * GiB);
	mtrr_all_wb();
	ept_noncoherent_change(&ept, &cpu, 1);
	touch(0);
	assert_int_equal(level_of(0), 3);
	wrmsr(0x200, 4 * MiB | MEMTYPE_UC);
	wrmsr(0x201, (BIT(39) - 4096) | 0x800);
	assert_int_equal(level_of(0), 0);
	touch(0);
	touch(4 * MiB);
	touch(4 * MiB + 0x1000);
	touch(GiB);
	assert_int_equal(level_of(0), 2);
	assert_int_equal(level_of(4 * MiB), 1);
	assert_int_equal(bits_of(4 * MiB), 0);
	assert_int_equal(bits_of(4 * MiB + 0x1000), WB);
	assert_int_equal(level_of(GiB), 3);
}

TEST(several_ranges_are_one_zap_with_one_flush)
{
	struct ept_range ranges[] = {{8 * MiB, 0x2000}, {0x3000, 0x1000}, {8 * MiB + 0x1000, 0x3000}, {0x2000, 0x1000}};

	small_ram(0, 16 * MiB);
	ept_noncoherent_change(&ept, &cpu, 1);
	touch_pages(0, 8);
	touch_pages(8 * MiB, 8);
	assert_int_equal(ept_type_changed(&ept, ranges, 4), 6);
	assert_int_equal(ept.stats.last_zap_leaves, 6);
	assert_int_equal(ept.stats.last_zap_tables, 4);
	assert_int_equal(w.flushes, 1);
	assert_int_equal(level_of(0x1000), 1);
	assert_int_equal(level_of(0x4000), 1);
	assert_int_equal(level_of(8 * MiB + 0x4000), 1);
	assert_int_equal(ept_type_changed(&ept, NULL, 0), 0);
	ranges[0] = (struct ept_range){0, MiB}; /* one within the other */
	ranges[1] = (struct ept_range){0x1000, 0x1000};
	assert_int_equal(ept_type_changed(&ept, ranges, 2), 6);
}

TEST(a_range_at_the_end_of_all_addresses_does_not_wrap)
{
	struct ept_range ranges[] = {{~0xfffULL, ~0ULL}, {0x1000, ~0ULL}};

	small_ram(0, 16 * MiB);
	ept_noncoherent_change(&ept, &cpu, 1);
	touch_pages(0, 2);
	assert_int_equal(ept_type_changed(&ept, ranges, 1), 0);
	assert_int_equal(ept_type_changed(&ept, ranges, 2), 1);
	assert_int_equal(level_of(0), 1);
}

TEST(a_fault_computed_before_a_transition_is_not_installed_after_it)
{
	struct ept_fill fill;

	large_ram(0, 4 * MiB);
	assert_int_equal(ept_fault_begin(&ept, &cpu, 0, true, &fill), 0);
	ept_noncoherent_change(&ept, &cpu, 1);
	assert_int_equal(ept_fault_install(&ept, &fill), -EAGAIN);
	assert_int_equal(level_of(0), 0);
	assert_int_equal(ept.stats.retries, 1);
	assert_int_equal(ept_fault_begin(&ept, &cpu, 0, true, &fill), 0);
	assert_int_equal(ept_fault_install(&ept, &fill), 0);
	assert_int_equal(bits_of(0), 0); /* MTRRs are off: UC */
}

TEST(a_fault_computed_before_any_change_is_not_installed_after_it)
{
	struct ept_range all = {0, SPACE};
	struct ept_fill fill;

	large_ram(0, 4 * MiB);
	ept_noncoherent_change(&ept, &cpu, 1);
	for (unsigned change = 0; change < 5; change++) {
		assert_int_equal(ept_fault_begin(&ept, &cpu, 0, true, &fill), 0);
		if (change == 0)
			ept_zap_all(&ept);
		else if (change == 1)
			ept_type_changed(&ept, &all, 1);
		else if (change == 2)
			assert_int_equal(ept_slot_add(&ept, RAM(GiB, 4 * MiB, 0)), 0);
		else if (change == 3)
			assert_int_equal(ept_slot_remove(&ept, GiB), 0);
		else
			assert_int_equal(ept_slot_remove(&ept, 0), 0);
		assert_int_equal(ept_fault_install(&ept, &fill), -EAGAIN);
		assert_int_equal(level_of(0), 0);
	}
}

TEST(two_faults_on_one_page_install_one_leaf)
{
	struct ept_fill first, second;

	large_ram(0, 4 * MiB);
	assert_int_equal(ept_fault_begin(&ept, &cpu, 0, true, &first), 0);
	assert_int_equal(ept_fault_begin(&ept, &cpu, 0x1000, true, &second), 0);
	assert_int_equal(ept_fault_install(&ept, &first), 0);
	assert_int_equal(first.level, 2);
	assert_int_equal(ept_fault_install(&ept, &second), 0);
	assert_int_equal(second.level, 0); /* installed none */
	assert_int_equal(ept.stats.installed[2], 1);
}

/* The first lock is taken after begin: a transition there makes ept_fault() compute again. */
static void transition_in_lock(void *ctx)
{
	struct ept_world *world = ctx;

	if (ept.noncoherent == 0) {
		ept.noncoherent = 1;
		ept.generation++;
	}
	world_lock(world);
}

TEST(ept_fault_computes_again_when_a_transition_came_between)
{
	large_ram(0, 4 * MiB);
	wrmsr(0x2ff, 0x800 | MEMTYPE_WT);
	ept.host.lock = transition_in_lock;
	touch(0);
	assert_int_equal(bits_of(0), MEMTYPE_WT << 3);
	assert_int_equal(ept.stats.retries, 1);
}

static void remove_in_lock(void *ctx)
{
	world_lock(ctx);
	if (ept.slot[0].size) {
		ept.slot[0].size = 0;
		ept.generation++;
	}
}

TEST(ept_fault_finds_out_that_its_slot_has_gone)
{
	large_ram(0, 4 * MiB);
	ept.host.lock = remove_in_lock;
	assert_int_equal(serve_fault(&ept, &cpu, 0, true), -ENOENT);
}
