/* SPDX-License-Identifier: MIT */
/*
 * What a unit holds, in words, for a person who looks: its state, each device's context as cached
 * and as in memory, the IOTLB, what waits in the queue, the fault record. It only reads.
 */
#include "iommu/parts.h"
#include "lib/format.h"

static void show_state(struct iommu *iommu, struct lines *to)
{
	struct vtd_root_entry root;
	uint32_t status = reg32(iommu, VTD_GSTS);

	lines_add(to, "translation %s, queue %s, interrupt remapping %s; root table 0x%lx",
		  iommu->translating ? "on" : "off", status & VTD_GCMD_QIE ? "on" : "off",
		  status & VTD_GCMD_IRE ? "on" : "off", iommu->root_table);
	if (memory_read(iommu, iommu->root_table, &root, sizeof(root)))
		lines_add(to, ", not RAM");
	else if (root.lo & VTD_ROOT_P)
		lines_add(to, ", bus 0's contexts 0x%lx", root.lo & VTD_ROOT_CTP);
	else
		lines_add(to, ", bus 0 not present");
	lines_end(to);
}

static void add_context(struct lines *to, const struct iommu_context *context)
{
	const struct vtd_context_entry *entry = &context->entry;

	if (!(entry->lo & VTD_CONTEXT_P)) {
		lines_add(to, "none (not present)");
		return;
	}
	lines_add(to, "0x%lx:0x%lx: ", entry->hi, entry->lo);
	if (context->reason)
		lines_add(to, "fault 0x%x", context->reason);
	else if (FIELD(entry->lo, VTD_CONTEXT_TT) == VTD_TT_PASS_THROUGH)
		lines_add(to, "domain %u, passed through", domain_of(entry));
	else
		lines_add(to, "domain %u, %u bits, table 0x%lx", domain_of(entry), width_of(entry),
			  entry->lo & VTD_CONTEXT_SLPTPTR);
}

static void show_device(struct iommu *iommu, struct lines *to, const struct iommu_device *device)
{
	struct iommu_context memory = iommu_read_context(iommu, device->source_id);

	lines_add(to, "device " PCI_ID ": %s%s; context in memory: ", PCI_ID_ARGS(device->source_id),
		  device->attached ? "attached, " : "not attached",
		  !device->attached     ? ""
		  : device->noncoherent ? "noncoherent"
					: "coherent");
	add_context(to, &memory);
	if (!device->cached) {
		lines_add(to, "; not cached");
	} else if (memcmp(&device->context.entry, &memory.entry, sizeof(memory.entry)) != 0) {
		lines_add(to, "; cached otherwise: ");
		add_context(to, &device->context);
	} else {
		lines_add(to, "; cached");
	}
	lines_end(to);
}

static void show_translation(struct lines *to, const struct iommu_tlb_entry *entry)
{
	static const char *const size[] = {"", "4K", "2M", "1G"};
	const struct iommu_translation *page = &entry->translation;

	lines_add(to, "IOTLB: " PCI_ID " domain %u iova 0x%lx: ", PCI_ID_ARGS(entry->source_id), entry->domain_id,
		  entry->iova);
	if (page->reason)
		lines_add(to, "fault 0x%x", page->reason);
	else
		lines_add(to, "0x%lx %s %c%c%s", page->address, size[page->level & 3],
			  page->permission & VTD_SL_R ? 'R' : '-', page->permission & VTD_SL_W ? 'W' : '-',
			  page->snp ? " SNP" : "");
	lines_end(to);
}

static void show_tlb(struct iommu *iommu, struct lines *to)
{
	unsigned found = 0;

	for (unsigned i = 0; i < IOMMU_TLB_SETS; i++)
		for (unsigned way = 0; way < IOMMU_TLB_WAYS; way++) {
			if (!(iommu->tlb[i].valid & 1U << way)) continue;
			found++;
			show_translation(to, &iommu->tlb[i].way[way]);
		}
	if (found) return;
	lines_add(to, "IOTLB: empty");
	lines_end(to);
}

static void show_descriptor(struct iommu *iommu, struct lines *to, uint64_t index)
{
	static const char *const names[] = {"type 0", "contexts", "IOTLB", "device TLB", "interrupt entries", "wait"};
	struct vtd_descriptor desc;
	uint64_t type;

	lines_add(to, "queue: %lu: ", index);
	if (iommu_fetch(iommu, index, &desc)) {
		lines_add(to, "not RAM");
	} else {
		type = FIELD(desc.lo, VTD_DESC_TYPE);
		lines_add(to, "0x%lx:0x%lx: %s", desc.hi, desc.lo, type < ARRAY_SIZE(names) ? names[type] : "unknown");
	}
	lines_end(to);
}

/* So many of what waits are shown. */
#define DESCRIPTORS_SHOWN 8

static void show_queue(struct iommu *iommu, struct lines *to)
{
	uint64_t size = iommu_queue_size(iommu);
	uint64_t head = FIELD(reg64(iommu, VTD_IQH), VTD_IQ_PTR);
	uint64_t tail = FIELD(reg64(iommu, VTD_IQT), VTD_IQ_PTR);

	lines_add(to, "queue: 0x%lx, %lu descriptors, head %lu, tail %lu%s", reg64(iommu, VTD_IQA) & VTD_IQ_ADDR, size,
		  head, tail, reg32(iommu, VTD_FSTS) & VTD_FSTS_IQE ? ", stopped by an error (FSTS.IQE)" : "");
	lines_end(to);
	for (unsigned n = 0; n < DESCRIPTORS_SHOWN && head != tail && head < size; n++) {
		show_descriptor(iommu, to, head);
		head = (head + 1) % size;
	}
}

static void show_faults(struct iommu *iommu, struct lines *to)
{
	uint64_t lo = reg64(iommu, VTD_FRCD), hi = reg64(iommu, VTD_FRCD_HI);
	unsigned id = (unsigned)FIELD(hi, VTD_FRCD_SID);

	lines_add(to, "faults: ");
	if (hi & VTD_FRCD_F)
		lines_add(to, "reason 0x%lx, " PCI_ID ", %s, 0x%lx; ", FIELD(hi, VTD_FRCD_FR), PCI_ID_ARGS(id),
			  hi & VTD_FRCD_T_READ ? "read" : "write", lo);
	lines_add(to, "%s pending%s", hi & VTD_FRCD_F ? "one" : "none",
		  reg32(iommu, VTD_FSTS) & VTD_FSTS_PFO ? ", more were lost (FSTS.PFO)" : "");
	lines_end(to);
}

void iommu_show(struct iommu *iommu, void (*line)(void *ctx, const char *text), void *ctx)
{
	struct lines to = {.line = line, .ctx = ctx};

	show_state(iommu, &to);
	for (unsigned i = 0; i < iommu->devices; i++) show_device(iommu, &to, &iommu->device[i]);
	show_tlb(iommu, &to);
	show_queue(iommu, &to);
	show_faults(iommu, &to);
}
