/* SPDX-License-Identifier: MIT */
/*
 * A multiboot1 guest image (Multiboot 0.6.96): ELF32, ELF64 with a 32-bit entry, or the header's
 * own load addresses. Pure: copies from one buffer into another, and checks every number of the
 * image before it is used.
 */
#pragma once

#include "hv/load/load.h"

struct elf_image {
	uint32_t entry;      /* guest-physical, in what was loaded */
	uint64_t start, end; /* guest-physical bounds of what was loaded */
	/* Bit n of word n / 64: a segment covers a byte of page n, of the pages below 1 MiB. */
	uint64_t covered[4];
};

/* Whether image[0..size) has a multiboot header (Multiboot 3.1) where one is looked for. */
bool elf_has_multiboot(const uint8_t *image, size_t size);

/* Whether a segment covers a byte of the page at gpa, which is below 1 MiB. */
bool elf_covers_page(const struct elf_image *loaded, uint64_t gpa);

/*
 * Load the job's image. NULL, or what was found and expected when it is no image, is truncated or
 * lies: segments outside RAM or the file, larger than RAM in sum, an entry in none of them. RAM may
 * be partly written then.
 */
const char *elf_load(const struct load_job *job, struct elf_image *loaded);
