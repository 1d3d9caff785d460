/* SPDX-License-Identifier: MIT */
/*
 * What writing a register does, where it does more than hold its value: GCMD with its status,
 * register-based invalidation (CCMD, IOTLB), the queue's tail, the fault and event registers, the
 * enable of the protected memory regions. The rule it keeps: a status or completion bit changes
 * last, when all that follows from the command (count, zap, INVEPT) is done.
 */
#include "iommu/parts.h"

static void set_status(struct iommu *iommu, uint64_t bit, bool on)
{
	uint32_t status = reg32(iommu, VTD_GSTS) & ~(uint32_t)bit;

	set_reg32(iommu, VTD_GSTS, on ? status | bit : status);
}

/* CAP.ESRTPS: the new root pointer drops all caches itself, software need not (VT-d 6.6). */
static void set_root_table(struct iommu *iommu)
{
	set_status(iommu, VTD_GCMD_SRTP, false);
	iommu->root_table = reg64(iommu, VTD_RTADDR);
	iommu_tlb_flush(iommu);
	iommu_invalidate_contexts(iommu, VTD_GLOBAL, 0);
	set_status(iommu, VTD_GCMD_SRTP, true);
}

/* CAP.ESIRTPS: and so does the new interrupt remapping table. */
static void set_interrupt_table(struct iommu *iommu)
{
	uint64_t irta = reg64(iommu, VTD_IRTA);

	set_status(iommu, VTD_GCMD_SIRTP, false);
	iommu->irte_table = irta & VTD_IRTA_ADDR;
	iommu->irte_x2apic = irta & VTD_IRTA_EIME;
	iommu->irte_count = 2U << FIELD(irta, VTD_IRTA_S);
	iommu_iec_flush(iommu, 0, IOMMU_ALL_INDICES);
	set_status(iommu, VTD_GCMD_SIRTP, true);
}

static void enable_queue(struct iommu *iommu, bool on)
{
	set_status(iommu, VTD_GCMD_QIE, on);
	if (on) {
		iommu_work(iommu);
		return;
	}
	is_unfinished(iommu); /* what the head waited for, the guest waits for now */
	iommu->executed = false;
	set_reg64(iommu, VTD_IQH, 0);
}

static void enable_translation(struct iommu *iommu, bool on)
{
	iommu_tlb_flush(iommu);
	iommu_set_translating(iommu, on);
	set_status(iommu, VTD_GCMD_TE, on);
}

/*
 * Software changes one bit for each write and waits for its status; a write that changes several
 * is taken as the same commands in the order below.
 */
void iommu_command_written(struct iommu *iommu)
{
	uint64_t command = reg32(iommu, VTD_GCMD);
	uint64_t changed = command ^ reg32(iommu, VTD_GSTS);

	set_reg32(iommu, VTD_GCMD, 0); /* write-only */
	if (command & VTD_GCMD_SRTP) set_root_table(iommu);
	if (iommu->config.interrupt_remapping) {
		if (command & VTD_GCMD_SIRTP) set_interrupt_table(iommu);
		set_status(iommu, VTD_GCMD_CFI, command & VTD_GCMD_CFI);
		set_status(iommu, VTD_GCMD_IRE, command & VTD_GCMD_IRE);
	}
	if (changed & VTD_GCMD_TE) enable_translation(iommu, command & VTD_GCMD_TE);
	if (changed & VTD_GCMD_QIE) enable_queue(iommu, command & VTD_GCMD_QIE);
}

/* Register-based invalidation is for legacy mode only (VT-d 11.4.6.1). */
static bool is_legacy_mode(const struct iommu *iommu) { return !(iommu->root_table & VTD_RTADDR_TTM); }

/* VT-d 6.5.1.1: CAIG tells what was done, nothing (0) for a reserved CIRG. */
void iommu_ccmd_written(struct iommu *iommu)
{
	uint64_t ccmd = reg64(iommu, VTD_CCMD), granularity = FIELD(ccmd, VTD_CCMD_CIRG);

	if (!(ccmd & VTD_CCMD_ICC)) return;
	if (!is_legacy_mode(iommu) || iommu_invalidate_contexts(iommu, granularity, ccmd & VTD_CCMD_SCOPE))
		granularity = 0;
	ccmd &= ~(VTD_CCMD_ICC | VTD_CCMD_CAIG);
	set_reg64(iommu, VTD_CCMD, ccmd | TO_FIELD(granularity, VTD_CCMD_CAIG));
}

/* VT-d 6.5.1.2. An address mask above CAP.MAMV is refused like a reserved granularity. */
void iommu_iotlb_written(struct iommu *iommu)
{
	uint64_t iotlb = reg64(iommu, VTD_IOTLB), granularity = FIELD(iotlb, VTD_IOTLB_IIRG);
	uint16_t domain_id = (uint16_t)FIELD(iotlb, VTD_IOTLB_DID);

	if (!(iotlb & VTD_IOTLB_IVT)) return;
	if (!is_legacy_mode(iommu) || iommu_invalidate_iotlb(iommu, granularity, domain_id, reg64(iommu, VTD_IVA)))
		granularity = 0;
	iotlb &= ~(VTD_IOTLB_IVT | VTD_IOTLB_IAIG);
	set_reg64(iommu, VTD_IOTLB, iotlb | TO_FIELD(granularity, VTD_IOTLB_IAIG));
}

void iommu_pmen_written(struct iommu *iommu)
{
	uint32_t enabled = reg32(iommu, VTD_PMEN) & (uint32_t)VTD_PMEN_EPM;

	set_reg32(iommu, VTD_PMEN, enabled ? enabled | VTD_PMEN_PRS : 0);
}

/* Software took notice of the completion: what is still pending of it is void. */
void iommu_ics_written(struct iommu *iommu)
{
	if (!(reg32(iommu, VTD_ICS) & VTD_ICS_IWC)) iommu_event_withdraw(iommu, VTD_IECTL);
}

void iommu_fectl_written(struct iommu *iommu) { iommu_event_unmasked(iommu, VTD_FECTL); }

void iommu_iectl_written(struct iommu *iommu) { iommu_event_unmasked(iommu, VTD_IECTL); }

static void withdraw_when_serviced(struct iommu *iommu)
{
	if (!(reg32(iommu, VTD_FSTS) & VTD_FSTS_CONDITIONS)) iommu_event_withdraw(iommu, VTD_FECTL);
}

/* Clearing IQE lets the queue go on, at the descriptor where it stood. */
void iommu_fsts_written(struct iommu *iommu)
{
	withdraw_when_serviced(iommu);
	iommu_work(iommu);
}

/* PPF says whether a record is there. */
void iommu_frcd_written(struct iommu *iommu)
{
	if (reg64(iommu, VTD_FRCD_HI) & VTD_FRCD_F) return;
	set_reg32(iommu, VTD_FSTS, reg32(iommu, VTD_FSTS) & ~VTD_FSTS_PPF);
	withdraw_when_serviced(iommu);
}
