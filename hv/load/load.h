/* SPDX-License-Identifier: MIT */
/*
 * hv/load: what puts a guest image into a VM's RAM. Loaders are rows of one table (load.c), each
 * for one protocol; guest_map.c says where a VM's memory lies. Pure: a loader is given buffers and
 * leaves in them what its protocol promises a guest.
 */
#pragma once

#include <stddef.h>

#include "hv/load/guest_map.h"

/* What is to be loaded, and into what. */
struct load_job {
	const uint8_t *image;
	size_t size;
	const uint8_t *initrd; /* NULL: there is none */
	size_t initrd_size;
	const char *name; /* of the VM */
	const char *command_line;
	uint8_t *ram; /* guest-physical [0, map->low_end), zeroed; only RAM of it is written */
	const struct guest_map *map;
	uint32_t rsdp; /* guest-physical address of ACPI's root pointer */
	/* Puts what may be long there: bytes, or zeroes where 'from' is NULL. */
	void (*put)(uint8_t *to, const uint8_t *from, size_t size);
};

/*
 * How the guest begins: in flat segments with these selectors, in 64-bit mode with the page tables at cr3, or,
 * where that is 0, in 32-bit protected mode without paging. gdt 0: there is none yet.
 */
struct load_entry {
	uint64_t rip, rsi, cr3, gdt;
	uint32_t eax, ebx;
	uint16_t code, data;
};
#define LOAD_GDT_LIMIT 0xfff /* a page */

/*
 * Load the image with the first loader that knows it. NULL with *entry filled; or what was found and
 * expected: it is no image, or is truncated, or lies; the command line, the initrd or what the loader
 * adds does not fit. RAM may be partly written then.
 */
const char *load_image(const struct load_job *job, struct load_entry *entry);

/* The loaders, rows of the table in load.c. A probe asks whether image[0..size) is meant for its loader. */

/*
 * Linux kernels, bzImage files (Linux's Documentation/x86/boot.rst, protocol 2.10 or later): the kernel
 * where it asks to be, the initrd at the end of low RAM, and the parameters (the "zero page"), the command
 * line, a GDT and page tables below the hole. It is entered in 64-bit mode if its header offers that.
 */
bool bzimage_probe(const uint8_t *image, size_t size);
const char *bzimage_load(const struct load_job *job, struct load_entry *entry);

/*
 * Multiboot1 images (Multiboot 0.6.96): the image, the initrd, and the information (3.3) in a page of
 * RAM that neither covers, at 0x9000 where that is free.
 */
const char *multiboot_load(const struct load_job *job, struct load_entry *entry);
