// SPDX-License-Identifier: MIT
/*
 * What lies between the guest's store to a register and the count: the one instruction form that
 * this guest uses is decoded here (hv/emulate/ knows all), and iommu/ calls back with what changed.
 */
#include "docs/course/steps/05/unit.h"

#include "docs/course/steps/04/types.h"
#include "hv/machine/console.h"
#include "hv/machine/end.h"
#include "iommu/state.h"
#include "lib/errno.h"
#include "lib/string.h"

#define DEVICE         0x10 /* source-id: bus 0, device 2, function 0 */
#define MOV_EAX_MOFFS  0xa1 /* a load of EAX from an address in the instruction (SDM 2B "MOV") */
#define MOV_MOFFS_EAX  0xa3 /* a store of it */
#define MOV_MOFFS_SIZE 5

static struct iommu unit;

static int guest_read(void *ctx, uint64_t gpa, void *to, size_t size, bool around_cache)
{
	const void *from = memory_at(gpa, size);

	(void)ctx;
	(void)around_cache; /* the host's memory has one content */
	if (!from) return -EFAULT;
	memcpy(to, from, size);
	return 0;
}

static int guest_write(void *ctx, uint64_t gpa, const void *from, size_t size, bool around_cache)
{
	void *to = memory_at(gpa, size);

	(void)ctx;
	(void)around_cache;
	if (!to) return -EFAULT;
	memcpy(to, from, size);
	return 0;
}

static void no_interrupt(void *ctx, uint64_t address, uint32_t data)
{
	(void)ctx;
	print("unit: interrupt 0x%lx 0x%x: nobody takes it", address, data);
}

/* The unit read a context entry that says something else than before. When this returns, all is done. */
static void changed(void *ctx, const struct iommu_event *event)
{
	bool was = event->was_attached && event->was_noncoherent;
	bool is = event->attached && event->noncoherent;

	(void)ctx;
	print("unit: device %02x:%02x.%x %s", event->source_id >> 8, event->source_id >> 3 & 0x1f, event->source_id & 7,
	      event->attached ? "attached" : "detached");
	if (is != was) types_count(is ? 1 : -1);
}

/* A violation without memory behind it: a register, or the end of the guest. */
static bool device(struct guest *guest, uint64_t gpa, bool write)
{
	uint64_t rip = vmread(VMCS_GUEST_RIP);
	const uint8_t *code = memory_at(rip, MOV_MOFFS_SIZE);

	if (gpa - IOMMU_BASE >= IOMMU_SIZE || !code || *code != (write ? MOV_MOFFS_EAX : MOV_EAX_MOFFS))
		panic("guest: access to 0x%lx at RIP 0x%lx, expected MOV of EAX with a register of the unit", gpa, rip);
	if (write)
		iommu_register_write(&unit, gpa - IOMMU_BASE, 4, (uint32_t)guest->gpr[RAX]);
	else
		guest->gpr[RAX] = iommu_register_read(&unit, gpa - IOMMU_BASE, 4);
	vmwrite(VMCS_GUEST_RIP, rip + MOV_MOFFS_SIZE);
	return true;
}

void unit_setup(void)
{
	static const struct iommu_host host = {
		.read = guest_read, .write = guest_write, .interrupt = no_interrupt, .changed = changed};
	static const struct iommu_config config = {.caching_mode = true};

	iommu_init(&unit, &config, &host);
	if (iommu_add_device(&unit, DEVICE, true)) panic("unit: no room for a device");
	memory_device = device;
}
