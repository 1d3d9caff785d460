/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: turns on the CPU. Nothing else decides which vCPU runs.
 */
#ifndef HV_VM_RUN_H
#define HV_VM_RUN_H

#include "hv/vm/vm.h"

/* Make the vCPU the one whose VMCS and state are on the CPU. */
void vcpu_switch_to(struct vcpu *vcpu);

/*
 * Give each vCPU that has something to do a slice, VM after VM; if none has, halt until the next
 * event. Returns how many of the VMs still run.
 */
unsigned run_turn(struct vm *const *vms, unsigned count);

#endif
