/* SPDX-License-Identifier: MIT */
/*
 * The fields of a fresh VMCS, as one list.
 */
#pragma once

#include "hv/vm/vcpu.h"

/* Fill the vCPU's VMCS, which is current. */
void vmcs_setup(struct vcpu *vcpu, const struct load_entry *start);
/* Exits of the vCPU, whose VMCS is current, come to this CPU. */
void vmcs_set_host(struct vcpu *vcpu);
/*
 * The vCPU took an INIT and a start-up IPI: it begins in real mode at its startup_page << 12. It is
 * the one on this CPU.
 */
void vmcs_setup_startup(struct vcpu *vcpu);

/*
 * Whether exits go by exit_dispatch_watched(). Whoever changes it calls the second function for
 * each vCPU, while the vCPU's VMCS is current.
 */
extern bool exits_are_watched;
void vmcs_set_exit_entry(const struct vcpu *vcpu);

/* A filled MSR bitmap (SDM 3C 25.6.9), or 0 without memory. hv/vm/msr_bitmap.c. */
uint64_t msr_bitmap_alloc(void);
