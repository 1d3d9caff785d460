/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own address space: physical = virtual for all RAM, with the image's segments
 * as linked (W^X), no-execute everywhere else, and nothing at page 0 and the stacks' guard pages.
 */
#ifndef HV_MACHINE_PAGING_H
#define HV_MACHINE_PAGING_H

#include <stdint.h>

/*
 * Build the tables for all RAM below memory_top(), and for the 2 MiB of devices around 'apic'
 * unless that is 0, uncached; load them. Panics without memory.
 */
void paging_init(uint64_t apic);
/* Take a page of RAM out: a guard page. Panics without memory. */
void paging_unmap(uint64_t page);

#endif
