// SPDX-License-Identifier: MIT
/*
 * ept/ where RAM has two host copies of each page (coherence=model): which copy a leaf leads to,
 * when a page is copied, what devices and WBINVD find. Bytes and CPUs are the model's matter; here
 * each rule is seen alone, by the copies that are asked for.
 */
#include <errno.h>

#include "ept/explain.h"
#include "ept/table.h"
#include "tests/ept_fixture.h"

#define CACHE               (8 * GiB)
#define MEMORY              (16 * GiB)
#define PAGES               64
#define LEAF(copy, n, bits) ((copy) + (n)*PAGE_SIZE + ((bits) | EPT_RWX))

static uint8_t flags[PAGES];
static struct {
	uint64_t to, from;
	unsigned flushes; /* that came before it */
	bool leaf;        /* was there a leaf of the page? */
} copied[8];
static unsigned copies;

static void copy_page(void *ctx, uint64_t to, uint64_t from)
{
	unsigned level;

	(void)ctx;
	assert_true(w.locked && copies < ARRAY_SIZE(copied));
	copied[copies].leaf = ept_find_leaf(&ept, to % CACHE, &level);
	copied[copies].flushes = w.flushes;
	copied[copies].to = to;
	copied[copies++].from = from;
}

static int setup_twice(void **state)
{
	const struct ept_slot ram = {.gpa = 0,
				     .size = PAGES * PAGE_SIZE,
				     .hpa = CACHE,
				     .kind = EPT_SLOT_RAM_TWICE,
				     .uncached_hpa = MEMORY,
				     .pages = flags};

	(void)state;
	world_init(&w, 64);
	w.host.copy_page = copy_page;
	mtrr_reset(&mtrr, 39);
	cpu = (struct ept_cpu){.mtrr = &mtrr, .cd = false};
	memset(flags, 0, sizeof(flags));
	copies = 0;
	assert_int_equal(ept_init(&ept, &w.host, &all_caps, MEMTYPE_KVM_6_7), 0);
	mtrr_all_wb();
	return ept_slot_add(&ept, &ram);
}

/* A page of the guest, touched and, as a CPU does it, noted in its leaf. */
static void cpu_touches(uint64_t page, uint64_t noted)
{
	unsigned level;

	touch(page * PAGE_SIZE);
	*ept_find_leaf(&ept, page * PAGE_SIZE, &level) |= noted;
}
#define READS  EPT_ACCESSED
#define WRITES (EPT_ACCESSED | EPT_DIRTY)

static void expect_copies(unsigned count)
{
	assert_int_equal(copies, count);
	copies = 0;
}

static void expect_copy(uint64_t to, uint64_t from, uint64_t page)
{
	assert_int_equal(copied[0].to, to + page * PAGE_SIZE);
	assert_int_equal(copied[0].from, from + page * PAGE_SIZE);
	expect_copies(1);
}

/* The page gets this type by an MTRR; noncoherent DMA is there. */
static void attach_with_type(uint64_t page, enum memtype type)
{
	if (!ept.noncoherent) ept_noncoherent_change(&ept, &cpu, 1);
	wrmsr(0x200, page * PAGE_SIZE | type);
	wrmsr(0x201, (BIT(39) - PAGE_SIZE) | 0x800);
}

static uint64_t reached[2];
static unsigned uses;

static void use(void *ctx, uint64_t hpa)
{
	(void)ctx;
	assert_true(w.locked && uses < 2);
	reached[uses++] = hpa;
}

/* What a device does, and whether it looks into the cache. */
enum { DMA_READ = false, DMA_WRITE = true, SNOOPS = false, AROUND = true };

/* A device's access of a byte of the page reaches these copies. */
static void expect_dma(uint64_t page, bool write, bool around, unsigned count, uint64_t first)
{
	uses = 0;
	assert_int_equal(ept_dma_access(&ept, page * PAGE_SIZE + 5, write, around, use, NULL), 0);
	assert_int_equal(uses, count);
	assert_int_equal(reached[0], first + page * PAGE_SIZE + 5);
	if (count == 2) assert_int_equal(reached[1], CACHE + page * PAGE_SIZE + 5);
}

/* Each test here has this fixture. */
#undef TEST
#define TEST(name) TEST_WITH(name, setup_twice, teardown)

