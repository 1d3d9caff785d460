/* SPDX-License-Identifier: MIT */
/*
 * Port I/O: every IN and OUT of a guest exits and is answered by its device models, or by ones.
 */
#include "hv/exits/exit.h"

/* Breakpoints on the port, while CR4.DE makes them that (SDM 3B 18.2.4). */
uint64_t debug_port_hits(uint16_t port, unsigned width)
{
	uint64_t dr7 = vmread(VMCS_GUEST_DR7);

	return dr7 & DR7_ENABLED && vmread(VMCS_GUEST_CR4) & CR4_DE ? debug_hits(dr7, port, width, DEBUG_PORT) : 0;
}

/* One IN or OUT on the accumulator (SDM 2A "IN": 8 and 16 bits keep the rest of RAX), or INS and OUTS. */
enum exit_action exit_io(struct vcpu *vcpu)
{
	uint64_t qualification = vmread(VMCS_EXIT_QUALIFICATION);
	unsigned width = (unsigned)FIELD(qualification, IO_SIZE) + 1;
	uint16_t port = (uint16_t)FIELD(qualification, IO_PORT);
	bool in = qualification & IO_IN;
	uint64_t value = vcpu->gpr[RAX], hits; /* the bus takes and gives 'width' bytes of the first */

	if (qualification & IO_STRING) return exit_mmio(vcpu, 0, false, EXIT_STRING_IO);
	vm_bus(vcpu->vm, &vcpu->vm->ports, port, width, !in, &value);
	if (in) vcpu->gpr[RAX] = (vcpu->gpr[RAX] & (width == 4 ? 0 : ~0ULL << 8 * width)) | value;
	vcpu_skip_instruction(vcpu);
	hits = debug_port_hits(port, width);
	if (hits) vcpu_add_debug(vcpu, hits);
	return VCPU_RESUME;
}
