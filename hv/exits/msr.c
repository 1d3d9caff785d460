/* SPDX-License-Identifier: MIT */
/*
 * RDMSR and WRMSR of what the MSR bitmap does not let through: what each MSR does.
 */
#include "hv/exits/exit.h"
#include "hv/vm/cpu_model.h"
#include "hv/vm/interrupts.h"
#include "hv/vm/run.h"

/*
 * What reads as it was at reset. A write may change the bits of 'accepts', without effect; any other
 * is an error, and so is any write where the CPU has none.
 */
static const struct fixed_msr {
	uint32_t msr;
	bool read_only;
	uint64_t value, accepts;
} fixed[] = {
	{MSR_IA32_P5_MC_ADDR, false, 0, 0},
	{MSR_IA32_P5_MC_TYPE, false, 0, 0},
	{MSR_IA32_PLATFORM_ID, true, 0, 0},
	{MSR_IA32_BIOS_SIGN_ID, false, 0, ~0ULL}, /* written before CPUID to read the microcode's revision */
	{MSR_IA32_MCG_CAP, true, 0, 0},           /* no banks */
	{MSR_IA32_MCG_STATUS, false, 0, 0},
	{MSR_IA32_MISC_ENABLE, false, MISC_ENABLE_FAST_STRINGS, ~0ULL},
	{MSR_IA32_DEBUGCTL, false, 0, 0}, /* neither branch records nor steps */
};

static const struct fixed_msr *find_fixed(uint32_t msr)
{
	for (unsigned i = 0; i < ARRAY_SIZE(fixed); i++)
		if (fixed[i].msr == msr) return &fixed[i];
	return NULL;
}

static int write_mtrr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	struct ept_range changed[MTRR_CHANGE_MAX];
	unsigned count;
	int error;

	/* Without noncoherent DMA no leaf depends on them: do not ask what changed. */
	if (!vcpu->vm->ept.noncoherent) return mtrr_write(&vcpu->mtrr, msr, value, NULL, &count);
	error = mtrr_write(&vcpu->mtrr, msr, value, changed, &count);
	if (!error && count) ept_type_changed(&vcpu->vm->ept, changed, count);
	vcpu_look_at_clock(vcpu); /* a mask with holes changes many ranges */
	return error;
}

static int write_efer(const struct vcpu *vcpu, uint64_t value)
{
	uint64_t old = vmread(VMCS_GUEST_IA32_EFER);

	if (value & ~EFER_ALL) return -EINVAL;
	if ((value ^ old) & EFER_LME && vmread(VMCS_GUEST_CR0) & CR0_PG) return -EINVAL;
	vmwrite(VMCS_GUEST_IA32_EFER, (value & ~EFER_LMA) | (old & EFER_LMA));
	if ((value ^ old) & EFER_NXE) /* what is cached was checked by the other rule */
		invvpid(vcpu->vpid);
	return 0;
}

static void set_deadline(struct vcpu *vcpu, uint64_t value)
{
	uint64_t now = rdtsc() + vcpu->tsc_offset;

	/* One that is over asks for the interrupt now; that of a handler (IF=0) is over by the exit's length alone. */
	if (value <= now && vmread(VMCS_GUEST_RFLAGS) & RFLAGS_IF) vcpu->lapic.timer_held = 0;
	lapic_set_deadline(&vcpu->lapic, value, value > now ? value - now : 0);
	if (value <= now) lapic_timer_poll(&vcpu->lapic);
	if (vcpu->lapic.timer_running) vcpu_timer_armed(vcpu, value > now ? value - now : timer_shortest);
}

static int write_apic_base(struct vcpu *vcpu, uint64_t value)
{
	const uint64_t mode = APIC_BASE_EN | APIC_BASE_EXTD, old = vcpu->apic_base & mode;
	uint64_t allowed = mode | APIC_BASE_BSP | BITS(guest_address_width() - 1, 12);

	if (value & ~allowed || (value & mode) == APIC_BASE_EXTD) return -EINVAL;
	/* x2APIC is entered from xAPIC only, and left only by switching off (SDM 3A 11.12.5). */
	if (old == mode ? (value & mode) == APIC_BASE_EN : !old && (value & mode) == mode) return -EINVAL;
	interrupts_set_apic_base(vcpu, value);
	return 0;
}

