/* SPDX-License-Identifier: MIT */
/*
 * Faults: the fault recording register and the status that software polls. Called wherever a
 * request is blocked or the queue has stopped. It only records: what is a fault is decided there,
 * what software writes about it is in command.c.
 */
#include "iommu/parts.h"

/* Only the first condition is an event: software that comes for one finds the others (VT-d 7.3). */
void iommu_fault_status(struct iommu *iommu, uint32_t condition)
{
	uint32_t status = reg32(iommu, VTD_FSTS);

	set_reg32(iommu, VTD_FSTS, status | condition);
	if (!(status & VTD_FSTS_CONDITIONS)) iommu_event_raise(iommu, VTD_FECTL);
}

/*
 * VT-d 7.2.1: with an overflow standing nothing is recorded; with the record taken, the overflow
 * is. There is one record (see VTD_FRCDS), so FSTS.FRI is always 0.
 */
static void record(struct iommu *iommu, uint64_t lo, uint64_t hi)
{
	if (reg32(iommu, VTD_FSTS) & VTD_FSTS_PFO) return;
	if (reg64(iommu, VTD_FRCD_HI) & VTD_FRCD_F) {
		iommu_fault_status(iommu, VTD_FSTS_PFO);
		return;
	}
	set_reg64(iommu, VTD_FRCD, lo);
	set_reg64(iommu, VTD_FRCD_HI, hi | VTD_FRCD_F);
	if (iommu->host.fault_recorded) iommu->host.fault_recorded(iommu->host.ctx, lo, hi | VTD_FRCD_F);
	iommu_fault_status(iommu, VTD_FSTS_PPF);
}

static uint64_t record_hi(uint16_t source_id, enum vtd_reason reason)
{
	return TO_FIELD(reason, VTD_FRCD_FR) | TO_FIELD(source_id, VTD_FRCD_SID);
}

void iommu_dma_fault(struct iommu *iommu, uint16_t source_id, uint64_t iova, bool write, enum vtd_reason reason,
		     bool quiet)
{
	if (quiet) return;
	record(iommu, iova & VTD_FRCD_FI, record_hi(source_id, reason) | (write ? 0 : VTD_FRCD_T_READ));
}

void iommu_interrupt_fault(struct iommu *iommu, uint16_t source_id, uint32_t index, enum vtd_reason reason, bool quiet)
{
	if (quiet) return;
	record(iommu, TO_FIELD(index, VTD_FRCD_FI_IRTE), record_hi(source_id, reason));
}
