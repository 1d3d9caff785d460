/* SPDX-License-Identifier: MIT */
/*
 * Interrupt remapping (VT-d 5.1): a request names an entry of the guest's table, the entry says
 * which interrupt it becomes and who may ask for it. Entries are cached until invalidated, as
 * translations are.
 */
#include "iommu/parts.h"

void iommu_iec_flush(struct iommu *iommu, uint32_t index, unsigned order)
{
	for (unsigned i = 0; i < IOMMU_IEC_ENTRIES; i++)
		if ((uint32_t)iommu->iec[i].index >> order == index >> order) iommu->iec[i].valid = false;
}

/* VT-d 9.9, without posted interrupts. */
static bool has_reserved_bits(const struct iommu *iommu, const struct vtd_irte *irte)
{
	const uint64_t destination = iommu->irte_x2apic ? 0 : VTD_IRTE_DST_32 & ~VTD_IRTE_DST;

	return irte->lo & (VTD_IRTE_RSVD_LO | destination) || irte->hi & VTD_IRTE_RSVD_HI;
}

int iommu_read_irte(struct iommu *iommu, uint32_t index, struct vtd_irte *irte)
{
	return memory_read(iommu, iommu->irte_table + index * sizeof(*irte), irte, sizeof(*irte));
}

struct iommu_iec_entry *iommu_iec_find(struct iommu *iommu, uint32_t index)
{
	struct iommu_iec_entry *entry = &iommu->iec[index % IOMMU_IEC_ENTRIES];

	return entry->valid && entry->index == index ? entry : NULL;
}

/* -EFAULT if the table is not in memory. Unusable entries are only cached with CAP.CM. */
static int look_up(struct iommu *iommu, uint16_t source_id, uint32_t index, struct vtd_irte *irte)
{
	const struct iommu_iec_entry *cached = iommu_iec_find(iommu, index);

	if (cached) {
		*irte = cached->irte;
		if (iommu->host.stale_used) iommu_compare_irte(iommu, source_id, index, irte);
		return 0;
	}
	if (iommu_read_irte(iommu, index, irte)) return -EFAULT;
	if (iommu->config.caching_mode || ((irte->lo & VTD_IRTE_P) && !has_reserved_bits(iommu, irte)))
		iommu->iec[index % IOMMU_IEC_ENTRIES] =
			(struct iommu_iec_entry){.valid = true, .index = (uint16_t)index, .irte = *irte};
	return 0;
}

/* VT-d 9.9, SVT and SQ. */
static bool names_source(const struct vtd_irte *irte, uint16_t source_id)
{
	uint64_t sid = FIELD(irte->hi, VTD_IRTE_SID);
	unsigned bus = source_id >> 8;

	switch (FIELD(irte->hi, VTD_IRTE_SVT)) {
	case VTD_SVT_NONE: return true;
	case VTD_SVT_SID: return !((sid ^ source_id) & ~(uint64_t)masked_function(FIELD(irte->hi, VTD_IRTE_SQ)));
	case VTD_SVT_BUS: return bus >= (sid & 0xff) && bus <= sid >> 8;
	}
	return false;
}

/*
 * The IOAPIC asks under its own id from the DMAR table, or on behalf of a device whose INTx it
 * carries: software that put that device's id into the entry is served too.
 */
static bool accepts_source(const struct iommu *iommu, const struct vtd_irte *irte, uint16_t source_id)
{
	if (names_source(irte, source_id)) return true;
	for (unsigned i = 0; source_id == IOMMU_IOAPIC_SOURCE_ID && i < iommu->devices; i++)
		if (names_source(irte, iommu->device[i].source_id)) return true;
	return false;
}

