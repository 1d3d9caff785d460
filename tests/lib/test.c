/* SPDX-License-Identifier: MIT */
/* The main program of every unit test: all tests that TEST() has written down, by their lines. */
#include <stdlib.h>

#include "tests/lib/test.h"

#define TESTS_MAX 64

static struct CMUnitTest tests[TESTS_MAX];
static unsigned lines[TESTS_MAX], count;

void add_test(unsigned line, const struct CMUnitTest *test)
{
	unsigned at = count++;

	if (count > TESTS_MAX) abort();
	for (; at && lines[at - 1] > line; at--) {
		lines[at] = lines[at - 1];
		tests[at] = tests[at - 1];
	}
	lines[at] = line;
	tests[at] = *test;
}

int main(void) { return _cmocka_run_group_tests("tests", tests, count, NULL, NULL); }
