/* SPDX-License-Identifier: MIT */
/* hv/dev/timers.c: when the first is due, and that each fires once. */

#include "tests/lib/test.h"
#include "tests/lib/between.h"
#include "hv/dev/timers.h"

static struct timers timers;
static struct timer first, second;
static unsigned fired, told;

static void count(void *device) { (*(unsigned *)device)++; }

static void again(void *device)
{
	count(device);
	timer_set(&timers, &second, 50000);
}

static int set_up(void **state)
{
	(void)state;
	fired = told = 0;
	timers_init(&timers, count, &told);
	timers_add(&timers, &first, count, &fired);
	timers_add(&timers, &second, again, &fired);
	return 0;
}

/* Each test here has this fixture. */
#undef TEST
#define TEST(name) TEST_WITH(name, set_up, NULL)

TEST(none_is_due_until_one_is_set)
{
	assert_int_equal(timers.due, TIMER_OFF);
	timers_poll(&timers, TIMER_OFF - 1);
	assert_int_equal(fired, 0);
}

TEST(the_first_counts_and_fires_once)
{
	timer_set(&timers, &second, 200);
	timer_set(&timers, &first, 100);
	assert_int_equal(timers.due, 100);
	timers_poll(&timers, 99);
	assert_int_equal(fired, 0);
	timers_poll(&timers, 100);
	assert_int_equal(fired, 1);
	assert_int_equal(timers.due, 200);
	timer_set(&timers, &second, TIMER_OFF);
	assert_int_equal(timers.due, TIMER_OFF);
}

TEST(one_that_sets_itself_again_leaves_time)
{
	timer_set(&timers, &second, 200);
	timers_poll(&timers, 49999);
	assert_int_equal(timers.due, 49999 + timer_shortest);
}

TEST(one_that_fires_may_be_set_again)
{
	timer_set(&timers, &second, 200);
	timers_poll(&timers, 300);
	assert_int_equal(fired, 1);
	assert_int_equal(timers.due, 50000);
}

/* A CPU in its guest has set its timer by what was due first. */
TEST(who_waits_is_told_of_what_is_due_sooner_and_of_nothing_else)
{
	timer_set(&timers, &first, 100);
	assert_int_equal(told, 1);
	timer_set(&timers, &second, 200);
	timer_set(&timers, &first, 300);
	assert_int_equal(told, 1);
	timer_set(&timers, &first, 50);
	assert_int_equal(told, 2);
	timers_poll(&timers, 200);
	assert_int_equal(told, 2);
}

static void first_is_still_due(void) { assert_int_equal(timers.due, 100); }

/* The CPU of vCPU 0 looks when it goes to sleep, and holds no lock. */
TEST(while_another_is_set_the_first_is_due_all_the_time)
{
	timer_set(&timers, &first, 100);
	between_begin(first_is_still_due);
	timer_set(&timers, &second, 200);
	assert_true(between_end() > 10);
}
