// SPDX-License-Identifier: MIT
/*
 * The machine's birth, and what ept/ and iommu/ ask of their world: table pages, a flush, guest
 * memory, and what follows when a device is attached. hv/vm/ is that world in the hypervisor;
 * hv/vm/noncoherent.c is the original of device_changed().
 */
#include "web/machine.h"

#include "hv/load/guest_map.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/x86.h"

#define TABLE_PAGES 128
#define GUEST_WIDTH 40
#define HOST_WIDTH  46

/* As the demonstration's guest has them: 00:02.0 and 00:03.0. */
const uint16_t device_id[DEVICES] = {0x10, 0x18};

struct ept_cpu machine_ept_cpu(const struct machine *m, unsigned cpu)
{
	return (struct ept_cpu){.mtrr = &m->cpu[cpu].mtrr, .cd = m->cpu[cpu].cd};
}

void watch(struct machine *m, uint64_t gpa)
{
	gpa = ALIGN_DOWN(gpa, PAGE_SIZE);
	for (unsigned i = 0; i < m->watching; i++) {
		if (m->watched[i] == gpa) return;
	}
	if (m->watching < WATCHED) m->watched[m->watching++] = gpa;
}

static void zapped(void *ctx, uint64_t gpa, uint64_t size, uint64_t leaves)
{
	struct machine *m = ctx;

	m->cleared += leaves;
	if (leaves) tell(m, EVENT_ZAP, 0, (uint32_t)leaves, gpa, size);
}

/* A CPU that is to skip its INVEPT keeps what it has: the defect that a hypervisor must not have.
 */
static void flush(void *ctx)
{
	static const struct by skipped = {"skipped", "ept_flush", "ept/ept.c", "SDM 3C 29.4.3.3"};
	struct machine *m = ctx;

	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		if (m->skip.invept[cpu]) {
			say(m, &skipped, "INVEPT on CPU %u skipped, as you asked", cpu);
			continue;
		}
		model_invept(&m->cpu[cpu]);
		m->invepts++;
		tell(m, EVENT_INVEPT, cpu, 0, m->invepts, 0);
	}
}

/* A byte on its way between a device and the host address that ept/ names. */
struct access {
	struct machine *m;
	uint8_t byte;
	uint64_t hpa;
};

static void take_byte(void *ctx, uint64_t hpa)
{
	struct access *access = ctx;

	access->byte = memory_read(&access->m->memory, hpa);
	access->hpa = hpa;
}

static void put_byte(void *ctx, uint64_t hpa)
{
	struct access *access = ctx;

	memory_write(&access->m->memory, hpa, access->byte);
}

int ram_read(void *ctx, uint64_t gpa, void *to, size_t size, bool around_cache)
{
	struct access access = {.m = ctx};

	access.m->around |= around_cache;
	if (size == 1) access.m->dma_gpa = gpa;
	for (size_t i = 0; i < size; i++) {
		if (ept_dma_access(&access.m->ept, gpa + i, false, around_cache, take_byte, &access)) return -EFAULT;
		((uint8_t *)to)[i] = access.byte;
	}
	return 0;
}

int ram_write(void *ctx, uint64_t gpa, const void *from, size_t size, bool around_cache)
{
	struct access access = {.m = ctx};

	access.m->around |= around_cache;
	if (size == 1) access.m->dma_gpa = gpa;
	for (size_t i = 0; i < size; i++) {
		access.byte = ((const uint8_t *)from)[i];
		if (ept_dma_access(&access.m->ept, gpa + i, true, around_cache, put_byte, &access)) return -EFAULT;
	}
	return 0;
}

/* A read of the device changes nothing but the count of the lock. */
uint8_t ram_peek(const struct machine *m, uint64_t gpa, bool around_cache, bool *cached)
{
	struct access access = {.m = (struct machine *)m};

	(void)ept_dma_access(&access.m->ept, gpa, false, around_cache, take_byte, &access);
	*cached = access.hpa >= HOST_CACHE;
	return access.byte;
}

/* Told where bytes go to memory; the other way a page only becomes what memory is. */
static void copy_page(void *ctx, uint64_t to, uint64_t from)
{
	static const struct by by = {"copy", "ept_settle", "ept/coherence.c", "SDM 3A 12.11.8"};
	static const struct by lost = {"stale", "ept_settle", "ept/coherence.c", "SDM 3A 12.11.8"};
	struct machine *m = ctx;

	if (to < HOST_CACHE) {
		say(m, &by, "page 0x%lx: what the cache had is written to memory", to - HOST_RAM);
		bytes_overwritten(m, &lost, to - HOST_RAM, to, from);
	}
	memory_copy(&m->memory, to, from);
}

