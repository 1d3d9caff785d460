/* SPDX-License-Identifier: MIT */
/*
 * VMCALL: what a guest may ask the hypervisor. RAX = 0x4c430000 + n, the argument in RBX; RAX returns
 * 0 or a negative error number, RBX and RCX what was asked. No call returns a host-physical address.
 * The numbers are in lib/contract.h.
 */
#include "hv/exits/exit.h"
#include "hv/vm/events.h"

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

/* RAX of the answer; RBX and RCX are set where there is one. */
static int64_t call(struct vcpu *vcpu, uint64_t number, uint64_t argument)
{
	unsigned level;

	switch (number) {
	case VMCALL_VERSION:
		vcpu->gpr[RBX] = CONTRACT_VERSION;
		vcpu->gpr[RCX] = vcpu->vm->chosen;
		return 0;
	case VMCALL_EPT_WALK:
		vcpu->gpr[RBX] = ept_walk(&vcpu->vm->ept, argument, &level) & ~EPT_ADDRESS;
		vcpu->gpr[RCX] = level;
		return 0;
	case VMCALL_COUNTER:
		if (argument >= COUNTERS) return -EINVAL;
		vcpu->gpr[RBX] = counter_value(vcpu->vm, (enum counter)argument);
		vcpu_look_at_clock(vcpu); /* all exits of sixteen vCPUs are 7000 ticks */
		return 0;
	case VMCALL_MARK: vcpu_tell(vcpu, EVENT_MARK, 0, argument, 0); return 0;
	default: return -ENOSYS;
	}
}

enum exit_action exit_vmcall(struct vcpu *vcpu)
{
	uint64_t mask = vcpu_mode(vcpu) == 64 ? ~0ULL : 0xffffffff;
	int64_t result = -EPERM;

	if (!vcpu_cpl(vcpu)) result = call(vcpu, (vcpu->gpr[RAX] & mask) - VMCALL_BASE, vcpu->gpr[RBX] & mask);
	vcpu->gpr[RAX] = (uint64_t)result;
	return exit_done(vcpu, 0);
}
