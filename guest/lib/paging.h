/* SPDX-License-Identifier: MIT */
/*
 * The guest's own page tables: entry.asm leaves an identity map of 4 GiB in 2M pages, all of
 * them write-back by PAT; these change single 4K pages of it, or map pages elsewhere.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Map the 4K page at 'virtual' to 'physical'; either may be anywhere the CPU can address. */
void page_map(uint64_t virtual, uint64_t physical);
/* Select PAT entry n (0-7) for the page. */
void page_set_pat(uint64_t virtual, unsigned n);
/* Take the page's mapping away (an access is a #PF), or give it back. */
void page_set_present(uint64_t virtual, bool present);
/* Forbid writing the page (at CPL 0 with CR0.WP = 1), or allow it. */
void page_set_writable(uint64_t virtual, bool writable);
/* Drop all cached translations that are not global. */
void tlb_flush(void);
