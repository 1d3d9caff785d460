/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: whose turn it is on the CPU, what is swapped when that changes, and how long a
 * stay in a guest lasts.
 */
#include "hv/vm/run.h"

#include "hv/vm/cpu_model.h"
#include "hv/vm/fpu.h"
#include "hv/vm/interrupts.h"
#include "hv/vm/vcpu.h"
#include "lib/asm.h"
#include "lib/bits.h"

/* A storm of exits may not keep others from the CPU any more than a loop without exits may. */
#define SLICE_EXITS 8192
/* The longest stay in a guest, TSC ticks. */
#define SLICE_TICKS 2000000UL

/* The shortest: a guest whose timer is due all the time must still get ahead. */
#define STAY_TICKS 5000UL

/* hv/vmx/enter.asm */
bool vcpu_enter(struct vcpu *vcpu, bool launched);

/* MSRs the guest reads and writes without an exit and the hypervisor does not use. */
static const uint32_t swapped_msr[] = {MSR_IA32_STAR,  MSR_IA32_LSTAR,          MSR_IA32_CSTAR,
				       MSR_IA32_FMASK, MSR_IA32_KERNEL_GS_BASE, MSR_IA32_TSC_AUX};
_Static_assert(ARRAY_SIZE(swapped_msr) == ARRAY_SIZE(((struct vcpu *)0)->swapped_msr), "");

static void save_debug_registers(uint64_t *dr)
{
	__asm__ volatile("mov %%db0, %0" : "=r"(dr[0]));
	__asm__ volatile("mov %%db1, %0" : "=r"(dr[1]));
	__asm__ volatile("mov %%db2, %0" : "=r"(dr[2]));
	__asm__ volatile("mov %%db3, %0" : "=r"(dr[3]));
	__asm__ volatile("mov %%db6, %0" : "=r"(dr[4]));
}

static void load_debug_registers(const uint64_t *dr)
{
	__asm__ volatile("mov %0, %%db0" : : "r"(dr[0]));
	__asm__ volatile("mov %0, %%db1" : : "r"(dr[1]));
	__asm__ volatile("mov %0, %%db2" : : "r"(dr[2]));
	__asm__ volatile("mov %0, %%db3" : : "r"(dr[3]));
	__asm__ volatile("mov %0, %%db6" : : "r"(dr[4]));
}

static void save_state(struct vcpu *vcpu)
{
	for (size_t i = 0; i < ARRAY_SIZE(swapped_msr); i++)
		if (swapped_msr[i] != MSR_IA32_TSC_AUX || cpu_has_rdtscp())
			vcpu->swapped_msr[i] = rdmsr(swapped_msr[i]);
	vcpu->cr2 = read_cr2();
	save_debug_registers(vcpu->debug_register);
	fpu_save(vcpu->fpu, &vcpu->xcr0);
}

static void load_state(const struct vcpu *vcpu)
{
	for (size_t i = 0; i < ARRAY_SIZE(swapped_msr); i++)
		if (swapped_msr[i] != MSR_IA32_TSC_AUX || cpu_has_rdtscp())
			wrmsr(swapped_msr[i], vcpu->swapped_msr[i]);
	write_cr2(vcpu->cr2);
	load_debug_registers(vcpu->debug_register);
	fpu_load(vcpu->fpu, vcpu->xcr0);
}

void vcpu_switch_to(struct vcpu *vcpu)
{
	struct cpu *cpu = this_cpu();

	if (cpu->vcpu == vcpu)
		return;
	if (cpu->vcpu)
		save_state(cpu->vcpu);
	vmcs_load(vcpu->vmcs);
	load_state(vcpu);
	cpu->vcpu = vcpu;
}

/*
 * The stay in the guest ends with the slice, or earlier when the local APIC's timer is due. Where
 * the CPU saves the timer, each slice sets it. Without save-on-exit every entry restarts the timer
 * from this field, so it is written only when the value changes.
 */
static void set_timer(struct vcpu *vcpu)
{
	uint64_t ticks = MAX(MIN(interrupts_timer_ticks(vcpu), SLICE_TICKS), STAY_TICKS);

	if (!vmx.preemption_timer || (ticks == vcpu->timer_ticks && !vmx.saves_timer))
		return;
	vcpu->timer_ticks = ticks;
	vmwrite(VMCS_PREEMPTION_TIMER, ticks >> vmx.timer_shift);
}

/* hv/vmx/enter.asm */
bool vcpu_enter(struct vcpu *vcpu, bool launched);

/* Let it run until its slice is over, it halts or its VM ended. */
static void run_slice(struct vcpu *vcpu)
{
	bool launched = vcpu->launched;

	vcpu_switch_to(vcpu);
	vcpu->slice = SLICE_EXITS;
	vcpu->slice_end = rdtsc() + 2 * SLICE_TICKS;
	interrupts_before_entry(vcpu);
	set_timer(vcpu);
	vcpu->launched = true;
	if (vcpu_enter(vcpu, launched))
		return;
	vcpu->launched = launched;
	vm_kill(vcpu->vm, "VM entry failed: %s",
		vm_instruction_error((unsigned)vmread(VMCS_INSTRUCTION_ERROR)));
	vcpu_check_entry(vcpu);
	vcpu_dump(vcpu);
}

/* Give each vCPU of the VM that has something to do a slice. */
static void run_vcpus(struct vm *vm)
{
	for (unsigned i = 0; i < vm->vcpus && vm->state == VM_RUNNING; i++) {
		struct vcpu *vcpu = vm->vcpu[i];

		if (vcpu->halted && interrupts_pending(vcpu))
			vcpu->halted = false;
		if (!vcpu->halted)
			run_slice(vcpu);
	}
}

void run_vms(struct vm *const *vms, unsigned count)
{
	unsigned running;

	do {
		running = 0;
		for (unsigned i = 0; i < count; i++) {
			run_vcpus(vms[i]);
			running += vms[i]->state == VM_RUNNING;
		}
	} while (running);
}
