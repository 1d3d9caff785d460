/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: whose turn it is on the CPU, how long it lasts, and what the CPU does when nobody
 * has anything to do.
 */
#include "hv/vm/run.h"

#include "hv/machine/console.h"
#include "hv/machine/timer.h"
#include "hv/vm/interrupts.h"
#include "hv/vm/vcpu.h"
#include "lib/asm.h"
#include "lib/bits.h"

/* The longest turn of a vCPU, in TSC ticks: in its guest and in exits done for it. */
#define SLICE_TICKS 2000000UL
/* And in exits, which are far shorter than a thousand ticks unless they look at the clock. */
#define SLICE_EXITS 2048

/* The shortest: a guest whose timer is due all the time must still get ahead. */
#define STAY_TICKS 5000UL

/* hv/vmx/enter.asm */
bool vcpu_enter(struct vcpu *vcpu, bool launched);

static bool stopped;

void run_stop(void) { stopped = true; }

void run_continue(void) { stopped = false; }

bool run_is_stopped(void) { return stopped; }

/* Is there anything for the vCPU to do? */
static bool is_runnable(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	if (stopped) return false;

	if (vm->waits_for_console && console_has_room(&vm->line)) vm->waits_for_console = false;
	if (vm->state != VM_RUNNING || vm->waits_for_console) return false;
	if (vcpu->halted && interrupts_pending(vcpu)) vcpu->halted = false;
	return !vcpu->halted;
}

/* What fires but once cannot keep a guest from getting ahead. */
static uint64_t shortest_stay(const struct vcpu *vcpu)
{
	return lapic_timer_is_periodic(&vcpu->lapic) ? STAY_TICKS : 0;
}

/* Slices of the invalidation queue before an entry, where no timer ends the stay soon. */
#define SLICES_WITHOUT_TIMER 32

static bool has_work(const struct vm *vm) { return vm->iommu && iommu_pending(vm->iommu); }

/*
 * What a device of the VM does beside the guest: the IOMMU's queue goes on by a slice, and the
 * guest sees its head move. Returns whether there was any.
 */
static bool work(struct vm *vm)
{
	unsigned slices = vmx.preemption_timer ? 1 : SLICES_WITHOUT_TIMER;
	bool worked = has_work(vm);

	for (; slices && has_work(vm); slices--) iommu_work(vm->iommu);
	return worked;
}

/*
 * The stay in the guest ends with the slice, or earlier when the local APIC's timer is due, the
 * console may go on or a device has more to do. Where
 * the CPU saves the timer, each slice sets it. Without save-on-exit every entry restarts the timer
 * from this field, so it is written only when the value changes.
 */
static void set_timer(struct vcpu *vcpu)
{
	uint64_t others = has_work(vcpu->vm) ? 0 : console_ticks();
	uint64_t due = MAX(interrupts_timer_ticks(vcpu), shortest_stay(vcpu));
	uint64_t ticks = MIN(MIN(due, MAX(others, STAY_TICKS)), SLICE_TICKS);

	if (!vmx.preemption_timer || (ticks == vcpu->timer_ticks && !vmx.saves_timer)) return;
	vcpu->timer_ticks = ticks;
	vmwrite(VMCS_PREEMPTION_TIMER, ticks >> vmx.timer_shift);
}

void vcpu_timer_armed(struct vcpu *vcpu)
{
	uint64_t ticks = interrupts_timer_ticks(vcpu) >> vmx.timer_shift;

	if (!vmx.preemption_timer || !vmx.saves_timer)
		vcpu_kick(vcpu);
	else if (ticks < vmread(VMCS_PREEMPTION_TIMER))
		vmwrite(VMCS_PREEMPTION_TIMER, ticks);
}

static void enter(struct vcpu *vcpu)
{
	bool launched = vcpu->launched;

	vcpu->launched = true;
	if (vcpu_enter(vcpu, launched)) return;
	vcpu->launched = launched;
	vm_kill(vcpu->vm, "VM entry failed: %s", vm_instruction_error((unsigned)vmread(VMCS_INSTRUCTION_ERROR)));
	vcpu_check_entry(vcpu);
	vcpu_dump(vcpu);
}

/* One stay in the guest, with the exits that are handled at once. */
static void stay(struct vcpu *vcpu)
{
	vcpu->slice = SLICE_EXITS;
	interrupts_before_entry(vcpu);
	set_timer(vcpu);
	enter(vcpu);
}

void run_once(struct vcpu *vcpu)
{
	vcpu_switch_to(vcpu);
	vcpu_kick(vcpu);
	if (vmx.preemption_timer) { /* whatever is due meanwhile: nothing is delivered */
		vcpu->timer_ticks = SLICE_TICKS;
		vmwrite(VMCS_PREEMPTION_TIMER, SLICE_TICKS >> vmx.timer_shift);
	}
	enter(vcpu);
}

/* A vCPU's turn: it lasts until its time is over, it halts, waits, or its VM ended. */
static void take_turn(struct vcpu *vcpu)
{
	vcpu_switch_to(vcpu);
	vcpu->slice_end = rdtsc() + SLICE_TICKS;
	do {
		work(vcpu->vm);
		stay(vcpu);
		console_poll();
	} while (is_runnable(vcpu) && rdtsc() < vcpu->slice_end);
}

/* A guest that leaves a line unfinished for a second of its own time wants it seen: a prompt. */
static void age_lines(struct vm *vm, uint64_t ticks)
{
	console_guest_age(&vm->line, ticks, vmx.tsc_hz);
	console_guest_age(&vm->debug_line, ticks, vmx.tsc_hz);
}

/* TSC ticks until an unfinished line is shown. */
static uint64_t ticks_to_line(const struct console_line *line) { return line->length ? vmx.tsc_hz - line->age : ~0UL; }

/* Each vCPU that has something to do gets a slice. Returns whether one had. */
static bool run_vcpus(struct vm *vm)
{
	uint64_t start = rdtsc();
	bool ran = work(vm);

	for (unsigned i = 0; i < vm->vcpus; i++)
		if (is_runnable(vm->vcpu[i])) {
			take_turn(vm->vcpu[i]);
			ran = true;
		}
	/* The VM's own time: its turn, or all the time while it sleeps. */
	age_lines(vm, rdtsc() - (ran ? start : vm->last_turn));
	vm->last_turn = rdtsc();
	return ran;
}

/* TSC ticks until something of the VM is due although it sleeps. */
static uint64_t ticks_to_event(const struct vm *vm)
{
	uint64_t ticks = MIN(ticks_to_line(&vm->line), ticks_to_line(&vm->debug_line));

	for (unsigned i = 0; i < vm->vcpus; i++) ticks = MIN(ticks, interrupts_timer_ticks(vm->vcpu[i]));
	return ticks;
}

/* No vCPU has anything to do: wait for the first event of all. */
static void idle(struct vm *const *vms, unsigned count)
{
	uint64_t ticks = console_ticks();

	for (unsigned i = 0; i < count && !stopped; i++)
		if (vms[i]->state == VM_RUNNING) ticks = MIN(ticks, ticks_to_event(vms[i]));
	timer_halt(ticks, vmx.tsc_hz);
	console_poll();
}

bool run_turn(struct vm *const *vms, unsigned count)
{
	bool running = stopped, ran = false;

	for (unsigned i = 0; i < count; i++) {
		if (vms[i]->state != VM_RUNNING) continue;
		ran |= run_vcpus(vms[i]);
		running |= vms[i]->state == VM_RUNNING;
	}
	if (running && !ran) idle(vms, count);
	return running || stopped;
}
