/* SPDX-License-Identifier: MIT */
/*
 * Telling what happens in a VM, once and in one place. Readers take it from there: the ring of the
 * last events (all of them), the counters of VMCALL, and the console's lines.
 */
#pragma once

#include "hv/vm/vm.h"

/* The console as a reader: lines for what a person follows. */
void events_show(struct vm *vm, const struct event *event);

/* VMCALL's counters as a reader. */
static inline void events_count(uint64_t *counter, enum event_type type, uint32_t a, uint64_t b, uint64_t c)
{
	switch (type) {
	case EVENT_TRANSITION:
		counter[COUNTER_TRANSITIONS]++;
		counter[COUNTER_TRANSITION_TICKS] = c;
		__attribute__((fallthrough));
	case EVENT_COUNT: counter[COUNTER_NONCOHERENT] = FIELD(a, EVENT_COUNT_AFTER); break;
	case EVENT_ZAP:
		counter[COUNTER_LEAVES_CLEARED] += a;
		counter[COUNTER_LAST_ZAP] = a;
		break;
	case EVENT_RETYPE: counter[COUNTER_RETYPED] += FIELD(b, EVENT_LEAVES); break;
	case EVENT_INVEPT:
		__atomic_fetch_add(&counter[COUNTER_INVEPT], 1, __ATOMIC_RELAXED); /* by any CPU */
		break;
	default: break;
	}
}

/* May the console have a line for it? Of leaves, the first of each type after a transition. */
static inline bool events_are_shown(const struct vm *vm, enum event_type type)
{
	const uint64_t shown = BIT(EVENT_ATTACH) | BIT(EVENT_DETACH) | BIT(EVENT_COHERENCE) | BIT(EVENT_COUNT) |
			       BIT(EVENT_TRANSITION) | BIT(EVENT_RETYPE) | BIT(EVENT_FAULT) | BIT(EVENT_END);

	return type == EVENT_INSTALL ? vm->shown.first_leaves : shown & BIT(type);
}

/*
 * It is inline. With a constant type it is a dozen stores, and what only the ring reads costs no
 * test.
 */
static inline void event_tell(struct vm *vm, uint32_t source, enum event_type type, uint32_t a, uint64_t b, uint64_t c)
{
	struct event *event = event_ring_put(&vm->events);

	event->tsc = rdtsc();
	event->a = a;
	event->b = b;
	event->c = c;
	__atomic_store_n(&event->type_and_source, source | type, __ATOMIC_RELEASE);
	events_count(vm->counter, type, a, b, c);
	if (events_are_shown(vm, type)) events_show(vm, event);
}

/* Tell an event of a vCPU that is on a CPU; hv/events/event.h says what a, b and c are. */
static inline void vcpu_tell(const struct vcpu *vcpu, enum event_type type, uint32_t a, uint64_t b, uint64_t c)
{
	event_tell(vcpu->vm, vcpu->event_source, type, a, b, c);
}

/* Tell one of the VM, whichever vCPU caused it. */
static inline void vm_tell(struct vm *vm, enum event_type type, uint32_t a, uint64_t b, uint64_t c)
{
	const struct vcpu *vcpu = this_cpu()->vcpu;
	bool its_own = vcpu && vcpu->vm == vm;

	event_tell(vm, its_own ? vcpu->event_source : event_source(this_cpu()->index, vm->index, 0), type, a, b, c);
}

/*
 * WBINVD on every CPU, told as an event. by_guest: on this CPU, because the guest executed one that
 * matters.
 */
void vm_write_back(struct vm *vm, bool by_guest);

/* Print the last few events of a VM that was killed, leaves left out, with their age in ticks. */
void events_print_last(const struct vm *vm);
