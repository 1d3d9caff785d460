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

/* Where all tables but the root are missing; leaves of 4K. */
#define FAR (512 * GiB)

static void far_ram(uint64_t size) { assert_int_equal(ept_slot_add(&ept, RAM(FAR, size, 16 * GiB + PAGE_SIZE)), 0); }

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

TEST(neither_new_tables_nor_the_first_leaf_of_one_that_is_there_take_it)
{
	several_cpus();
	far_ram(MiB);
	assert_int_equal(locks_of(2 * MiB), 0);
	assert_int_equal(locks_of(FAR), 0); /* three tables */
	assert_int_equal(ept.stats.tables, 8);
	consistent();
	assert_int_equal(ept_slot_remove(&ept, FAR), 0);
	assert_int_equal(ept.stats.tables, 5);
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

/* The last table is in the hands of another CPU, which gives it back or links it before it leaves. */
static void lock_when_others_are_done(void *ctx)
{
	world_lock(ctx);
	w.fail_from = 0;
}

TEST(who_finds_no_table_takes_the_lock)
{
	several_cpus();
	far_ram(MiB);
	ept.host.lock = lock_when_others_are_done;
	w.fail_from = w.allocs + 1;
	assert_int_equal(locks_of(2 * MiB), 1);
	expect_leaf(2 * MiB, 1, (8 * GiB + 2 * MiB + PAGE_SIZE) | EPT_RWX | WB_IPAT);
	ept.host.lock = world_lock;
	w.fail_from = w.allocs + 1;
	assert_int_equal(serve_fault(&ept, &cpu, FAR, true), -ENOMEM);
}

/* While a CPU has a new table in hand, another's fault at 'wanted' is served. */
static const struct ept_cpu *faster;
static uint64_t wanted;

static uint64_t alloc_and_be_slow(void *ctx)
{
	uint64_t table = world_alloc(ctx);

	ept.host.alloc_table = world_alloc;
	assert_int_equal(serve_fault(&ept, faster, wanted, true), 0);
	return table;
}

/* Returns the level of the slower one's leaf. Neither takes the lock. */
static unsigned race(uint64_t gpa, const struct ept_cpu *first, uint64_t first_gpa)
{
	unsigned locks = w.lock_calls;
	struct ept_fill fill;

	faster = first;
	wanted = first_gpa;
	ept.host.alloc_table = alloc_and_be_slow;
	assert_int_equal(ept_fault(&ept, &cpu, gpa, true, &fill), 0);
	assert_ptr_equal(ept.host.alloc_table, world_alloc);
	assert_int_equal(w.lock_calls, locks);
	consistent();
	return fill.level;
}

TEST(of_two_new_tables_for_one_place_the_second_goes_back)
{
	several_cpus();
	far_ram(4 * MiB);
	assert_int_equal(race(2 * MiB, &cpu, 2 * MiB + PAGE_SIZE), 1);
	assert_int_equal(ept.stats.tables, 5);
	assert_int_equal(race(FAR + 2 * MiB, &cpu, FAR), 1); /* a PDPT, a PD, and a table for each */
	assert_int_equal(ept.stats.tables, 9);
	assert_int_equal(ept_zap_all(&ept), 6);
}

/* A retype back sets bits where it may: where no leaf has had one that the new type lacks (ept->seen). */
TEST(the_first_leaf_of_a_type_takes_no_lock_and_a_retype_knows_of_it)
{
	several_cpus();
	ept.transition = EPT_TRANSITION_RETYPE;
	ept_noncoherent_change(&ept, &cpu, 1);
	mtrr_all_wb();
	wrmsr(0x200, 2 * MiB | MEMTYPE_WC);
	wrmsr(0x201, (BIT(39) - 2 * MiB) | 0x800);
	assert_int_equal(locks_of(2 * MiB), 0);
	touch_pages(2 * MiB, 512);
	assert_int_equal(bits_of(2 * MiB), MEMTYPE_WC << 3);
	ept_noncoherent_change(&ept, &cpu, -1);
	assert_int_equal(bits_of(2 * MiB), WB_IPAT);
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

TEST(a_table_goes_back_where_another_has_put_a_large_leaf)
{
	two_minds(4 * MiB);
	assert_int_equal(ept_slot_remove(&ept, GiB), 0);
	large_ram(GiB, 4 * MiB);
	touch(GiB + 2 * MiB); /* their PD is there */
	assert_int_equal(race(GiB, &other, GiB + MiB), 0);
	assert_int_equal(level_of(GiB), 2);
}

/* Two CPUs fill one table, with types that differ: what is there stays. */
TEST(faults_that_fill_tables_take_no_lock)
{
	struct ept_fill late;

	two_minds(4 * MiB);
	ept.fill = EPT_FILL_TABLE;
	assert_int_equal(ept_slot_add(&ept, RAM(FAR, MiB, 16 * GiB)), 0);
	assert_int_equal(ept_fault_begin(&ept, &cpu, FAR + PAGE_SIZE, true, &late), 0);
	assert_int_equal(locks_of(FAR), 0);
	assert_int_equal(level_of(FAR + MiB - PAGE_SIZE), 1);
	assert_int_equal(ept_fault_install(&ept, &late), 0);
	assert_int_equal(late.level, 0);
	assert_int_equal(ept_zap_all(&ept), 1 + 256);
	assert_int_equal(serve_fault(&ept, &other, GiB + MiB, true), 0); /* over the table, by the lock */
	assert_int_equal(level_of(GiB), 2);
}

static void no_copy(void *ctx, uint64_t to, uint64_t from)
{
	(void)ctx;
	fail_msg("0x%lx to 0x%lx", from, to);
}

TEST(pages_of_two_copies_and_a_lock_that_is_held_long_take_the_lock)
{
	several_cpus();
	may_share = false;
	assert_int_equal(locks_of(2 * PAGE_SIZE), 1);
	may_share = true;
	ept.fill = EPT_FILL_TABLE;
	ept.host.copy_page = no_copy;
	assert_int_equal(locks_of(2 * MiB), 1);
	assert_int_equal(level_of(2 * MiB + PAGE_SIZE), 1);
}