/* The guest's TSC is 'offset' ahead of ours from now on: its deadline is nearer or further by that.
 */
static void set_tsc_offset(struct vcpu *vcpu, uint64_t offset)
{
	vcpu->tsc_adjust += offset - vcpu->tsc_offset;
	vcpu->tsc_offset = offset;
	vmwrite(VMCS_TSC_OFFSET, offset);
	if (!vcpu->lapic.deadline) return;
	set_deadline(vcpu, vcpu->lapic.deadline);
	vcpu_kick(vcpu); /* due by that, it comes before the next instruction */
}

static int read_msr(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	const struct fixed_msr *plain;

	if (msr - X2APIC_MSR(0) < LAPIC_REGISTERS) return lapic_read_msr(&vcpu->lapic, msr - X2APIC_MSR(0), value);
	if (mtrr_has(msr)) return mtrr_read(&vcpu->mtrr, msr, value);
	switch (msr) {
	case MSR_IA32_APIC_BASE: *value = vcpu->apic_base; return 0;
	case MSR_IA32_TSC_ADJUST: *value = vcpu->tsc_adjust; return 0;
	case MSR_IA32_TSC_DEADLINE: *value = vcpu->lapic.deadline; return 0;
	}
	plain = find_fixed(msr);
	if (!plain) return -EINVAL;
	*value = plain->value;
	return 0;
}

static int write_msr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	const struct fixed_msr *plain;

	if (mtrr_has(msr)) return write_mtrr(vcpu, msr, value);
	switch (msr) {
	case MSR_IA32_EFER: return write_efer(vcpu, value);
	case MSR_IA32_APIC_BASE: return write_apic_base(vcpu, value);
	case MSR_IA32_TIME_STAMP_COUNTER: set_tsc_offset(vcpu, value - rdtsc()); return 0;
	case MSR_IA32_TSC_ADJUST: set_tsc_offset(vcpu, vcpu->tsc_offset + value - vcpu->tsc_adjust); return 0;
	}
	plain = find_fixed(msr);
	return plain && !plain->read_only && !((value ^ plain->value) & ~plain->accepts) ? 0 : -EINVAL;
}

enum exit_action exit_rdmsr(struct vcpu *vcpu)
{
	uint64_t value;

	if (read_msr(vcpu, (uint32_t)vcpu->gpr[RCX], &value)) return exit_done(vcpu, -EINVAL);
	vcpu->gpr[RAX] = (uint32_t)value;
	vcpu->gpr[RDX] = value >> 32;
	return exit_done(vcpu, 0);
}

static bool is_lapic(uint32_t msr) { return msr - X2APIC_MSR(0) < LAPIC_REGISTERS || msr == MSR_IA32_TSC_DEADLINE; }

static int write_lapic(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	int error;

	if (msr == MSR_IA32_TSC_DEADLINE) {
		set_deadline(vcpu, value);
		return 0;
	}
	error = lapic_write_msr(&vcpu->lapic, msr - X2APIC_MSR(0), value);
	if (!error && lapic_is_timer(msr - X2APIC_MSR(0))) vcpu_timer_armed(vcpu, interrupts_timer_ticks(vcpu));
	return error;
}

enum exit_action exit_wrmsr(struct vcpu *vcpu)
{
	uint64_t value = vcpu->gpr[RDX] << 32 | (uint32_t)vcpu->gpr[RAX];
	uint32_t msr = (uint32_t)vcpu->gpr[RCX];
	int error;

	if (!is_lapic(msr)) return exit_done(vcpu, write_msr(vcpu, msr, value));
	error = write_lapic(vcpu, msr, value);
	exit_done(vcpu, error);
	if (!error) interrupts_lapic_written(vcpu);
	return VCPU_RESUME;
}
