/* SPDX-License-Identifier: MIT */
/*
 * VMCALL: what a guest may ask the hypervisor. RAX = 0x4c430000 + n, the argument in RBX; RAX returns
 * 0 or a negative error number, RBX and RCX what was asked. No call returns a host-physical address.
 * The numbers are in lib/contract.h.
 */
#include "hv/exits/exit.h"
#include "hv/vm/events.h"

static int64_t call_version(struct vcpu *vcpu)
{
	vcpu->gpr[RBX] = CONTRACT_VERSION;
	vcpu->gpr[RCX] = vcpu->vm->chosen;
	return 0;
}

static int64_t call_ept_walk(struct vcpu *vcpu, uint64_t gpa)
{
	unsigned level;
	uint64_t leaf = ept_walk(&vcpu->vm->ept, gpa, &level);

	vcpu->gpr[RBX] = leaf & ~EPT_ADDRESS;
	vcpu->gpr[RCX] = level;
	return 0;
}

/* What exits and the IOMMU count themselves, and what events do. */
static uint64_t counter_value(const struct vm *vm, enum counter counter)
{
	switch (counter) {
	case COUNTER_VIOLATIONS: return exit_count(vm, EXIT_REASON_EPT_VIOLATION);
	case COUNTER_MISCONFIGURATIONS: return exit_count(vm, EXIT_REASON_EPT_MISCONFIGURATION);
	case COUNTER_EXITS: return exit_total(vm);
	case COUNTER_STALE_USES: return vm->iommu ? iommu_stale_uses(vm->iommu) : 0;
	default: return vm->counter[counter];
	}
}

static int64_t call_counter(struct vcpu *vcpu, uint64_t index)
{
	if (index >= COUNTERS) return -EINVAL;
	vcpu->gpr[RBX] = counter_value(vcpu->vm, (enum counter)index);
	vcpu_look_at_clock(vcpu); /* all exits of sixteen vCPUs are 7000 ticks */
	return 0;
}

static int64_t call_mark(const struct vcpu *vcpu, uint64_t number)
{
	vcpu_tell(vcpu, EVENT_MARK, 0, number, 0);
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
		case VMCALL_VERSION: result = call_version(vcpu); break;
		case VMCALL_EPT_WALK: result = call_ept_walk(vcpu, argument); break;
		case VMCALL_COUNTER: result = call_counter(vcpu, argument); break;
		case VMCALL_MARK: result = call_mark(vcpu, argument); break;
		}
	}
	vcpu->gpr[RAX] = (uint64_t)result;
	return exit_done(vcpu, 0);
}
