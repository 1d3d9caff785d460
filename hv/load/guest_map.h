/* SPDX-License-Identifier: MIT */
/*
 * Where a VM's memory lies in its physical address space: from 0 with a PC's hole below 1 MiB, and
 * what exceeds 3 GiB above 4 GiB. Needed where a VM is created, and by every loader. Pure.
 */
#pragma once

#include "ept/ept.h"

/* RAM ends here, and goes on at 1 MiB. */
#define GUEST_HOLE_START 0xa0000ULL

struct guest_map {
	uint64_t low_end;  /* of RAM below 4 GiB */
	uint64_t high_end; /* of RAM above 4 GiB; 0: there is none */
	struct ept_slot slot[4];
	unsigned slots;
};

/* For 'size' bytes, at least 2 MiB, that lie contiguously at host-physical 'ram'. */
void guest_map_make(struct guest_map *map, uint64_t size, uint64_t ram);