static void interrupt(void *ctx, uint64_t address, uint32_t data)
{
	static const struct by by = {"interrupt", "iommu_event_raise", "iommu/event.c", "VT-d 7.4"};

	say(ctx, &by, "interrupt message 0x%x to 0x%lx", data, address);
}

/* The record that the guest's driver finds, decoded. */
static void fault_recorded(void *ctx, uint64_t lo, uint64_t hi)
{
	static const struct by by = {"fault", "iommu_fault", "iommu/fault.c", "VT-d 7.1"};
	static const char *const reasons[] = {
		[VTD_ROOT_NOT_PRESENT] = "no root entry",
		[VTD_CONTEXT_NOT_PRESENT] = "no context entry",
		[VTD_CONTEXT_INVALID] = "a context entry that makes no sense",
		[VTD_ADDRESS_TOO_WIDE] = "an address that is too wide",
		[VTD_NO_WRITE] = "no page, or one that may not be written",
		[VTD_NO_READ] = "no page, or one that may not be read",
		[VTD_TABLE_UNREADABLE] = "a table that is not in RAM",
		[VTD_ROOT_UNREADABLE] = "a root table that is not in RAM",
		[VTD_CONTEXT_UNREADABLE] = "a context table that is not in RAM",
	};
	uint64_t reason = FIELD(hi, VTD_FRCD_FR), id = FIELD(hi, VTD_FRCD_SID);
	const char *name = reason < ARRAY_SIZE(reasons) && reasons[reason] ? reasons[reason] : "see VT-d 7.1.3";

	say(ctx, &by, "IOMMU fault: device %lu may not %s iova 0x%lx: reason 0x%lx, %s", (id - device_id[0]) >> 3,
	    hi & VTD_FRCD_T_READ ? "read" : "write", lo, reason, name);
}

static void stale_used(void *ctx, const struct iommu_stale *stale)
{
	static const struct by by = {"stale", "iommu_compare_page", "iommu/strict.c", "VT-d 6.2"};
	char text[IOMMU_STALE_TEXT];

	iommu_stale_text(stale, text, sizeof(text));
	say(ctx, &by, "iommu: %s", text);
}

/* The count's change; to skip the zap is to do as KVM did before 6.7. */
static bool change(struct machine *m, int delta)
{
	static const struct by skipped = {"skipped", "memtype_zaps_transitions", "ept/memtype.c", "SDM 3C 29.3.7.2"};
	const struct ept_cpu writer = machine_ept_cpu(m, 0); /* vCPU 0 rings the queue */
	enum memtype_policy policy = m->ept.policy;
	bool transition;

	if (m->skip.zap && policy == MEMTYPE_KVM_6_7) m->ept.policy = MEMTYPE_KVM_6_6;
	transition = ept_noncoherent_change(&m->ept, &writer, delta);
	if (transition && memtype_zaps_transitions(m->ept.policy)) {
		for (unsigned cpu = 0; cpu < CPUS; cpu++) tell(m, EVENT_WBINVD, cpu, 0, 0, 0);
		if (m->coherence && m->ept.transition == EPT_TRANSITION_RETYPE)
			ept_retype_part(&m->ept, &writer, 0, 1ULL << EPT_GPA_BITS);
		if (m->coherence) ept_write_back(&m->ept, 0, m->ept.slots_end);
	} else if (transition) {
		say(m, &skipped, "no zap: every leaf stays as it is (as KVM did before 6.7)");
	}
	m->ept.policy = policy;
	return transition;
}

static void change_count(struct machine *m, int delta)
{
	uint64_t cleared = m->cleared, invepts = m->invepts;
	uint64_t retyped = m->ept.stats.leaves_retyped, tables = m->ept.stats.tables_retyped;
	unsigned before = m->ept.noncoherent;
	bool transition = change(m, delta);

	if (m->ept.stats.leaves_retyped != retyped)
		tell(m, EVENT_RETYPE, 0, 0,
		     (m->ept.stats.leaves_retyped - retyped) |
			     TO_FIELD(m->ept.stats.tables_retyped - tables, EVENT_TABLES),
		     0);
	cleared = m->cleared - cleared;
	tell(m, transition ? EVENT_TRANSITION : EVENT_COUNT, 0,
	     (uint32_t)(TO_FIELD(before, EVENT_COUNT_BEFORE) | TO_FIELD(m->ept.noncoherent, EVENT_COUNT_AFTER) |
			TO_FIELD(m->invepts - invepts, EVENT_INVEPTS)),
	     cleared ? cleared | TO_FIELD(m->ept.stats.last_zap_tables, EVENT_TABLES) : 0, 0);
}

