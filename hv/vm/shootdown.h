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
 * INVEPT for all CPUs: returns when none can use a translation of the VM from before the call.
 * Those outside the guest have not flushed yet, but will before they enter. 'ctx' is the VM: this
 * is ept_host.flush, called with the EPT's lock held.
 */
void shootdown_flush(void *ctx);

/* Keep the VM's vCPUs out of the guest: none is in it when stop returns, nor until resume. */
void shootdown_stop(struct vm *vm);
void shootdown_resume(struct vm *vm);

/*
 * On the way into the guest: cpu_set_state(CPU_GUEST) is done, the VM entry not. False when the
 * vCPU may not enter.
 */
bool shootdown_enter(struct vcpu *vcpu);
