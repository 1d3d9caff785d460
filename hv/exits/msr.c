/* SPDX-License-Identifier: MIT */
#include "hv/exits/msr.h"

#include "lib/asm.h"
#include "hv/vm/cpu_model.h"
#include "hv/exits/exit.h"
#include "hv/vm/interrupts.h"
#include "hv/machine/memory.h"
#include "hv/vm/vcpu.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/string.h"

/* The bitmap's four kilobytes: reads and writes of MSRs 0-0x1fff and of 0xc0000000-0xc0001fff. */
#define BITMAP_HIGH  1024
#define BITMAP_WRITE 2048
#define HIGH_FIRST   0xc0000000U

/*
 * MSRs that a guest touches without an exit: the VMCS holds them or hv/vm/vcpu.c swaps them. Their
 * values cannot harm anyone else.
 */
static const uint32_t direct[] = {
	MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP,   MSR_IA32_SYSENTER_EIP, MSR_IA32_STAR,
	MSR_IA32_LSTAR,       MSR_IA32_CSTAR,          MSR_IA32_FMASK,        MSR_IA32_FS_BASE,
	MSR_IA32_GS_BASE,     MSR_IA32_KERNEL_GS_BASE,
};
/* And those it only reads so. */
static const uint32_t direct_read[] = {MSR_IA32_TIME_STAMP_COUNTER, MSR_IA32_EFER};

static void allow(uint8_t *bitmap, uint32_t msr)
{
	uint32_t bit = msr & 0x1fff;

	if (msr >= HIGH_FIRST)
		bitmap += BITMAP_HIGH;
	bitmap[bit / 8] &= (uint8_t) ~(1U << bit % 8);
}

uint64_t msr_bitmap_alloc(void)
{
	uint64_t page = page_alloc();
	uint8_t *bitmap = (uint8_t *)page;

	if (!page)
		return 0;
	memset(bitmap, 0xff, PAGE_SIZE);
	for (size_t i = 0; i < ARRAY_SIZE(direct); i++) {
		allow(bitmap, direct[i]);
		allow(bitmap + BITMAP_WRITE, direct[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(direct_read); i++)
		allow(bitmap, direct_read[i]);
	if (cpu_has_rdtscp()) {
		allow(bitmap, MSR_IA32_TSC_AUX);
		allow(bitmap + BITMAP_WRITE, MSR_IA32_TSC_AUX);
	}
	return page;
}

void msr_set_firmware_mtrrs(struct vcpu *vcpu)
{
	static const struct {
		uint32_t msr;
		uint64_t value;
	} fixed[] = {
		{MSR_IA32_MTRR_FIX64K_00000, 0x0606060606060606},
		{MSR_IA32_MTRR_FIX16K_80000, 0x0606060606060606},
	};
	uint64_t width = BITS(guest_address_width() - 1, 0);
	struct ept_range changed[MTRR_CHANGE_MAX];
	unsigned count;

	mtrr_reset(&vcpu->mtrr, guest_address_width());
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		mtrr_write(&vcpu->mtrr, fixed[i].msr, fixed[i].value, changed, &count);
	mtrr_write(&vcpu->mtrr, MSR_IA32_MTRR_PHYSBASE0, 0xc0000000 | MEMTYPE_UC, changed, &count);
	mtrr_write(&vcpu->mtrr, MSR_IA32_MTRR_PHYSMASK0,
		   (~(4 * GiB - 0xc0000000 - 1) & width) | BIT(11), changed, &count);
	mtrr_write(&vcpu->mtrr, MSR_IA32_MTRR_DEF_TYPE, 0xc06, changed, &count);
}

void msr_cache_disable_changed(struct vcpu *vcpu, bool cd)
{
	const struct ept_range all = {0, 1ULL << 48};

	vcpu->cd = cd;
	ept_type_changed(&vcpu->vm->ept, &all, 1);
}

static int write_mtrr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	struct ept_range changed[MTRR_CHANGE_MAX];
	unsigned count;
	int error;

	/* Without noncoherent DMA no leaf depends on them: do not ask what changed. */
	if (!vcpu->vm->ept.noncoherent)
		return mtrr_write(&vcpu->mtrr, msr, value, NULL, &count);
	error = mtrr_write(&vcpu->mtrr, msr, value, changed, &count);
	if (!error && count)
		ept_type_changed(&vcpu->vm->ept, changed, count);
	return error;
}

/* Each of the eight bytes must be a memory type (SDM 3A 12.12.2). */
static int write_pat(uint64_t value)
{
	for (unsigned i = 0; i < 8; i++) {
		unsigned type = value >> 8 * i & 0xff;

		if (type > 7 || type == 2 || type == 3)
			return -EINVAL;
	}
	vmwrite(VMCS_GUEST_IA32_PAT, value);
	return 0;
}

static int write_efer(const struct vcpu *vcpu, uint64_t value)
{
	uint64_t old = vmread(VMCS_GUEST_IA32_EFER);

	if (value & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE))
		return -EINVAL;
	if ((value ^ old) & EFER_LME && vmread(VMCS_GUEST_CR0) & CR0_PG)
		return -EINVAL;
	vmwrite(VMCS_GUEST_IA32_EFER, (value & ~EFER_LMA) | (old & EFER_LMA));
	if ((value ^ old) & EFER_NXE) /* what is cached was checked by the other rule */
		invvpid(vcpu->vpid);
	return 0;
}

