// SPDX-License-Identifier: MIT
/*
 * The guest's driver of the VT-d unit: tables and descriptors are stores of vCPU 0 into guest
 * memory, commands are writes of the unit's registers, as guest/lib/vtd.c does them. Nothing here
 * reaches into iommu/.
 */
#include "lib/errno.h"
#include "web/machine.h"

static const struct by store_by = {"guest", "", "guest/lib/vtd.c", "VT-d 9"};
static const struct by queue_by = {"guest", "iommu_work", "iommu/queue.c", "VT-d 6.5.2"};
static const struct by command_by = {"guest", "iommu_command_written", "iommu/command.c", "VT-d 11.4.4"};

static void store(struct machine *m, uint64_t gpa, uint64_t value)
{
	for (unsigned i = 0; i < sizeof(value); i++) {
		uint8_t byte = (uint8_t)(value >> 8 * i);

		cpu_access(m, 0, gpa + i, true, &byte, true);
	}
}

static uint64_t load(struct machine *m, uint64_t gpa)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < sizeof(value); i++) {
		uint8_t byte = 0;

		cpu_access(m, 0, gpa + i, false, &byte, true);
		value |= (uint64_t)byte << 8 * i;
	}
	return value;
}

static uint32_t reg(struct machine *m, unsigned offset) { return (uint32_t)iommu_register_read(&m->iommu, offset, 4); }

static void command(struct machine *m, uint64_t set, uint64_t clear)
{
	uint64_t one_shot = VTD_GCMD_SRTP | VTD_GCMD_SIRTP;
	uint64_t now = reg(m, VTD_GSTS) & ~one_shot;

	iommu_register_write(&m->iommu, VTD_GCMD, 4, (uint32_t)((now & ~clear) | set));
}

void guest_start(struct machine *m)
{
	store(m, GUEST_ROOT, GUEST_CONTEXT | VTD_ROOT_P);
	iommu_register_write(&m->iommu, VTD_RTADDR, 8, GUEST_ROOT);
	say(m, &command_by, "guest: root table at 0x%x, queue at 0x%x, translation on", (unsigned)GUEST_ROOT,
	    (unsigned)GUEST_QUEUE);
	command(m, VTD_GCMD_SRTP, 0);
	iommu_register_write(&m->iommu, VTD_IQT, 8, 0);
	iommu_register_write(&m->iommu, VTD_IQA, 8, GUEST_QUEUE);
	m->driver.tail = 0;
	command(m, VTD_GCMD_QIE, 0);
	command(m, VTD_GCMD_TE, 0);
}

void guest_stop(struct machine *m)
{
	say(m, &command_by, "guest: translation off");
	command(m, 0, VTD_GCMD_TE);
}

static uint64_t new_table(struct machine *m)
{
	m->driver.next_table += PAGE_SIZE;
	return m->driver.next_table - PAGE_SIZE;
}

static uint64_t root_of(struct machine *m, unsigned device)
{
	if (!m->driver.root[device]) m->driver.root[device] = new_table(m);
	return m->driver.root[device];
}

/* Where the 4K leaf of iova is, below tables that are made on the way. */
static uint64_t leaf_place(struct machine *m, unsigned device, uint64_t iova)
{
	uint64_t table = root_of(m, device);

	for (unsigned level = 4; level > 1; level--) {
		uint64_t at = table + page_level_index(iova, level) * sizeof(uint64_t);
		uint64_t entry = load(m, at);

		if (!entry) {
			entry = new_table(m) | VTD_SL_R | VTD_SL_W;
			store(m, at, entry);
		}
		table = entry & VTD_SL_ADDR;
	}
	return table + page_level_index(iova, 1) * sizeof(uint64_t);
}

static int remember(struct driver *driver, unsigned device, uint64_t iova, uint64_t at)
{
	for (unsigned i = 0; i < driver->mappings; i++) {
		if (driver->mapping[i].at == at) return 0;
	}
	if (driver->mappings == MAPPINGS) return -ENOSPC;
	driver->mapping[driver->mappings++] = (struct mapping){device, iova, at};
	return 0;
}

int guest_map(struct machine *m, unsigned device, uint64_t iova, uint64_t gpa, uint64_t flags)
{
	uint64_t at = leaf_place(m, device, iova);

	if (remember(&m->driver, device, iova, at)) return -ENOSPC;
	store(m, at, flags ? gpa | flags : 0);
	if (flags)
		say(m, &store_by,
		    "guest: page table of device %u: iova 0x%lx -> 0x%lx %s%s%s, stored at "
		    "0x%lx",
		    device, iova, gpa, flags & VTD_SL_R ? "r" : "", flags & VTD_SL_W ? "w" : "",
		    flags & VTD_SL_SNP ? " snp" : "", at);
	else
		say(m, &store_by, "guest: page table of device %u: iova 0x%lx taken out, at 0x%lx", device, iova, at);
	return 0;
}

int guest_context(struct machine *m, unsigned device, unsigned domain, uint64_t type, bool present)
{
	uint64_t at = GUEST_CONTEXT + (device_id[device] & 0xffU) * sizeof(struct vtd_context_entry);

	if (present) {
		store(m, at + 8, TO_FIELD(domain, VTD_CONTEXT_DID) | TO_FIELD(VTD_AW_48BIT, VTD_CONTEXT_AW));
		store(m, at, root_of(m, device) | TO_FIELD(type, VTD_CONTEXT_TT) | VTD_CONTEXT_P);
		say(m, &store_by, "guest: context entry of device %u at 0x%lx: domain %u, %s", device, at, domain,
		    type == VTD_TT_PASS_THROUGH ? "pass-through" : "translated");
	} else {
		store(m, at, 0);
		say(m, &store_by, "guest: context entry of device %u at 0x%lx: not present", device, at);
	}
	m->driver.domain[device] = domain;
	return 0;
}

void guest_queue(struct machine *m, uint64_t lo, uint64_t hi, const char *what)
{
	uint64_t at = GUEST_QUEUE + m->driver.tail * sizeof(struct vtd_descriptor);

	store(m, at, lo);
	store(m, at + 8, hi);
	say(m, &store_by, "guest: descriptor %u at 0x%lx: %s", m->driver.tail, at, what);
	m->driver.tail = (m->driver.tail + 1) % GUEST_QUEUE_ENTRIES;
}

/* A wait descriptor goes behind what is there, as drivers do, and the tail is written. */
void guest_ring(struct machine *m)
{
	uint32_t status = 0;

	m->driver.status++;
	guest_queue(m, VTD_DESC_WAIT | VTD_WAIT_DESC_SW | TO_FIELD(m->driver.status, VTD_WAIT_DESC_DATA), GUEST_STATUS,
		    "wait, status to 0x5000");
	say(m, &queue_by, "guest: tail of the queue = %u", m->driver.tail);
	iommu_register_write(&m->iommu, VTD_IQT, 8, TO_FIELD(m->driver.tail, VTD_IQ_PTR));
	while (iommu_pending(&m->iommu)) /* slice by slice, as the hypervisor's scheduler */
		iommu_work(&m->iommu);
	ram_read(m, GUEST_STATUS, &status, sizeof(status), false);
	if (status == m->driver.status)
		say(m, &queue_by, "guest: sees its wait status: complete");
	else
		say(m, &queue_by, "guest: no wait status (queue off, or stopped by an error)");
}
