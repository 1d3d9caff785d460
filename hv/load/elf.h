/* SPDX-License-Identifier: MIT */
/*
 * A multiboot1 guest image (Multiboot 0.6.96): ELF32, ELF64 with a 32-bit entry, or the header's
 * own load addresses. Pure: copies from one buffer into another, and checks every number of the
 * image before it is used.
 */
#ifndef HV_LOAD_ELF_H
#define HV_LOAD_ELF_H

#include <stddef.h>
#include <stdint.h>

/*
 * Where the image may be loaded: RAM is [0, low_end) and [high_start, high_end), both below
 * 4 GiB, and of it [info_start, info_end) is kept for the loader's information.
 */
struct elf_target {
	uint8_t *memory; /* host address of guest-physical 0 */
	uint64_t low_end;
	uint64_t high_start, high_end;
	uint64_t info_start, info_end;
};

struct elf_image {
	uint32_t entry;      /* guest-physical, in what was loaded */
	uint64_t start, end; /* guest-physical bounds of what was loaded */
};

/*
 * Load image[0..size). 0; -ENOEXEC with *problem saying what was found and expected (a static
 * string) when it is no image, is truncated or lies: segments outside RAM or the file, larger than
 * RAM in sum, an entry in none of them. The target may be partly written then.
 */
int elf_load(const uint8_t *image, size_t size, const struct elf_target *target,
	     struct elf_image *loaded, const char **problem);

#endif
