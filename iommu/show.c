/* SPDX-License-Identifier: MIT */
/*
 * What a unit holds, in words, for a person who looks: its state, each device's context as cached
 * and as in memory, the IOTLB, what waits in the queue, the fault record. It only reads.
 */
#include "iommu/parts.h"
#include "lib/format.h"

#define LINE 200

/* Where the lines go. */
struct show {
	struct iommu *iommu;
	void (*line)(void *ctx, const char *text);
	void *ctx;
	char text[LINE];
};

static __attribute__((format(printf, 2, 3))) void add(struct show *show, const char *pattern, ...)
{
	size_t used = strlen(show->text);
	va_list args;

	va_start(args, pattern);
	format_text(show->text + used, LINE - used, pattern, args);
	va_end(args);
}

static void end_line(struct show *show)
{
	show->line(show->ctx, show->text);
	show->text[0] = '\0';
}

static void add_device(struct show *show, unsigned id) { add(show, "%02x:%02x.%x", id >> 8, id >> 3 & 0x1f, id & 7); }

static void show_state(struct show *show)
{
	struct iommu *iommu = show->iommu;
	struct vtd_root_entry root;
	uint32_t status = reg32(iommu, VTD_GSTS);

	add(show, "translation %s, queue %s, interrupt remapping %s; root table 0x%lx",
	    iommu->translating ? "on" : "off", status & VTD_GCMD_QIE ? "on" : "off",
	    status & VTD_GCMD_IRE ? "on" : "off", iommu->root_table);
	if (memory_read(iommu, iommu->root_table, &root, sizeof(root)))
		add(show, ", not RAM");
	else if (root.lo & VTD_ROOT_P)
		add(show, ", bus 0's contexts 0x%lx", root.lo & VTD_ROOT_CTP);
	else
		add(show, ", bus 0 not present");
	end_line(show);
}

static void add_context(struct show *show, const struct iommu_context *context)
{
	const struct vtd_context_entry *entry = &context->entry;

	add(show, "0x%lx:0x%lx: ", entry->hi, entry->lo);
	if (context->reason)
		add(show, "fault 0x%x", context->reason);
	else if (FIELD(entry->lo, VTD_CONTEXT_TT) == VTD_TT_PASS_THROUGH)
		add(show, "domain %u, passed through", domain_of(entry));
	else
		add(show, "domain %u, %u bits, table 0x%lx", domain_of(entry),
		    FIELD(entry->hi, VTD_CONTEXT_AW) == VTD_AW_39BIT ? 39U : 48U, entry->lo & VTD_CONTEXT_SLPTPTR);
}

static void show_device(struct show *show, const struct iommu_device *device)
{
	struct iommu_context memory = iommu_read_context(show->iommu, device->source_id);

	add(show, "device ");
	add_device(show, device->source_id);
	add(show, ": %s%s; context in memory ", device->attached ? "attached, " : "not attached",
	    !device->attached     ? ""
	    : device->noncoherent ? "noncoherent"
				  : "coherent");
	add_context(show, &memory);
	if (!device->cached) {
		add(show, "; not cached");
	} else if (memcmp(&device->context.entry, &memory.entry, sizeof(memory.entry)) != 0) {
		add(show, "; cached otherwise: ");
		add_context(show, &device->context);
	} else {
		add(show, "; cached");
	}
	end_line(show);
}

static void show_translation(struct show *show, const struct iommu_tlb_entry *entry)
{
	static const char *const size[] = {"", "4K", "2M", "1G"};
	const struct iommu_translation *page = &entry->translation;

	add(show, "IOTLB: ");
	add_device(show, entry->source_id);
	add(show, " domain %u iova 0x%lx: ", entry->domain_id, entry->iova);
	if (page->reason)
		add(show, "fault 0x%x", page->reason);
	else
		add(show, "0x%lx %s %c%c%s", page->address, size[page->level & 3],
		    page->permission & VTD_SL_R ? 'R' : '-', page->permission & VTD_SL_W ? 'W' : '-',
		    page->snp ? " SNP" : "");
	end_line(show);
}

static void show_tlb(struct show *show)
{
	unsigned found = 0;

	for (unsigned i = 0; i < IOMMU_TLB_SETS; i++)
		for (unsigned way = 0; way < IOMMU_TLB_WAYS; way++) {
			if (!(show->iommu->tlb[i].valid & 1U << way)) continue;
			found++;
			show_translation(show, &show->iommu->tlb[i].way[way]);
		}
	if (found) return;
	add(show, "IOTLB: empty");
	end_line(show);
}

static void show_descriptor(struct show *show, uint64_t index)
{
	static const char *const names[] = {"type 0", "contexts", "IOTLB", "device TLB", "interrupt entries", "wait"};
	uint64_t base = reg64(show->iommu, VTD_IQA) & VTD_IQ_ADDR, type;
	struct vtd_descriptor desc;

	add(show, "queue: %lu: ", index);
	if (memory_read(show->iommu, base + index * sizeof(desc), &desc, sizeof(desc))) {
		add(show, "not RAM");
	} else {
		type = FIELD(desc.lo, VTD_DESC_TYPE);
		add(show, "0x%lx:0x%lx: %s", desc.hi, desc.lo, type < ARRAY_SIZE(names) ? names[type] : "unknown");
	}
	end_line(show);
}

/* So many of what waits are shown. */
#define DESCRIPTORS_SHOWN 8

static void show_queue(struct show *show)
{
	const struct iommu *iommu = show->iommu;
	uint64_t size = 1ULL << (FIELD(reg64(iommu, VTD_IQA), VTD_IQA_QS) + 8);
	uint64_t head = FIELD(reg64(iommu, VTD_IQH), VTD_IQ_PTR);
	uint64_t tail = FIELD(reg64(iommu, VTD_IQT), VTD_IQ_PTR);

	add(show, "queue: 0x%lx, %lu descriptors, head %lu, tail %lu%s", reg64(iommu, VTD_IQA) & VTD_IQ_ADDR, size,
	    head, tail, reg32(iommu, VTD_FSTS) & VTD_FSTS_IQE ? ", stopped by an error (FSTS.IQE)" : "");
	end_line(show);
	for (unsigned n = 0; n < DESCRIPTORS_SHOWN && head != tail && head < size; n++) {
		show_descriptor(show, head);
		head = (head + 1) % size;
	}
}

static void show_faults(struct show *show)
{
	uint64_t lo = reg64(show->iommu, VTD_FRCD), hi = reg64(show->iommu, VTD_FRCD_HI);

	add(show, "faults: ");
	if (hi & VTD_FRCD_F) {
		add(show, "reason 0x%lx, ", FIELD(hi, VTD_FRCD_FR));
		add_device(show, (unsigned)FIELD(hi, VTD_FRCD_SID));
		add(show, ", %s, 0x%lx; ", hi & VTD_FRCD_T_READ ? "read" : "write", lo);
	}
	add(show, "%s pending%s", hi & VTD_FRCD_F ? "one" : "none",
	    reg32(show->iommu, VTD_FSTS) & VTD_FSTS_PFO ? ", more were lost (FSTS.PFO)" : "");
	end_line(show);
}

void iommu_show(struct iommu *iommu, void (*line)(void *ctx, const char *text), void *ctx)
{
	struct show show = {.iommu = iommu, .line = line, .ctx = ctx};

	show_state(&show);
	for (unsigned i = 0; i < iommu->devices; i++) show_device(&show, &iommu->device[i]);
	show_tlb(&show);
	show_queue(&show);
	show_faults(&show);
}
