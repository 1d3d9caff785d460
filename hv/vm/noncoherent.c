/* SPDX-License-Identifier: MIT */
/*
 * The path of the mission, from the IOMMU's report to the last INVEPT: a device was attached,
 * detached, or changed its coherence. When the number of noncoherent devices goes between zero and
 * not, ept/ clears or retypes every leaf and flushes, and only after that, and the WBINVD behind
 * it, does this return and iommu/ tell the guest that its invalidation is complete.
 */
#include "hv/vm/coherence.h"
#include "hv/vm/events.h"
#include "hv/vm/shootdown.h"

static void tell_device(struct vm *vm, const struct iommu_event *event)
{
	enum event_type type = event->attached == event->was_attached ? EVENT_COHERENCE
			       : event->attached                      ? EVENT_ATTACH
								      : EVENT_DETACH;
	bool noncoherent = event->attached ? event->noncoherent : event->was_noncoherent;

	vm_tell(vm, type, event->source_id | (noncoherent ? EVENT_NONCOHERENT : 0), event->domain_id, 0);
}

/*
 * Whose MTRRs and CD a retype goes by: those of the vCPU whose write brought the change. What a
 * later slice of the queue brings is of the vCPU that rang it, whoever runs by then.
 */
static const struct ept_cpu *cause(const struct vm *vm)
{
	const struct vcpu *vcpu = this_cpu()->vcpu;

	if (vm->iommu_writer && iommu_pending(vm->iommu)) vcpu = vm->iommu_writer;
	return &(vcpu && vcpu->vm == vm ? vcpu : vm->vcpu[0])->ept_cpu;
}

/*
 * WBINVD after the INVEPT, both ways, self-snoop or not: that serves a CPU's own accesses, not a
 * device that goes around the caches. On 0 -> 1 bytes written while all memory was WB may lie dirty
 * in a cache, where the device reads old ones; on 1 -> 0 a cache may hold what a device has
 * overwritten since, and from now on the guest's own WBINVD is ignored (SDM 3A 12.11.8).
 */
static void change_count(struct vm *vm, int delta)
{
	uint64_t cleared = vm->counter[COUNTER_LEAVES_CLEARED], invepts = vm->counter[COUNTER_INVEPT];
	uint64_t retyped = vm->ept.stats.leaves_retyped, tables = vm->ept.stats.tables_retyped;
	unsigned before = vm->ept.noncoherent;
	uint64_t start = rdtsc(), ticks;
	bool transition;

	if (vm->options.retype) /* no CPU may use a page by two types at once */
		shootdown_stop(vm);
	transition = ept_noncoherent_change(&vm->ept, cause(vm), delta);
	if (vm->options.retype) shootdown_resume(vm);
	if (transition && memtype_zaps_transitions(vm->ept.policy)) {
		vm_write_back(vm, false);
		if (vm->cache) coherence_transition(vm);
	}
	ticks = rdtsc() - start;
	if (vm->ept.stats.leaves_retyped != retyped)
		vm_tell(vm, EVENT_RETYPE, 0,
			(vm->ept.stats.leaves_retyped - retyped) |
				TO_FIELD(vm->ept.stats.tables_retyped - tables, EVENT_TABLES),
			0);
	invepts = vm->counter[COUNTER_INVEPT] - invepts;
	cleared = vm->counter[COUNTER_LEAVES_CLEARED] - cleared; /* none under kvm-6.6 */
	vm_tell(vm, transition ? EVENT_TRANSITION : EVENT_COUNT,
		(uint32_t)(TO_FIELD(before, EVENT_COUNT_BEFORE) | TO_FIELD(vm->ept.noncoherent, EVENT_COUNT_AFTER) |
			   TO_FIELD(invepts, EVENT_INVEPTS)),
		cleared ? cleared | TO_FIELD(vm->ept.stats.last_zap_tables, EVENT_TABLES) : 0, ticks);
}

void vm_device_changed(void *ctx, const struct iommu_event *event)
{
	bool was = event->was_attached && event->was_noncoherent;
	bool is = event->attached && event->noncoherent;

	tell_device(ctx, event);
	if (is != was) change_count(ctx, is ? 1 : -1);
}
