/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: whose turn it is on the CPU, how long it lasts, and what the CPU does when nobody
 * has anything to do.
 */
#include "hv/vm/run.h"

#include "hv/machine/timer.h"
#include "hv/vm/interrupts.h"
#include "hv/vm/ipi.h"
#include "hv/vm/shootdown.h"
#include "hv/vm/vmcs_setup.h"

/* The longest turn of a VM, in TSC ticks: in its guest and in exits done for it. */
#define SLICE_TICKS 2000000UL
/* An exit that does not look at the clock: mostly it takes far less, and never twice as much. With fill=table four. */
#define EXIT_TICKS  2048
#define EXITS_LEAST 64
/* While an exit is served the preemption timer may stand still: so many of what is left until it is due, at least. */
#define EXITS_TO(ticks) MAX(8, (ticks) / 1024)

/* The shortest stay while a device has more to do. */
#define STAY_TICKS 5000UL

/* hv/vmx/enter.asm */
enum enter_result { ENTER_FAILED, ENTER_LEFT, ENTER_KICKED };
enum enter_result vcpu_enter(struct vcpu *vcpu, bool launched);

#define ROUND_PAUSES 1000 /* between two kicks of a CPU that shall end its round */

static struct vcpu *first_on[CPUS_MAX]; /* each CPU's vCPUs, by its index */
static bool begun, stopped;
const struct vcpu *run_stepped;

struct cpu *run_next_cpu(void)
{
	static unsigned next;

	return cpus[next++ % cpu_count];
}

void run_add(struct vcpu *vcpu)
{
	struct vcpu **last = &first_on[vcpu->cpu->index];

	vcpu->let_go = vcpu->lent; /* to the CPU that made it */
	while (*last) last = &(*last)->next_on_cpu;
	__atomic_store_n(last, vcpu, __ATOMIC_RELEASE);
}

void run_stop(void)
{
	uint64_t number;

	__atomic_store_n(&stopped, true, __ATOMIC_SEQ_CST);
	number = cpus_ask();
	cpus_kick(CPUS_ALL);
	cpus_wait(CPUS_ALL, number);
}

void run_continue(void)
{
	__atomic_store_n(&stopped, false, __ATOMIC_SEQ_CST);
	cpus_kick(CPUS_ALL);
}

bool run_is_stopped(void) { return stopped; }

void run_begin(void)
{
	__atomic_store_n(&begun, true, __ATOMIC_SEQ_CST);
	cpus_kick(CPUS_ALL);
}

void run_remove(struct vcpu *vcpu)
{
	const struct cpu *cpu = vcpu->cpu;
	struct vcpu **at = &first_on[cpu->index];
	uint32_t round;

	while (*at && *at != vcpu) at = &(*at)->next_on_cpu;
	if (!*at) return;
	if (cpu != this_cpu()) vcpu_borrow(vcpu);
	__atomic_store_n(at, vcpu->next_on_cpu, __ATOMIC_RELEASE);
	/* It may still be looking at it; between two of its rounds it does not. */
	round = __atomic_load_n(&cpu->rounds, __ATOMIC_ACQUIRE);
	while (cpu != this_cpu() && __atomic_load_n(&cpu->rounds, __ATOMIC_ACQUIRE) == round) {
		cpu_kick(cpu);
		for (unsigned i = 0; i < ROUND_PAUSES; i++) cpu_pause();
	}
}

/* Is there anything for the vCPU to do? */
static bool is_runnable(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	if (stopped || vcpu->lent) return false;
	if (vm->waits_for_console && console_has_room(&vm->line)) vm->waits_for_console = false;
	if (vm->state != VM_RUNNING || vm->waits_for_console || vm_rest_stops(vm)) return false;
	if (vcpu->mail.flags) ipi_take_mail(vcpu);
	/* However it sleeps, what is due fires. */
	if (vcpu->activity != VCPU_ACTIVE && interrupts_pending(vcpu) &&
	    (vcpu->activity == VCPU_HALTED || (vcpu->activity == VCPU_STOPPED && vcpu->nmi_pending)))
		vcpu->activity = VCPU_ACTIVE;
	return vcpu->activity == VCPU_ACTIVE && vm->state == VM_RUNNING;
}

/* A timer that fires once needs none: its handler sets it again, and after the EOI lapic->timer_held keeps it off. */
static uint64_t shortest_stay(const struct vcpu *vcpu)
{
	return lapic_timer_is_periodic(&vcpu->lapic) ? timer_shortest : 0;
}

