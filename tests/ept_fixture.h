/* SPDX-License-Identifier: MIT */
/*
 * What the unit tests of ept/ share: one fake machine, one EPT, one CPU, and checks in cmocka's
 * words. Included once by each test program.
 */
#pragma once

#include "tests/lib/test.h"
#include "tests/ept_world.h"

#define SPACE        (1ULL << 48)
#define WB           0x30ULL
#define UC_IPAT      0x40ULL
#define WB_IPAT      0x70ULL /* type WB, ignore PAT */
#define RAM(g, s, h) (&(struct ept_slot){.gpa = (g), .size = (s), .hpa = (h), .kind = EPT_SLOT_RAM})

static struct ept_world w;
static struct ept ept;
static struct mtrr mtrr;
static struct ept_cpu cpu;
static const struct ept_caps all_caps = {
	.large_2m = true, .large_1g = true, .accessed_dirty = true, .address_width = 39};

static inline int setup(void **state)
{
	(void)state;
	world_init(&w, 4096);
	mtrr_reset(&mtrr, 39);
	cpu = (struct ept_cpu){.mtrr = &mtrr, .cd = false};
	return ept_init(&ept, &w.host, &all_caps, MEMTYPE_KVM_6_7);
}

static inline void consistent(void)
{
	const char *broken = world_check(&w, &ept, NULL);

	if (broken) fail_msg("%s", broken);
}

static inline int teardown(void **state)
{
	(void)state;
	consistent();
	ept_destroy(&ept);
	assert_int_equal(w.tables, 0);
	assert_int_equal(w.errors, 0);
	world_destroy(&w);
	return 0;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	struct ept_range changed[MTRR_CHANGE_MAX];
	unsigned count;

	assert_int_equal(mtrr_write(&mtrr, msr, value, changed, &count), 0);
	ept_type_changed(&ept, changed, count);
}

/* Default type WB, no ranges. */
static inline void mtrr_all_wb(void) { wrmsr(0x2ff, 0x806); }

static inline void touch(uint64_t gpa) { assert_int_equal(serve_fault(&ept, &cpu, gpa, true), 0); }

static inline void expect_leaf(uint64_t gpa, unsigned level, uint64_t entry)
{
	unsigned found;
	uint64_t leaf = ept_walk(&ept, gpa, &found);

	assert_int_equal(found, level);
	assert_int_equal(leaf, entry);
}

/* Memory that can only be mapped by 4K leaves: the host address is off by a page. */
static inline void small_ram(uint64_t gpa, uint64_t size)
{
	assert_int_equal(ept_slot_add(&ept, RAM(gpa, size, 8 * GiB + gpa + 0x1000)), 0);
}

static inline void large_ram(uint64_t gpa, uint64_t size)
{
	assert_int_equal(ept_slot_add(&ept, RAM(gpa, size, 8 * GiB + gpa)), 0);
}

static inline void touch_pages(uint64_t gpa, unsigned pages)
{
	for (unsigned i = 0; i < pages; i++) touch(gpa + i * PAGE_SIZE);
}

static inline unsigned level_of(uint64_t gpa)
{
	unsigned level;

	ept_walk(&ept, gpa, &level);
	return level;
}

static inline uint64_t bits_of(uint64_t gpa)
{
	unsigned level;

	return ept_walk(&ept, gpa, &level) & (EPT_TYPE | EPT_IGNORE_PAT);
}

/* Each test has that EPT; when it ends, the EPT must be consistent and all its tables free. */
#undef TEST
#define TEST(name) TEST_WITH(name, setup, teardown)
