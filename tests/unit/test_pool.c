// SPDX-License-Identifier: MIT
/*
 * hv/machine/pool.h: pages that several CPUs take and give back at once. The other CPU's turn comes between every two
 * instructions of this one's, but while this one has the lock: then the other waits.
 */
#include <stdbool.h>

#include "tests/lib/between.h"
#include "tests/lib/test.h"

#include "lib/string.h"

/* It takes thousands of instructions, and nobody else has the page meanwhile: they are not gone through one by one. */
static void on_another_cpu(void);
static bool stepping;

static void *set_at_once(void *to, int value, size_t size)
{
	if (stepping) between_end();
	memset(to, value, size);
	if (stepping) between_begin(on_another_cpu);
	return to;
}

#define memset set_at_once
#include "hv/machine/pool.h"
#undef memset

#define PAGES 4

bool locks_forgotten;
static uint8_t memory[PAGES * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static struct pool pool;
static uint64_t others; /* the other CPU's page */
static unsigned steps, turn;

static void fresh_pool(void)
{
	memset(memory, 0, sizeof(memory));
	pool = (struct pool){.start = (uint64_t)memory, .size = sizeof(memory)};
}

/* It is zero, and whoever has it writes to all of it. */
static uint64_t take(void)
{
	uint64_t page = pool_take(&pool);

	if (!page) return 0;
	for (unsigned i = 0; i < PAGE_SIZE; i++) assert_int_equal(((uint8_t *)page)[i], 0);
	memset((void *)page, 0xff, PAGE_SIZE);
	return page;
}

/* What is left comes to this many pages, each once. */
static void expect_left(unsigned pages)
{
	uint64_t page, seen = 0;

	for (; (page = take()); pages--) {
		uint64_t bit = BIT((page - (uint64_t)memory) / PAGE_SIZE);

		assert_false(seen & bit);
		seen |= bit;
	}
	assert_int_equal(pages, 0);
}

TEST(all_pages_are_had_and_no_more_and_come_again)
{
	uint64_t first;

	fresh_pool();
	first = take();
	assert_int_equal(first, (uint64_t)memory);
	expect_left(PAGES - 1);
	assert_int_equal(take(), 0);
	pool_give(&pool, first);
	pool_give(&pool, first + PAGE_SIZE);
	expect_left(2);
	pool_give(&pool, first);
	assert_int_equal(take(), first);
}

/* It gives its page back and takes one. */
static void on_another_cpu(void)
{
	if (steps++ < turn || pool.lock.next != pool.lock.serving) return;
	turn = ~0U;
	stepping = false;
	pool_give(&pool, others);
	others = take();
	stepping = true;
}

static void between_all_instructions(uint64_t (*work)(uint64_t page))
{
	for (unsigned i = 0; i <= steps; i++) {
		uint64_t page;

		fresh_pool();
		pool_give(&pool, take());
		others = take();
		pool_give(&pool, take());
		page = take();
		pool_give(&pool, take());
		steps = 0;
		turn = i;
		stepping = true;
		between_begin(on_another_cpu);
		page = work(page);
		between_end();
		stepping = false;
		assert_int_not_equal(others, 0);
		assert_int_not_equal(page, others);
		expect_left(PAGES - (page ? 2 : 1));
	}
	assert_in_range(steps, 20, 2000);
}

static uint64_t give(uint64_t page)
{
	pool_give(&pool, page);
	return 0;
}

static uint64_t give_and_take(uint64_t page)
{
	pool_give(&pool, page);
	return pool_take(&pool);
}

TEST(another_cpu_may_come_between_any_two_instructions)
{
	between_all_instructions(give);
	between_all_instructions(give_and_take);
}
