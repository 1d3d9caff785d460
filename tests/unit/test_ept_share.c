/* SPDX-License-Identifier: MIT */
/*
 * ept/: leaves that several CPUs install at once, without the lock: which do, and which may not.
 * (tests/threads does it with threads.)
 */
#include <errno.h>

#include "tests/lib/test.h"
#include "tests/ept_fixture.h"

static unsigned shared;
static bool may_share;

static bool share(void *ctx)
{
	struct ept_world *world = ctx;

	world->errors += world->locked;
	shared += may_share;
	return may_share;
}

static void unshare(void *ctx)
{
	(void)ctx;
	shared--;
}

/* From here on the EPT has several CPUs; pages 0 and 1 of [0, 4M) have small leaves. */
static void several_cpus(void)
{
	small_ram(0, 4 * MiB);
	may_share = true;
	shared = 0;
	ept.host.share = share;
	ept.host.unshare = unshare;
	touch(0);
	touch(PAGE_SIZE);
}

/* Touch it: how often was the lock taken for that? */
static unsigned locks_of(uint64_t gpa)
{
	unsigned before = w.lock_calls;

	touch(gpa);
	assert_int_equal(shared, 0);
	return w.lock_calls - before;
}

TEST(a_leaf_beside_others_takes_no_lock)
{
	several_cpus();
	assert_int_equal(locks_of(2 * PAGE_SIZE), 0);
	expect_leaf(2 * PAGE_SIZE, 1, (8 * GiB + 3 * PAGE_SIZE) | EPT_RWX | WB_IPAT);
	assert_int_equal(ept.stats.installed[1], 3);
}

TEST(a_new_table_takes_it_and_the_first_leaf_of_one_that_is_there_does_not)
{
	several_cpus();
	assert_int_equal(locks_of(2 * MiB), 1);
	assert_int_equal(locks_of(2 * MiB + PAGE_SIZE), 0);
	ept_zap_all(&ept);
	assert_int_equal(locks_of(0), 0);
	assert_int_equal(locks_of(PAGE_SIZE), 0);
	assert_int_equal(ept_zap_all(&ept), 2); /* all tables above are live again */
	assert_int_equal(ept_zap_all(&ept), 0);
}

TEST(who_comes_second_finds_the_leaf)
{
	struct ept_fill first, second;

	several_cpus();
	assert_int_equal(ept_fault_begin(&ept, &cpu, 2 * PAGE_SIZE, true, &first), 0);
	assert_int_equal(ept_fault_begin(&ept, &cpu, 2 * PAGE_SIZE, true, &second), 0);
	assert_int_equal(ept_fault_install(&ept, &first), 0);
	assert_int_equal(first.level, 1);
	assert_int_equal(ept_fault_install(&ept, &second), 0);
	assert_int_equal(second.level, 0);
	assert_int_equal(ept.stats.installed[1], 3);
}

TEST(what_was_computed_before_a_transition_is_refused)
{
	struct ept_fill fill;

	several_cpus();
	assert_int_equal(ept_fault_begin(&ept, &cpu, 2 * PAGE_SIZE, true, &fill), 0);
	ept_noncoherent_change(&ept, &cpu, 1);
	touch(0); /* its table is live again */
	assert_int_equal(ept_fault_install(&ept, &fill), -EAGAIN);
	assert_int_equal(level_of(2 * PAGE_SIZE), 0);
}

/* What a retype goes by changes under the lock alone. */
TEST(a_type_that_no_leaf_had_takes_the_lock)
{
	several_cpus();
	ept_noncoherent_change(&ept, &cpu, 1);
	mtrr_all_wb();
	wrmsr(0x200, 0x10000 | MEMTYPE_WC);
	wrmsr(0x201, (BIT(39) - 64 * KiB) | 0x800);
	assert_int_equal(locks_of(0), 0); /* WB has no bit that WB + ignore PAT has not */
	assert_int_equal(locks_of(0x10000), 1);
	assert_int_equal(locks_of(0x11000), 0);
	assert_int_equal(bits_of(0x11000), MEMTYPE_WC << 3);
}

TEST(a_large_leaf_takes_no_lock_and_is_in_the_way_of_others)
{
	struct ept_fill late;

	several_cpus();
	large_ram(GiB, 6 * MiB);
	touch(GiB + 4 * MiB); /* its table is there */
	assert_int_equal(ept_fault_begin(&ept, &cpu, GiB + PAGE_SIZE, true, &late), 0);
	assert_int_equal(locks_of(GiB), 0);
	assert_int_equal(level_of(GiB), 2);
	assert_int_equal(ept.stats.installed[2], 2);
	assert_int_equal(ept_fault_install(&ept, &late), 0);
	assert_int_equal(late.level, 0);
	assert_int_equal(ept_zap_all(&ept), 4);
}

/*
 * Two CPUs whose MTRRs differ: 'cpu' has small leaves where 'other' would have a large one, in [GiB, GiB + size). The
 * first has its leaf.
 */
static struct mtrr other_mtrr;
static const struct ept_cpu other = {.mtrr = &other_mtrr};

static void two_minds(uint64_t size)
{
	several_cpus();
	large_ram(GiB, size);
	ept_noncoherent_change(&ept, &cpu, 1);
	mtrr_all_wb();
	other_mtrr = mtrr;
	wrmsr(0x200, (GiB + 0x10000) | MEMTYPE_UC);
	wrmsr(0x201, (BIT(39) - 64 * KiB) | 0x800);
	touch(GiB);
}

TEST(a_small_leaf_comes_beside_others_where_a_large_one_might_be)
{
	unsigned before;

	two_minds(4 * MiB);
	touch(2 * MiB); /* the last table that came is another */
	before = w.lock_calls;
	assert_int_equal(serve_fault(&ept, &other, GiB + MiB, true), 0);
	assert_int_equal(w.lock_calls, before);
	assert_int_equal(level_of(GiB + MiB), 1);
	ept_zap_all(&ept);
	before = w.lock_calls;
	assert_int_equal(serve_fault(&ept, &other, GiB + MiB, true), 0);
	assert_int_equal(w.lock_calls, before + 1);
	assert_int_equal(level_of(GiB + MiB), 2); /* over the table, which has no leaf now */
}

/* The 1G leaf was begun while the table in its way had no leaf. */
TEST(a_2m_leaf_comes_where_1g_was_begun_and_a_small_leaf_came_first)
{
	struct ept_fill late;

	two_minds(GiB);
	ept_zap_all(&ept);
	assert_int_equal(ept_fault_begin(&ept, &other, GiB + 4 * MiB, true, &late), 0);
	assert_int_equal(late.level, 3);
	touch(GiB);
	assert_int_equal(ept_fault_install(&ept, &late), 0);
	assert_int_equal(late.level, 2);
	assert_int_equal(level_of(GiB + 4 * MiB), 2);
}

static void no_copy(void *ctx, uint64_t to, uint64_t from)
{
	(void)ctx;
	fail_msg("0x%lx to 0x%lx", from, to);
}

TEST(pages_of_two_copies_faults_that_fill_tables_and_a_lock_that_is_held_long_take_the_lock)
{
	several_cpus();
	may_share = false;
	assert_int_equal(locks_of(2 * PAGE_SIZE), 1);
	may_share = true;
	ept.fill = EPT_FILL_TABLE;
	assert_int_equal(locks_of(2 * MiB), 1);
	ept.fill = EPT_FILL_LEAF;
	ept.host.copy_page = no_copy;
	assert_int_equal(locks_of(3 * PAGE_SIZE), 1);
}
