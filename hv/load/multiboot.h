/* SPDX-License-Identifier: MIT */
/*
 * The loader of multiboot1 images (Multiboot 0.6.96): a row of the table in load.c.
 */
#ifndef HV_LOAD_MULTIBOOT_H
#define HV_LOAD_MULTIBOOT_H

#include "hv/load/load.h"

/*
 * Load the image and the initrd, and leave the information (3.3) in a page of RAM that neither
 * covers: at 0x9000 where that is free. As load_image().
 */
const char *multiboot_load(const struct load_job *job, struct load_entry *entry);

#endif
