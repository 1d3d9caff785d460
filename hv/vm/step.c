/* SPDX-License-Identifier: MIT */
/*
 * A single step by the trap flag: the #DB behind the instruction exits (hv/exits/exception.c), and
 * is kept from the guest. Bochs has no monitor trap flag.
 */
#include "hv/vm/step.h"

#include "hv/vm/run.h"
#include "hv/vm/vm.h"

/* Exits within one instruction: leaves that it touches first, and a turn's end. */
#define STAYS_MOST 64

static void set_trap_flag(bool on)
{
	uint64_t rflags = vmread(VMCS_GUEST_RFLAGS);
	bool shadow = vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) & (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS);

	vmwrite(VMCS_GUEST_RFLAGS, on ? rflags | RFLAGS_TF : rflags & ~RFLAGS_TF);
	/*
	 * With the flag and a shadow an entry wants the step pending (SDM 3C 27.3.1.5). Else
	 * nothing is: after an EPT violation Bochs has the step pending that has not been made.
	 */
	vmwrite(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, (vmread(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) & ~PENDING_DEBUG_BS) |
							     (on && shadow ? PENDING_DEBUG_BS : 0));
}

bool vcpu_step(struct vcpu *vcpu)
{
	uint64_t rip;

	if (!vcpu->stepping) {
		vcpu->own_trap_flag = vmread(VMCS_GUEST_RFLAGS) & RFLAGS_TF;
		set_trap_flag(true);
		vcpu->stepping = true;
	}
	for (unsigned n = 0; n < STAYS_MOST && vcpu->stepping; n++) {
		if (vcpu->vm->state != VM_RUNNING || vcpu->activity != VCPU_ACTIVE) return false;
		rip = vmread(VMCS_GUEST_RIP);
		run_once(vcpu);
		if (vcpu->stepping && vmread(VMCS_GUEST_RIP) == rip) set_trap_flag(true);
	}
	return !vcpu->stepping;
}

bool vcpu_step_ended(struct vcpu *vcpu)
{
	if (!(vmread(VMCS_EXIT_QUALIFICATION) & PENDING_DEBUG_BS)) return false;
	vcpu->stepping = false;
	if (vcpu->own_trap_flag) return false;
	set_trap_flag(false);
	return true;
}

static struct vcpu *at_breakpoint;

void vcpu_intercept_breakpoints(struct vcpu *vcpu)
{
	vcpu_assert_current(vcpu);
	vmwrite(VMCS_EXCEPTION_BITMAP, vmread(VMCS_EXCEPTION_BITMAP) | BIT(VECTOR_BP));
}

void vcpu_breakpoint(struct vcpu *vcpu)
{
	vmwrite(VMCS_GUEST_RIP, vmread(VMCS_GUEST_RIP) + vmread(VMCS_EXIT_INSTRUCTION_LENGTH));
	at_breakpoint = vcpu;
	run_stop();
}

struct vcpu *vcpu_at_breakpoint(void) { return at_breakpoint; }
