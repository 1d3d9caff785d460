/* SPDX-License-Identifier: MIT */
/*
 * The trace and the stops. Both read the VMs' rings of last events, behind each exit while exits go
 * by exit_dispatch_watched(), and behind what happens outside of exits (run_watch). So telling an
 * event costs no more for having these readers, and an exit nothing while there is none. What
 * overflows a ring between two reads is counted as lost.
 */
#include "hv/monitor/monitor.h"

#include "ept/explain.h"
#include "hv/exits/exit.h"
#include "hv/machine/console.h"
#include "hv/vm/run.h"
#include "hv/vm/vmcs_setup.h"

enum exit_action exit_dispatch_watched(struct vcpu *vcpu);

static struct lock watch_lock;
static enum trace_option trace;
static unsigned stop;          /* enum stop_option */
static bool port_taken;        /* by the console */
static uint64_t records;       /* of the trace, and those lost */
static uint64_t next[VMS_MAX]; /* of each VM's ring: the first event not read yet */

#define ALL_LEAVES ~0UL

static void put(const struct event *event)
{
	rep_outsb(CONSOLE_E9_PORT, event, sizeof(*event));
	records++;
}

/* A record that no event is behind. */
static struct event record(unsigned vm, enum event_type type, uint32_t a, uint64_t b, uint64_t c)
{
	uint32_t source = event_source(this_cpu()->index, vm, 0);

	return (struct event){.tsc = rdtsc(), .type_and_source = source | type, .a = a, .b = b, .c = c};
}

static void put_mark(void)
{
	const struct event mark = record(0, EVENT_TRACE, (uint32_t)(vmx.tsc_hz / 1000), records, EVENT_TRACE_MAGIC);

	put(&mark);
}

static void put_traced(const struct event *event)
{
	if (records % EVENT_TRACE_EVERY == 0) put_mark();
	put(event);
}

static void put_name(const struct vm *vm)
{
	struct event name = record(vm->index, EVENT_NAME, 0, 0, 0);

	_Static_assert(VM_NAME_MAX < 2 * sizeof(uint64_t), "a name fits b and c");
	memcpy(&name.b, vm->options.name, strlen(vm->options.name));
	put_traced(&name);
}

static void put_run(const struct vm *vm, uint32_t begins_and_level, uint64_t gpa, uint64_t bytes_and_bits)
{
	const struct event run = record(vm->index, EVENT_RUN, begins_and_level, gpa, bytes_and_bits);

	put_traced(&run);
}

/* The leaves of [from, to), or all there are, for a reader that follows the EPT. A VM that has ended may have none. */
static void put_leaves(const struct vm *vm, uint64_t from, uint64_t to)
{
	uint32_t begins = to == ALL_LEAVES ? EVENT_BEGINS : 0;
	struct ept_span span;

	if (!vm->ram) return;
	if (begins && !ept_next_span(&vm->ept, 0, &span)) put_run(vm, EVENT_BEGINS, 0, 0);
	for (; from < to && ept_next_span(&vm->ept, from, &span) && span.gpa < to; from = span.gpa + span.size) {
		uint64_t first = MAX(span.gpa, from), end = MIN(span.gpa + span.size, to);

		put_run(vm, begins | span.level, first, (end - first) | (span.bits & EVENT_BITS));
		begins = 0;
	}
}

/* An event that was told; where it does not say what became of the leaves, they follow. */
static void put_event(const struct vm *vm, const struct event *event)
{
	uint64_t table = ALIGN_DOWN(event->b, page_level_size(2));

	put_traced(event);
	if (event->type == EVENT_INSTALL && event->a == 1 && vm->ept.fill == EPT_FILL_TABLE)
		put_leaves(vm, table, table + page_level_size(2));
	if (event->type == EVENT_RETYPE || (event->type == EVENT_WBINVD && vm->cache)) put_leaves(vm, 0, ALL_LEAVES);
}

/* Does the machine stop at this event? */
static bool is_stop(const struct event *event)
{
	switch (event->type) {
	case EVENT_TRANSITION: return stop & STOP_TRANSITION;
	case EVENT_MARK: return stop & STOP_VMCALL;
	case EVENT_END: return stop & STOP_EXIT || (stop & STOP_KILL && event->a & EVENT_KILLED);
	default: return false;
	}
}

