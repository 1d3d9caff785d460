/* SPDX-License-Identifier: MIT */
/*
 * CPUID as a guest sees it: the CPU's own answers less what is not virtualized (VMX above all),
 * computed once, since CPUID may itself be an exit to whatever lies under us.
 */
#ifndef HV_VM_CPU_MODEL_H
#define HV_VM_CPU_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/x86.h"

/* Call after vmx_init() and fpu_init(), whose results it shows. */
void cpuid_init(void);

/*
 * The answer for a leaf, but for what depends on the state of the vCPU. A leaf beyond the last
 * basic one gives that one, as Intel's CPUs do (SDM 2A "CPUID").
 */
struct cpuid_result cpu_model_cpuid(uint32_t leaf, uint32_t subleaf);

/* Bytes of an XSAVE area with the state components of 'xcr0' (SDM 1 13.4). */
uint32_t cpu_model_xsave_size(uint64_t xcr0);

bool cpu_has_xsave(void);
bool cpu_has_rdtscp(void);
/* Guest-physical width in bits: the host's, at most 48 (4-level EPT). */
unsigned guest_address_width(void);

bool guest_has_1g_pages(void);

/* CR4 bits a guest may set: those whose CPUID feature it is shown. */
uint64_t guest_cr4_allowed(void);

#endif