static void device_changed(void *ctx, const struct iommu_event *event)
{
	bool was = event->was_attached && event->was_noncoherent;
	bool is = event->attached && event->noncoherent;
	bool noncoherent = event->attached ? event->noncoherent : event->was_noncoherent;

	tell(ctx,
	     event->attached == event->was_attached ? EVENT_COHERENCE
	     : event->attached                      ? EVENT_ATTACH
						    : EVENT_DETACH,
	     0, event->source_id | (noncoherent ? EVENT_NONCOHERENT : 0), event->domain_id, 0);
	if (is != was) change_count(ctx, is ? 1 : -1);
}

/* As firmware leaves them: default WB, range 0 UC from the PCI hole to 4 GiB. */
static void entry_mtrrs(struct mtrr *mtrr)
{
	unsigned count;

	mtrr_reset(mtrr, GUEST_WIDTH);
	mtrr_write(mtrr, MSR_IA32_MTRR_FIX64K_00000, 0x0606060606060606, NULL, &count);
	mtrr_write(mtrr, MSR_IA32_MTRR_FIX16K_80000, 0x0606060606060606, NULL, &count);
	mtrr_write(mtrr, MSR_IA32_MTRR_PHYSBASE0, 3 * GiB | MEMTYPE_UC, NULL, &count);
	mtrr_write(mtrr, MSR_IA32_MTRR_PHYSBASE0 + 1, (BIT(GUEST_WIDTH) - GiB) | PHYSMASK_V, NULL, &count);
	mtrr_write(mtrr, MSR_IA32_MTRR_DEF_TYPE, DEF_TYPE_E | DEF_TYPE_FE | MEMTYPE_WB, NULL, &count);
}

/* As coherence_create() in hv/vm/coherence.c. */
static void make_copies(struct machine *m, struct ept_slot *slot)
{
	uint64_t offset = slot->hpa - HOST_RAM;

	if (slot->kind != EPT_SLOT_RAM) return;
	slot->kind = EPT_SLOT_RAM_TWICE;
	slot->uncached_hpa = slot->hpa;
	slot->hpa = HOST_CACHE + offset;
	slot->pages = m->page_flags + offset / PAGE_SIZE;
}

static void make_ept(struct machine *m, const struct properties *properties)
{
	const struct ept_caps caps = {.large_2m = properties->largest >= 2,
				      .large_1g = properties->largest >= 3,
				      .accessed_dirty = true,
				      .address_width = HOST_WIDTH};
	struct guest_map map;

	world_init(&m->world, TABLE_PAGES);
	m->world.on_flush = flush;
	m->world.on_flush_arg = m;
	m->world.host.zapped = zapped;
	m->world.host.copy_page = properties->coherence ? copy_page : NULL;
	ept_init(&m->ept, &m->world.host, &caps, properties->policy);
	m->ept.transition = properties->transition;
	m->ept.fill = properties->fill;
	guest_map_make(&map, RAM_SIZE, HOST_RAM);
	for (unsigned i = 0; i < map.slots; i++) {
		if (properties->coherence) make_copies(m, &map.slot[i]);
		ept_slot_add(&m->ept, &map.slot[i]);
	}
}

static void make_iommu(struct machine *m, const struct properties *properties)
{
	const struct iommu_config config = {.snoop_control = properties->snoop_control,
					    .caching_mode = properties->caching_mode,
					    .interrupt_remapping = true};
	const struct iommu_host host = {.ctx = m,
					.read = ram_read,
					.write = ram_write,
					.interrupt = interrupt,
					.changed = device_changed,
					.stale_used = stale_used,
					.fault_recorded = fault_recorded};

	iommu_init(&m->iommu, &config, &host);
	for (unsigned i = 0; i < DEVICES; i++) iommu_add_device(&m->iommu, device_id[i], true);
}

void machine_reset(struct machine *m, const struct properties *properties)
{
	if (m->world.pages) world_destroy(&m->world);
	memset(m, 0, offsetof(struct machine, line));
	m->lines = m->lost = 0;
	m->snoop_control = properties->snoop_control;
	m->caching_mode = properties->caching_mode;
	m->coherence = properties->coherence;
	m->driver.next_table = GUEST_TABLES;
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		entry_mtrrs(&m->cpu[cpu].mtrr);
		m->cpu[cpu].accessed_dirty = m->cpu[cpu].exact = true;
		m->pat[cpu] = MEMTYPE_WB;
	}
	make_ept(m, properties);
	make_iommu(m, properties);
}