/* Read what the VM's ring has anew. Returns whether the machine stops there. */
static bool read_ring(const struct vm *vm)
{
	struct event event;
	char text[120];
	bool stops = false, restarted = false;
	uint64_t lost;

	if (next[vm->index] > vm->events.next) { /* a reset begins a new one, and a new EPT */
		next[vm->index] = 0;
		restarted = true;
	}
	while (event_ring_read(&vm->events, &next[vm->index], &event, 1, &lost)) {
		records += trace ? lost : 0;
		if (trace) put_event(vm, &event);
		if (!is_stop(&event)) continue;
		event_text(&event, text, sizeof(text));
		print("monitor: stopped: vm %s: %s", vm->options.name, text);
		stops = true;
	}
	if (trace && restarted) put_leaves(vm, 0, ALL_LEAVES);
	return stops;
}

/* What a VM's ring has, behind an exit if there is one. CPUs take turns: a record is whole. */
static bool read_behind(const struct vm *vm, const struct event *exit)
{
	bool stops;

	lock(&watch_lock, LOCK_WATCH);
	if (exit && trace == TRACE_EXITS) put_traced(exit);
	stops = read_ring(vm);
	unlock(&watch_lock, LOCK_WATCH);
	return stops;
}

static void describe_exit(const struct vcpu *vcpu, struct event *exit)
{
	uint64_t reason = vmread(VMCS_EXIT_REASON) & EXIT_REASON_BASIC;
	bool of_ept = reason == EXIT_REASON_EPT_VIOLATION || reason == EXIT_REASON_EPT_MISCONFIGURATION;
	uint64_t detail = vmread(of_ept ? VMCS_GUEST_PHYSICAL_ADDRESS : VMCS_EXIT_QUALIFICATION);

	exit->type_and_source = vcpu->event_source | EVENT_EXIT;
	exit->b = vmread(VMCS_GUEST_RIP);
	exit->c = TO_FIELD(reason, EVENT_REASON) | (detail & EVENT_DETAIL);
	exit->tsc = rdtsc();
}

enum exit_action exit_dispatch_watched(struct vcpu *vcpu)
{
	enum exit_action action;
	struct event exit;

	describe_exit(vcpu, &exit);
	action = exit_dispatch(vcpu);
	exit.a = (uint32_t)MIN(rdtsc() - exit.tsc, UINT32_MAX);
	if (!read_behind(vcpu->vm, &exit)) return action;
	run_stop();
	return VCPU_LEAVE;
}

/*
 * Outside of exits. A VM that runs is read by its own CPUs: else it might be taken down meanwhile, and the EPT of one
 * vCPU has no lock.
 */
static void watch_vm(const struct vm *vm)
{
	if (exits_are_watched && read_behind(vm, NULL)) run_stop();
}

/* Exits take the way by here while somebody reads, and only then. */
static void choose_entry(void)
{
	exits_are_watched = trace || stop;
	for (unsigned i = 0; i < vm_count; i++)
		for (unsigned n = 0; vms[i]->state == VM_RUNNING && n < vms[i]->vcpus; n++) {
			vcpu_switch_to(vms[i]->vcpu[n]);
			vmcs_set_exit_entry(vms[i]->vcpu[n]);
		}
}

bool watch_set_trace(enum trace_option option)
{
	bool begins = option && !trace;

	if (option && port_taken) return false;
	if (trace && !option) watch_end();
	trace = option;
	for (unsigned i = 0; i < vm_count && begins; i++) {
		next[i] = vms[i]->events.next; /* what was before does not belong to it */
		put_name(vms[i]);
		if (vms[i]->ram) vcpu_switch_to(vms[i]->vcpu[0]); /* so it leaves its EPT alone */
		put_leaves(vms[i], 0, ALL_LEAVES);
	}
	choose_entry();
	return true;
}

void watch_end_stops(void)
{
	stop = 0;
	choose_entry();
}

bool watch_may_stop(void) { return stop; }

void watch_init(const struct hv_options *options)
{
	stop = options->stop & ~STOP_ENTRY;
	port_taken = options->console_e9;
	run_watch = watch_vm;
	watch_set_trace(options->trace);
	if (options->stop & STOP_ENTRY) {
		print("monitor: stopped before the first entry");
		run_stop();
	}
}

void watch_poll(void)
{
	for (unsigned i = 0; i < vm_count; i++)
		if (vms[i]->state != VM_RUNNING || !vms[i]->is_shared) watch_vm(vms[i]);
}

void watch_end(void)
{
	watch_poll();
	if (trace) put_mark();
}