TEST(a_leaf_of_type_wb_leads_to_the_cache_and_others_to_memory)
{
	static const enum memtype types[] = {MEMTYPE_UC, MEMTYPE_WC, MEMTYPE_WT, MEMTYPE_WP};

	touch(0);
	expect_leaf(0, 1, LEAF(CACHE, 0, WB_IPAT));
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		attach_with_type(3, types[i]);
		touch(3 * PAGE_SIZE);
		expect_leaf(3 * PAGE_SIZE, 1, LEAF(MEMORY, 3, (uint64_t)types[i] << 3));
	}
	touch(4 * PAGE_SIZE);
	expect_leaf(4 * PAGE_SIZE, 1, LEAF(CACHE, 4, WB));
}

TEST(ram_with_two_copies_has_4k_leaves_only)
{
	static uint8_t many[1024];
	const struct ept_slot large = {.gpa = GiB,
				       .size = 4 * MiB,
				       .hpa = CACHE + GiB,
				       .kind = EPT_SLOT_RAM_TWICE,
				       .uncached_hpa = MEMORY + GiB,
				       .pages = many};
	struct ept_explanation why;

	assert_int_equal(ept_slot_add(&ept, &large), 0);
	touch(GiB);
	assert_int_equal(level_of(GiB), 1);
	ept_explain(&ept, &cpu, &(struct ept_pat){0}, GiB, &why);
	assert_int_equal(why.limit, EPT_LIMIT_COPIES);
	ept_explain(&ept, &cpu, &(struct ept_pat){0}, 0, &why);
	assert_int_equal(why.limit, EPT_LIMIT_COPIES);
}

TEST(a_second_copy_lies_in_the_hosts_memory)
{
	const struct ept_slot beyond = {
		.gpa = GiB, .size = PAGE_SIZE, .hpa = CACHE, .kind = EPT_SLOT_RAM_TWICE, .uncached_hpa = BIT(39)};

	assert_int_equal(ept_slot_add(&ept, &beyond), -EINVAL);
}

TEST(before_a_wb_leaf_is_stored_a_page_not_cached_is_copied_from_memory)
{
	touch(PAGE_SIZE);
	assert_false(copied[0].leaf);
	expect_copy(CACHE, MEMORY, 1);
	touch(2 * PAGE_SIZE); /* beside it: no shorter way leaves the copy out */
	expect_copy(CACHE, MEMORY, 2);
}

TEST(a_cached_page_is_not_copied_over)
{
	cpu_touches(1, READS);
	ept_zap_all(&ept);
	copies = 0;
	touch(PAGE_SIZE);
	expect_copies(0);
}

TEST(before_another_leaf_is_stored_a_dirty_page_goes_to_memory)
{
	cpu_touches(1, WRITES);
	copies = 0;
	attach_with_type(1, MEMTYPE_UC);
	touch(PAGE_SIZE);
	assert_false(copied[0].leaf);
	assert_true(copied[0].flushes > 0); /* an INVEPT lies between the taking and the copying */
	expect_copy(MEMORY, CACHE, 1);
	assert_int_equal(flags[1], 0);
}

TEST(a_clean_page_is_never_copied_back)
{
	cpu_touches(1, READS);
	copies = 0;
	attach_with_type(1, MEMTYPE_UC);
	touch(PAGE_SIZE);
	expect_copies(0);
	assert_int_equal(flags[1], 0);
}

/* The same by a zap of each kind. */
TEST(a_leaf_that_goes_leaves_its_flags_behind)
{
	static const struct ept_range all = {0, SPACE};

	for (unsigned way = 0; way < 3; way++) {
		cpu_touches(1, WRITES);
		if (way == 0)
			ept_zap_range(&ept, PAGE_SIZE, PAGE_SIZE);
		else if (way == 1)
			ept_noncoherent_change(&ept, &cpu, 1);
		else
			ept_type_changed(&ept, &all, 1);
		copies = 0;
		ept_write_back(&ept, 0, SPACE);
		expect_copy(MEMORY, CACHE, 1);
	}
}

TEST(the_flags_of_a_uc_leaf_say_nothing)
{
	attach_with_type(1, MEMTYPE_UC);
	cpu_touches(1, WRITES);
	expect_dma(1, DMA_READ, SNOOPS, 1, MEMORY);
	ept_zap_all(&ept);
	assert_int_equal(flags[1], 0);
}

