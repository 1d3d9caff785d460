/* SPDX-License-Identifier: MIT */
/*
 * The messages by which the unit interrupts software: one for faults (FECTL), one for completed
 * invalidations (IECTL), laid out alike. A masked message stays pending until it is unmasked, or
 * until software has dealt with what it tells of. When there is something to tell is not decided
 * here.
 */
#include "iommu/parts.h"

static void deliver(struct iommu *iommu, unsigned control)
{
	uint64_t address = reg32(iommu, control + VTD_EVENT_ADDR);

	/*
	 * The unit's own messages are not remapped (VT-d 5.1). One that was not programmed as
	 * an interrupt goes nowhere: here it could only overwrite the guest's memory.
	 */
	if (is_interrupt_address(address))
		iommu->host.interrupt(iommu->host.ctx, address, reg32(iommu, control + VTD_EVENT_DATA));
}

void iommu_event_withdraw(struct iommu *iommu, unsigned control)
{
	set_reg32(iommu, control, reg32(iommu, control) & ~VTD_EVENT_IP);
}

void iommu_event_unmasked(struct iommu *iommu, unsigned control)
{
	uint32_t value = reg32(iommu, control);

	if (!(value & VTD_EVENT_IP) || (value & VTD_EVENT_IM)) return;
	iommu_event_withdraw(iommu, control);
	deliver(iommu, control);
}

void iommu_event_raise(struct iommu *iommu, unsigned control)
{
	set_reg32(iommu, control, reg32(iommu, control) | VTD_EVENT_IP);
	iommu_event_unmasked(iommu, control);
}
