/* SPDX-License-Identifier: MIT */
/*
 * The loader of multiboot1 images (Multiboot 0.6.96): a row of the table in load.c.
 */
#ifndef HV_LOAD_MULTIBOOT_H
#define HV_LOAD_MULTIBOOT_H

#include "hv/load/load.h"

/* Whether there is a multiboot header (3.1) in the first 8192 bytes of the image. */
bool multiboot_probe(const uint8_t *image, size_t size);

/*
 * Load the image and the initrd, and leave the information (3.3) in a page of RAM that neither
 * covers: at 0x9000 where that is free. As load_image().
 */
int multiboot_load(const struct load_job *job, struct load_entry *entry, const char **problem);

#endif
