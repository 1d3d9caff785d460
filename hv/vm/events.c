/* SPDX-License-Identifier: MIT */
/*
 * A VM's events on the console: the lines as they happen, and what a killed VM leaves behind.
 */
#include "hv/vm/events.h"

#include "iommu/vtd.h"
#include "lib/format.h"

#define TEXT_SIZE 120

/*
 * A guest may cause thousands of events with one write to the queue's tail; the console is slow,
 * and others wait. The counters go on when the lines end.
 */
#define LINES_SHOWN 1000

static bool may_show(struct vm *vm)
{
	if (vm->shown.lines == LINES_SHOWN) return false;
	if (++vm->shown.lines == LINES_SHOWN) print("vm %s: further device events are not shown", vm->options.name);
	return vm->shown.lines < LINES_SHOWN;
}

/* After a transition, the first leaf of each type that comes back is shown. Of two CPUs one has the first. */
static void show_first_leaf(struct vm *vm, const struct event *event)
{
	uint32_t type = 1U << FIELD(event->c, EPT_TYPE);

	if (!(vm->shown.first_leaves & type)) return; /* as nearly always: then nothing is written */
	if (!(__atomic_fetch_and(&vm->shown.first_leaves, ~type, __ATOMIC_RELAXED) & type)) return;
	print("vm %s: first %s since then: fault at 0x%lx, %s leaf", vm->options.name, memtype_leaf_name(event->c),
	      event->b, ept_level_names[FIELD(event->a, EVENT_LEVEL)]);
}

static void show_text(const struct vm *vm, const struct event *event)
{
	char text[TEXT_SIZE];

	event_text(event, text, sizeof(text));
	print("vm %s: %s", vm->options.name, text);
}

/* The first of a VM, the second, the fourth, the eighth: a guest may make as many as it likes. */
static void show_fault(struct vm *vm, const struct event *event)
{
	unsigned id = (unsigned)FIELD(event->c, VTD_FRCD_SID), n = ++vm->shown.faults;

	bool interrupt = event->a >= VTD_FR_INTERRUPTS;
	uint64_t where = interrupt ? FIELD(event->b, VTD_FRCD_FI_IRTE) : event->b;
	const char *what = interrupt ? "interrupt entry" : event->c & VTD_FRCD_T_READ ? "read of" : "write of";

	if (n & (n - 1)) return;
	print("vm %s: iommu: fault %u: %s 0x%lx by device " PCI_ID ", reason 0x%x", vm->options.name, n, what, where,
	      PCI_ID_ARGS(id), event->a);
}

/* What events_are_shown() lets through. */
void events_show(struct vm *vm, const struct event *event)
{
	switch (event->type) {
	case EVENT_FAULT: show_fault(vm, event); return;
	case EVENT_INSTALL: show_first_leaf(vm, event); return;
	case EVENT_END:
		if (event->a & EVENT_KILLED)
			print("vm %s: killed: %s", vm->options.name, vm->killed);
		else
			show_text(vm, event);
		return;
	default:
		if (!may_show(vm)) return;
		if (event->type == EVENT_TRANSITION) vm->shown.first_leaves = ~0U;
		show_text(vm, event);
	}
}

/* Its line says more than a record can hold. */
void vm_stale_used(void *ctx, const struct iommu_stale *stale)
{
	struct vm *vm = ctx;
	char text[IOMMU_STALE_TEXT];

	vm_tell(vm, EVENT_STALE, stale->source_id, stale->where, 0);
	if (!may_show(vm)) return;
	iommu_stale_text(stale, text, sizeof(text));
	print("vm %s: iommu: %s", vm->options.name, text);
}

/*
 * The CPUs whose caches may hold something of the VM's memory. One that is on its way out of the guest is told by
 * either: it is added before OUT (stay() in hv/vm/run.c), and looked for in the other order here.
 */
static uint32_t holders(struct vm *vm)
{
	uint32_t in_guest = __atomic_load_n(&vm->in_guest, __ATOMIC_ACQUIRE);
	uint32_t which = __atomic_exchange_n(&vm->touched_by, 0, __ATOMIC_ACQUIRE);

	for (; in_guest; in_guest &= in_guest - 1) which |= 1U << vm->vcpu[__builtin_ctz(in_guest)]->host->index;
	return which;
}

void vm_write_back(struct vm *vm, bool by_guest)
{
	if (by_guest || cpu_count == 1)
		wbinvd();
	else
		cpus_write_back(holders(vm));
	vm_tell(vm, EVENT_WBINVD, by_guest ? EVENT_BY_GUEST : 0, 0, 0);
}

#define LAST_SHOWN 8

/* A leaf comes at every first touch: leaves would push out all else. */
void events_print_last(const struct vm *vm)
{
	struct event last[LAST_SHOWN], event;
	uint64_t from = 0, now = rdtsc(), lost;
	unsigned found = 0;

	while (event_ring_read(&vm->events, &from, &event, 1, &lost))
		if (event.type != EVENT_INSTALL && event.type != EVENT_END) last[found++ % LAST_SHOWN] = event;
	for (unsigned i = found > LAST_SHOWN ? found - LAST_SHOWN : 0; i < found; i++) {
		char text[TEXT_SIZE];

		event_text(&last[i % LAST_SHOWN], text, sizeof(text));
		print("  %lu ticks before: %s", now - last[i % LAST_SHOWN].tsc, text);
	}
}
