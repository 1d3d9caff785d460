/* SPDX-License-Identifier: MIT */
/*
 * EPT violations: RAM gets its leaf (ept/), everything else is a device's (hv/exits/mmio.c).
 */
#include "hv/exits/exit.h"
#include "hv/vm/events.h"
#include "hv/vm/step.h"
#include "lib/errno.h"

/* So many EPT violations in a row at one address and RIP are no coincidence. */
#define REPEATED_MOST 1000

/*
 * Memory that the CPU needs for more than the access of an instruction is not RAM. It is apart since inline it would
 * cost an MMIO access the saving of registers, 7 of 647 ticks.
 */
static __attribute__((cold, noinline)) enum exit_action no_device(struct vcpu *vcpu, uint64_t gpa, uint64_t access)
{
	const char *what = access & EPT_VIOLATION_FETCH ? "instruction fetch" : "event delivery";

	if (!(access & EPT_VIOLATION_TRANSLATED)) what = "page walk";
	return EXIT_KILL(vcpu, "%s at 0x%lx, which is not RAM", what, gpa);
}

/* No leaf comes to 'gpa': the access is a device's, or a write to ROM. */
static enum exit_action device_access(struct vcpu *vcpu, uint64_t gpa, bool rom)
{
	uint64_t access = vmread(VMCS_EXIT_QUALIFICATION);

	if ((access & (EPT_VIOLATION_TRANSLATED | EPT_VIOLATION_FETCH)) != EPT_VIOLATION_TRANSLATED ||
	    vmread(VMCS_IDT_VECTORING_INFO) & INTERRUPTION_INFO_VALID)
		return rom ? vcpu_write_rom(vcpu) : no_device(vcpu, gpa, access);
	return exit_mmio(vcpu, gpa, access & EPT_VIOLATION_WRITE, vmread(VMCS_GUEST_LINEAR_ADDRESS));
}

/*
 * The leaf is there and allows the access, so the CPU should not have come. Once or twice it may:
 * another CPU was faster, or this one had cached what was before. Again and again, at one place, while
 * nothing is taken away, is a defect of ours, and a guest that hangs tells nobody.
 */
static bool is_defect(struct vcpu *vcpu, uint64_t gpa)
{
	uint64_t rip = vmread(VMCS_GUEST_RIP), generation = vcpu->vm->ept.generation;

	if (vcpu->repeated.gpa != gpa || vcpu->repeated.rip != rip || vcpu->repeated.generation != generation)
		vcpu->repeated.times = 0;
	vcpu->repeated.gpa = gpa;
	vcpu->repeated.rip = rip;
	vcpu->repeated.generation = generation;
	return ++vcpu->repeated.times == REPEATED_MOST;
}

static enum exit_action kill_for_defect(struct vcpu *vcpu, uint64_t gpa)
{
	unsigned level;
	uint64_t leaf = ept_walk(&vcpu->vm->ept, gpa, &level);

	return EXIT_KILL(vcpu,
			 "a defect of the hypervisor: %u EPT violations at 0x%lx although its leaf is "
			 "there (level %u, 0x%lx, qualification 0x%lx)",
			 REPEATED_MOST, gpa, level, leaf & ~EPT_ADDRESS, vmread(VMCS_EXIT_QUALIFICATION));
}

enum exit_action exit_ept_violation(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	uint64_t gpa = vmread(VMCS_GUEST_PHYSICAL_ADDRESS);
	uint64_t qualification = vmread(VMCS_EXIT_QUALIFICATION);
	struct ept_fill leaf;
	int error;

	/* The IRET that faulted had unblocked NMIs already (SDM 3C 28.2.3). */
	if (qualification & EPT_VIOLATION_NMI_UNBLOCK && !(vmread(VMCS_IDT_VECTORING_INFO) & INTERRUPTION_INFO_VALID))
		vmwrite_set(VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI);
	if (vm_is_device_address(vm, gpa)) return device_access(vcpu, gpa, false);
	error = ept_fault(&vm->ept, &vcpu->ept_cpu, gpa, qualification & EPT_VIOLATION_WRITE, &leaf);
	if (error == -ENOMEM) return EXIT_KILL(vcpu, "no memory for an EPT table");
	if (error) return device_access(vcpu, gpa, error == -EPERM);
	if (leaf.level)
		event_tell(vm, vcpu->event_source, EVENT_INSTALL, leaf.level, gpa, leaf.bits);
	else if (is_defect(vcpu, gpa))
		return kill_for_defect(vcpu, gpa);
	if (!vcpu_reinject_event(vcpu)) vcpu_repeat_instruction(vcpu);
	return VCPU_RESUME;
}

enum exit_action exit_ept_misconfiguration(struct vcpu *vcpu)
{
	uint64_t gpa = vmread(VMCS_GUEST_PHYSICAL_ADDRESS);
	unsigned level;
	uint64_t leaf = ept_walk(&vcpu->vm->ept, gpa, &level);

	return EXIT_KILL(vcpu, "EPT misconfiguration at 0x%lx: level %u entry 0x%lx", gpa, level, leaf);
}
