/* SPDX-License-Identifier: MIT */
/*
 * Exceptions that exit. Two do, only because their delivery may raise them again without an end,
 * between two instructions, where neither a timer nor an interrupt gets in: #AC on a misaligned
 * stack, #DB by a breakpoint on the stack. Each round is an exit this way, and the guest shares the
 * CPU like any other. What they do to the guest is what the CPU would have done.
 */
#include "hv/exits/exit.h"
#include "lib/asm.h"
#include "lib/bits.h"

/* DR6 and DR7 (SDM 3B 18.2.3, 18.2.4); the exit qualification of #DB has the same bits. */
#define DR6_B  BITS(3, 0)
#define DR6_BD BIT(13)
#define DR6_BS BIT(14)
#define DR7_GD BIT(13)

static uint64_t read_dr6(void)
{
	uint64_t value;

	__asm__ volatile("mov %%db6, %0" : "=r"(value));
	return value;
}

static void write_dr6(uint64_t value)
{
	__asm__ volatile("mov %0, %%db6" : : "r"(value));
}

/* A #DB that exits has not changed DR6 and DR7 yet (SDM 3C 28.1). */
static void set_debug_status(uint64_t qualification)
{
	write_dr6((read_dr6() & ~DR6_B) | (qualification & (DR6_B | DR6_BD | DR6_BS)));
	vmwrite(VMCS_GUEST_DR7, vmread(VMCS_GUEST_DR7) & ~DR7_GD);
}

/*
 * With TF and the shadow of MOV SS or STI, an entry wants the single step to be pending, which an
 * exit by #DB has taken off (SDM 3C 27.3.1.5).
 */
static void restore_pending_step(void)
{
	uint64_t shadow = INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS;

	if (vmread(VMCS_GUEST_RFLAGS) & RFLAGS_TF &&
	    vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) & shadow)
		vmwrite(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, PENDING_DEBUG_BS);
}

static void deliver_debug(struct vcpu *vcpu, uint64_t type)
{
	set_debug_status(vmread(VMCS_EXIT_QUALIFICATION));
	if (type == INTERRUPTION_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION) /* INT1 is done */
		vmwrite(VMCS_GUEST_RIP,
			vmread(VMCS_GUEST_RIP) + vmread(VMCS_EXIT_INSTRUCTION_LENGTH));
	else
		restore_pending_step();
	vcpu_inject(vcpu, VECTOR_DB, false, 0);
}

enum exit_action exit_exception(struct vcpu *vcpu)
{
	uint64_t info = vmread(VMCS_EXIT_INTERRUPTION_INFO);
	uint64_t type = FIELD(info, INTERRUPTION_INFO_TYPE);
	uint64_t vector = FIELD(info, INTERRUPTION_INFO_VECTOR);

	if (type == INTERRUPTION_TYPE_NMI) /* for the host, where nobody wants one */
		return VCPU_RESUME;
	if (vmread(VMCS_IDT_VECTORING_INFO) & INTERRUPTION_INFO_VALID) {
		vm_kill(vcpu->vm, "exception %lu in the delivery of an event", vector);
		return VCPU_LEAVE;
	}
	if (vector == VECTOR_DB)
		deliver_debug(vcpu, type);
	else
		vcpu_inject(vcpu, VECTOR_AC, true, 0);
	return VCPU_RESUME;
}
