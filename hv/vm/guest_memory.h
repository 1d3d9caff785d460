/* SPDX-License-Identifier: MIT */
/*
 * Memory as a guest's instruction names it: linear addresses through the guest's own page
 * tables. For instructions the hypervisor carries out in the CPU's place.
 */
#pragma once

#include "hv/emulate/guest_walk.h"
#include "hv/vm/vcpu.h"

/*
 * Access any number of bytes up to a page at a linear address, RAM or device, over a page boundary if need be;
 * 'system' is what the CPU does by itself, always at CPL 0 (descriptors, TSS). 0; or -EFAULT when the instruction
 * must not go on: the fault the CPU would raise was injected, the VM was ended, or the guest simply has to try
 * again. Then nothing was accessed.
 */
int guest_read(struct vcpu *vcpu, uint64_t linear, unsigned size, bool system, void *to);
int guest_write(struct vcpu *vcpu, uint64_t linear, unsigned size, bool system, const void *from);
/* Would guest_write() succeed? 0, or -EFAULT as above. */
int guest_probe_write(struct vcpu *vcpu, uint64_t linear, unsigned size, bool system);
/*
 * Set or clear a flag of the byte at a linear address as the CPU itself does, in one step: other CPUs may change what
 * is beside it (SDM 3A 9.1.2.1). 0; 1 if it was so already; or -EFAULT as above.
 */
int guest_mark(struct vcpu *vcpu, uint64_t linear, uint8_t flag, bool on);

/*
 * 'size' instruction bytes at RIP + skip in vcpu_mode() 'mode', or as many as its page still has.
 * Their number, 0 where the page is neither RAM nor ROM; -EFAULT as above.
 */
int guest_fetch(struct vcpu *vcpu, unsigned mode, unsigned skip, uint8_t *bytes, unsigned size);

/* What of the vCPU, which is current, decides a translation now. */
void guest_read_paging(struct vcpu *vcpu, struct guest_paging *paging);

/* PAE paging's four PDPTEs from CR3 into the VMCS; -EINVAL if one has a reserved bit set. */
int guest_load_pdptes(struct vcpu *vcpu);
