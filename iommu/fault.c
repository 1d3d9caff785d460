/* SPDX-License-Identifier: MIT */
/*
 * Faults: the fault recording register and the status that software polls. It only records. What is
 * a fault is decided by whoever blocks a request; what software writes about it is in command.c.
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
void iommu_fault(struct iommu *iommu, uint16_t source_id, enum vtd_reason reason, uint64_t lo, uint64_t flags)
{
	uint64_t hi = VTD_FRCD_F | flags | TO_FIELD(reason, VTD_FRCD_FR) | TO_FIELD(source_id, VTD_FRCD_SID);

	if (reg32(iommu, VTD_FSTS) & VTD_FSTS_PFO) return;
	if (reg64(iommu, VTD_FRCD_HI) & VTD_FRCD_F) {
		iommu_fault_status(iommu, VTD_FSTS_PFO);
		return;
	}
	set_reg64(iommu, VTD_FRCD, lo);
	set_reg64(iommu, VTD_FRCD_HI, hi);
	if (iommu->host.fault_recorded) iommu->host.fault_recorded(iommu->host.ctx, lo, hi);
	iommu_fault_status(iommu, VTD_FSTS_PPF);
}
