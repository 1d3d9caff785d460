/* SPDX-License-Identifier: MIT */
/*
 * EPT violations: RAM gets its leaf (ept/), everything else is a device, and the instruction is
 * carried out here with its memory accesses sent to the device models.
 */
#include "hv/console.h"
#include "hv/exit.h"
#include "hv/guest_memory.h"
#include "hv/insn.h"
#include "lib/errno.h"

/* Iterations of a REP instruction per exit; the guest comes back for the rest. */
#define REP_BUDGET 64

static int insn_read(void *ctx, uint64_t linear, unsigned width, uint64_t *value)
{
	return guest_read(ctx, linear, width, value);
}

static int insn_write(void *ctx, uint64_t linear, unsigned width, uint64_t value)
{
	return guest_write(ctx, linear, width, value);
}

/* Decode at RIP, fetching more when the instruction runs over its page. */
static int fetch_and_decode(struct vcpu *vcpu, struct insn *insn)
{
	uint8_t bytes[INSN_MAX];
	int have = guest_fetch(vcpu, 0, bytes, sizeof(bytes)), more, error;

	if (have <= 0)
		return have ? have : -EINVAL;
	error = insn_decode(bytes, (unsigned)have, vcpu_mode(), insn);
	if (error != -EAGAIN || have == INSN_MAX)
		return error;
	more = guest_fetch(vcpu, (unsigned)have, bytes + have, sizeof(bytes) - (unsigned)have);
	if (more <= 0)
		return more ? more : -EINVAL;
	return insn_decode(bytes, (unsigned)(have + more), vcpu_mode(), insn);
}

static void load_cpu(struct vcpu *vcpu, struct insn_cpu *cpu)
{
	vcpu->gpr[RSP] = vmread(VMCS_GUEST_RSP);
	*cpu = (struct insn_cpu){
		.gpr = vcpu->gpr,
		.rip = vmread(VMCS_GUEST_RIP),
		.rflags = vmread(VMCS_GUEST_RFLAGS),
		.mode = vcpu_mode(),
	};
	cpu->segment_base[SEG_FS] = vmread(VMCS_GUEST_FS_BASE);
	cpu->segment_base[SEG_GS] = vmread(VMCS_GUEST_GS_BASE);
	if (cpu->mode == 64)
		return;
	cpu->segment_base[SEG_ES] = vmread(VMCS_GUEST_ES_BASE);
	cpu->segment_base[SEG_CS] = vmread(VMCS_GUEST_CS_BASE);
	cpu->segment_base[SEG_SS] = vmread(VMCS_GUEST_SS_BASE);
	cpu->segment_base[SEG_DS] = vmread(VMCS_GUEST_DS_BASE);
}

static enum exit_action emulate(struct vcpu *vcpu, uint64_t gpa)
{
	const struct insn_memory memory = {vcpu, insn_read, insn_write};
	struct insn insn;
	struct insn_cpu cpu;
	int error = fetch_and_decode(vcpu, &insn);

	if (error == -EFAULT)
		return VCPU_RESUME; /* with a page fault */
	if (error) {
		vm_kill(vcpu->vm, "no emulation for the instruction at rip 0x%lx on 0x%lx",
			vmread(VMCS_GUEST_RIP), gpa);
		vcpu_dump(vcpu);
		return VCPU_LEAVE;
	}
	load_cpu(vcpu, &cpu);
	error = insn_execute(&insn, &cpu, &memory, REP_BUDGET);
	if (cpu.rip != vmread(VMCS_GUEST_RIP))
		vcpu_end_instruction(vcpu, cpu.rip);
	vmwrite(VMCS_GUEST_RSP, vcpu->gpr[RSP]);
	vmwrite(VMCS_GUEST_RFLAGS, cpu.rflags);
	return VCPU_RESUME;
}

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
	int error = ept_fault(&vm->ept, &cpu, gpa, qualification & EPT_VIOLATION_WRITE);

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
	return emulate(vcpu, gpa);
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
