/* SPDX-License-Identifier: MIT */
/* The ways to change types, measured side by side: tests/bench/ways.c. */
#pragma once

#include <stdbool.h>

/*
 * Print a table for so many pages; holes: the worst case of the MTRRs, where types differ page by page;
 * count: each way once, for who counts instructions, without a look at the types.
 */
void ways(unsigned pages, bool large, bool holes, bool count);
