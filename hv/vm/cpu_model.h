/* SPDX-License-Identifier: MIT */
/*
 * CPUID as a guest sees it: the CPU's own answers less what is not virtualized (VMX above all),
 * computed once, since CPUID may itself be an exit to whatever lies under us.
 */
#pragma once

#include "lib/asm.h"
#include "lib/x86.h"

/* Call after vmx_init() and fpu_init(), whose results it shows, and when vmx.tsc_hz is known. */
void cpuid_init(void);

#define CPU_MODEL_BASIC     22 /* leaves 0 to 0x15 */
#define CPU_MODEL_SUBLEAVES 8
#define CPU_MODEL_EXTENDED  9
#define CPU_MODEL_XSAVE_SSE 576 /* bytes of the legacy area and the header */
#define CPU_MODEL_XSAVE_AVX 256 /* and of AVX's part behind them */
#define CPUID_HYPERVISOR    0x40000000U
#define CPUID_EXTENDED      0x80000000U

struct cpu_model {
	struct cpuid_result basic[CPU_MODEL_BASIC][CPU_MODEL_SUBLEAVES];
	uint8_t subleaves[CPU_MODEL_BASIC]; /* 0: the leaf has none, ECX is ignored */
	struct cpuid_result extended[CPU_MODEL_EXTENDED];
	struct cpuid_result signature;
};
extern struct cpu_model cpu_model;

/*
 * The answer for a leaf, but for what depends on the registers of the moment. A leaf beyond the
 * last basic one gives that one, as Intel's CPUs do (SDM 2A "CPUID"). Inline: a call costs a CPUID
 * exit 14 of its 115 ticks.
 */
static inline struct cpuid_result cpu_model_cpuid(uint32_t leaf, uint32_t subleaf)
{
	const struct cpu_model *m = &cpu_model;

	if (leaf > m->basic[0][0].eax) {
		if (leaf - CPUID_EXTENDED < CPU_MODEL_EXTENDED) return m->extended[leaf - CPUID_EXTENDED];
		if (leaf == CPUID_HYPERVISOR) return m->signature;
		leaf = m->basic[0][0].eax;
	}
	if (!m->subleaves[leaf]) return m->basic[leaf][0];
	if (subleaf < m->subleaves[leaf]) return m->basic[leaf][subleaf];
	return (struct cpuid_result){.ecx = leaf == 0xb ? subleaf & 0xff : 0};
}

/*
 * The table has the answers of a machine with one CPU. This makes a leaf's answer that of the vCPU
 * 'id' among 'count': one package, a core each, one thread each.
 */
struct cpuid_result cpu_model_topology(uint32_t leaf, uint32_t subleaf, unsigned count, unsigned id,
				       struct cpuid_result r);

/* Bytes of an XSAVE area with the state components of 'xcr0' (SDM 1 13.4). */
static inline uint32_t cpu_model_xsave_size(uint64_t xcr0)
{
	return CPU_MODEL_XSAVE_SSE + (xcr0 & XCR0_AVX ? CPU_MODEL_XSAVE_AVX : 0);
}

bool cpu_has_rdtscp(void);
/* Guest-physical width in bits: the host's, at most what the EPT maps. */
unsigned guest_address_width(void);

bool guest_has_1g_pages(void);

/*
 * The bits that the guest reads and writes in the shadow only: CD and NW act through the leaves,
 * and VMX wants NE to be 1. Then the VMCS's CR0 for a CR0 of the guest: PE and PG are the guest's
 * own, as it is unrestricted.
 */
#define GUEST_CR0_SHADOWED (CR0_CD | CR0_NW | CR0_NE)
uint64_t guest_cr0_of(uint64_t cr0);

/* CR4 bits a guest may set: those whose CPUID feature it is shown. */
uint64_t guest_cr4_allowed(void);
