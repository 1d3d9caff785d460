/* SPDX-License-Identifier: MIT */
/*
 * coherence=model in a VM: the memory for a second copy of its RAM, and the ways in which devices,
 * emulated instructions and WBINVD reach it. The rules are in ept/coherence.c.
 */
#pragma once

#include "hv/load/guest_map.h"
#include "hv/vm/vm.h"

/*
 * Call it before the EPT is made: takes memory for the copy, and makes the map's slots of RAM say
 * so. 0 or -ENOMEM. Whoever writes to vm->ram before the first entry writes to "memory".
 */
int coherence_create(struct vm *vm, struct guest_map *map);
void coherence_destroy(struct vm *vm);
/* ept_host.copy_page. */
void coherence_copy_page(void *ctx, uint64_t to, uint64_t from);

/* How the vCPU's instructions reach RAM. */
void coherence_set_guest_ram(struct vcpu *vcpu);
/* A device's access within one page. 0, or -EFAULT: no RAM. */
int coherence_dma_read(struct vm *vm, uint64_t gpa, void *to, unsigned size, bool around_cache);
int coherence_dma_write(struct vm *vm, uint64_t gpa, const void *from, unsigned size, bool around_cache);

/* A part of what a transition changes and writes back, from vm->change.done on. False: that was the last part. */
bool coherence_transition(struct vm *vm);
/*
 * WBINVD for the guest, as much as its slice allows. False: a rest is to be done by the next call,
 * when the guest comes with the same instruction again.
 */
bool coherence_write_back(struct vcpu *vcpu);
