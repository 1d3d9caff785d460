/* SPDX-License-Identifier: MIT */
/*
 * What every unit test begins with: cmocka and what it wants included before it, and TEST(), which
 * begins a test. Its name is the rule that it proves. A test that is written is run: nobody lists it.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* Before main() (which is in test.c): this test is one of the program's, in the order of its lines. */
void add_test(unsigned line, const struct CMUnitTest *test);

/* A test with its own set-up and tear-down, either of which may be NULL. The tear-down is also done where the
 * test fails. 'state' is what the set-up left, for the few that look at it. */
#define TEST_WITH(name, set_up, tear_down)                                                                             \
	static void name(void **state);                                                                                \
	__attribute__((constructor)) static void add_##name(void)                                                      \
	{                                                                                                              \
		add_test(__LINE__,                                                                                     \
			 &(const struct CMUnitTest)cmocka_unit_test_setup_teardown(name, set_up, tear_down));          \
	}                                                                                                              \
	static void name(__attribute__((unused)) void **state)

/* Without; a file or a fixture whose tests all have the same ones defines TEST() anew. */
#define TEST(name) TEST_WITH(name, NULL, NULL)