/* Slices of the invalidation queue before an entry, where no timer ends the stay soon. */
#define SLICES_WITHOUT_TIMER 32

void (*run_watch)(const struct vm *vm);

/*
 * Whoever rang the queue works it off: others would stand in line for the VM's lock, 10,000 ticks for each
 * transition, where they can be in their guest.
 */
static bool has_work(const struct vm *vm)
{
	return !stopped && vm->iommu && (vm_rest_stops(vm) || iommu_pending(vm->iommu)) &&
	       vm->iommu_writer->cpu == this_cpu();
}

static void work_slices(struct vm *vm, unsigned slices)
{
	vm_lock(vm);
	for (; slices && (vm_rest_stops(vm) || iommu_pending(vm->iommu)); slices--)
		if (vm_rest_stops(vm)) {
			vm_go_on(vm);
			slices = 1; /* it is long, and no vCPU enters before it is done */
		} else {
			iommu_work(vm->iommu);
		}
	vm_touched(vm);
	vm_unlock(vm);
}

/*
 * What a device of the VM does beside the guest: the IOMMU's queue goes on by a slice, and the
 * guest sees its head move. Returns whether there was any.
 */
static bool work(struct vm *vm)
{
	if (!has_work(vm)) return false;
	work_slices(vm, vmx.preemption_timer ? 1 : SLICES_WITHOUT_TIMER);
	if (run_watch) run_watch(vm);
	return true;
}

/*
 * Without save-on-exit every entry restarts the timer from this field, so it is written only when
 * the value changes. Where the CPU saves the timer, each stay sets it.
 */
static void write_timer(struct vcpu *vcpu, uint64_t ticks)
{
	if (!vmx.preemption_timer || (ticks == vcpu->timer_ticks && !vmx.saves_timer)) return;
	vcpu->timer_ticks = ticks;
	vmwrite(VMCS_PREEMPTION_TIMER, ticks >> vmx.timer_shift);
}

/* Until the console may go on or a device has more to do. */
static uint64_t ticks_of_others(const struct vcpu *vcpu)
{
	return has_work(vcpu->vm) ? 0 : this_cpu()->index ? ~0UL : console_ticks();
}

/* How many exits fit in what is left of the turn. */
static uint32_t exits_left(const struct vcpu *vcpu)
{
	uint64_t now = rdtsc(), most = EXIT_TICKS << 2 * vcpu->vm->options.fill_table;

	return (uint32_t)MAX(EXITS_LEAST, vcpu->slice_end > now ? (vcpu->slice_end - now) / most : 0);
}

/* The stay has so many exits left, not 'left'; but a kick that comes between sets them to 1, and that stays. */
static void set_exits(uint32_t left, uint64_t exits)
{
	__atomic_compare_exchange_n(&this_cpu()->slice, &left, (uint32_t)exits, false, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
}

/* A timer is due in so many ticks. */
static void look_within(uint64_t ticks)
{
	uint32_t left = this_cpu()->slice;

	if (left > EXITS_TO(ticks)) set_exits(left, EXITS_TO(ticks));
}

/*
 * The stay in the guest ends with the slice, or earlier when the local APIC's timer is due, the
 * console may go on or a device has more to do.
 */
static void set_timer(struct vcpu *vcpu, uint64_t others)
{
	uint64_t due = interrupts_timer_ticks(vcpu), most = MIN(MAX(others, STAY_TICKS), SLICE_TICKS);

	due = MAX(due, shortest_stay(vcpu));
	write_timer(vcpu, MIN(due, most));
	look_within(due);
}

bool run_goes_on(struct vcpu *vcpu)
{
	uint32_t left = this_cpu()->slice;
	uint64_t others;

	if (!this_cpu()->index) console_poll();
	others = ticks_of_others(vcpu);
	if (vcpu_is_kicked(vcpu) || !others || rdtsc() >= vcpu->slice_end) return false;
	if (left < EXITS_LEAST) set_exits(left, exits_left(vcpu)); /* few, for what was due now */
	interrupts_before_entry(vcpu);
	set_timer(vcpu, others);
	return true;
}

void vcpu_timer_armed(struct vcpu *vcpu, uint64_t ticks)
{
	look_within(ticks);
	ticks >>= vmx.timer_shift;
	if (!vmx.preemption_timer || !vmx.saves_timer)
		vcpu_kick(vcpu);
	else if (ticks < vmread(VMCS_PREEMPTION_TIMER))
		vmwrite(VMCS_PREEMPTION_TIMER, ticks);
}

bool run_checks_entries;

static void entry_failed(struct vcpu *vcpu)
{
	vm_kill(vcpu->vm, "VM entry failed: %s", vm_instruction_error((unsigned)vmread(VMCS_INSTRUCTION_ERROR)));
	vcpu_check_entry(vcpu);
	vcpu_dump(vcpu);
}

bool run_stops(const struct vcpu *vcpu) { return __atomic_load_n(&stopped, __ATOMIC_ACQUIRE) && vcpu != run_stepped; }

/* Is something asked of the vCPU? All that is, is stored before STATE or seen behind it (hv/vm/shootdown.c). */
static bool is_asked(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->mail.flags, __ATOMIC_ACQUIRE) || __atomic_load_n(&vcpu->lent, __ATOMIC_ACQUIRE);
}

