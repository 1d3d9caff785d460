/* SPDX-License-Identifier: MIT */
/*
 * CPUID: the answers of hv/vm/cpu_model.c, and what depends on the guest's state of the moment.
 */
#include "hv/exits/exit.h"
#include "hv/vm/cpu_model.h"

static enum exit_action answer(struct vcpu *vcpu, struct cpuid_result r)
{
	vcpu->gpr[RAX] = r.eax;
	vcpu->gpr[RBX] = r.ebx;
	vcpu->gpr[RCX] = r.ecx;
	vcpu->gpr[RDX] = r.edx;
	return exit_done(vcpu, 0);
}

/* Of the basic or the extended leaves. */
#define OWN_LEAVES (BIT(1) | BIT(4) | BIT(0xb) | BIT(0xd))

/*
 * What depends on the vCPU or its state of the moment. Apart, for the others need none of these
 * registers: 5 of 118 ticks.
 */
static __attribute__((noinline)) enum exit_action answer_own(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_result r = cpu_model_cpuid(leaf, subleaf);

	if (leaf == 1 && vmread(VMCS_GUEST_CR4) & CR4_OSXSAVE) r.ecx |= CPUID_1_ECX_OSXSAVE;
	if (leaf == 1 && !(vcpu->apic_base & APIC_BASE_EN)) r.edx &= ~(uint32_t)CPUID_1_EDX_APIC;
	if (leaf == 0xd && subleaf <= 1 && r.eax) /* there is no supervisor state */
		r.ebx = cpu_model_xsave_size(xgetbv(0));
	if (leaf == CPUID_EXTENDED + 1 && vcpu_mode(vcpu) != 64) r.edx &= ~CPUID_80000001_EDX_SYSCALL;
	if (vcpu->vm->vcpus > 1) r = cpu_model_topology(leaf, subleaf, vcpu->vm->vcpus, vcpu->id, r);
	return answer(vcpu, r);
}

enum exit_action exit_cpuid(struct vcpu *vcpu)
{
	uint32_t leaf = (uint32_t)vcpu->gpr[RAX], subleaf = (uint32_t)vcpu->gpr[RCX];

	if ((leaf & ~CPUID_EXTENDED) < 32 && OWN_LEAVES >> (leaf & 31) & 1) return answer_own(vcpu, leaf, subleaf);
	return answer(vcpu, cpu_model_cpuid(leaf, subleaf));
}
