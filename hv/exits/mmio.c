/* SPDX-License-Identifier: MIT */
/*
 * An access to what is no RAM: the instruction is carried out here, with its memory accesses sent
 * to the device models.
 */
#include "hv/emulate/insn.h"
#include "hv/exits/exit.h"
#include "hv/vm/guest_memory.h"
#include "lib/asm.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/string.h"

/* Iterations of a REP instruction per exit; the guest comes back for the rest. */
#define REP_BUDGET 64

/*
 * One instruction that is carried out here. The page that faulted need not be walked to again:
 * the CPU has translated it, checked the access, and told both addresses (SDM 3C 28.2.1).
 */
struct emulation {
	struct vcpu *vcpu;
	uint64_t linear, gpa; /* of the page */
	bool written;         /* the access was a write: only then was that right checked */
};

static bool in_faulting_page(const struct emulation *e, uint64_t linear, unsigned width)
{
	return linear - e->linear <= PAGE_SIZE - width;
}

static int insn_read(void *ctx, uint64_t linear, unsigned width, uint64_t *value)
{
	const struct emulation *e = ctx;

	if (!in_faulting_page(e, linear, width))
		return guest_read(e->vcpu, linear, width, value);
	vm_mmio(e->vcpu->vm, e->gpa + (linear - e->linear), width, false, value);
	return 0;
}

static int insn_write(void *ctx, uint64_t linear, unsigned width, uint64_t value)
{
	const struct emulation *e = ctx;

	if (!e->written || !in_faulting_page(e, linear, width))
		return guest_write(e->vcpu, linear, width, value);
	vm_mmio(e->vcpu->vm, e->gpa + (linear - e->linear), width, true, &value);
	return 0;
}

/* Decode at RIP, fetching more when the instruction runs over its page. */
static int fetch_and_decode(struct vcpu *vcpu, unsigned mode, const struct insn **insn)
{
	uint8_t bytes[INSN_MAX];
	int have = guest_fetch(vcpu, mode, 0, bytes, sizeof(bytes)), more, error;

	if (have <= 0)
		return have ? have : -EINVAL;
	error = insn_decode_cached(&vcpu->insns, bytes, (unsigned)have, mode, insn);
	if (error != -EAGAIN || have == INSN_MAX)
		return error;
	more = guest_fetch(vcpu, mode, (unsigned)have, bytes + have,
			   sizeof(bytes) - (unsigned)have);
	if (more <= 0)
		return more ? more : -EINVAL;
	return insn_decode_cached(&vcpu->insns, bytes, (unsigned)(have + more), mode, insn);
}

/* In 64-bit mode only FS and GS have a base (SDM 1 3.4.2.1), and few instructions name one. */
static void load_segment_bases(const struct insn *insn, struct insn_cpu *cpu)
{
	memset(cpu->segment_base, 0, sizeof(cpu->segment_base));
	if (cpu->mode != 64)
		for (unsigned s = VMCS_ES; s <= VMCS_GS; s++)
			cpu->segment_base[s] = vmread(VMCS_GUEST_BASE(s));
	else if (insn->segment >= SEG_FS)
		cpu->segment_base[insn->segment] = vmread(VMCS_GUEST_BASE(insn->segment));
}

static void load_cpu(struct vcpu *vcpu, const struct insn *insn, unsigned mode,
		     struct insn_cpu *cpu)
{
	vcpu->gpr[RSP] = vmread(VMCS_GUEST_RSP);
	cpu->gpr = vcpu->gpr;
	cpu->rip = vmread(VMCS_GUEST_RIP);
	cpu->rflags = vmread(VMCS_GUEST_RFLAGS);
	cpu->mode = mode;
	load_segment_bases(insn, cpu);
}

/*
 * One access may start long work (a queue of 32768 invalidations): between the iterations of a REP
 * the slice may be over. An error means that the guest was given a fault.
 */
static void execute(struct vcpu *vcpu, const struct insn *insn, struct insn_cpu *cpu,
		    const struct insn_memory *memory)
{
	uint64_t rip = cpu->rip;
	unsigned budget = REP_BUDGET;

	while (!insn_execute(insn, cpu, memory) && cpu->rip == rip && --budget) {
		vcpu_look_at_clock(vcpu);
		if (vcpu_is_kicked(vcpu))
			return;
	}
	vcpu_look_at_clock(vcpu);
}

enum exit_action exit_mmio(struct vcpu *vcpu, uint64_t gpa, bool write)
{
	struct emulation e = {vcpu, vmread(VMCS_GUEST_LINEAR_ADDRESS) & ~(PAGE_SIZE - 1),
			      gpa & ~(PAGE_SIZE - 1), write};
	const struct insn_memory memory = {&e, insn_read, insn_write};
	unsigned mode = vcpu_mode(vcpu);
	const struct insn *insn;
	struct insn_cpu cpu;
	uint64_t rip;
	int error = fetch_and_decode(vcpu, mode, &insn);

	if (error == -EFAULT)
		return VCPU_RESUME; /* with a page fault */
	if (error) {
		vm_kill(vcpu->vm, "no emulation for the instruction at rip 0x%lx on 0x%lx",
			vmread(VMCS_GUEST_RIP), gpa);
		vcpu_dump(vcpu);
		return VCPU_LEAVE;
	}
	load_cpu(vcpu, insn, mode, &cpu);
	rip = cpu.rip;
	execute(vcpu, insn, &cpu, &memory);
	vmwrite(VMCS_GUEST_RSP, vcpu->gpr[RSP]);
	vmwrite(VMCS_GUEST_RFLAGS, cpu.rflags);
	if (cpu.rip != rip)
		vcpu_end_instruction(vcpu, cpu.rip);
	return VCPU_RESUME;
}