/* A step that is the delivery of an event, or in which no window opens: NMIs are blocked. */
static bool ends_by_timer(void)
{
	return vmread(VMCS_ENTRY_INTERRUPTION_INFO) & INTERRUPTION_INFO_VALID ||
	       vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_NMI;
}

static enum enter_result look_and_enter(struct vcpu *vcpu, bool once)
{
	if (!shootdown_enter(vcpu) || run_stops(vcpu) || (!once && is_asked(vcpu))) return ENTER_KICKED;
	if (once) { /* what is due waits */
		interrupts_before_step(vcpu);
		write_timer(vcpu, ends_by_timer() ? 0 : SLICE_TICKS);
	} else {
		interrupts_before_entry(vcpu);
		set_timer(vcpu, ticks_of_others(vcpu));
	}
	if (run_checks_entries && vcpu_check_entry(vcpu)) {
		vm_kill(vcpu->vm, "VM entry would fail");
		return ENTER_KICKED;
	}
	return vcpu_enter(vcpu, vcpu->launched);
}

/*
 * Another vCPU has the VM to itself, or all are stopped. The wait is outside the guest and pauses, for a hypervisor
 * under us may have one CPU for both (docs/several-cpus.md). A kick ends it, and the end of the turn. Nobody waits for
 * the rest of a transition: to do that may be this CPU's part.
 */
static void wait_for_those_alone(const struct vcpu *vcpu)
{
	while (shootdown_keeps_out(vcpu) && !vm_rest_stops(vcpu->vm) && this_cpu()->slice != 1 &&
	       rdtsc() < vcpu->slice_end)
		cpu_pause();
}

/* One stay in the guest: with the exits that are handled at once, or until the first. */
static void stay(struct vcpu *vcpu, bool once)
{
	enum enter_result result;

	if (vcpu->starts) vmcs_setup_startup(vcpu);
	vcpu->starts = false;
	/* Before STATE: a kick behind it sets it to 1. */
	this_cpu()->slice = once || run_checks_entries ? 2 : exits_left(vcpu);
	__atomic_fetch_or(&vcpu->vm->in_guest, vcpu_bit(vcpu), __ATOMIC_SEQ_CST); /* STATE */
	result = look_and_enter(vcpu, once);
	vm_touched(vcpu->vm); /* before OUT: vm_write_back() looks at both */
	__atomic_fetch_and(&vcpu->vm->in_guest, ~vcpu_bit(vcpu), __ATOMIC_RELEASE); /* OUT */
	if (result == ENTER_LEFT)
		vcpu->launched = true;
	else if (result == ENTER_FAILED)
		entry_failed(vcpu);
	else
		wait_for_those_alone(vcpu);
}

void run_once(struct vcpu *vcpu)
{
	vcpu_switch_to(vcpu);
	if (vcpu->vm->iommu && vcpu == run_stepped) { /* else in an exit, a write to ROM, behind which it goes on */
		do {
			work_slices(vcpu->vm, 1);
		} while (vm_rest_stops(vcpu->vm));
	}
	stay(vcpu, true);
}

/* A vCPU's part of a turn: it lasts until the time is over, it halts, waits, or its VM ended. */
static void take_turn(struct vcpu *vcpu)
{
	vcpu_switch_to(vcpu);
	do {
		work(vcpu->vm);
		stay(vcpu, false);
		if (!this_cpu()->index) console_poll();
	} while (is_runnable(vcpu) && rdtsc() < vcpu->slice_end);
}

/*
 * A guest that leaves a line unfinished for a second of its own time wants it seen: a prompt. Its
 * own time is the first vCPU's turn, or all the time while that sleeps.
 */
