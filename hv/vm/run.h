/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: turns on the CPU. Nothing else decides which vCPU runs.
 */
#ifndef HV_VM_RUN_H
#define HV_VM_RUN_H

#include "hv/vm/vm.h"

/* Make the vCPU the one whose VMCS and state are on the CPU. */
void vcpu_switch_to(struct vcpu *vcpu);

/* In an exit: a timer of the vCPU was set, and may be due before this stay in the guest would end.
 */
void vcpu_timer_armed(struct vcpu *vcpu);

/*
 * Stop all vCPUs of all VMs: none enters its guest before run_continue(). On a vCPU's exit: its
 * handler has to return VCPU_LEAVE.
 */
void run_stop(void);
void run_continue(void);
bool run_is_stopped(void);

/* One stay of a vCPU in its guest although all are stopped, without an interrupt; for a step. */
void run_once(struct vcpu *vcpu);

/*
 * Give each vCPU that has something to do a slice, VM after VM; if none has, halt until the next
 * event, or while all are stopped until something is typed. Returns whether there is more to do: a
 * VM that runs, or somebody who stopped all.
 */
bool run_turn(struct vm *const *vms, unsigned count);

#endif
