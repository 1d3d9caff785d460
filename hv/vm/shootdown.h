/* SPDX-License-Identifier: MIT */
/*
 * What one CPU needs of those that run the same VM: that they use no translation from before, and
 * that they stay out of the guest for a while. docs/several-cpus.md draws it;
 * tests/prove/shootdown.pml is its model, whose steps the code names.
 */
#pragma once

#include "hv/vm/vm.h"

/*
 * In vcpu->flushed: the CPU that it comes to may have anything of its EPT pointer, also what another
 * VM left that had the same.
 */
#define SHOOTDOWN_NEVER (~0UL)

/*
 * INVEPT for all CPUs. When it returns, no CPU can use a translation of the VM from before the
 * call. CPUs outside the guest have not flushed yet; they do before they enter. 'ctx' is the VM:
 * this is ept_host.flush, called with the EPT's lock held.
 */
void shootdown_flush(void *ctx);

/* Keep the VM's vCPUs out of the guest: none is in it from the return of stop to resume. */
void shootdown_stop(struct vm *vm);
void shootdown_resume(struct vm *vm);

/*
 * The same for all vCPUs but one, which is outside the guest. False when another has the VM to
 * itself already: then its turn comes later.
 */
bool shootdown_stop_others(struct vcpu *vcpu);
void shootdown_resume_others(struct vm *vm);

/* Has another stopped the vCPU? */
bool shootdown_keeps_out(const struct vcpu *vcpu);

/*
 * On the way into the guest: the vCPU is in vm->in_guest, the VM entry is not done. False when the
 * vCPU may not enter.
 */
bool shootdown_enter(struct vcpu *vcpu);

/* Is the vCPU in its guest? Acquire: what it did there lies before a 'no'. */
static inline bool shootdown_sees(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->vm->in_guest, __ATOMIC_ACQUIRE) & vcpu_bit(vcpu);
}
