/* SPDX-License-Identifier: MIT */
/*
 * The invalidation queue (VT-d 6.5.2): descriptors in guest memory from head to tail, worked off in
 * slices, so that no write of the tail keeps the CPU for long. The head passes a descriptor only
 * when it is done, with all that follows from it. So what a wait descriptor announces is done. A
 * bad descriptor stops the queue with FSTS.IQE; the head stays on it until software has mended it
 * and cleared IQE.
 */
#include "iommu/parts.h"

static int invalidate_contexts(struct iommu *iommu, const struct vtd_descriptor *desc)
{
	if ((desc->lo & VTD_CONTEXT_DESC_RSVD_LO) || desc->hi) return -EINVAL;
	return iommu_invalidate_contexts(iommu, FIELD(desc->lo, VTD_DESC_G), FIELD(desc->lo, VTD_CONTEXT_DESC_SCOPE));
}

static int invalidate_iotlb(struct iommu *iommu, const struct vtd_descriptor *desc)
{
	uint16_t domain_id = (uint16_t)FIELD(desc->lo, VTD_DESC_DID);

	if ((desc->lo & VTD_IOTLB_DESC_RSVD_LO) || (desc->hi & VTD_IOTLB_DESC_RSVD_HI)) return -EINVAL;
	return iommu_invalidate_iotlb(iommu, FIELD(desc->lo, VTD_DESC_G), domain_id, desc->hi);
}

static int invalidate_interrupt_entries(struct iommu *iommu, const struct vtd_descriptor *desc)
{
	bool all = !(desc->lo & VTD_IEC_DESC_G);
	unsigned order = all ? IOMMU_ALL_INDICES : (unsigned)FIELD(desc->lo, VTD_IEC_DESC_IM);

	if (!iommu->config.interrupt_remapping) return -EINVAL;
	if ((desc->lo & VTD_IEC_DESC_RSVD_LO) || desc->hi) return -EINVAL;
	if (!all && order > VTD_MHMV) return -EINVAL;
	iommu_iec_flush(iommu, (uint32_t)FIELD(desc->lo, VTD_IEC_DESC_IIDX), order);
	return 0;
}

/*
 * All that stood before in the queue is done when this runs, so a fence (FN) asks for nothing
 * more. A status address that is no memory is refused: software would wait for ever.
 */
static int wait_descriptor(struct iommu *iommu, const struct vtd_descriptor *desc)
{
	uint32_t data = (uint32_t)FIELD(desc->lo, VTD_WAIT_DESC_DATA);
	uint32_t ics = reg32(iommu, VTD_ICS);

	if ((desc->lo & VTD_WAIT_DESC_RSVD_LO) || (desc->hi & VTD_WAIT_DESC_RSVD_HI)) return -EINVAL;
	if (desc->lo & VTD_WAIT_DESC_SW && iommu->host.write(iommu->host.ctx, desc->hi, &data, sizeof(data), false))
		return -EFAULT;
	/* One completion is one event until software has cleared it. */
	if (desc->lo & VTD_WAIT_DESC_IF && !(ics & VTD_ICS_IWC)) {
		set_reg32(iommu, VTD_ICS, ics | VTD_ICS_IWC);
		iommu_event_raise(iommu, VTD_IECTL);
	}
	return 0;
}

/* ECAP.DT=0, legacy mode: other types are as invalid as unknown ones. */
static int execute(struct iommu *iommu, const struct vtd_descriptor *desc)
{
	switch (FIELD(desc->lo, VTD_DESC_TYPE)) {
	case VTD_DESC_CONTEXT: return invalidate_contexts(iommu, desc);
	case VTD_DESC_IOTLB: return invalidate_iotlb(iommu, desc);
	case VTD_DESC_IEC: return invalidate_interrupt_entries(iommu, desc);
	case VTD_DESC_WAIT: return wait_descriptor(iommu, desc);
	}
	return -EINVAL;
}

uint64_t iommu_queue_size(const struct iommu *iommu) { return 1ULL << (FIELD(reg64(iommu, VTD_IQA), VTD_IQA_QS) + 8); }

int iommu_fetch(struct iommu *iommu, uint64_t index, struct vtd_descriptor *desc)
{
	uint64_t base = reg64(iommu, VTD_IQA) & VTD_IQ_ADDR;

	return memory_read(iommu, base + index * sizeof(*desc), desc, sizeof(*desc));
}

static bool queue_may_run(const struct iommu *iommu)
{
	return (reg32(iommu, VTD_GSTS) & VTD_GCMD_QIE) && !(reg32(iommu, VTD_FSTS) & VTD_FSTS_IQE);
}

/* The next descriptor; its successor becomes the head when all that follows from it is done. */
static int queue_step(struct iommu *iommu, uint64_t size)
{
	uint64_t head = FIELD(reg64(iommu, VTD_IQH), VTD_IQ_PTR);
	struct vtd_descriptor desc;
	int error = 0;

	if (FIELD(reg64(iommu, VTD_IQT), VTD_IQ_PTR) >= size || head >= size) return -EINVAL;
	if (!iommu->executed) error = iommu_fetch(iommu, head, &desc);
	if (!iommu->executed && !error) error = execute(iommu, &desc);
	iommu->executed = !error && is_unfinished(iommu);
	if (iommu->executed)
		iommu->budget = 0;
	else if (!error)
		set_reg64(iommu, VTD_IQH, TO_FIELD((head + 1) % size, VTD_IQ_PTR));
	return error;
}

bool iommu_pending(const struct iommu *iommu)
{
	return queue_may_run(iommu) && reg64(iommu, VTD_IQH) != reg64(iommu, VTD_IQT);
}

/*
 * 'draining' keeps a register write that a callback makes from starting a second slice inside the
 * first.
 */
void iommu_work(struct iommu *iommu)
{
	uint64_t size = iommu_queue_size(iommu);

	if (iommu->draining) return;
	iommu->draining = true;
	iommu->budget = IOMMU_SLICE;
	while (iommu->budget && iommu_pending(iommu)) {
		iommu->budget--;
		if (queue_step(iommu, size)) iommu_fault_status(iommu, VTD_FSTS_IQE);
	}
	iommu->draining = false;
}
