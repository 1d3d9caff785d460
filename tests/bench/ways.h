/* SPDX-License-Identifier: MIT */
/* The ways to change types, measured side by side: tests/bench/ways.c. */
#ifndef TESTS_BENCH_WAYS_H
#define TESTS_BENCH_WAYS_H

#include <stdbool.h>

/* Print a table for so many pages; holes: the worst case of the MTRRs, where types differ page by page. */
void ways(unsigned pages, bool large, bool holes);

#endif