static int write_apic_base(struct vcpu *vcpu, uint64_t value)
{
	uint64_t allowed = APIC_BASE_EN | APIC_BASE_BSP | BITS(guest_address_width() - 1, 12);

	if (value & ~allowed)
		return -EINVAL;
	interrupts_set_apic_base(vcpu, value);
	return 0;
}

static int read_msr(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	if (mtrr_has(msr))
		return mtrr_read(&vcpu->mtrr, msr, value);
	*value = 0;
	switch (msr) {
	case MSR_IA32_PAT:
		*value = vmread(VMCS_GUEST_IA32_PAT); /* what the CPU has loaded */
		return 0;
	case MSR_IA32_APIC_BASE:
		*value = vcpu->apic_base;
		return 0;
	case MSR_IA32_MISC_ENABLE:
		*value = MISC_ENABLE_FAST_STRINGS;
		return 0;
	case MSR_IA32_PLATFORM_ID:
	case MSR_IA32_BIOS_SIGN_ID:
	case MSR_IA32_MCG_CAP:
	case MSR_IA32_MCG_STATUS:
		return 0;
	default:
		return -EINVAL;
	}
}

static int write_msr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	if (mtrr_has(msr))
		return write_mtrr(vcpu, msr, value);
	switch (msr) {
	case MSR_IA32_PAT:
		return write_pat(value);
	case MSR_IA32_EFER:
		return write_efer(vcpu, value);
	case MSR_IA32_APIC_BASE:
		return write_apic_base(vcpu, value);
	case MSR_IA32_TIME_STAMP_COUNTER:
		vmwrite(VMCS_TSC_OFFSET, value - rdtsc());
		return 0;
	case MSR_IA32_MISC_ENABLE:
	case MSR_IA32_BIOS_SIGN_ID: /* written before CPUID to read the microcode's revision */
		return 0;
	case MSR_IA32_MCG_STATUS:
		return value ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

enum exit_action exit_rdmsr(struct vcpu *vcpu)
{
	uint64_t value;

	if (read_msr(vcpu, (uint32_t)vcpu->gpr[RCX], &value)) {
		vcpu_inject_gp(vcpu);
		return VCPU_RESUME;
	}
	vcpu->gpr[RAX] = (uint32_t)value;
	vcpu->gpr[RDX] = value >> 32;
	vcpu_skip_instruction(vcpu);
	return VCPU_RESUME;
}

enum exit_action exit_wrmsr(struct vcpu *vcpu)
{
	uint64_t value = vcpu->gpr[RDX] << 32 | (uint32_t)vcpu->gpr[RAX];

	if (write_msr(vcpu, (uint32_t)vcpu->gpr[RCX], value))
		vcpu_inject_gp(vcpu);
	else
		vcpu_skip_instruction(vcpu);
	return VCPU_RESUME;
}
