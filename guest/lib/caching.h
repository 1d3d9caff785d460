/* SPDX-License-Identifier: MIT */
/*
 * The guest's own means to choose memory types: MTRRs, PAT and CR0.CD (which page
 * selects which PAT entry: paging.h). Each follows the sequence the SDM asks for. Types: enum
 * memtype (ept/memtype.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ept/memtype.h"

/*
 * Variable range n covers [base, base + size) with 'type'; size is a power of two of at least
 * 4K, base a multiple of it. Size 0 switches the range off. (SDM 3A 12.11.7.2, 12.11.8)
 */
void mtrr_set(unsigned n, uint64_t base, uint64_t size, enum memtype type);
/* The default type, with fixed ranges and MTRRs enabled. */
void mtrr_set_default(enum memtype type);
/* Number of variable ranges. */
unsigned mtrr_variable_count(void);

/* CR0.CD, with the WBINVD that belongs to setting it (SDM 3A 12.5.3). NW stays 0. */
void cache_disable(bool disable);

/* PAT entry n (0-7) selects 'type' (SDM 3A 12.12.4). */
void pat_set(unsigned n, enum memtype type);
