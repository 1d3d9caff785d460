/* SPDX-License-Identifier: MIT */
/*
 * The path of the mission, from the IOMMU's report to the last INVEPT: a device was attached,
 * detached, or changed its coherence; when the number of noncoherent devices goes between zero
 * and not, ept/ clears every leaf and flushes before this returns, and only then does iommu/
 * tell the guest that its invalidation is complete.
 */
#include "hv/machine/console.h"
#include "hv/vm/vm.h"
#include "hv/vmx/vmx.h"
#include "lib/asm.h"

/*
 * A guest may cause thousands of events with one write to the queue's tail; the console is slow,
 * and others wait. Counters go on when the lines end.
 */
#define LINES_SHOWN 1000

static bool may_show(struct vm *vm)
{
	if (vm->lines_shown == LINES_SHOWN)
		return false;
	if (++vm->lines_shown == LINES_SHOWN)
		print("vm %s: further device events are not shown", vm->options.name);
	return vm->lines_shown < LINES_SHOWN;
}

static void show_device(struct vm *vm, const struct iommu_event *event)
{
	const char *what = event->attached == event->was_attached ? "is now"
			   : event->attached                      ? "attached,"
								  : "detached, was";
	bool noncoherent = event->attached ? event->noncoherent : event->was_noncoherent;

	if (!may_show(vm))
		return;
	print("vm %s: device %02x:%02x.%x %s %s", vm->options.name, event->source_id >> 8,
	      event->source_id >> 3 & 0x1f, event->source_id & 7, what,
	      noncoherent ? "noncoherent" : "coherent");
}

static void change_count(struct vm *vm, int delta)
{
	const char *name = vm->options.name;
	unsigned before = vm->ept.noncoherent;
	uint64_t invepts = vm->counters.invepts, leaves = vm->ept.stats.leaves_cleared;
	uint64_t start = rdtsc();

	if (!ept_noncoherent_change(&vm->ept, delta)) {
		if (may_show(vm))
			print("vm %s: noncoherent count %u -> %u: no transition", name, before,
			      vm->ept.noncoherent);
		return;
	}
	/* WB lines of memory that is UC from now on (SDM 3A 12.11.8): a CPU with self-snoop finds
	 * them itself. */
	if (!before && !vmx.self_snoop)
		wbinvd();
	vm->counters.transition_ticks = rdtsc() - start;
	if (!may_show(vm))
		return;
	vm->show_faults = ~0U;
	leaves = vm->ept.stats.leaves_cleared - leaves; /* none under kvm-6.6 */
	print("vm %s: noncoherent count %u -> %u: cleared %lu leaves in %lu tables, INVEPT %lu, "
	      "%lu ticks",
	      name, before, vm->ept.noncoherent, leaves, leaves ? vm->ept.stats.last_zap_tables : 0,
	      vm->counters.invepts - invepts, vm->counters.transition_ticks);
}

void vm_device_changed(void *ctx, const struct iommu_event *event)
{
	struct vm *vm = ctx;
	bool was = event->was_attached && event->was_noncoherent;
	bool is = event->attached && event->noncoherent;

	show_device(vm, event);
	if (is != was)
		change_count(vm, is ? 1 : -1);
}

void vm_stale_used(void *ctx, const struct iommu_stale *stale)
{
	struct vm *vm = ctx;
	char text[IOMMU_STALE_TEXT];

	if (!may_show(vm))
		return;
	iommu_stale_text(stale, text, sizeof(text));
	print("vm %s: iommu: %s", vm->options.name, text);
}
