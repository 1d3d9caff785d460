/* SPDX-License-Identifier: MIT */
/*
 * Starting the CPUs that the firmware lists beside the one that booted (SDM 3A 9.4).
 */
#ifndef HV_MACHINE_START_H
#define HV_MACHINE_START_H

#include <stdbool.h>
#include <stdint.h>

#include "boot/madt.h"
#include "boot/multiboot2.h"

/*
 * Read the firmware's list. Call while all memory below 4 GiB is mapped: before paging_init(), and
 * give that the address of the APICs, 0 when there are none. Says in one line why there is but
 * one CPU, if so.
 */
uint64_t cpus_find(const struct boot_info *boot);

/*
 * Start them one by one. Each calls ready() on itself, which says whether it can run guests, and
 * then main(), which does not return. Those that can are in cpus[] when this returns; of the
 * others a line tells. 'info' is the loader's information, which the trampoline leaves alone.
 */
void cpus_start(const struct boot_info *boot, const void *info, uint64_t tsc_hz, bool (*ready)(void),
		void (*run)(void));

#endif
