/* SPDX-License-Identifier: MIT */
/*
 * Faults: the fault recording register, the status that software polls, and the two events that
 * interrupt it (fault, and invalidation completion, which share their layout). Called wherever
 * a request is blocked. It never decides what is a fault.
 */
#include "iommu/parts.h"

#define FSTS_CONDITIONS (VTD_FSTS_PFO | VTD_FSTS_PPF | VTD_FSTS_IQE)

static void deliver(struct iommu *iommu, unsigned control)
{
	uint64_t address = reg32(iommu, control + VTD_EVENT_ADDR);

	/*
	 * The unit's own messages are not remapped (VT-d 5.1). One that was not programmed as
	 * an interrupt goes nowhere: here it could only overwrite the guest's memory.
	 */
	if (address >= VTD_MSI_BASE && address <= VTD_MSI_LAST)
		iommu->host.interrupt(iommu->host.ctx, address,
				      reg32(iommu, control + VTD_EVENT_DATA));
}

void iommu_event_raise(struct iommu *iommu, unsigned control)
{
	uint32_t value = reg32(iommu, control);

	if (value & VTD_EVENT_IM)
		set_reg32(iommu, control, value | VTD_EVENT_IP);
	else
		deliver(iommu, control);
}

static void event_withdraw(struct iommu *iommu, unsigned control)
{
	set_reg32(iommu, control, reg32(iommu, control) & ~VTD_EVENT_IP);
}

/* Unmasking sends what is pending. */
static void event_control_written(struct iommu *iommu, unsigned control)
{
	uint32_t value = reg32(iommu, control);

	if ((value & VTD_EVENT_IP) && !(value & VTD_EVENT_IM)) {
		event_withdraw(iommu, control);
		deliver(iommu, control);
	}
}

void iommu_fectl_written(struct iommu *iommu, uint64_t old)
{
	(void)old;
	event_control_written(iommu, VTD_FECTL);
}

void iommu_iectl_written(struct iommu *iommu, uint64_t old)
{
	(void)old;
	event_control_written(iommu, VTD_IECTL);
}

/* Only the first condition is an event: software that comes for one finds the others (VT-d 7.3). */
void iommu_fault_status(struct iommu *iommu, uint32_t condition)
{
	uint32_t status = reg32(iommu, VTD_FSTS);

	set_reg32(iommu, VTD_FSTS, status | condition);
	if (!(status & FSTS_CONDITIONS))
		iommu_event_raise(iommu, VTD_FECTL);
}

static void withdraw_when_serviced(struct iommu *iommu)
{
	if (!(reg32(iommu, VTD_FSTS) & FSTS_CONDITIONS))
		event_withdraw(iommu, VTD_FECTL);
}

/* Clearing IQE lets the queue go on, at the descriptor where it stood. */
void iommu_fsts_written(struct iommu *iommu, uint64_t old)
{
	withdraw_when_serviced(iommu);
	if ((old & VTD_FSTS_IQE) && !(reg32(iommu, VTD_FSTS) & VTD_FSTS_IQE))
		iommu_queue_run(iommu);
}

/* PPF says whether a record is there. */
void iommu_frcd_written(struct iommu *iommu, uint64_t old)
{
	(void)old;
	if (reg64(iommu, VTD_FRCD_HI) & VTD_FRCD_F)
		return;
	set_reg32(iommu, VTD_FSTS, reg32(iommu, VTD_FSTS) & ~VTD_FSTS_PPF);
	withdraw_when_serviced(iommu);
}

/*
 * VT-d 7.2.1: with an overflow standing nothing is recorded; with the record taken, the overflow
 * is. There is one record (see VTD_FRCDS), so FSTS.FRI is always 0.
 */
static void record(struct iommu *iommu, uint64_t lo, uint64_t hi)
{
	if (reg32(iommu, VTD_FSTS) & VTD_FSTS_PFO)
		return;
	if (reg64(iommu, VTD_FRCD_HI) & VTD_FRCD_F) {
		iommu_fault_status(iommu, VTD_FSTS_PFO);
		return;
	}
	set_reg64(iommu, VTD_FRCD, lo);
	set_reg64(iommu, VTD_FRCD_HI, hi | VTD_FRCD_F);
	iommu_fault_status(iommu, VTD_FSTS_PPF);
}

static uint64_t record_hi(source_id_t source_id, enum vtd_reason reason)
{
	return TO_FIELD(reason, VTD_FRCD_FR) | TO_FIELD(source_id, VTD_FRCD_SID);
}

void iommu_dma_fault(struct iommu *iommu, source_id_t source_id, uint64_t iova, bool write,
		     enum vtd_reason reason, bool quiet)
{
	if (quiet)
		return;
	record(iommu, iova & VTD_FRCD_FI,
	       record_hi(source_id, reason) | (write ? 0 : VTD_FRCD_T_READ));
}

void iommu_interrupt_fault(struct iommu *iommu, source_id_t source_id, uint32_t index,
			   enum vtd_reason reason, bool quiet)
{
	if (quiet)
		return;
	record(iommu, TO_FIELD(index, VTD_FRCD_FI_IRTE), record_hi(source_id, reason));
}
