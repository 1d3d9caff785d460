/* SPDX-License-Identifier: MIT */
/*
 * What GRUB tells: the multiboot2 information (Multiboot2 specification 3.6), read once at boot
 * with every offset checked against the size GRUB gave. Pure: it reads the bytes it is given.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define MULTIBOOT2_LOADER_MAGIC 0x36d76289

#define BOOT_MODULES 32
#define BOOT_RANGES  64

struct boot_module {
	uint64_t start;   /* physical */
	uint64_t size;    /* bytes */
	const char *line; /* the words after the file's name, NUL-terminated */
};

struct boot_range {
	uint64_t start, size;
};

struct boot_info {
	const char *line; /* the hypervisor's own options; "" when there are none */
	struct boot_module module[BOOT_MODULES];
	unsigned modules;
	struct boot_range ram[BOOT_RANGES]; /* available RAM, as listed, unsorted */
	unsigned ram_ranges;
	const void *rsdp; /* a copy of ACPI's, the newest kind there is, or NULL */
	uint32_t rsdp_size;
};

/*
 * Read the information at 'info', of which 'limit' bytes may be touched. NULL, or the name of what
 * is wrong: too short, a tag that runs over the end, a string without end, no memory map, too many
 * modules. Ranges beyond BOOT_RANGES are left unused.
 */
const char *multiboot2_parse(const void *info, size_t limit, struct boot_info *boot);
