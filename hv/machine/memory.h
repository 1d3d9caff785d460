/* SPDX-License-Identifier: MIT */
/*
 * The machine's RAM: large zeroed pieces for guests, single zeroed pages for tables. Physical
 * and virtual addresses are the same (hv/machine/paging.h), so a page is named by its address.
 */
#pragma once

#include "boot/multiboot2.h"

/*
 * Take all RAM that GRUB lists, but for the first MiB, the image, the modules and the boot
 * information (which are left where they are). Only the first 4 GiB can be touched then.
 */
void memory_init(const struct boot_info *boot, const void *info);

/* All RAM below 'end' is mapped now (4 GiB until then): hand it out too. */
void memory_reach(uint64_t end);

/*
 * A zeroed piece: size in bytes, rounded up to 4K; align a power of two, at least 4K. 0 when there is none.
 * Zeroing takes a tick for 8 bytes.
 */
uint64_t memory_alloc(uint64_t size, uint64_t align);
/* Put bytes there, or zeroes where 'from' is NULL. A tick for 8 bytes, too. */
void memory_put(uint8_t *to, const uint8_t *from, size_t size);
/* If not NULL, both call it between parts of much memory, without a lock of their own. */
extern void (*memory_pause)(void);
/* Give such a piece back. It is joined with what is free beside it. */
void memory_free(uint64_t start, uint64_t size);

/* A zeroed 4K page, or 0. page_free() gives one back. */
uint64_t page_alloc(void);
void page_free(uint64_t page);

/* Bytes not handed out, in how many pieces, and the first address above all RAM. */
uint64_t memory_left(void);
unsigned memory_pieces(void);
uint64_t memory_top(void);

/*
 * One word per page of RAM, [address >> 12], for whoever owns the page (ept/ counts the present
 * entries of a table there).
 */
extern uint32_t *page_word;
