/* SPDX-License-Identifier: MIT */
/*
 * The shootdown. One CPU changes the EPT and then calls shootdown_flush(); another runs the guest.
 *
 *   who flushes                                  who enters (stay() in hv/vm/run.c)
 *   leaf cleared                                 STATE   cpu->state = CPU_GUEST   (full barrier)
 *   MARK    vm->generation + 1  (full barrier)   LOOK    vcpu->flushed != vm->generation? INVEPT
 *   SEE     cpu->state == CPU_GUEST?             ENTER   until an exit
 *   KICK    NMI                                  OUT     cpu->state = CPU_LOOKS
 *   WAIT    until OUT or an answer               ANSWER  NMI: cpu->answers + 1    (full barrier)
 *
 * Either SEE finds STATE, then there is a kick; or LOOK finds MARK, then there is an INVEPT. The
 * two full barriers are what excludes neither. ANSWER counts as out of the guest because the NMI
 * took the CPU out, or found it outside, and it goes through LOOK before ENTER: cpu_answer() sets
 * the slice to 1, and hv/vmx/enter.asm does not enter then. Its barrier keeps that LOOK behind it.
 */
#include "hv/vm/shootdown.h"

#include "hv/vm/events.h"
#include "hv/vmx/vmx.h"
#include "lib/asm.h"

static void flush_here(struct vm *vm)
{
	invept(vm->ept_pointer);
	vm_tell(vm, EVENT_INVEPT, 0, vm->counter[COUNTER_INVEPT] + 1, 0);
}

/* SEE: is the vCPU in its guest? Acquire: what it did there lies before a 'no'. */
static bool is_in_guest(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->cpu->state, __ATOMIC_ACQUIRE) == CPU_GUEST &&
	       __atomic_load_n(&vcpu->cpu->vcpu, __ATOMIC_RELAXED) == vcpu;
}

static uint32_t answers(const struct vcpu *vcpu) { return __atomic_load_n(&vcpu->cpu->answers, __ATOMIC_ACQUIRE); }

/* KICK all that are in the guest, then WAIT for each: returns when each has been outside. */
static void push_out(struct vm *vm)
{
	uint32_t before[VM_CPUS_MAX], kicked = 0;

	for (unsigned i = 0; i < vm->vcpus; i++) {
		before[i] = answers(vm->vcpu[i]); /* before the look: an answer since then will do */
		if (vm->vcpu[i]->cpu == this_cpu() || !is_in_guest(vm->vcpu[i])) continue;
		kicked |= 1U << i;
		cpu_kick(vm->vcpu[i]->cpu);
		__atomic_fetch_add(&vm->counter[COUNTER_KICKS], 1, __ATOMIC_RELAXED);
	}
	for (unsigned i = 0; i < vm->vcpus; i++)
		while (kicked & 1U << i && answers(vm->vcpu[i]) == before[i] && is_in_guest(vm->vcpu[i])) cpu_pause();
}

static void flush_all(struct vm *vm)
{
	uint64_t generation = __atomic_add_fetch(&vm->generation, 1, __ATOMIC_SEQ_CST); /* MARK */
	struct vcpu *vcpu = this_cpu()->vcpu;

	flush_here(vm);
	if (vcpu && vcpu->vm == vm) vcpu->flushed = generation;
	push_out(vm);
}

void shootdown_flush(void *ctx)
{
	struct vm *vm = ctx;

	if (vm->is_shared)
		flush_all(vm);
	else
		flush_here(vm);
}

/* The same way: who enters looks at vm->stopped behind STATE, as at the generation. */
void shootdown_stop(struct vm *vm)
{
	__atomic_store_n(&vm->stopped, true, __ATOMIC_SEQ_CST);
	push_out(vm);
}

void shootdown_resume(struct vm *vm) { __atomic_store_n(&vm->stopped, false, __ATOMIC_RELEASE); }

bool shootdown_enter(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	uint64_t generation;

	if (__atomic_load_n(&vm->stopped, __ATOMIC_ACQUIRE) || vm->state != VM_RUNNING) return false;
	generation = __atomic_load_n(&vm->generation, __ATOMIC_ACQUIRE); /* LOOK */
	if (vcpu->flushed != generation) flush_here(vm);
	vcpu->flushed = generation;
	return true;
}
