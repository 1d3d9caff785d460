/* SPDX-License-Identifier: MIT */
/*
 * An access to what is no RAM, and INS and OUTS: the instruction is carried out here, with its memory
 * accesses sent to the device models.
 */
#include "hv/emulate/insn.h"
#include "hv/exits/exit.h"
#include "hv/exits/segment.h"
#include "hv/machine/lock.h"
#include "hv/vm/fpu.h"
#include "hv/vm/guest_memory.h"
#include "hv/vm/interrupts.h"
#include "hv/vm/step.h"
#include "lib/asm.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"

/*
 * One instruction that is carried out here. The page that faulted need not be walked to again:
 * the CPU has translated it, checked the access, and told both addresses (SDM 3C 28.2.1).
 */
struct emulation {
	struct vcpu *vcpu;
	uint64_t linear, gpa; /* of the page */
	bool written;         /* the access was a write: only then was that right checked */
	bool lapic;           /* it is the local APIC's page */
	bool checks;          /* one of the next two has something to see */
	bool align;           /* #AC is on */
	uint64_t dr7;
	uint64_t hits; /* breakpoints of the iteration at hand, as DR6 has them */
};

static bool in_faulting_page(const struct emulation *e, uint64_t linear, unsigned width)
{
	return linear - e->linear <= PAGE_SIZE - width;
}

/*
 * What the CPU checks of each access, and has checked only of the one that exited: alignment, and
 * breakpoints. 0, or -EFAULT with #AC.
 */
static __attribute__((cold)) int check_access(struct emulation *e, uint64_t linear, unsigned width, bool write)
{
	if (e->align && linear & (width - 1) && width <= 8) {
		vcpu_inject(e->vcpu, VECTOR_AC, true, 0);
		return -EFAULT;
	}
	if (e->dr7 & DR7_ENABLED) e->hits |= debug_hits(e->dr7, linear, width, write ? DEBUG_WRITE : DEBUG_READ);
	return 0;
}

static inline void access_device(const struct emulation *e, uint64_t linear, unsigned width, bool write,
				 uint64_t *value)
{
	uint64_t gpa = e->gpa + (linear - e->linear);

	if (e->lapic && width <= 8) {
		interrupts_lapic_access(e->vcpu, gpa, width, write, value);
		return;
	}
	for (; width > 8; width -= 8, gpa += 8) vm_mmio(e->vcpu, gpa, 8, write, value++);
	vm_mmio(e->vcpu, gpa, width, write, value);
}

static int insn_read(void *ctx, uint64_t linear, unsigned width, uint64_t *value)
{
	struct emulation *e = ctx;

	*value = 0;
	if (e->checks && check_access(e, linear, width, false)) return -EFAULT;
	if (!in_faulting_page(e, linear, width)) return guest_read(e->vcpu, linear, width, false, value);
	access_device(e, linear, width, false, value);
	return 0;
}

static int insn_write(void *ctx, uint64_t linear, unsigned width, uint64_t *value)
{
	struct emulation *e = ctx;

	if (e->checks && check_access(e, linear, width, true)) return -EFAULT;
	if (!e->written || !in_faulting_page(e, linear, width))
		return guest_write(e->vcpu, linear, width, false, value);
	access_device(e, linear, width, true, value);
	return 0;
}

static int insn_probe_write(void *ctx, uint64_t linear, unsigned width)
{
	const struct emulation *e = ctx;

	return e->written && in_faulting_page(e, linear, width) ? 0 : guest_probe_write(e->vcpu, linear, width, false);
}

/* If the exit was another, the code has changed since, and nobody has checked whether it may: it comes again. */
static int insn_port(void *ctx, unsigned width, bool write, uint64_t *value)
{
	struct emulation *e = ctx;
	struct vcpu *vcpu = e->vcpu;
	uint16_t port = (uint16_t)vcpu->gpr[RDX];

	if (e->linear != EXIT_STRING_IO) return -EFAULT;
	vm_bus(vcpu->vm, &vcpu->vm->ports, port, width, write, value);
	e->hits |= debug_port_hits(port, width);
	return 0;
}

static int insn_load_segment(void *ctx, unsigned segment, uint16_t selector)
{
	const struct emulation *e = ctx;

	return segment_load(e->vcpu, segment, selector);
}

/* Without CR4.OSXMMEXCPT what SSE raises is #UD (SDM 3A 2.5). */
static int insn_run(void *ctx, const struct insn *insn, struct insn_cpu *cpu)
{
	int vector = fpu_run(insn, cpu);

	(void)ctx;
	return vector == VECTOR_XM && !(vmread(VMCS_GUEST_CR4) & CR4_OSXMMEXCPT) ? VECTOR_UD : vector;
}

