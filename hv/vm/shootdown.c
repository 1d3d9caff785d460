/* SPDX-License-Identifier: MIT */
/*
 * The shootdown. One CPU changes the EPT and then calls shootdown_flush(); another runs the guest.
 *
 *   who flushes                                  who enters (stay() in hv/vm/run.c)
 *   leaf cleared                                 STATE   vm->in_guest, its bit    (full barrier)
 *   MARK    vm->generation + 1  (full barrier)   LOOK    vcpu->flushed != vm->generation? INVEPT
 *   SEE     vm->in_guest?                        ENTER   until an exit
 *   KICK    NMI                                  OUT     vm->in_guest, its bit off
 *   WAIT    until OUT or an answer               ANSWER  NMI: cpu->answered       (full barrier)
 *
 * Either SEE finds STATE, then there is a kick; or LOOK finds MARK, then there is an INVEPT. The
 * two full barriers are what excludes neither. ANSWER counts as out of the guest because the NMI
 * took the CPU out, or found it outside, and it goes through LOOK before ENTER: cpu_answer() sets
 * the slice to 1, and hv/vmx/enter.asm does not enter then. Its barrier keeps that LOOK behind it.
 * An answer to another's NMI does as well, if it was given after MARK: cpus_ask() counts.
 *
 * STOP (vm->stopped) and ALONE (vm->alone) stand where MARK stands, and LOOK finds them: who may not
 * enter goes OUT again. RESUME and TOGETHER take them back, behind all that was done meanwhile.
 */
#include "hv/vm/shootdown.h"

#include "hv/machine/apic.h"
#include "hv/vm/events.h"

static void flush_here(struct vm *vm)
{
	invept(vm->ept_pointer);
	vm_tell(vm, EVENT_INVEPT, 0, vm->counter[COUNTER_INVEPT] + 1, 0);
}

/* All others by one IPI, where that reaches no CPU in vain. (tests/boot/smp.bats takes it out.) */
static __attribute__((noipa)) void kick(struct vm *vm, uint32_t seen, uint32_t own)
{
	if ((seen | own) == vm->everywhere) {
		apic_send_nmi_others();
		__atomic_fetch_add(&vm->counter[COUNTER_KICKS], vm->vcpus - 1, __ATOMIC_RELAXED);
		return;
	}
	for (; seen; seen &= seen - 1) {
		__atomic_fetch_add(&vm->counter[COUNTER_KICKS], 1, __ATOMIC_RELAXED);
		cpu_kick(vm->vcpu[__builtin_ctz(seen)]->host);
	}
}

/*
 * 'vcpu' is the VM's on this CPU, or NULL. The flusher's own INVEPT is done while the others are on their way out.
 * (tests/boot/smp.bats takes this out.)
 */
static __attribute__((noipa)) void push_out(struct vm *vm, const struct vcpu *vcpu, bool flushes)
{
	uint64_t number = cpus_ask();
	uint32_t own = vcpu ? vcpu_bit(vcpu) : 0;
	uint32_t seen = __atomic_load_n(&vm->in_guest, __ATOMIC_ACQUIRE) & ~own; /* SEE */

	if (seen) kick(vm, seen, own);
	if (flushes) flush_here(vm);
	for (; seen; seen &= seen - 1) { /* WAIT */
		vcpu = vm->vcpu[__builtin_ctz(seen)];
		while (!cpu_has_answered(vcpu->host, number) && shootdown_sees(vcpu)) cpu_pause();
	}
}

/* The VM's vCPU on this CPU, or NULL. */
static struct vcpu *own_vcpu(const struct vm *vm)
{
	struct vcpu *vcpu = this_cpu()->vcpu;

	return vcpu && vcpu->vm == vm ? vcpu : NULL;
}

void shootdown_flush(void *ctx)
{
	struct vm *vm = ctx;
	struct vcpu *own = own_vcpu(vm);
	uint64_t generation;

	if (!vm->is_shared) {
		flush_here(vm);
		return;
	}
	generation = __atomic_add_fetch(&vm->generation, 1, __ATOMIC_SEQ_CST); /* MARK */
	if (own) own->flushed = generation;
	push_out(vm, own, true);
}

/* The same way: who enters looks at vm->stopped behind STATE, as at the generation. */
void shootdown_stop(struct vm *vm)
{
	__atomic_store_n(&vm->stopped, true, __ATOMIC_SEQ_CST); /* STOP */
	push_out(vm, own_vcpu(vm), false);
}

void shootdown_resume(struct vm *vm) { __atomic_store_n(&vm->stopped, false, __ATOMIC_RELEASE); } /* RESUME */

bool shootdown_stop_others(struct vcpu *vcpu)
{
	struct vcpu *nobody = NULL;

	if (!__atomic_compare_exchange_n(&vcpu->vm->alone, &nobody, vcpu, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return false; /* another is ALONE */
	push_out(vcpu->vm, vcpu, false);
	return true;
}

void shootdown_resume_others(struct vm *vm) { __atomic_store_n(&vm->alone, NULL, __ATOMIC_RELEASE); } /* TOGETHER */

bool shootdown_keeps_out(const struct vcpu *vcpu)
{
	const struct vcpu *alone = __atomic_load_n(&vcpu->vm->alone, __ATOMIC_ACQUIRE);

	return __atomic_load_n(&vcpu->vm->stopped, __ATOMIC_ACQUIRE) || (alone && alone != vcpu);
}

bool shootdown_enter(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	uint64_t generation;

	if (shootdown_keeps_out(vcpu) || vm->state != VM_RUNNING) return false;
	generation = __atomic_load_n(&vm->generation, __ATOMIC_ACQUIRE); /* LOOK */
	if (vcpu->flushed != generation) flush_here(vm);
	vcpu->flushed = generation;
	return true;
}
