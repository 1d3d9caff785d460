/* SPDX-License-Identifier: MIT */
/*
 * What tests/ept_world.h needs of a C library, where there is none: in the page. One world lives at
 * a time, so memory is a stretch that is given out from the bottom, and munmap() gives it all back.
 */
#pragma once

#include <stddef.h>

/* Zeroed; the page ends with a trap where none is left. */
void *calloc(size_t count, size_t size);
static inline void free(void *memory) { (void)memory; }
static inline void abort(void) { __builtin_trap(); }