/*
 * Decode at RIP, fetching more when the instruction runs over its page. The bytes stay in 'bytes',
 * and *have says how many there are.
 */
static int fetch_and_decode(struct vcpu *vcpu, unsigned mode, uint8_t *bytes, int *have, const struct insn **insn)
{
	int more, error;

	*have = guest_fetch(vcpu, mode, 0, bytes, INSN_MAX);
	if (*have <= 0) return *have ? *have : -EINVAL;
	error = insn_decode_cached(&vcpu->insns, bytes, (unsigned)*have, mode, insn);
	if (error != -EAGAIN || *have == INSN_MAX) return error;
	more = guest_fetch(vcpu, mode, (unsigned)*have, bytes + *have, INSN_MAX - (unsigned)*have);
	if (more <= 0) return more ? more : -EINVAL;
	*have += more;
	return insn_decode_cached(&vcpu->insns, bytes, (unsigned)*have, mode, insn);
}

/* What 64-bit mode does not look at. */
static void load_segments(struct insn_cpu *cpu)
{
	for (unsigned s = VMCS_ES; s <= VMCS_GS; s++) {
		cpu->segment_base[s] = vmread(VMCS_GUEST_BASE(s));
		cpu->segment[s].limit = (uint32_t)vmread(VMCS_GUEST_LIMIT(s));
		cpu->segment[s].rights = (uint32_t)vmread(VMCS_GUEST_ACCESS_RIGHTS(s));
	}
	cpu->protected_mode = vmread(VMCS_GUEST_CR0) & CR0_PE && !(cpu->rflags & RFLAGS_VM);
	cpu->stack_mask = cpu->segment[SEG_SS].rights & SEGMENT_DB ? BITS(31, 0) : BITS(15, 0);
}

/* What few instructions need. */
static void load_rest(struct vcpu *vcpu, const struct insn *insn, struct insn_cpu *cpu)
{
	cpu->has_bmi = cpuid(7, 0).ebx & CPUID_7_EBX_BMI1;
	cpu->has_lzcnt = cpuid(0x80000001, 0).ecx & CPUID_80000001_ECX_LZCNT;
	cpu->load_segment = insn_load_segment;
	if (insn->operation == INSN_MOV_FROM_SEGMENT)
		cpu->segment[insn->reg].selector = (uint16_t)vmread(VMCS_GUEST_SELECTOR(insn->reg));
	if (insn->operation == INSN_NATIVE) {
		cpu->run = insn_run;
		cpu->native = &vcpu->native;
		cpu->task_switched = vmread(VMCS_GUEST_CR0) & CR0_TS;
		fpu_save(vcpu->fpu, &vcpu->xcr0);
	}
}

/* In 64-bit mode only FS and GS have a base (SDM 1 3.4.2.1), and few instructions name one. */
static void load_cpu(struct vcpu *vcpu, const struct insn *insn, unsigned mode, struct insn_cpu *cpu)
{
	cpu->gpr = vcpu->gpr;
	cpu->rip = vmread(VMCS_GUEST_RIP);
	cpu->rflags = vmread(VMCS_GUEST_RFLAGS);
	if (insn->plain) return;
	vcpu->gpr[RSP] = vmread(VMCS_GUEST_RSP);
	cpu->mode = mode;
	cpu->port = insn_port;
	cpu->stack_mask = ~0UL;
	if (mode != 64) {
		load_segments(cpu);
	} else {
		memset(cpu->segment_base, 0, sizeof(cpu->segment_base));
		if (insn->segment >= SEG_FS) cpu->segment_base[insn->segment] = vmread(VMCS_GUEST_BASE(insn->segment));
	}
	if (insn->operation > INSN_BTC) load_rest(vcpu, insn, cpu);
}

/*
 * Nobody else may come between the read and the write of what LOCK is on, or XCHG: not another
 * CPU's emulation either. (RAM that shares the operand with a device is no part of that.)
 */
static int execute_one(struct emulation *e, const struct insn *insn, struct insn_cpu *cpu,
		       const struct insn_memory *memory)
{
	int error;

	if (!insn->locked) return insn_execute(insn, cpu, memory);
	lock(&e->vcpu->vm->instruction_lock, LOCK_INSTRUCTION);
	error = insn_execute(insn, cpu, memory);
	unlock(&e->vcpu->vm->instruction_lock, LOCK_INSTRUCTION);
	return error;
}

