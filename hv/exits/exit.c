/* SPDX-License-Identifier: MIT */
/*
 * The exit table and the way through it, and the handlers that need but a few lines. A handler gets
 * the vCPU whose exit it was and says who gets the CPU next.
 */
#include "hv/exits/exit.h"

#include "hv/machine/timer.h"
#include "hv/vm/coherence.h"
#include "hv/vm/events.h"
#include "hv/vm/ipi.h"
#include "hv/vm/run.h"
#include "lib/format.h"

enum exit_action exit_to_scheduler(struct vcpu *vcpu)
{
	(void)vcpu;
	return VCPU_LEAVE;
}

/* Mostly its local APIC's timer was due: 4000 times while Linux boots. */
enum exit_action exit_preemption_timer(struct vcpu *vcpu) { return run_goes_on(vcpu) ? VCPU_RESUME : VCPU_LEAVE; }

enum exit_action exit_external_interrupt(struct vcpu *vcpu)
{
	(void)vcpu;
	timer_take_interrupts();
	return VCPU_LEAVE;
}

/* The CPU shuts down, and a PC's board resets the machine then. */
enum exit_action exit_triple_fault(struct vcpu *vcpu)
{
	vm_reset_by_cpu(vcpu->vm, "triple fault");
	return VCPU_LEAVE;
}

enum exit_action exit_hlt(struct vcpu *vcpu)
{
	vcpu_skip_instruction(vcpu);
	if (vmread(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS)) return VCPU_RESUME; /* the single step is over, and wakes */
	vcpu->halted_in_nmi = vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_NMI;
	/* A full barrier: of two that stop at once, one sees the other. */
	__atomic_exchange_n(&vcpu->activity, vmread(VMCS_GUEST_RFLAGS) & RFLAGS_IF ? VCPU_HALTED : VCPU_STOPPED,
			    __ATOMIC_SEQ_CST);
	if (vcpu->activity == VCPU_STOPPED && ipi_none_is_left(vcpu->vm))
		vm_kill(vcpu->vm, "halted with interrupts off");
	return VCPU_LEAVE;
}

/*
 * VMX, SMX, TDX, MONITOR and MWAIT: CPUID shows none, so they do not exist (SDM 3C 31.3). MWAIT could
 * keep the CPU in a state deep enough to stop the preemption timer (SDM 3C 26.5.1). SEAMCALL and TDCALL exit at any
 * CPL, whatever the controls.
 */
enum exit_action exit_undefined(struct vcpu *vcpu)
{
	vcpu_inject_ud(vcpu);
	return VCPU_RESUME;
}

/* CPUID shows no performance counters: there is none that ECX could name (SDM 2B "RDPMC"). */
enum exit_action exit_rdpmc(struct vcpu *vcpu) { return exit_done(vcpu, -EINVAL); }

/*
 * WBINVD and INVD: caches matter to a guest only while a device can write around them. INVD
 * would lose other guests' data, so it writes back too.
 */
enum exit_action exit_wbinvd(struct vcpu *vcpu)
{
	if (!vcpu->vm->ept.noncoherent) {
		vcpu->written_back = 0; /* of one that was not at its end when the last device was detached */
		return exit_done(vcpu, 0);
	}
	if (vcpu->vm->cache && !coherence_write_back(vcpu)) {
		vcpu_repeat_instruction(vcpu);
		return VCPU_LEAVE; /* and come again for the rest */
	}
	vcpu_skip_instruction(vcpu);
	vm_write_back(vcpu->vm, true);
	return VCPU_LEAVE; /* on a real CPU that took as long as a slice */
}

/* A VM entry that failed on the guest's state (SDM 3C 27.8): nothing of the guest has run. */
enum exit_action exit_entry_failure(struct vcpu *vcpu)
{
	vm_kill(vcpu->vm, "VM entry failed: exit reason 0x%lx, qualification 0x%lx", vmread(VMCS_EXIT_REASON),
		vmread(VMCS_EXIT_QUALIFICATION));
	vcpu_check_entry(vcpu);
	vcpu_dump(vcpu);
	return VCPU_LEAVE;
}

static enum exit_action unknown_exit(struct vcpu *vcpu)
{
	return EXIT_DUMP(vcpu, "exit reason %lu has no handler", vmread(VMCS_EXIT_REASON));
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init" /* the first line is for what no other names */
static const struct {
	exit_handler handler;
	const char *name;
} exit_table[EXIT_REASONS] = {
	[0 ... EXIT_REASONS - 1] = {unknown_exit, "unknown"},
#define EXIT(number, reason, handler, name) [number] = {handler, name},
#include "hv/vmcs/exits.inc"
#undef EXIT
};
#pragma GCC diagnostic pop

enum exit_action exit_dispatch(struct vcpu *vcpu)
{
	uint64_t reason = vmread(VMCS_EXIT_REASON) & EXIT_REASON_BASIC;

	if (reason >= EXIT_REASONS) return unknown_exit(vcpu);
	vcpu->exit_count[reason]++;
	return exit_table[reason].handler(vcpu);
}

uint64_t exit_count(const struct vm *vm, unsigned reason)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < vm->vcpus; i++) count += vm->vcpu[i]->exit_count[reason];
	return count;
}

uint64_t exit_total(const struct vm *vm)
{
	uint64_t total = 0;

	for (unsigned reason = 0; reason < EXIT_REASONS; reason++) total += exit_count(vm, reason);
	return total;
}

void exit_print_counts(const struct vm *vm)
{
	char text[300] = "";

	for (unsigned reason = 0; reason < EXIT_REASONS; reason++)
		if (exit_count(vm, reason))
			format_append(text, sizeof(text), ", %lu %s", exit_count(vm, reason), exit_table[reason].name);
	print("vm %s: %lu exits%s", vm->options.name, exit_total(vm), text);
}
