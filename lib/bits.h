/* SPDX-License-Identifier: MIT */
/*
 * Bits and fields of 64-bit words. A field is named by its highest and lowest bit, as the
 * manuals print them (63:32), so that a definition can be checked against the page.
 */
#pragma once

#include <stdint.h>

#define BIT(n) (UINT64_C(1) << (n))
/* Bits HIGH down to LOW, both included: BITS(5, 3) is 0x38. */
#define BITS(high, low) ((~UINT64_C(0) >> (63 - (high))) & (~UINT64_C(0) << (low)))
/* The value of the field 'mask' (a BITS()) in 'word', shifted down. */
#define FIELD(word, mask) (((uint64_t)(word) & (mask)) / ((mask) & -(mask)))
/* 'value' shifted up to where the field 'mask' is. */
#define TO_FIELD(value, mask) (((uint64_t)(value) * ((mask) & -(mask))) & (mask))

/* 'align' is a power of two. */
#define ALIGN_DOWN(x, align) ((uint64_t)(x) & ~((uint64_t)(align)-1))
#define ALIGN_UP(x, align)   ALIGN_DOWN((uint64_t)(x) + (align)-1, align)
#define IS_ALIGNED(x, align) (((uint64_t)(x) & ((uint64_t)(align)-1)) == 0)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)     ((a) < (b) ? (a) : (b))
#define MAX(a, b)     ((a) > (b) ? (a) : (b))

#define KiB       BIT(10)
#define MiB       BIT(20)
#define GiB       BIT(30)
#define PAGE_SIZE UINT64_C(4096)

/*
 * Page tables of 512 entries, the CPU's own and VT-d's: an entry of level 1 covers 4K (12 bits), of
 * level 2 2M (21), of level 3 1G (30), of level 4 512G (39). ept/ has its own, whose tables can be
 * compiled smaller.
 */
static inline unsigned page_level_shift(unsigned level) { return 12 + 9 * (level - 1); }

static inline uint64_t page_level_size(unsigned level) { return 1ULL << page_level_shift(level); }

/* Which entry of its table maps the address. */
static inline unsigned page_level_index(uint64_t address, unsigned level)
{
	return (unsigned)(address >> page_level_shift(level)) % (PAGE_SIZE / sizeof(uint64_t));
}
