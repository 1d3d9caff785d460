/* SPDX-License-Identifier: MIT */
/*
 * EPT violations: RAM gets its leaf (ept/), everything else is a device's (hv/exits/mmio.c).
 */
#include "hv/exits/exit.h"
#include "hv/machine/console.h"
#include "lib/bits.h"
#include "lib/errno.h"

/* After a transition, the first leaf of each type that comes back is shown. */
static void show_install(struct vm *vm, uint64_t gpa)
{
	static const char *const size[] = {"no", "4K", "2M", "1G"};
	unsigned level;
	uint64_t leaf = ept_walk(&vm->ept, gpa, &level);
	unsigned type = (unsigned)FIELD(leaf, EPT_TYPE);

	if (!(vm->show_faults & 1U << type))
		return;
	vm->show_faults &= ~(1U << type);
	print("vm %s: first %s%s since then: fault at 0x%lx, %s leaf", vm->options.name,
	      memtype_name(type), leaf & EPT_IGNORE_PAT ? " + ignore PAT" : "", gpa, size[level]);
}

enum exit_action exit_ept_violation(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	const struct ept_cpu cpu = {&vcpu->mtrr, vcpu->cd};
	uint64_t gpa = vmread(VMCS_GUEST_PHYSICAL_ADDRESS);
	uint64_t qualification = vmread(VMCS_EXIT_QUALIFICATION);
	int error;

	/* The IRET that faulted had unblocked NMIs already (SDM 3C 28.2.3). */
	if (__builtin_expect(qualification & EPT_VIOLATION_NMI_UNBLOCK, 0) &&
	    !(vmread(VMCS_IDT_VECTORING_INFO) & INTERRUPTION_INFO_VALID))
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE,
			vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) | INTERRUPTIBILITY_NMI);
	error = ept_fault(&vm->ept, &cpu, gpa, qualification & EPT_VIOLATION_WRITE);

	vm->counters.ept_violations++;
	if (!error) {
		if (__builtin_expect(vm->show_faults, 0))
			show_install(vm, gpa);
		vcpu_reinject_event(vcpu);
		return VCPU_RESUME;
	}
	if (error == -ENOMEM) {
		vm_kill(vm, "no memory for an EPT table");
		return VCPU_LEAVE;
	}
	/* The page walk or the delivery of an event needs memory, and found a device. */
	if (!(qualification & EPT_VIOLATION_TRANSLATED) || vcpu_reinject_event(vcpu)) {
		vm_kill(vm, "%s at 0x%lx, which is not RAM",
			qualification & EPT_VIOLATION_TRANSLATED ? "event delivery" : "page walk",
			gpa);
		return VCPU_LEAVE;
	}
	if (qualification & EPT_VIOLATION_FETCH) {
		vm_kill(vm, "instruction fetch at 0x%lx, which is not RAM", gpa);
		return VCPU_LEAVE;
	}
	return exit_mmio(vcpu, gpa, qualification & EPT_VIOLATION_WRITE);
}

enum exit_action exit_ept_misconfiguration(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	uint64_t gpa = vmread(VMCS_GUEST_PHYSICAL_ADDRESS);
	unsigned level;
	uint64_t leaf = ept_walk(&vm->ept, gpa, &level);

	vm->counters.ept_misconfigurations++;
	vm_kill(vm, "EPT misconfiguration at 0x%lx: level %u entry 0x%lx", gpa, level, leaf);
	return VCPU_LEAVE;
}
