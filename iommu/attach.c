/* SPDX-License-Identifier: MIT */
/*
 * Which devices are attached and which of them are noncoherent: the context cache, and the one
 * function, track(), that compares what a device is with what it was and reports the difference. It
 * reads one context entry for each device in scope. It never reads a page table, since a guest
 * could make that endless. docs/iommu.md has the state table.
 */
#include "iommu/parts.h"

struct iommu_device *iommu_find_device(struct iommu *iommu, uint16_t source_id)
{
	for (unsigned i = 0; i < iommu->devices; i++)
		if (iommu->device[i].source_id == source_id) return &iommu->device[i];
	return NULL;
}

/* No-Snoop writes of it can reach memory. */
static bool is_noncoherent(const struct iommu *iommu, const struct iommu_device *device)
{
	if (!device->attached || !device->emits_no_snoop || !device->no_snoop_enabled) return false;
	/* Without snoop control, no mapping can force its writes to snoop. */
	if (!iommu->config.snoop_control) return true;
	return FIELD(device->context.entry.lo, VTD_CONTEXT_TT) == VTD_TT_PASS_THROUGH || device->unsnooped;
}

static bool same_context(const struct iommu_context *a, const struct iommu_context *b)
{
	return a->entry.lo == b->entry.lo && a->entry.hi == b->entry.hi && a->reason == b->reason;
}

/*
 * The choke point: 'device' now has the context 'now'. What follows from a change of attachment
 * or coherence (count, zap, INVEPT) is done when this returns, but for the rest that
 * iommu_host.unfinished() tells of; no change, no report.
 */
static void track(struct iommu *iommu, struct iommu_device *device, struct iommu_context now)
{
	struct iommu_event event = {
		.source_id = device->source_id,
		.domain_id = domain_of(&device->context.entry),
		.was_attached = device->attached,
		.was_noncoherent = device->noncoherent,
	};

	if (!same_context(&device->context, &now)) device->unsnooped = false;
	device->context = now;
	device->attached = iommu->translating && now.reason == VTD_OK;
	if (!device->attached)
		device->unsnooped = false;
	else
		event.domain_id = domain_of(&now.entry);
	device->noncoherent = is_noncoherent(iommu, device);

	event.attached = device->attached;
	event.noncoherent = device->noncoherent;
	if (event.attached == event.was_attached && event.noncoherent == event.was_noncoherent) return;
	iommu->budget -= MIN(iommu->budget, IOMMU_CHANGE_COST);
	iommu->host.changed(iommu->host.ctx, &event);
}

/* With CAP.CM, what is not present or faulty is cached too (VT-d 6.1). */
static bool is_cacheable(const struct iommu *iommu, const struct iommu_context *context)
{
	return iommu->config.caching_mode || context->reason == VTD_OK;
}

/*
 * The cached context of 'device' is dropped and its attachment computed anew from memory. With
 * CM the entry read for it is also what the next DMA goes by: software has to announce whatever
 * it changes. Without CM only a DMA fills the cache, so that nothing stale is seen that hardware
 * could not have fetched.
 */
static void invalidate(struct iommu *iommu, struct iommu_device *device, struct iommu_context in_memory)
{
	device->cached = iommu->config.caching_mode;
	device->told = false;
	track(iommu, device, in_memory);
}

static void reread(struct iommu *iommu, struct iommu_device *device)
{
	if (iommu->translating) invalidate(iommu, device, iommu_read_context(iommu, device->source_id));
}

/*
 * A device is in scope by its old domain id (software detaches with that), by the one in memory,
 * or because it has none yet: an entry that was not usable is tagged with domain 0, and software
 * names the new domain or 0 when it fills it in.
 */
static bool concerns_domain(const struct iommu_device *device, const struct iommu_context *in_memory,
			    uint16_t domain_id)
{
	return device->context.reason != VTD_OK || domain_of(&device->context.entry) == domain_id ||
	       domain_of(&in_memory->entry) == domain_id;
}

/* VT-d 6.5.2.1: FM masks bits 2, 2:1 or 2:0 of the function number; then the domain id is a hint. */
int iommu_invalidate_contexts(struct iommu *iommu, uint64_t granularity, uint64_t scope)
{
	uint64_t mask = VTD_CCMD_SID & ~TO_FIELD(masked_function(FIELD(scope, VTD_CCMD_FM)), VTD_CCMD_SID);

	if (!granularity) return -EINVAL;
	for (unsigned i = 0; i < iommu->devices && iommu->translating; i++) {
		struct iommu_device *device = &iommu->device[i];
		struct iommu_context in_memory;

		if (granularity == VTD_DEVICE && (TO_FIELD(device->source_id, VTD_CCMD_SID) ^ scope) & mask) continue;
		in_memory = iommu_read_context(iommu, device->source_id);
		if (granularity == VTD_DOMAIN && !concerns_domain(device, &in_memory, (uint16_t)scope)) continue;
		invalidate(iommu, device, in_memory);
	}
	return 0;
}

void iommu_set_translating(struct iommu *iommu, bool on)
{
	iommu->translating = on;
	for (unsigned i = 0; i < iommu->devices; i++) {
		struct iommu_device *device = &iommu->device[i];

		device->cached = false;
		if (on)
			reread(iommu, device);
		else
			track(iommu, device, device->context);
	}
}

struct iommu_context iommu_context_of(struct iommu *iommu, struct iommu_device *device, uint64_t iova)
{
	struct iommu_context context;

	if (device->cached) {
		if (iommu->host.stale_used) iommu_compare_context(iommu, device, iova);
		return device->context;
	}
	context = iommu_read_context(iommu, device->source_id);
	device->cached = is_cacheable(iommu, &context);
	track(iommu, device, context);
	return context;
}

void iommu_unsnooped(struct iommu *iommu, struct iommu_device *device)
{
	if (device->unsnooped) return;
	device->unsnooped = true;
	track(iommu, device, device->context);
}

int iommu_add_device(struct iommu *iommu, uint16_t source_id, bool emits_no_snoop)
{
	struct iommu_device *device = &iommu->device[iommu->devices];

	if (iommu_find_device(iommu, source_id)) return -EEXIST;
	if (iommu->devices == IOMMU_DEVICES) return -ENOSPC;
	iommu->devices++;
	*device = (struct iommu_device){.source_id = source_id,
					.emits_no_snoop = emits_no_snoop,
					.no_snoop_enabled = true,
					.context.reason = VTD_ROOT_NOT_PRESENT};
	reread(iommu, device);
	return 0;
}

void iommu_set_no_snoop(struct iommu *iommu, uint16_t source_id, bool enabled)
{
	struct iommu_device *device = iommu_find_device(iommu, source_id);

	if (!device) return;
	device->no_snoop_enabled = enabled;
	track(iommu, device, device->context);
}