/* The message an entry stands for, its level always asserted (VT-d 5.1.4; SDM 3A 11.11). */
static void deliver(struct iommu *iommu, const struct vtd_irte *irte)
{
	uint64_t destination = iommu->irte_x2apic ? FIELD(irte->lo, VTD_IRTE_DST_32) : FIELD(irte->lo, VTD_IRTE_DST);
	uint64_t address = MESSAGE_BASE | TO_FIELD(destination & 0xff, MESSAGE_DESTINATION) |
			   TO_FIELD(destination >> 8, MESSAGE_EXTENDED);
	uint64_t data = COMMAND_ASSERT | FIELD(irte->lo, VTD_IRTE_VECTOR) |
			TO_FIELD(FIELD(irte->lo, VTD_IRTE_DLM), COMMAND_MODE);

	if (irte->lo & VTD_IRTE_RH) address |= MESSAGE_HINT;
	if (irte->lo & VTD_IRTE_DM) address |= MESSAGE_LOGICAL;
	if (irte->lo & VTD_IRTE_TM) data |= COMMAND_LEVEL;
	iommu->host.interrupt(iommu->host.ctx, address, (uint32_t)data);
}

/* VT-d 5.1.3: which entry a remappable request names. */
static uint32_t index_of(uint64_t address, uint32_t data)
{
	uint64_t handle = FIELD(address, VTD_MSI_HANDLE_LOW);

	if (address & VTD_MSI_HANDLE_15) handle |= BIT(15);
	if (address & VTD_MSI_SHV) handle += data & VTD_MSI_SUBHANDLE;
	return (uint32_t)handle;
}

/* Before an entry is looked at; its index is told in the fault all the same. */
static enum vtd_reason check_request(const struct iommu *iommu, uint64_t address, uint32_t data)
{
	if ((address & VTD_MSI_SHV) && (data & VTD_MSI_DATA_RSVD)) return VTD_IR_REQUEST_RESERVED;
	if (index_of(address, data) >= iommu->irte_count) return VTD_IR_INDEX_TOO_LARGE;
	if ((iommu->irte_table + index_of(address, data) * sizeof(struct vtd_irte)) >> VTD_HAW)
		return VTD_IR_INDEX_TOO_LARGE;
	return VTD_OK;
}

/* In the order of VT-d 5.1.4: present, asked for by the right source, well programmed. */
enum vtd_reason iommu_check_irte(const struct iommu *iommu, const struct vtd_irte *irte, uint16_t source_id)
{
	if (!(irte->lo & VTD_IRTE_P)) return VTD_IR_NOT_PRESENT;
	if (!accepts_source(iommu, irte, source_id)) return VTD_IR_WRONG_SOURCE;
	if (has_reserved_bits(iommu, irte)) return VTD_IR_ENTRY_RESERVED;
	return VTD_OK;
}

static void remap(struct iommu *iommu, uint16_t source_id, uint64_t address, uint32_t data)
{
	uint32_t index = index_of(address, data);
	enum vtd_reason reason = check_request(iommu, address, data);
	struct vtd_irte irte = {0, 0};

	if (reason == VTD_OK && look_up(iommu, source_id, index, &irte)) reason = VTD_IR_UNREADABLE;
	if (reason == VTD_OK) reason = iommu_check_irte(iommu, &irte, source_id);
	if (reason == VTD_OK)
		deliver(iommu, &irte);
	else if (!(irte.lo & VTD_IRTE_FPD))
		iommu_fault(iommu, source_id, reason, TO_FIELD(index, VTD_FRCD_FI_IRTE), 0);
}

/* VT-d 5.1.4: a request in compatibility format passes only while CFIS allows it. */
void iommu_interrupt(struct iommu *iommu, uint16_t source_id, uint64_t address, uint32_t data)
{
	uint32_t status = reg32(iommu, VTD_GSTS);

	if (!is_interrupt_address(address)) return;
	if (status & VTD_GCMD_IRE && address & VTD_MSI_REMAPPABLE)
		remap(iommu, source_id, address, data);
	else if (!(status & VTD_GCMD_IRE) || status & VTD_GCMD_CFI)
		iommu->host.interrupt(iommu->host.ctx, address, data);
	else
		iommu_fault(iommu, source_id, VTD_IR_COMPATIBILITY_BLOCKED, 0, 0);
}
