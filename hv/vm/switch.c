/* SPDX-License-Identifier: MIT */
/*
 * One vCPU's state off the CPU and another's on it: the VMCS, and what the VMCS does not hold.
 */
#include "hv/vm/cpu_model.h"
#include "hv/vm/fpu.h"
#include "hv/vm/run.h"
#include "hv/vm/shootdown.h"
#include "hv/vm/vmcs_setup.h"

/* MSRs the guest reads and writes without an exit and the hypervisor does not use. */
static const uint32_t swapped_msr[] = {MSR_IA32_STAR,  MSR_IA32_LSTAR,          MSR_IA32_CSTAR,
				       MSR_IA32_FMASK, MSR_IA32_KERNEL_GS_BASE, MSR_IA32_TSC_AUX};
_Static_assert(ARRAY_SIZE(swapped_msr) == ARRAY_SIZE(((struct vcpu *)0)->swapped_msr), "");

/* How many there are: not every CPU has the last. */
static size_t swapped_msrs(void) { return ARRAY_SIZE(swapped_msr) - !cpu_has_rdtscp(); }

static void save_debug_registers(uint64_t *dr)
{
	dr[0] = read_dr0();
	dr[1] = read_dr1();
	dr[2] = read_dr2();
	dr[3] = read_dr3();
	dr[4] = read_dr6();
}

void load_debug_registers(const uint64_t *dr)
{
	write_dr0(dr[0]);
	write_dr1(dr[1]);
	write_dr2(dr[2]);
	write_dr3(dr[3]);
	write_dr6(dr[4]);
}

static void save_state(struct vcpu *vcpu)
{
	for (size_t i = 0; i < swapped_msrs(); i++) vcpu->swapped_msr[i] = rdmsr(swapped_msr[i]);
	vcpu->cr2 = read_cr2();
	save_debug_registers(vcpu->debug_register);
	fpu_save(vcpu->fpu, &vcpu->xcr0);
}

static void load_state(const struct vcpu *vcpu)
{
	for (size_t i = 0; i < swapped_msrs(); i++) wrmsr(swapped_msr[i], vcpu->swapped_msr[i]);
	write_cr2(vcpu->cr2);
	load_debug_registers(vcpu->debug_register);
	fpu_load(vcpu->fpu, vcpu->xcr0);
}

/* Take the one that is on this CPU off it: its VMCS and state are in memory. */
static void unload(struct vcpu *vcpu)
{
	if (this_cpu()->vcpu == vcpu) {
		save_state(vcpu);
		this_cpu()->vcpu = NULL;
	}
	vmcs_release(vcpu->vmcs);
	vcpu->launched = false;
}

/*
 * Its own CPU lets go of it before its next turn, and leaves it alone until it is given back. Only it can: it may be
 * about to load the vCPU, and its VMCS is active there also while another is current (SDM 3C 25.11.1).
 */
void vcpu_borrow(struct vcpu *vcpu)
{
	__atomic_store_n(&vcpu->lent, true, __ATOMIC_SEQ_CST);
	vcpu_kick(vcpu);
	while (!__atomic_load_n(&vcpu->let_go, __ATOMIC_ACQUIRE)) cpu_pause();
}

void vcpu_let_go(struct vcpu *vcpu)
{
	if (!__atomic_load_n(&vcpu->lent, __ATOMIC_ACQUIRE) || vcpu->let_go) return;
	unload(vcpu);
	__atomic_store_n(&vcpu->let_go, true, __ATOMIC_RELEASE);
}

void vcpu_give_back(void)
{
	struct vcpu *vcpu = this_cpu()->vcpu;

	if (!vcpu || vcpu->cpu == this_cpu()) return;
	unload(vcpu);
	vcpu->let_go = false;
	__atomic_store_n(&vcpu->lent, false, __ATOMIC_SEQ_CST);
	vcpu_kick(vcpu);
}

void vcpu_switch_to(struct vcpu *vcpu)
{
	struct cpu *cpu = this_cpu();

	if (cpu->vcpu == vcpu) return;
	if (vcpu->cpu != cpu) vcpu_borrow(vcpu);
	vcpu_give_back();
	if (cpu->vcpu) save_state(cpu->vcpu);
	vmcs_load(vcpu->vmcs);
	load_state(vcpu);
	cpu->vcpu = vcpu;
	vm_touched(vcpu->vm); /* whoever made it or looks at it need not enter */
	if (vcpu->host != cpu) {
		if (vcpu->host) vcpu->flushed = SHOOTDOWN_NEVER; /* that was elsewhere */
		vmcs_set_host(vcpu);
	}
	vcpu->event_source = event_source(cpu->index, vcpu->vm->index, vcpu->id);
}