TEST(dma_around_the_cache_sees_memory_and_snooping_dma_what_is_cached)
{
	expect_dma(1, DMA_READ, AROUND, 1, MEMORY);
	expect_dma(1, DMA_READ, SNOOPS, 1, MEMORY);
	cpu_touches(1, READS);
	expect_dma(1, DMA_READ, AROUND, 1, MEMORY);
	expect_dma(1, DMA_READ, SNOOPS, 1, CACHE);
	ept_zap_all(&ept); /* by its flag it is cached still */
	expect_dma(1, DMA_READ, SNOOPS, 1, CACHE);
}

TEST(dma_writes_both_copies_but_around_a_cached_page_memory_alone)
{
	expect_dma(1, DMA_WRITE, AROUND, 2, MEMORY);
	expect_dma(1, DMA_WRITE, SNOOPS, 2, MEMORY);
	cpu_touches(1, READS);
	expect_dma(1, DMA_WRITE, SNOOPS, 2, MEMORY);
	expect_dma(1, DMA_WRITE, AROUND, 1, MEMORY);
}

TEST(dma_reaches_ram_and_nothing_else)
{
	const struct ept_slot rom = {.gpa = GiB, .size = PAGE_SIZE, .hpa = GiB, .kind = EPT_SLOT_ROM};
	const struct ept_slot once = {.gpa = 2 * GiB, .size = PAGE_SIZE, .hpa = 2 * GiB, .kind = EPT_SLOT_RAM};

	assert_int_equal(ept_slot_add(&ept, &rom), 0);
	assert_int_equal(ept_slot_add(&ept, &once), 0);
	uses = 0;
	assert_int_equal(ept_dma_access(&ept, GiB, DMA_READ, SNOOPS, use, NULL), -EFAULT);
	assert_int_equal(ept_dma_access(&ept, 3 * GiB, DMA_READ, SNOOPS, use, NULL), -EFAULT);
	assert_int_equal(uses, 0);
	assert_int_equal(ept_dma_access(&ept, 2 * GiB + 1, DMA_WRITE, AROUND, use, NULL), 0);
	assert_int_equal(uses, 1);
	assert_int_equal(reached[0], 2 * GiB + 1);
}

TEST(wbinvd_writes_back_what_is_dirty_and_leaves_its_leaf)
{
	cpu_touches(1, WRITES);
	cpu_touches(2, READS);
	copies = 0;
	ept_write_back(&ept, 0, SPACE);
	assert_int_equal(copied[0].flushes, 1); /* first the INVEPT, or a write would be missed */
	expect_copy(MEMORY, CACHE, 1);
	expect_leaf(PAGE_SIZE, 1, LEAF(CACHE, 1, WB_IPAT)); /* A and D are clear */
	expect_leaf(2 * PAGE_SIZE, 1, LEAF(CACHE, 2, WB_IPAT));
	expect_dma(2, DMA_READ, SNOOPS, 1, MEMORY);
}

TEST(wbinvd_takes_away_the_leaf_of_a_page_that_a_device_wrote_around)
{
	cpu_touches(1, READS);
	cpu_touches(2, READS);
	expect_dma(1, DMA_WRITE, AROUND, 1, MEMORY);
	ept_write_back(&ept, 0, SPACE);
	assert_int_equal(level_of(PAGE_SIZE), 0);
	assert_int_equal(level_of(2 * PAGE_SIZE), 1);
	copies = 0;
	touch(PAGE_SIZE);
	expect_copy(CACHE, MEMORY, 1);
}

TEST(wbinvd_is_no_zap)
{
	cpu_touches(1, READS);
	cpu_touches(2, READS);
	ept_zap_range(&ept, 2 * PAGE_SIZE, PAGE_SIZE);
	expect_dma(1, DMA_WRITE, AROUND, 1, MEMORY);
	ept_write_back(&ept, 0, SPACE);
	assert_int_equal(ept.stats.last_zap_leaves, 1);
	assert_int_equal(ept.stats.last_zap_tables, 1);
	assert_int_equal(ept.stats.leaves_cleared, 1);
	assert_int_equal(w.zaps, 1);
}

