/* SPDX-License-Identifier: MIT */
/*
 * Which CPUs the firmware lists: from the RSDP that the loader hands over to the MADT (ACPI 6.4
 * 5.2.5-5.2.12). Pure: it reads memory through the function it is given, and believes no length
 * that it has not compared.
 */
#pragma once

#include <stdint.h>

#define MADT_CPUS 16 /* more are not used */

struct madt {
	uint8_t apic_id[MADT_CPUS];
	unsigned cpus;   /* enabled ones with an entry above */
	unsigned listed; /* enabled ones in all */
};

/*
 * Read the MADT that 'rsdp' leads to, of which 'size' bytes are there. at() gives the memory at a
 * physical address, or NULL where it cannot be reached. NULL, or the name of the table that is not
 * there or is broken; then 'madt' is empty.
 */
const char *madt_read(const void *rsdp, uint32_t size, const void *(*at)(uint64_t address, uint64_t size),
		      struct madt *madt);
