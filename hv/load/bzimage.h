/* SPDX-License-Identifier: MIT */
/*
 * The loader of Linux kernels, bzImage files (Linux's Documentation/x86/boot.rst, protocol 2.10 or
 * later): a row of the table in load.c.
 */
#ifndef HV_LOAD_BZIMAGE_H
#define HV_LOAD_BZIMAGE_H

#include "hv/load/load.h"

/* Whether the image has the boot sector's mark and "HdrS" where a kernel has them. */
bool bzimage_probe(const uint8_t *image, size_t size);

/*
 * Load the kernel where it asks to be, the initrd at the end of low RAM, and leave its parameters
 * (the "zero page") and its command line below the hole. As load_image().
 */
const char *bzimage_load(const struct load_job *job, struct load_entry *entry);

#endif
