/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own address space: physical = virtual for all RAM, with the image's segments
 * as linked (W^X), no-execute everywhere else, and nothing at page 0 and the stacks' guard pages.
 */
#ifndef HV_MACHINE_PAGING_H
#define HV_MACHINE_PAGING_H

#include <stdint.h>

/*
 * Build the tables for all RAM below memory_top(), and for the 2 MiB of devices around the local
 * APIC, uncached; load them. Panics without memory.
 */
void paging_init(void);

#endif
