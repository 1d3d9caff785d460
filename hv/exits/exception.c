/* SPDX-License-Identifier: MIT */
/*
 * Exceptions that exit. A machine check does. #AC and #DB do because their delivery may raise them
 * again without an end: #AC on a misaligned stack, #DB by a breakpoint on the stack. All rounds lie
 * between two instructions, where neither a timer nor an interrupt gets in. As each round is an
 * exit, the guest shares the CPU like any other. The guest gets what the CPU would have given it.
 */
#include "hv/exits/exit.h"
#include "hv/machine/end.h"
#include "hv/vm/step.h"
#include "lib/asm.h"
#include "lib/bits.h"

/* DR7 has four bits of each breakpoint: what it waits for, and how many bytes it covers. */
#define DR7_WHAT(n) BITS(17 + 4 * (n), 16 + 4 * (n))
#define DR7_SIZE(n) BITS(19 + 4 * (n), 18 + 4 * (n))

uint64_t debug_hits(uint64_t dr7, uint64_t address, unsigned width, unsigned kinds)
{
	static const uint8_t sizes[] = {1, 2, 8, 4};
	const uint64_t breakpoint[4] = {read_dr0(), read_dr1(), read_dr2(), read_dr3()};
	uint64_t hits = 0, enabled = 0; /* the bits of those that are hit */

	for (unsigned n = 0; n < 4; n++) {
		uint64_t size = sizes[FIELD(dr7, DR7_SIZE(n))];
		uint64_t first = ALIGN_DOWN(breakpoint[n], size);

		if (!(kinds >> FIELD(dr7, DR7_WHAT(n)) & 1) || address >= first + size || first >= address + width)
			continue;
		hits |= BIT(n);
		enabled |= dr7 >> 2 * n & 3;
	}
	return enabled ? hits : 0;
}

/* A #DB that exits has not changed DR6 and DR7 yet (SDM 3C 28.1). */
static void set_debug_status(uint64_t qualification)
{
	write_dr6((read_dr6() & ~DR6_B) | (qualification & (DR6_B | DR6_BD | DR6_BS | DR6_BT)));
	vmwrite_clear(VMCS_GUEST_DR7, DR7_GD);
}

/*
 * With TF and the shadow of MOV SS or STI, an entry wants the single step to be pending, which an
 * exit by #DB has taken off (SDM 3C 27.3.1.5).
 */
static void restore_pending_step(void)
{
	if (vmread(VMCS_GUEST_RFLAGS) & RFLAGS_TF &&
	    vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_SHADOW)
		vmwrite(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, PENDING_DEBUG_BS);
}

void debug_raise(struct vcpu *vcpu, uint64_t status)
{
	set_debug_status(status);
	vcpu_inject(vcpu, VECTOR_DB, false, 0);
}

/* INT1 changes neither DR6 nor DR7; and if its delivery fails, it has not been carried out. */
static void deliver_debug(struct vcpu *vcpu, uint64_t info)
{
	if (FIELD(info, INTERRUPTION_INFO_TYPE) == INTERRUPTION_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION) {
		vcpu_reinject(vcpu, info);
		return;
	}
	restore_pending_step();
	debug_raise(vcpu, vmread(VMCS_EXIT_QUALIFICATION));
}

/*
 * The machine's, not the guest's, who cannot mend it: the VM in which it struck ends, and all where
 * the CPU cannot go on from there (SDM 3B 16.3.1.2).
 * While its own CR4.MCE is 0 the CPU shuts down instead.
 */
static enum exit_action machine_check(const struct vcpu *vcpu)
{
	uint64_t status = rdmsr(MSR_IA32_MCG_STATUS);

	if (!(status & MCG_STATUS_RIPV)) panic("machine check, IA32_MCG_STATUS 0x%lx", status);
	wrmsr(MSR_IA32_MCG_STATUS, 0); /* the next one finds the CPU ready, or it shuts down */
	return EXIT_KILL(vcpu, "machine check, IA32_MCG_STATUS 0x%lx", status);
}

enum exit_action exit_exception(struct vcpu *vcpu)
{
	uint64_t info = vmread(VMCS_EXIT_INTERRUPTION_INFO);
	uint64_t vector = FIELD(info, INTERRUPTION_INFO_VECTOR);

	if (FIELD(info, INTERRUPTION_INFO_TYPE) == INTERRUPTION_TYPE_NMI) {
		cpu_answer(); /* at once: somebody waits */
		raise_nmi();
		return VCPU_LEAVE;
	}
	if (vector == VECTOR_MC) return machine_check(vcpu);
	if (vector == VECTOR_BP) { /* only with a debugger */
		vcpu_breakpoint(vcpu);
		return VCPU_LEAVE;
	}
	/*
	 * Both are benign: in the delivery of another event they take its place, whatever it was
	 * (SDM 3A table 6-5).
	 */
	if (vector == VECTOR_DB)
		deliver_debug(vcpu, info);
	else
		vcpu_inject(vcpu, VECTOR_AC, true, 0);
	return VCPU_RESUME;
}
