/* SPDX-License-Identifier: MIT */
/*
 * The IOTLB: finished translations, tagged with source-id and domain-id (VT-d 6.2.1), kept until
 * the guest invalidates them or others take their place. That is its purpose here: a translation
 * that the guest has changed and not invalidated stays in use, as on hardware. Which entry is
 * evicted depends on nothing but the order of insertions. It never reads guest memory.
 */
#include "iommu/parts.h"

static struct iommu_tlb_set *set_of(struct iommu *iommu, uint16_t source_id, uint64_t iova, unsigned level)
{
	uint64_t page = iova / page_level_size(level);

	return &iommu->tlb[(page ^ page / IOMMU_TLB_SETS ^ source_id) % IOMMU_TLB_SETS];
}

static bool is_valid(const struct iommu_tlb_set *set, unsigned way) { return set->valid & 1U << way; }

static bool matches(const struct iommu_tlb_entry *entry, uint16_t source_id, uint16_t domain_id, uint64_t iova,
		    unsigned level)
{
	return entry->source_id == source_id && entry->domain_id == domain_id && entry->translation.level == level &&
	       entry->iova == ALIGN_DOWN(iova, page_level_size(level));
}

/* Valid until the next insertion. */
struct iommu_tlb_entry *iommu_tlb_find(struct iommu *iommu, uint16_t source_id, uint16_t domain_id, uint64_t iova)
{
	for (unsigned level = 1; level <= 3; level++) {
		struct iommu_tlb_set *set = set_of(iommu, source_id, iova, level);

		for (unsigned way = 0; way < IOMMU_TLB_WAYS; way++)
			if (is_valid(set, way) && matches(&set->way[way], source_id, domain_id, iova, level))
				return &set->way[way];
	}
	return NULL;
}

void iommu_tlb_insert(struct iommu *iommu, uint16_t source_id, uint16_t domain_id, uint64_t iova,
		      const struct iommu_translation *translation)
{
	struct iommu_tlb_set *set = set_of(iommu, source_id, iova, translation->level);
	unsigned way = set->next;

	set->way[way] = (struct iommu_tlb_entry){
		.source_id = source_id,
		.domain_id = domain_id,
		.iova = ALIGN_DOWN(iova, page_level_size(translation->level)),
		.translation = *translation,
	};
	set->valid |= (uint8_t)(1U << way);
	set->next = (uint8_t)((way + 1) % IOMMU_TLB_WAYS);
}

static bool overlaps(const struct iommu_tlb_entry *entry, uint64_t first, uint64_t last)
{
	uint64_t end = entry->iova + page_level_size(entry->translation.level) - 1;

	return entry->iova <= last && end >= first;
}

/* Drop what is of 'domain_id' and overlaps first..last. */
static void drop(struct iommu *iommu, uint16_t domain_id, uint64_t first, uint64_t last)
{
	for (unsigned i = 0; i < IOMMU_TLB_SETS; i++) {
		struct iommu_tlb_set *set = &iommu->tlb[i];

		for (unsigned way = 0; set->valid && way < IOMMU_TLB_WAYS; way++)
			if (set->way[way].domain_id == domain_id && overlaps(&set->way[way], first, last))
				set->valid &= (uint8_t) ~(1U << way);
	}
}

void iommu_tlb_flush(struct iommu *iommu)
{
	for (unsigned i = 0; i < IOMMU_TLB_SETS; i++) iommu->tlb[i].valid = 0;
}

/*
 * Tables between root and leaf are not cached, so the hint that only leaves changed (IH) makes no
 * difference.
 */
int iommu_invalidate_iotlb(struct iommu *iommu, uint64_t granularity, uint16_t domain_id, uint64_t iva)
{
	unsigned order = (unsigned)FIELD(iva, VTD_IVA_AM);
	uint64_t size = PAGE_SIZE << order, first = ALIGN_DOWN(iva & BITS(VTD_MGAW - 1, 12), size);

	switch (granularity) {
	case VTD_GLOBAL: iommu_tlb_flush(iommu); return 0;
	case VTD_DOMAIN: drop(iommu, domain_id, 0, ~0ULL); return 0;
	case VTD_PAGE:
		if (order > VTD_MAMV) return -EINVAL;
		drop(iommu, domain_id, first, first + (size - 1));
		return 0;
	}
	return -EINVAL;
}
