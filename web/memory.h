/* SPDX-License-Identifier: MIT */
/*
 * The bytes of the host's memory, as far as anybody has written any: a page that was never written
 * reads as zeroes and costs nothing.
 */
#pragma once

#include <stdint.h>

#include "lib/bits.h"

#define MEMORY_PAGES 256

struct memory {
	unsigned pages;
	struct memory_page {
		uint64_t hpa;
		uint8_t byte[PAGE_SIZE];
	} page[MEMORY_PAGES];
};

/* The byte at a host address. */
uint8_t memory_read(const struct memory *memory, uint64_t hpa);
/* The page at 'from', whole, to 'to'. */
void memory_copy(struct memory *memory, uint64_t to, uint64_t from);
/* Dropped where MEMORY_PAGES pages have been written already. */
void memory_write(struct memory *memory, uint64_t hpa, uint8_t byte);
