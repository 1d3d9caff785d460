/* SPDX-License-Identifier: MIT */
/*
 * Port I/O: every IN and OUT of a guest exits and is answered by its device models, or by ones.
 */
#include "hv/exits/exit.h"
#include "hv/vm/guest_memory.h"
#include "lib/bits.h"

/* Breakpoints on the port, while CR4.DE makes them that (SDM 3B 18.2.4). */
static uint64_t port_hits(uint16_t port, unsigned width)
{
	uint64_t dr7 = vmread(VMCS_GUEST_DR7);

	return dr7 & DR7_ENABLED && vmread(VMCS_GUEST_CR4) & CR4_DE ? debug_hits(dr7, port, width, DEBUG_PORT) : 0;
}

static uint64_t memory_hits(uint64_t linear, unsigned width, bool write)
{
	uint64_t dr7 = vmread(VMCS_GUEST_DR7);

	return dr7 & DR7_ENABLED ? debug_hits(dr7, linear, width, write ? DEBUG_WRITE : DEBUG_READ) : 0;
}

/* One IN or OUT on the accumulator (SDM 2A "IN": 8 and 16 bits keep the rest of RAX). */
static void access_port(struct vcpu *vcpu, uint16_t port, unsigned width, bool in)
{
	uint64_t keep = width == 4 ? 0 : ~0ULL << 8 * width;
	uint64_t value = vcpu->gpr[RAX]; /* the bus takes and gives 'width' bytes of it */

	vm_bus(vcpu->vm, &vcpu->vm->ports, port, width, !in, &value);
	if (in) vcpu->gpr[RAX] = (vcpu->gpr[RAX] & keep) | value;
}

/* Set the low 'address mask' part of a register; a 32-bit result clears the upper half. */
static void set_counter(uint64_t *reg, uint64_t mask, uint64_t value)
{
	*reg = mask == 0xffff ? (*reg & ~mask) | (value & mask) : value & mask;
}

/*
 * The exit came before the CPU looked at the memory operand: what it would have checked of the
 * segment is checked here (SDM 3C 26.1.1). False with the exception injected.
 */
static bool operand_is_allowed(struct vcpu *vcpu, uint64_t info, bool in, uint64_t offset, unsigned width)
{
	unsigned segment = in ? VMCS_ES : (unsigned)FIELD(info, INS_OUTS_SEGMENT);
	struct insn_segment operand;

	if (vcpu_mode(vcpu) == 64) return true;
	operand.limit = (uint32_t)vmread(VMCS_GUEST_LIMIT(segment));
	operand.rights = (uint32_t)vmread(VMCS_GUEST_ACCESS_RIGHTS(segment));
	if (insn_segment_allows(&operand, vmread(VMCS_GUEST_CR0) & CR0_PE && !(vmread(VMCS_GUEST_RFLAGS) & RFLAGS_VM),
				offset, width, in))
		return true;
	vcpu_inject(vcpu, segment == VMCS_SS ? VECTOR_SS : VECTOR_GP, true, 0);
	return false;
}

/*
 * INS or OUTS: the linear address is that of the first item, the registers move with each
 * (SDM 3C 28.2.5). Items done stand, whatever stops the rest. Apart, for IN and OUT need none of these
 * registers: 3 of 253 ticks.
 */
__attribute__((noinline)) static void access_string(struct vcpu *vcpu, uint64_t qualification, unsigned width)
{
	uint64_t info = vmread(VMCS_EXIT_INSTRUCTION_INFO);
	uint64_t size = FIELD(info, INS_OUTS_ADDRESS_SIZE);
	uint64_t mask = size == 2 ? ~0ULL : size == 1 ? 0xffffffff : 0xffff;
	bool in = qualification & IO_IN;
	uint64_t *index = &vcpu->gpr[in ? RDI : RSI], *count = &vcpu->gpr[RCX];
	uint64_t base = vmread(VMCS_GUEST_LINEAR_ADDRESS) - (*index & mask);
	uint64_t rflags = vmread(VMCS_GUEST_RFLAGS), hits = 0;
	int64_t step = rflags & RFLAGS_DF ? -(int64_t)width : (int64_t)width;
	unsigned budget = qualification & IO_REP ? REP_BUDGET : 1;
	uint16_t port = (uint16_t)FIELD(qualification, IO_PORT);

	if (rflags & RFLAGS_TF) budget = 1;
	for (; budget && !hits; budget--) {
		uint64_t linear = base + (*index & mask), value = 0;

		if (qualification & IO_REP && !(*count & mask)) break;
		if (!operand_is_allowed(vcpu, info, in, *index & mask, width)) return;
		/* INS: the memory must be writable before the port is read. */
		if (in ? guest_probe_write(vcpu, linear, width) : guest_read(vcpu, linear, width, &value)) return;
		vm_bus(vcpu->vm, &vcpu->vm->ports, port, width, !in, &value);
		vcpu_look_at_clock(vcpu);
		if (in) guest_write(vcpu, linear, width, &value);
		hits = port_hits(port, width) | memory_hits(linear, width, in);
		set_counter(index, mask, *index + (uint64_t)step);
		if (qualification & IO_REP) set_counter(count, mask, *count - 1);
		if (vcpu_is_kicked(vcpu)) break; /* behind one at least, or the guest would not get ahead */
	}
	if (!(qualification & IO_REP) || !(*count & mask))
		vcpu_skip_instruction(vcpu);
	else
		vcpu_end_iteration(vcpu);
	if (hits) vcpu_add_debug(vcpu, hits);
}

enum exit_action exit_io(struct vcpu *vcpu)
{
	uint64_t qualification = vmread(VMCS_EXIT_QUALIFICATION);
	unsigned width = (unsigned)FIELD(qualification, IO_SIZE) + 1;
	uint16_t port = (uint16_t)FIELD(qualification, IO_PORT);
	uint64_t hits;

	if (qualification & IO_STRING) {
		access_string(vcpu, qualification, width);
		return VCPU_RESUME;
	}
	access_port(vcpu, port, width, qualification & IO_IN);
	vcpu_skip_instruction(vcpu);
	hits = port_hits(port, width);
	if (hits) vcpu_add_debug(vcpu, hits);
	return VCPU_RESUME;
}
