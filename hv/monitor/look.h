/* SPDX-License-Identifier: MIT */
/*
 * What the monitor and the operator's keys show of a VM. A vCPU given is current, unless it says
 * otherwise; nothing is changed.
 */
#ifndef HV_MONITOR_LOOK_H
#define HV_MONITOR_LOOK_H

#include "hv/vm/vm.h"

/* Where a vCPU, made current here, is. */
void look_at_place(struct vcpu *vcpu);
/* The EPT entries of a guest-physical address, and the rule by which it has its type. */
void look_at_gpa(const struct vcpu *vcpu, uint64_t gpa);
/* The guest's own tables over a linear address, and the same for where they lead. */
void look_at_linear(struct vcpu *vcpu, uint64_t linear);
/* The same without a word: where it leads. False: nowhere. */
bool look_up_linear(struct vcpu *vcpu, uint64_t linear, uint64_t *gpa);
void look_at_ept(const struct vm *vm);
void look_at_mtrrs(const struct vcpu *vcpu);
void look_at_iommu(const struct vm *vm);

#endif