TEST(wbinvd_of_a_range_touches_no_other_page)
{
	for (unsigned page = 1; page < 4; page++) cpu_touches(page, WRITES);
	copies = 0;
	ept_write_back(&ept, 2 * PAGE_SIZE, PAGE_SIZE);
	expect_copy(MEMORY, CACHE, 2);
	ept_zap_all(&ept);
	ept_write_back(&ept, 2 * PAGE_SIZE, PAGE_SIZE);
	expect_copies(0);
	ept_write_back(&ept, 3 * PAGE_SIZE, PAGES * PAGE_SIZE);
	expect_copy(MEMORY, CACHE, 3);
}

TEST(an_empty_range_has_nothing_to_zap_or_write_back)
{
	cpu_touches(1, WRITES);
	copies = 0;
	assert_int_equal(ept_zap_range(&ept, PAGE_SIZE, 0), 0);
	ept_write_back(&ept, PAGE_SIZE, 0);
	expect_copies(0);
	assert_int_equal(level_of(PAGE_SIZE), 1);
}

/* Nothing is mapped: nothing has to be flushed. */
TEST(wbinvd_after_a_zap_flushes_nothing_more)
{
	cpu_touches(1, WRITES);
	ept_zap_all(&ept);
	copies = 0;
	ept_write_back(&ept, 0, SPACE);
	assert_int_equal(w.flushes, 1);
	expect_copy(MEMORY, CACHE, 1);
}

/* A page UC by MTRR, written before the attach and not touched since. */
TEST(without_the_write_back_of_a_transition_a_device_reads_old_bytes)
{
	cpu_touches(1, WRITES);
	copies = 0;
	attach_with_type(1, MEMTYPE_UC);
	expect_dma(1, DMA_READ, AROUND, 1, MEMORY);
	expect_copies(0); /* here the device read what the CPU had written over */
	ept_write_back(&ept, 0, SPACE);
	expect_copy(MEMORY, CACHE, 1);
}

static struct ept_fill fill; /* what the last emulated access installed */

static void emulate(uint64_t gpa, bool write, int error, uint64_t hpa)
{
	uses = 0;
	assert_int_equal(ept_cpu_access(&ept, &cpu, gpa, write, use, NULL, &fill), error);
	assert_int_equal(uses, error == 0);
	if (!error) assert_int_equal(reached[0], hpa);
}

TEST(an_emulated_access_goes_through_the_leaf_and_sets_its_flags)
{
	emulate(PAGE_SIZE + 9, false, 0, CACHE + PAGE_SIZE + 9);
	expect_copy(CACHE, MEMORY, 1); /* the leaf was installed */
	assert_int_equal(fill.level, 1);
	assert_int_equal(fill.bits, WB_IPAT | EPT_RWX);
	expect_leaf(PAGE_SIZE, 1, LEAF(CACHE, 1, WB_IPAT | EPT_ACCESSED));
	emulate(PAGE_SIZE, true, 0, CACHE + PAGE_SIZE);
	assert_int_equal(fill.level, 0);
	expect_leaf(PAGE_SIZE, 1, LEAF(CACHE, 1, WB_IPAT | EPT_ACCESSED | EPT_DIRTY));
	attach_with_type(2, MEMTYPE_UC);
	emulate(2 * PAGE_SIZE, true, 0, MEMORY + 2 * PAGE_SIZE);
	expect_leaf(2 * PAGE_SIZE, 1, LEAF(MEMORY, 2, 0));
}

TEST(an_emulated_access_of_what_is_no_ram_fails_as_a_fault_does)
{
	const struct ept_slot rom = {.gpa = GiB, .size = 4 * MiB, .hpa = GiB, .kind = EPT_SLOT_ROM};

	assert_int_equal(ept_slot_add(&ept, &rom), 0);
	emulate(GiB + 3 * PAGE_SIZE + 1, false, 0, GiB + 3 * PAGE_SIZE + 1);
	emulate(GiB, true, -EPERM, 0);
	emulate(3 * GiB, false, -ENOENT, 0);
	emulate(SPACE, false, -ENOENT, 0);
	w.fail_from = w.allocs + 1;
	assert_int_equal(ept_slot_add(&ept, RAM(512 * GiB, MiB, GiB)), 0);
	emulate(512 * GiB, false, -ENOMEM, 0);
}