/*
 * One access may start long work (a queue of 32768 invalidations): between the iterations of a REP
 * the slice may be over. It is over, too, where the guest wants an exception after each. What
 * insn_execute() returns.
 */
static int execute(struct emulation *e, const struct insn *insn, struct insn_cpu *cpu)
{
	const struct insn_memory memory = {e, insn_read, insn_write, insn_probe_write};
	uint64_t rip = cpu->rip;
	unsigned budget = REP_BUDGET;
	int error;

	do {
		e->hits = 0;
		error = execute_one(e, insn, cpu, &memory);
		vcpu_look_at_clock(e->vcpu);
	} while (!error && cpu->rip == rip && --budget && !vcpu_is_kicked(e->vcpu) && !e->hits &&
		 !(cpu->rflags & RFLAGS_TF));
	return error;
}

static void end_execution(const struct emulation *e, const struct insn *insn, const struct insn_cpu *cpu, uint64_t rip,
			  int error)
{
	struct vcpu *vcpu = e->vcpu;

	if (!insn->plain) {
		if (insn->operation == INSN_NATIVE) { /* a store that failed has changed nothing */
			if (!error || cpu->fault >= 0) fpu_save_after(vcpu->fpu, insn, cpu);
			fpu_load(vcpu->fpu, vcpu->xcr0);
		}
		vmwrite(VMCS_GUEST_RSP, vcpu->gpr[RSP]);
		vmwrite(VMCS_GUEST_RFLAGS, cpu->rflags | (error ? RFLAGS_RF : 0));
	}
	if (error) {
		bool has_code = cpu->fault == VECTOR_GP || cpu->fault == VECTOR_SS;

		if (cpu->fault >= 0) vcpu_inject(vcpu, (unsigned)cpu->fault, has_code, 0);
		return;
	}
	if (cpu->rip != rip)
		vcpu_end_instruction(vcpu, cpu->rip);
	else
		vcpu_end_iteration(vcpu);
	if (e->hits) vcpu_add_debug(vcpu, e->hits);
	if (insn->operation == INSN_MOV_TO_SEGMENT && insn->reg == SEG_SS)
		vmwrite_set(VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_MOV_SS);
}

/* At CPL 3 it is the program's fault, not the system's: for it the instruction does not exist. */
static enum exit_action not_emulated(struct vcpu *vcpu, uint64_t gpa, const uint8_t *bytes, int have)
{
	char text[3 * INSN_MAX + 1] = "";

	if (ept_slot_find(&vcpu->vm->ept, gpa)) return vcpu_write_rom(vcpu);
	if (vcpu_cpl(vcpu) == 3) {
		vcpu_inject_ud(vcpu);
		return VCPU_RESUME;
	}
	for (int i = 0; i < have; i++) format_append(text, sizeof(text), " %02x", bytes[i]);
	return EXIT_DUMP(vcpu, "no emulation for the instruction at rip 0x%lx on 0x%lx:%s", vmread(VMCS_GUEST_RIP), gpa,
			 text);
}

enum exit_action exit_mmio(struct vcpu *vcpu, uint64_t gpa, bool write, uint64_t linear)
{
	struct emulation e = {
		.vcpu = vcpu,
		.linear = linear & ~(PAGE_SIZE - 1),
		.gpa = gpa & ~(PAGE_SIZE - 1),
		.written = write,
		.lapic = gpa - vcpu->lapic_page < LAPIC_SIZE,
		.dr7 = vmread(VMCS_GUEST_DR7),
	};
	unsigned mode = vcpu_mode(vcpu);
	uint8_t bytes[INSN_MAX];
	const struct insn *insn;
	struct insn_cpu cpu;
	uint64_t rip;
	int have, error = fetch_and_decode(vcpu, mode, bytes, &have, &insn);

	if (error == -EFAULT) return VCPU_RESUME; /* with a page fault */
	/* INS and OUTS are known: the code has changed since the exit. */
	if (error) return linear == EXIT_STRING_IO ? VCPU_RESUME : not_emulated(vcpu, gpa, bytes, have);
	load_cpu(vcpu, insn, mode, &cpu);
	rip = cpu.rip;
	if (cpu.rflags & RFLAGS_AC) e.align = vcpu_cpl(vcpu) == 3 && vmread(VMCS_GUEST_CR0) & CR0_AM;
	e.checks = e.align || e.dr7 & DR7_ENABLED;
	error = execute(&e, insn, &cpu);
	end_execution(&e, insn, &cpu, rip, error);
	if (e.lapic) interrupts_lapic_written(vcpu);
	return VCPU_RESUME;
}
