/* SPDX-License-Identifier: MIT */
/*
 * 'iommu=on,strict': an answer that a cache gave is compared with what the tables in memory say at
 * that moment. Where they differ, software has changed a table and not invalidated since. That is
 * legal until the invalidation. But a use that nobody meant is a bug of the driver, so each is
 * named. It fills no cache, records no fault and tracks nothing.
 */
#include "iommu/parts.h"
#include "lib/format.h"

uint64_t iommu_stale_uses(const struct iommu *iommu) { return iommu->stale_uses; }

static bool is_same(const struct iommu_answer *a, const struct iommu_answer *b)
{
	return a->reason == b->reason && a->address == b->address && a->permission == b->permission &&
	       a->snp == b->snp && a->lo == b->lo && a->hi == b->hi;
}

/*
 * Each use of what is stale counts, and is told once an entry. 'told' belongs to the cache's entry; NULL:
 * that is gone.
 */
static void compare(struct iommu *iommu, bool *told, const struct iommu_stale *use)
{
	if (is_same(&use->cached, &use->in_memory)) return;
	iommu->stale_uses++;
	if (!told || *told) return;
	*told = true;
	iommu->host.stale_used(iommu->host.ctx, use);
}

/* VT-d 9.3: FPD counts in an entry that blocks, the table's address if the entry goes through it.
 */
static struct iommu_answer of_context(const struct iommu_context *context)
{
	uint64_t lo = VTD_CONTEXT_FPD, hi = 0;

	if (context->reason == VTD_OK) {
		lo |= VTD_CONTEXT_P | VTD_CONTEXT_TT;
		hi = VTD_CONTEXT_AW | VTD_CONTEXT_DID;
		if (FIELD(context->entry.lo, VTD_CONTEXT_TT) != VTD_TT_PASS_THROUGH) lo |= VTD_CONTEXT_SLPTPTR;
	}
	return (struct iommu_answer){
		.reason = context->reason, .lo = context->entry.lo & lo, .hi = context->entry.hi & hi};
}

void iommu_compare_context(struct iommu *iommu, struct iommu_device *device, uint64_t iova)
{
	struct iommu_stale use = {.cache = IOMMU_CONTEXTS,
				  .source_id = device->source_id,
				  .where = iova,
				  .cached = of_context(&device->context)};
	struct iommu_context in_memory = iommu_read_context(iommu, device->source_id);

	use.in_memory = of_context(&in_memory);
	compare(iommu, &device->told, &use);
}

static struct iommu_answer of_page(const struct iommu_translation *page, uint64_t iova, bool write)
{
	uint64_t gpa;
	enum vtd_reason reason = iommu_access(page, iova, write, &gpa);

	if (reason != VTD_OK) return (struct iommu_answer){.reason = (uint8_t)reason};
	return (struct iommu_answer){.address = gpa, .permission = page->permission, .snp = page->snp};
}

/* Through the tables of the cached context: where that is stale itself, it has been told of. */
void iommu_compare_page(struct iommu *iommu, const struct iommu_device *device, const struct vtd_context_entry *context,
			uint64_t iova, bool write, const struct iommu_translation *cached)
{
	struct iommu_translation walked = iommu_walk(iommu, context, iova);
	const struct iommu_stale use = {.cache = IOMMU_IOTLB,
					.source_id = device->source_id,
					.where = iova,
					.cached = of_page(cached, iova, write),
					.in_memory = of_page(&walked, iova, write)};
	/* Looked for again: reading memory may have come back here and invalidated it. */
	struct iommu_tlb_entry *entry = iommu_tlb_find(iommu, device->source_id, domain_of(context), iova);

	compare(iommu, entry ? &entry->told : NULL, &use);
}

static struct iommu_answer of_irte(const struct iommu *iommu, const struct vtd_irte *irte, uint16_t source_id)
{
	bool present = irte->lo & VTD_IRTE_P;

	return (struct iommu_answer){.reason = (uint8_t)iommu_check_irte(iommu, irte, source_id),
				     .lo = irte->lo & (present ? ~VTD_IRTE_AVAIL : VTD_IRTE_FPD),
				     .hi = present ? irte->hi : 0};
}

void iommu_compare_irte(struct iommu *iommu, uint16_t source_id, uint32_t index, const struct vtd_irte *cached)
{
	struct iommu_stale use = {.cache = IOMMU_INTERRUPT_ENTRIES,
				  .source_id = source_id,
				  .where = index,
				  .cached = of_irte(iommu, cached, source_id),
				  .in_memory = {.reason = VTD_IR_UNREADABLE}};
	struct iommu_iec_entry *entry;
	struct vtd_irte irte;

	if (!iommu_read_irte(iommu, index, &irte)) use.in_memory = of_irte(iommu, &irte, source_id);
	entry = iommu_iec_find(iommu, index);
	compare(iommu, entry ? &entry->told : NULL, &use);
}

/* "0x1000 rw snp", "entry 0x502:0x3001" (high half first), "fault 0x5". */
static void append_answer(char *text, size_t size, enum iommu_cache cache, const struct iommu_answer *answer)
{
	if (cache != IOMMU_IOTLB)
		format_append(text, size, "entry 0x%lx:0x%lx", answer->hi, answer->lo);
	else if (answer->reason == VTD_OK)
		format_append(text, size, "0x%lx %s%s%s", answer->address, answer->permission & VTD_SL_R ? "r" : "",
			      answer->permission & VTD_SL_W ? "w" : "", answer->snp ? " snp" : "");
	if (answer->reason != VTD_OK)
		format_append(text, size, "%sfault 0x%x", cache == IOMMU_IOTLB ? "" : ", ", answer->reason);
}

void iommu_stale_text(const struct iommu_stale *stale, char *text, size_t size)
{
	static const char *const name[] = {"context", "IOTLB", "interrupt"};

	text[0] = '\0';
	format_append(text, size, "stale %s entry used: device " PCI_ID " %s 0x%lx: cached ", name[stale->cache],
		      PCI_ID_ARGS(stale->source_id), stale->cache == IOMMU_INTERRUPT_ENTRIES ? "index" : "iova",
		      stale->where);
	append_answer(text, size, stale->cache, &stale->cached);
	format_append(text, size, ", in memory ");
	append_answer(text, size, stale->cache, &stale->in_memory);
	format_append(text, size, ": changed in memory, not invalidated since");
}
