/* SPDX-License-Identifier: MIT */
/*
 * CPUID: the answers of hv/vm/cpu_model.c, and what depends on the guest's state of the moment.
 */
#include "hv/exits/exit.h"
#include "hv/vm/cpu_model.h"
#include "lib/asm.h"

/* What depends on the guest's state of the moment. Inline, so that the answer stays in registers.
 */
__attribute__((always_inline)) static inline void adjust(uint32_t leaf, uint32_t subleaf, struct cpuid_result *r)
{
	if (leaf == 1 && vmread(VMCS_GUEST_CR4) & CR4_OSXSAVE) r->ecx |= CPUID_1_ECX_OSXSAVE;
	if (leaf == 0xd && subleaf <= 1 && r->eax) /* there is no supervisor state */
		r->ebx = cpu_model_xsave_size(xgetbv(0));
}

static enum exit_action answer(struct vcpu *vcpu, struct cpuid_result r)
{
	vcpu->gpr[RAX] = r.eax;
	vcpu->gpr[RBX] = r.ebx;
	vcpu->gpr[RCX] = r.ecx;
	vcpu->gpr[RDX] = r.edx;
	vcpu_skip_instruction(vcpu);
	return VCPU_RESUME;
}

/* Not inline: beside it every CPUID of a VM with one CPU would cost 12 ticks more. */
__attribute__((noinline)) static enum exit_action answer_of_several(struct vcpu *vcpu)
{
	uint32_t leaf = (uint32_t)vcpu->gpr[RAX], subleaf = (uint32_t)vcpu->gpr[RCX];
	struct cpuid_result r = cpu_model_cpuid(leaf, subleaf);

	adjust(leaf, subleaf, &r);
	return answer(vcpu, cpu_model_topology(leaf, subleaf, vcpu->vm->vcpus, vcpu->id, r));
}

enum exit_action exit_cpuid(struct vcpu *vcpu)
{
	uint32_t leaf = (uint32_t)vcpu->gpr[RAX], subleaf = (uint32_t)vcpu->gpr[RCX];
	struct cpuid_result r;

	if (__builtin_expect(vcpu->vm->vcpus > 1, 0)) return answer_of_several(vcpu);
	r = cpu_model_cpuid(leaf, subleaf);
	if (leaf == 1 || leaf == 0xd) adjust(leaf, subleaf, &r);
	return answer(vcpu, r);
}
