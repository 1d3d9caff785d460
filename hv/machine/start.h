/* SPDX-License-Identifier: MIT */
/*
 * Starting the CPUs that the firmware lists beside the one that booted (SDM 3A 9.4).
 */
#pragma once

#include <stdbool.h>

#include "boot/multiboot2.h"

/*
 * Read the firmware's list. Call it before paging_init(), while all memory below 4 GiB is mapped.
 * Where there is no list, one line says so, and there is but one CPU.
 */
void cpus_find(const struct boot_info *boot);

/*
 * Start them one by one, by a clock of tsc_hz. Each calls ready() on itself, which says whether it
 * can run guests, and then run(), which does not return. Those that can are in cpus[] when this
 * returns; of the others a line tells.
 */
void cpus_start(uint64_t tsc_hz, bool (*ready)(void), void (*run)(void));
