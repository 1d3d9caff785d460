/* SPDX-License-Identifier: MIT */
/*
 * The path of the mission, from the IOMMU's report to the last INVEPT: a device was attached,
 * detached, or changed its coherence. When the number of noncoherent devices becomes zero, or was
 * zero, ept/ clears or retypes every leaf and flushes. WBINVD follows. Only then does this return,
 * and only then does iommu/ tell the guest that its invalidation is complete.
 */
#include "hv/vm/coherence.h"
#include "hv/vm/devices.h"
#include "hv/vm/events.h"
#include "hv/vm/shootdown.h"
#include "iommu/state.h"

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

	return &(vcpu && vcpu->vm == vm && !vm->iommu->draining ? vcpu : vm->iommu_writer)->ept_cpu;
}

/* The change is complete: what it was. */
static void tell_change(struct vm *vm)
{
	const struct vm_change *was = &vm->change;
	uint64_t ticks = rdtsc() - was->start, retyped = vm->ept.stats.leaves_retyped - was->retyped;
	uint64_t invepts = vm->counter[COUNTER_INVEPT] - was->invepts;

	if (retyped)
		vm_tell(vm, EVENT_RETYPE, 0,
			retyped | TO_FIELD(vm->ept.stats.tables_retyped - was->tables, EVENT_TABLES), 0);
	vm_tell(vm, was->transition ? EVENT_TRANSITION : EVENT_COUNT,
		(uint32_t)(TO_FIELD(was->count, EVENT_COUNT_BEFORE) | TO_FIELD(vm->ept.noncoherent, EVENT_COUNT_AFTER) |
			   TO_FIELD(invepts, EVENT_INVEPTS)),
		vm->ept.stats.change_leaves | TO_FIELD(vm->ept.stats.change_tables, EVENT_TABLES), ticks);
}

/* A part of what the change left; is there more? */
static bool work_off(struct vm *vm)
{
	vm->change.goes_on = coherence_transition(vm);
	if (vm->change.goes_on) return true;
	vm_write_back(vm, false);
	tell_change(vm);
	return false;
}

/*
 * What the write of a register, or a DMA, leaves unfinished goes on behind its exit (work() in
 * hv/vm/run.c), and no vCPU enters before all is done: to the guest the write did it.
 */
bool vm_change_unfinished(void *ctx)
{
	struct vm *vm = ctx;

	if (!vm->change.goes_on) return false;
	if (vm->iommu->draining) return vm->stopped || work_off(vm);
	shootdown_stop(vm);
	this_cpu()->slice = 1;
	vcpu_kick(vm->iommu_writer); /* who does it may be on another CPU, and that may halt */
	return true;
}

void vm_go_on(struct vm *vm)
{
	if (work_off(vm)) return;
	devices_go_on(vm); /* the DMA waited for it, and may bring another change */
	if (vm->change.goes_on) return;
	shootdown_resume(vm);
	for (unsigned i = 0; i < vm->vcpus; i++) vcpu_kick(vm->vcpu[i]);
}

/*
 * WBINVD after the INVEPT, both ways, self-snoop or not: that serves a CPU's own accesses, not a
 * device that goes around the caches. On 0 -> 1 bytes written while all memory was WB may lie dirty
 * in a cache, where the device reads old ones; on 1 -> 0 a cache may hold what a device has
 * overwritten since, and from now on the guest's own WBINVD is ignored (SDM 3A 12.11.8). Where memory
 * is modelled that takes long, and goes on in work_off(). Where a change comes before the last one is
 * done, what that left is done, from the beginning, with this one.
 */
static void change_count(struct vm *vm, int delta)
{
	struct vm_change *change = &vm->change;
	bool zaps;

	if (change->goes_on) tell_change(vm);
	*change = (struct vm_change){
		.goes_on = change->goes_on,
		.start = rdtsc(),
		.invepts = vm->counter[COUNTER_INVEPT],
		.retyped = vm->ept.stats.leaves_retyped,
		.tables = vm->ept.stats.tables_retyped,
		.count = vm->ept.noncoherent,
		.cause = cause(vm),
	};
	if (vm->options.retype) /* no CPU may use a page by two types at once */
		shootdown_stop(vm);
	change->transition = ept_noncoherent_change(&vm->ept, change->cause, delta);
	zaps = change->transition && memtype_zaps_transitions(vm->ept.policy);
	change->goes_on |= zaps && vm->cache;
	if (vm->options.retype && !change->goes_on) shootdown_resume(vm);
	if (zaps && !change->goes_on) vm_write_back(vm, false);
	if (!change->goes_on)
		tell_change(vm);
	else if (!vm->iommu->draining)
		vm_change_unfinished(vm);
}

void vm_device_changed(void *ctx, const struct iommu_event *event)
{
	bool was = event->was_attached && event->was_noncoherent;
	bool is = event->attached && event->noncoherent;

	tell_device(ctx, event);
	if (is != was) change_count(ctx, is ? 1 : -1);
	if (this_cpu()->vcpu)
		vcpu_look_at_clock(this_cpu()->vcpu); /* also one OUT to a configuration register does this */
}
