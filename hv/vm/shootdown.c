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

/* The CPUs that were seen in the guest, and how often each had answered before. */
struct seen {
	unsigned count;
	struct {
		const struct cpu *cpu;
		uint32_t answers;
	} at[VM_CPUS_MAX];
};

static uint32_t answers(const struct cpu *cpu) { return __atomic_load_n(&cpu->answers, __ATOMIC_ACQUIRE); }

/* Acquire: what a CPU did in a guest lies before a 'no'. */
static bool is_in_guest(const struct cpu *cpu) { return __atomic_load_n(&cpu->state, __ATOMIC_ACQUIRE) == CPU_GUEST; }

static void see(const struct vm *vm, struct seen *seen)
{
	const struct cpu *self = this_cpu();

	seen->count = 0;
	for (unsigned i = 0; i < vm->vcpus; i++) {
		const struct cpu *cpu = vm->vcpu[i]->cpu;
		uint32_t before = answers(cpu); /* before the look: an answer since then will do */

		if (cpu == self || !is_in_guest(cpu) || __atomic_load_n(&cpu->vcpu, __ATOMIC_RELAXED) != vm->vcpu[i])
			continue;
		seen->at[seen->count].cpu = cpu;
		seen->at[seen->count++].answers = before;
	}
}

/* All other CPUs by one IPI, if these are all. */
static void kick(struct vm *vm, const struct seen *seen)
{
	if (!seen->count) return;
	__atomic_fetch_add(&vm->counter[COUNTER_KICKS], seen->count, __ATOMIC_RELAXED);
	if (seen->count == cpu_count - 1)
		cpus_kick_others();
	else
		for (unsigned i = 0; i < seen->count; i++) cpu_kick(seen->at[i].cpu);
}

/* The flusher's own INVEPT is done while the others are on their way out. (tests/boot/smp.bats takes it out.) */
static __attribute__((noipa)) void push_out(struct vm *vm, bool flushes)
{
	struct seen seen;

	see(vm, &seen);
	kick(vm, &seen);
	if (flushes) flush_here(vm);
	for (unsigned i = 0; i < seen.count; i++) /* WAIT */
		while (answers(seen.at[i].cpu) == seen.at[i].answers && is_in_guest(seen.at[i].cpu)) cpu_pause();
}

static void flush_all(struct vm *vm)
{
	uint64_t generation = __atomic_add_fetch(&vm->generation, 1, __ATOMIC_SEQ_CST); /* MARK */
	struct vcpu *vcpu = this_cpu()->vcpu;

	push_out(vm, true);
	if (vcpu && vcpu->vm == vm) vcpu->flushed = generation;
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
	push_out(vm, false);
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
