/* SPDX-License-Identifier: MIT */
/*
 * The IOTLB: finished translations, tagged with source-id and domain-id (VT-d 6.2.1), kept until
 * the guest invalidates them or others take their place. That is its purpose here: a translation
 * the guest changed without invalidating stays visible, as on hardware. Which entry is evicted
 * depends on nothing but the order of insertions. It never reads guest memory.
 */
#include "iommu/parts.h"

static struct iommu_tlb_set *set_of(struct iommu *iommu, source_id_t source_id, uint64_t iova,
				    unsigned level)
{
	uint64_t page = iova / level_size(level);

	return &iommu->tlb[(page ^ page / IOMMU_TLB_SETS ^ source_id) % IOMMU_TLB_SETS];
}

static bool matches(const struct iommu_tlb_entry *entry, source_id_t source_id, uint16_t domain_id,
		    uint64_t iova, unsigned level)
{
	return entry->valid && entry->source_id == source_id && entry->domain_id == domain_id &&
	       entry->translation.level == level &&
	       entry->iova == ALIGN_DOWN(iova, level_size(level));
}

/* Valid until the next insertion. */
const struct iommu_translation *iommu_tlb_find(struct iommu *iommu, source_id_t source_id,
					       uint16_t domain_id, uint64_t iova)
{
	for (unsigned level = 1; level <= 3; level++) {
		struct iommu_tlb_set *set = set_of(iommu, source_id, iova, level);

		for (unsigned i = 0; i < IOMMU_TLB_WAYS; i++) {
			if (matches(&set->way[i], source_id, domain_id, iova, level))
				return &set->way[i].translation;
		}
	}
	return NULL;
}

void iommu_tlb_insert(struct iommu *iommu, source_id_t source_id, uint16_t domain_id, uint64_t iova,
		      const struct iommu_translation *translation)
{
	struct iommu_tlb_set *set = set_of(iommu, source_id, iova, translation->level);
	struct iommu_tlb_entry *entry = &set->way[set->evict];

	for (unsigned i = 0; i < IOMMU_TLB_WAYS; i++) {
		if (!set->way[i].valid) {
			entry = &set->way[i];
			break;
		}
	}
	if (entry->valid)
		set->evict = (uint8_t)((set->evict + 1) % IOMMU_TLB_WAYS);
	entry->valid = true;
	entry->source_id = source_id;
	entry->domain_id = domain_id;
	entry->iova = ALIGN_DOWN(iova, level_size(translation->level));
	entry->translation = *translation;
}

/* Drop what is of 'domain_id' (any, if negative) and overlaps first..last. */
static void drop(struct iommu *iommu, int domain_id, uint64_t first, uint64_t last)
{
	for (unsigned i = 0; i < IOMMU_TLB_SETS * IOMMU_TLB_WAYS; i++) {
		struct iommu_tlb_entry *entry =
			&iommu->tlb[i / IOMMU_TLB_WAYS].way[i % IOMMU_TLB_WAYS];
		uint64_t end;

		if (!entry->valid || (domain_id >= 0 && entry->domain_id != domain_id))
			continue;
		end = entry->iova + level_size(entry->translation.level) - 1;
		if (entry->iova <= last && end >= first)
			entry->valid = false;
	}
}

void iommu_tlb_flush(struct iommu *iommu)
{
	drop(iommu, -1, 0, ~0ULL);
}

void iommu_tlb_flush_domain(struct iommu *iommu, uint16_t domain_id)
{
	drop(iommu, domain_id, 0, ~0ULL);
}

/*
 * Tables between root and leaf are not cached, so the hint that only leaves changed (IH) makes
 * no difference.
 */
void iommu_tlb_flush_pages(struct iommu *iommu, uint16_t domain_id, uint64_t iova, unsigned order)
{
	uint64_t size = PAGE_SIZE << order;
	uint64_t first = ALIGN_DOWN(iova & BITS(VTD_MGAW - 1, 0), size);

	drop(iommu, domain_id, first, first + (size - 1));
}
