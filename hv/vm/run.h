/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: turns on the CPU. Nothing else decides which vCPU runs.
 */
#ifndef HV_VM_RUN_H
#define HV_VM_RUN_H

#include "hv/vm/vm.h"

/* Make the vCPU the one whose VMCS and state are on the CPU. */
void vcpu_switch_to(struct vcpu *vcpu);

/* Give each running VM of the 'count' a slice in turn, until all have ended. */
void run_vms(struct vm *const *vms, unsigned count);

#endif