static void age_lines(struct vm *vm, uint64_t start, bool ran)
{
	uint64_t now = rdtsc(), ticks = now - (ran ? start : vm->last_turn);

	vm->last_turn = now;
	vm_lock(vm);
	console_guest_age(&vm->line, ticks, vmx.tsc_hz);
	console_guest_age(&vm->debug_line, ticks, vmx.tsc_hz);
	vm_unlock(vm);
}

/* TSC ticks until an unfinished line is shown. */
static uint64_t ticks_to_line(const struct console_line *line) { return line->length ? vmx.tsc_hz - line->age : ~0UL; }

/* Up to its slice_end, if it has something to do. Returns whether it had. */
static bool run_vcpu(struct vcpu *vcpu)
{
	uint64_t start = rdtsc();
	bool runs, worked = false;

	if (vcpu->vm->state != VM_RUNNING || !begun) return false;
	do { /* also while all its vCPUs sleep: the one that asked is on this CPU */
		worked |= work(vcpu->vm);
		runs = is_runnable(vcpu);
	} while (!runs && has_work(vcpu->vm) && rdtsc() < vcpu->slice_end);
	if (runs) take_turn(vcpu);
	if (!vcpu->id) age_lines(vcpu->vm, start, runs);
	return runs || worked;
}

/*
 * The turn of a VM whose first vCPU on this CPU this is. The vCPUs share it, and each begins it in its turn: who has
 * many gets no more of the CPU than who has one.
 */
static bool run_vm(struct vcpu *first)
{
	uint64_t end = rdtsc() + SLICE_TICKS;
	unsigned last = first->began_turn;
	bool ran = false;

	for (unsigned pass = 0; pass < 2; pass++) /* those behind the last, and then from the first on */
		for (struct vcpu *vcpu = first; vcpu && vcpu->vm == first->vm; vcpu = vcpu->next_on_cpu) {
			if ((vcpu->id > last) == pass || rdtsc() >= end) continue;
			vcpu->slice_end = end;
			if (!run_vcpu(vcpu)) continue;
			if (!ran) first->began_turn = vcpu->id;
			ran = true;
		}
	return ran;
}

/* TSC ticks until something of the vCPU is due although it sleeps. */
static uint64_t ticks_to_event(const struct vcpu *vcpu)
{
	const struct vm *vm = vcpu->vm;
	uint64_t ticks = interrupts_timer_ticks(vcpu);

	if (vm->state != VM_RUNNING || stopped) return ~0UL;
	if (!vcpu->id) ticks = MIN(ticks, MIN(ticks_to_line(&vm->line), ticks_to_line(&vm->debug_line)));
	/* If the last of it was sent a moment ago, nobody says so. */
	return vm->waits_for_console ? MIN(ticks, MIN(console_ticks(), SLICE_TICKS)) : ticks;
}

/* No vCPU has anything to do: wait for the first event of all. */
static void idle(void)
{
	uint64_t ticks;
	bool busy = false;

	this_cpu()->slice = EXITS_LEAST; /* before that: a kick behind it sets it to 1 */
	cpu_begin_idle();
	ticks = this_cpu()->index ? ~0UL : console_ticks();
	for (struct vcpu *vcpu = first_on[this_cpu()->index]; vcpu; vcpu = vcpu->next_on_cpu) {
		busy |= vcpu->lent && !vcpu->let_go;
		if (!begun) continue;
		busy |= is_runnable(vcpu) || (vcpu->vm->state == VM_RUNNING && has_work(vcpu->vm));
		ticks = MIN(ticks, ticks_to_event(vcpu));
	}
	if (!busy) timer_halt(ticks);
	cpu_end_idle();
	if (!this_cpu()->index) console_poll();
}

/* Returns whether any had something to do. */
static bool give_turns(void)
{
	const struct vm *vm = NULL;
	bool ran = false;

	for (struct vcpu *vcpu = first_on[this_cpu()->index]; vcpu; vm = vcpu->vm, vcpu = vcpu->next_on_cpu) {
		vcpu_let_go(vcpu);
		if (vcpu->vm != vm) ran |= run_vm(vcpu);
	}
	return ran;
}

void run_turn(void)
{
	vcpu_give_back();
	if (!give_turns()) idle();
	__atomic_store_n(&this_cpu()->rounds, this_cpu()->rounds + 1, __ATOMIC_RELEASE);
}

void run_others(void) { give_turns(); }
