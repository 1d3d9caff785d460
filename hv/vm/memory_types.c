/* SPDX-License-Identifier: MIT */
/*
 * What of a guest CPU decides its memory's types: the MTRRs, as firmware leaves them, and CR0.CD.
 */
#include "hv/dev/pci.h"
#include "hv/vm/cpu_model.h"
#include "hv/vm/vm.h"

void vcpu_set_firmware_mtrrs(struct vcpu *vcpu)
{
	uint64_t width = BITS(guest_address_width() - 1, 0);
	const struct {
		uint32_t msr;
		uint64_t value;
	} left[] = {
		{MSR_IA32_MTRR_FIX64K_00000, 0x0606060606060606},
		{MSR_IA32_MTRR_FIX16K_80000, 0x0606060606060606},
		{MSR_IA32_MTRR_PHYSBASE0, PCI_WINDOW | MEMTYPE_UC},
		{MSR_IA32_MTRR_PHYSMASK0, (~(4 * GiB - PCI_WINDOW - 1) & width) | PHYSMASK_V},
		{MSR_IA32_MTRR_DEF_TYPE, DEF_TYPE_E | DEF_TYPE_FE | MEMTYPE_WB},
	};
	unsigned count;

	vcpu->ept_cpu.mtrr = &vcpu->mtrr;
	mtrr_reset(&vcpu->mtrr, guest_address_width());
	for (size_t i = 0; i < ARRAY_SIZE(left); i++) mtrr_write(&vcpu->mtrr, left[i].msr, left[i].value, NULL, &count);
}

void vcpu_set_cache_disable(struct vcpu *vcpu, bool cd)
{
	const struct ept_range all = {0, BIT(EPT_GPA_BITS)};

	vcpu->ept_cpu.cd = cd;
	ept_type_changed(&vcpu->vm->ept, &all, 1);
	vcpu_look_at_clock(vcpu);
}
