/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own address space: physical = virtual for all RAM, with the image's segments
 * as linked (W^X), no-execute everywhere else, and nothing at page 0 and the stacks' guard pages.
 */
#pragma once

/*
 * Build the tables for all RAM below memory_top(), and for the 2 MiB of devices around the local
 * APIC, uncached; load them. Panics without memory.
 */
void paging_init(void);
