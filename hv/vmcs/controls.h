/* SPDX-License-Identifier: MIT */
/*
 * What a CPU's VMX offers, as its capability MSRs say it, and the choice of VMX controls within it.
 * The VM-entry checker judges by the same structure. No hardware is touched here.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * The capability MSRs as read (SDM 3D appendix A), and some facts of CPUID. Where IA32_VMX_BASIC
 * bit 55 is 1, pin, primary, exit and entry are the TRUE MSRs. An MSR that this CPU does not
 * have is 0.
 */
struct vmx_capabilities {
	uint64_t basic;
	uint64_t pin, primary, secondary, exit, entry;
	uint64_t tertiary; /* IA32_VMX_PROCBASED_CTLS3: 64 bits that may be 1 */
	uint64_t misc;
	uint64_t cr0_fixed0, cr0_fixed1;
	uint64_t cr4_fixed0, cr4_fixed1;
	uint64_t ept_vpid;
	uint64_t vmfunc;
	uint64_t perf_global_ctrl; /* the bits that exist in that MSR; 0: no such MSR */
	unsigned maxphyaddr;       /* CPUID.80000008H:EAX[7:0], bits */
	unsigned linear_width;     /* CPUID.80000008H:EAX[15:8], bits: 48 or 57 */
	bool sgx, rtm;             /* CPUID.7:EBX[2] and [11] */
};

/*
 * Choose a word of 32 VMX controls by its capability MSR: bits 31:0 are the controls that must
 * be 1, bits 63:32 those that may be (SDM 3D A.2). *result gets 'required', what must be 1, and
 * as much of 'optional' as the CPU has. False when a required control cannot be 1: *missing then
 * has those bits, and *result must not be used.
 */
bool controls_adjust(uint64_t capability_msr, uint32_t required, uint32_t optional, uint32_t *result,
		     uint32_t *missing);
