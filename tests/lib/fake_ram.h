/* SPDX-License-Identifier: MIT */
/*
 * A guest's RAM for tests: an array from guest-physical 0, reached through the three functions of
 * hv/emulate/guest_ram.h or, as in the hypervisor, inline from 'flat_start' on.
 */
#pragma once

#include "hv/emulate/guest_ram.h"

struct fake_ram {
	void *bytes;
	uint64_t size;
	unsigned calls; /* of the functions; inline accesses do not count */
};

/* Only through the functions. */
struct guest_ram fake_ram_modelled(struct fake_ram *ram);
/* Inline from flat_start, a multiple of 4K, to the end. */
struct guest_ram fake_ram_flat(struct fake_ram *ram, uint64_t flat_start);
