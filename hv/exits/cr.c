/* SPDX-License-Identifier: MIT */
/*
 * Writes of control registers that touch a bit the hypervisor owns, and XSETBV. What the guest
 * asked for is checked as the CPU would check it (SDM 3A 2.5, 5.3) and then done whole.
 */
#include "hv/exits/exit.h"
#include "hv/vm/cpu_model.h"
#include "hv/vm/fpu.h"
#include "hv/vm/guest_memory.h"
#include "hv/vm/interrupts.h"

#define CR0_DEFINED (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)

static uint64_t guest_cr0(const struct vcpu *vcpu)
{
	vcpu_assert_current(vcpu);
	return (vmread(VMCS_GUEST_CR0) & ~GUEST_CR0_SHADOWED) | (vmread(VMCS_CR0_READ_SHADOW) & GUEST_CR0_SHADOWED);
}

static bool cr0_is_valid(const struct vcpu *vcpu, uint64_t value, uint64_t old)
{
	if (value >> 32) return false;
	if (value & CR0_PG && !(value & CR0_PE)) return false;
	if (value & CR0_NW && !(value & CR0_CD)) return false;
	if (value & CR0_PG && !(old & CR0_PG) && vmread(VMCS_GUEST_IA32_EFER) & EFER_LME) {
		if (!(vmread(VMCS_GUEST_CR4) & CR4_PAE)) return false;
		if (vmread(VMCS_GUEST_CS_ACCESS_RIGHTS) & SEGMENT_L) return false;
		if ((vmread(VMCS_GUEST_ACCESS_RIGHTS(VMCS_TR)) & SEGMENT_TYPE) == SEGMENT_TYPE_TSS16_BUSY) return false;
	}
	if (!(value & CR0_PG) && old & CR0_PG && (vcpu_mode(vcpu) == 64 || vmread(VMCS_GUEST_CR4) & CR4_PCIDE))
		return false;
	return true;
}

/* With this CR0, is it PAE paging? A write that changes how it pages loads its PDPTEs anew. */
static bool is_pae(uint64_t cr0)
{
	return cr0 & CR0_PG && vmread(VMCS_GUEST_CR4) & CR4_PAE && !(vmread(VMCS_GUEST_IA32_EFER) & EFER_LME);
}

/* Paging goes on or off: LMA follows LME. */
static void change_paging(bool on)
{
	uint64_t efer = vmread(VMCS_GUEST_IA32_EFER) & ~EFER_LMA;
	uint64_t entry = vmread(VMCS_ENTRY_CONTROLS) & ~(uint64_t)ENTRY_IA32E_GUEST;

	if (on && efer & EFER_LME) {
		efer |= EFER_LMA;
		entry |= ENTRY_IA32E_GUEST;
	}
	vmwrite(VMCS_GUEST_IA32_EFER, efer);
	vmwrite(VMCS_ENTRY_CONTROLS, entry);
}

static int set_cr0(struct vcpu *vcpu, uint64_t value)
{
	uint64_t old = guest_cr0(vcpu);

	value = (value & (CR0_DEFINED | ~BITS(31, 0))) | CR0_ET;
	if (!cr0_is_valid(vcpu, value, old)) return -EINVAL;
	/* SDM 3A 4.4.1 names these three bits. */
	if ((value ^ old) & (CR0_PG | CR0_CD | CR0_NW) && is_pae(value) && guest_load_pdptes(vcpu)) return -EINVAL;
	if ((value ^ old) & CR0_PG) change_paging(value & CR0_PG);
	vmwrite(VMCS_CR0_READ_SHADOW, value);
	vmwrite(VMCS_GUEST_CR0, guest_cr0_of(value));
	if ((value ^ old) & (CR0_PG | CR0_WP)) invvpid(vcpu->vpid);
	if ((value ^ old) & CR0_CD) vcpu_set_cache_disable(vcpu, value & CR0_CD);
	return 0;
}

/* The task priority: a lower one may let a pending interrupt in (SDM 3A 11.8.6). */
static enum exit_action mov_to_cr8(struct vcpu *vcpu, uint64_t qualification)
{
	uint64_t value = vcpu_register(vcpu, (unsigned)FIELD(qualification, CR_ACCESS_REGISTER));

	if (value > 15) return exit_done(vcpu, -EINVAL);
	lapic_set_cr8(&vcpu->lapic, value);
	vcpu_skip_instruction(vcpu);
	interrupts_lapic_written(vcpu);
	return VCPU_RESUME;
}

static enum exit_action mov_from_cr8(struct vcpu *vcpu, uint64_t qualification)
{
	vcpu_set_register(vcpu, (unsigned)FIELD(qualification, CR_ACCESS_REGISTER), lapic_cr8(&vcpu->lapic));
	return exit_done(vcpu, 0);
}

/*
 * Of CR4 an exit means that a bit outside guest_cr4_allowed() would become 1: VMXE or a feature that
 * CPUID does not show. There a CPU without the feature raises #GP(0).
 */
static enum exit_action mov_to_cr(struct vcpu *vcpu, uint64_t qualification)
{
	uint64_t value = vcpu_register(vcpu, (unsigned)FIELD(qualification, CR_ACCESS_REGISTER));
	int error = -EINVAL;

	if (vcpu_mode(vcpu) != 64) value = (uint32_t)value;
	if (FIELD(qualification, CR_ACCESS_NUMBER) == 0)
		error = set_cr0(vcpu, value);
	else if (FIELD(qualification, CR_ACCESS_NUMBER) == 4 && !(value & ~guest_cr4_allowed()))
		error = 0;
	return exit_done(vcpu, error);
}

enum exit_action exit_cr_access(struct vcpu *vcpu)
{
	uint64_t qualification = vmread(VMCS_EXIT_QUALIFICATION);

	switch (FIELD(qualification, CR_ACCESS_TYPE)) {
	case CR_ACCESS_TYPE_MOV_TO:
		return (FIELD(qualification, CR_ACCESS_NUMBER) == 8 ? mov_to_cr8 : mov_to_cr)(vcpu, qualification);
	case CR_ACCESS_TYPE_MOV_FROM: /* only CR8 */ return mov_from_cr8(vcpu, qualification);
	default: /* CLTS and LMSW cannot exit with our masks: TS and the low four bits are the guest's own */
		return EXIT_KILL(vcpu, "control register access 0x%lx", qualification);
	}
}

/* SDM 2C "XSETBV", 1 13.3: x87 always on, AVX only with SSE. */
enum exit_action exit_xsetbv(struct vcpu *vcpu)
{
	uint64_t value = vcpu->gpr[RDX] << 32 | (uint32_t)vcpu->gpr[RAX];

	if (vcpu_cpl(vcpu) || (uint32_t)vcpu->gpr[RCX] || !(value & XCR0_X87) || value & ~fpu_xcr0_offered() ||
	    (value & XCR0_AVX && !(value & XCR0_SSE)))
		return exit_done(vcpu, -EINVAL);
	xsetbv(0, value);
	return exit_done(vcpu, 0);
}
