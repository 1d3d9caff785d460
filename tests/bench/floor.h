/* SPDX-License-Identifier: MIT */
/*
 * The least that a zap, a map or a walk can cost: loops over the very table pages of ept/,
 * compiled with the flags of ept/. tests/bench/ept_bench.c divides by them.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* One plain 64-bit store for each of the 512 entries of each table. */
void floor_store(uint64_t *const *tables, size_t count, uint64_t value);
/* The same pages cleared by the C library. */
void floor_memset(uint64_t *const *tables, size_t count);
/* Four dependent loads for each address: what any page walk must do. Returns a sum to keep. */
uint64_t floor_chase(uint64_t root, uint64_t phys_offset, const uint64_t *gpas, size_t count);
