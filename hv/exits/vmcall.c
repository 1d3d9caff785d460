/* SPDX-License-Identifier: MIT */
/*
 * VMCALL: what a guest may ask the hypervisor. RAX = 0x4c430000 + n, arguments in RBX, RCX, RDX;
 * RAX returns 0 or a negative error number. No call returns a host-physical address.
 */
#include "hv/exits/exit.h"
#include "lib/errno.h"

#define VMCALL_BASE    0x4c430000ULL
#define VMCALL_VERSION 2

enum { CALL_VERSION, CALL_EPT_WALK, CALL_COUNTER };

static int64_t call_version(struct vcpu *vcpu)
{
	vcpu->gpr[RBX] = VMCALL_VERSION;
	return 0;
}

static int64_t call_ept_walk(struct vcpu *vcpu, uint64_t gpa)
{
	unsigned level = 0;
	uint64_t leaf = gpa >> 48 ? 0 : ept_walk(&vcpu->vm->ept, gpa, &level);

	vcpu->gpr[RBX] = leaf & ~EPT_ADDRESS;
	vcpu->gpr[RCX] = level;
	return 0;
}

static int64_t call_counter(struct vcpu *vcpu, uint64_t index)
{
	const struct vm *vm = vcpu->vm;
	const uint64_t counter[] = {
		vm->ept.noncoherent,
		vm->ept.stats.transitions,
		vm->ept.stats.leaves_cleared,
		vm->ept.stats.last_zap_leaves,
		vm->counters.invepts,
		vm->counters.ept_violations,
		vm->counters.ept_misconfigurations,
		vm->counters.transition_ticks,
		exit_total(vm),
		0, /* leaves retyped in place: all transitions zap */
		vm->iommu ? iommu_stale_uses(vm->iommu) : 0,
	};

	if (index >= ARRAY_SIZE(counter))
		return -EINVAL;
	vcpu->gpr[RBX] = counter[index];
	return 0;
}

enum exit_action exit_vmcall(struct vcpu *vcpu)
{
	uint64_t mask = vcpu_mode(vcpu) == 64 ? ~0ULL : 0xffffffff;
	uint64_t argument = vcpu->gpr[RBX] & mask;
	int64_t result = -ENOSYS;

	if (vcpu_cpl(vcpu)) {
		result = -EPERM;
	} else {
		switch ((vcpu->gpr[RAX] & mask) - VMCALL_BASE) {
		case CALL_VERSION:
			result = call_version(vcpu);
			break;
		case CALL_EPT_WALK:
			result = call_ept_walk(vcpu, argument);
			break;
		case CALL_COUNTER:
			result = call_counter(vcpu, argument);
			break;
		}
	}
	vcpu->gpr[RAX] = (uint64_t)result;
	vcpu_skip_instruction(vcpu);
	return VCPU_RESUME;
}
