/* SPDX-License-Identifier: MIT */
/*
 * CPUID: the answers of hv/vm/cpu_model.c, and what depends on the guest's state of the moment.
 */
#include "hv/exits/exit.h"
#include "hv/vm/cpu_model.h"
#include "lib/asm.h"

/* What depends on the guest's state of the moment. */
static void adjust(uint32_t leaf, uint32_t subleaf, struct cpuid_result *r)
{
	if (leaf == 1 && vmread(VMCS_GUEST_CR4) & CR4_OSXSAVE) r->ecx |= CPUID_1_ECX_OSXSAVE;
	if (leaf == 0xd && subleaf <= 1 && r->eax) /* there is no supervisor state */
		r->ebx = cpu_model_xsave_size(xgetbv(0));
}

enum exit_action exit_cpuid(struct vcpu *vcpu)
{
	uint32_t leaf = (uint32_t)vcpu->gpr[RAX], subleaf = (uint32_t)vcpu->gpr[RCX];
	struct cpuid_result r = cpu_model_cpuid(leaf, subleaf);

	if (leaf == 1 || leaf == 0xd) adjust(leaf, subleaf, &r);
	vcpu->gpr[RAX] = r.eax;
	vcpu->gpr[RBX] = r.ebx;
	vcpu->gpr[RCX] = r.ecx;
	vcpu->gpr[RDX] = r.edx;
	return exit_done(vcpu, 0);
}
