/* SPDX-License-Identifier: MIT */
/*
 * DMA by a device: translated page by page, through the context cache and the IOTLB, or by a walk
 * where these have no answer. No pointer into a cache is held across a call to the host, which may
 * come back and change them.
 */
#include "iommu/parts.h"

struct dma {
	struct iommu_device *device;
	uint64_t iova;
	uint8_t *to;         /* read by the device, or */
	const uint8_t *from; /* written by it */
	bool snoops;         /* the part at hand was translated by a leaf with SNP */
};

/* Bases and limits name the first and the last grain; the low bits of a limit count as ones. */
static bool in_region(uint64_t gpa, uint64_t base, uint64_t limit)
{
	return gpa >= base && gpa <= (limit | (VTD_PMR_GRAIN - 1));
}

/* Requests that no page table stands for are kept off them (VT-d 11.4, PMEN_REG), silently. */
static bool is_protected(const struct iommu *iommu, uint64_t gpa)
{
	return (reg32(iommu, VTD_PMEN) & VTD_PMEN_EPM) &&
	       (in_region(gpa, reg32(iommu, VTD_PLMBASE), reg32(iommu, VTD_PLMLIMIT)) ||
		in_region(gpa, reg64(iommu, VTD_PHMBASE), reg64(iommu, VTD_PHMLIMIT)));
}

/* From the IOTLB or by a walk; a page that faults is only kept with CAP.CM. */
static struct iommu_translation look_up(struct iommu *iommu, const struct dma *dma,
					const struct vtd_context_entry *context)
{
	const uint16_t source_id = dma->device->source_id, domain_id = domain_of(context);
	const struct iommu_tlb_entry *cached = iommu_tlb_find(iommu, source_id, domain_id, dma->iova);
	struct iommu_translation page;

	if (cached) {
		page = cached->translation;
		if (iommu->host.stale_used)
			iommu_compare_page(iommu, dma->device, context, dma->iova, dma->from, &page);
		return page;
	}
	page = iommu_walk(iommu, context, dma->iova);
	if (iommu->config.caching_mode || (page.permission && page.reason == VTD_OK))
		iommu_tlb_insert(iommu, source_id, domain_id, dma->iova, &page);
	return page;
}

/* Why 'page' blocks an access, or VTD_OK and in *gpa where it goes. */
inline enum vtd_reason iommu_access(const struct iommu_translation *page, uint64_t iova, bool write, uint64_t *gpa)
{
	if (write && !(page->permission & VTD_SL_W)) return VTD_NO_WRITE;
	if (!write && !(page->permission & VTD_SL_R)) return VTD_NO_READ;
	if (page->reason != VTD_OK) return page->reason;
	*gpa = page->address + iova % page_level_size(page->level);
	return is_interrupt_address(*gpa) ? VTD_INTO_INTERRUPT_RANGE : VTD_OK;
}

/* Through the second-level tables of 'context'. */
static enum vtd_reason translate_page(struct iommu *iommu, struct dma *dma, const struct vtd_context_entry *context,
				      uint64_t *gpa)
{
	struct iommu_translation page;
	enum vtd_reason reason;

	if (dma->iova >> width_of(context)) return VTD_ADDRESS_TOO_WIDE;
	page = look_up(iommu, dma, context);
	reason = iommu_access(&page, dma->iova, dma->from, gpa);
	dma->snoops = page.snp;
	if (reason == VTD_OK && !page.snp) iommu_unsnooped(iommu, dma->device);
	return reason;
}

/* Where dma->iova goes, for this page; -EFAULT when blocked. */
static int translate(struct iommu *iommu, struct dma *dma, uint64_t *gpa)
{
	enum vtd_reason reason;
	struct iommu_context context;

	*gpa = dma->iova;
	if (!iommu->translating) return is_protected(iommu, *gpa) ? -EFAULT : 0;
	context = iommu_context_of(iommu, dma->device, dma->iova);
	reason = context.reason;
	if (reason == VTD_OK) {
		if (FIELD(context.entry.lo, VTD_CONTEXT_TT) != VTD_TT_PASS_THROUGH)
			reason = translate_page(iommu, dma, &context.entry, gpa);
		else if (dma->iova >> VTD_HAW)
			reason = VTD_ADDRESS_TOO_WIDE;
		else if (is_protected(iommu, *gpa))
			return -EFAULT;
	}
	if (reason == VTD_OK) return 0;
	if (!(context.entry.lo & VTD_CONTEXT_FPD))
		iommu_fault(iommu, dma->device->source_id, reason, dma->iova & VTD_FRCD_FI,
			    dma->from ? 0 : VTD_FRCD_T_READ);
	return -EFAULT;
}

/* A write of 4 aligned bytes is an interrupt request; nothing else is defined in that range. */
static int interrupt_request(struct iommu *iommu, const struct dma *dma, size_t size)
{
	uint32_t data;

	if (!dma->from || size != sizeof(data) || !IS_ALIGNED(dma->iova, sizeof(data))) return -EFAULT;
	memcpy(&data, dma->from, sizeof(data));
	iommu_interrupt(iommu, dma->device->source_id, dma->iova, data);
	return 0;
}

/* 'size' bytes, within one page. */
static int transfer_part(struct iommu *iommu, struct dma *dma, size_t size)
{
	bool around_cache;
	uint64_t gpa;

	if (is_interrupt_address(dma->iova)) return interrupt_request(iommu, dma, size);
	if (translate(iommu, dma, &gpa)) return -EFAULT;
	if (is_unfinished(iommu)) return -EAGAIN;
	around_cache = dma->device->noncoherent && !dma->snoops;
	if (dma->from) return iommu->host.write(iommu->host.ctx, gpa, dma->from, size, around_cache);
	return iommu->host.read(iommu->host.ctx, gpa, dma->to, size, around_cache);
}

/* The first part that fails ends it: no device goes on after an error. */
static int transfer(struct iommu *iommu, struct dma *dma, size_t size)
{
	int error = dma->device ? 0 : -EFAULT;

	while (!error && size) {
		size_t part = MIN(size, PAGE_SIZE - dma->iova % PAGE_SIZE);

		error = transfer_part(iommu, dma, part);
		if (error) break;
		size -= part;
		dma->iova += part;
		if (dma->to)
			dma->to += part;
		else
			dma->from += part;
		if (!dma->iova && size) error = -EFAULT; /* addresses end here, they do not wrap */
	}
	if (error && dma->to) memset(dma->to, 0xff, size);
	return error;
}

int iommu_dma_read(struct iommu *iommu, uint16_t source_id, uint64_t iova, void *to, size_t size)
{
	struct dma dma = {iommu_find_device(iommu, source_id), iova, to, NULL, false};

	return transfer(iommu, &dma, size);
}

int iommu_dma_write(struct iommu *iommu, uint16_t source_id, uint64_t iova, const void *from, size_t size)
{
	struct dma dma = {iommu_find_device(iommu, source_id), iova, NULL, from, false};

	return transfer(iommu, &dma, size);
}
