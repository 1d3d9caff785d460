/* SPDX-License-Identifier: MIT */
/*
 * Reading the tables the guest wrote: root, context and second-level entries, each checked before
 * it is believed. It records no fault, keeps nothing, and touches no memory but through
 * iommu_host.read().
 *
 * 	root table           context table          level 4, 3, 2, 1
 * 	[bus] ------------>  [device, function] --> [47:39] -> [38:30] -> [29:21] -> [20:12]
 * 	                     AW=1 begins at level 3             1 GiB leaf  2 MiB leaf  4 KiB leaf
 */
#include "iommu/parts.h"

/* The context of a device whose entry could not be read. */
static struct iommu_context no_entry(enum vtd_reason reason)
{
	return (struct iommu_context){.reason = (uint8_t)reason};
}

/* VT-d 9.3: what makes a present context entry invalid. */
static enum vtd_reason check_context(const struct vtd_context_entry *entry)
{
	uint64_t type = FIELD(entry->lo, VTD_CONTEXT_TT);
	uint64_t width = FIELD(entry->hi, VTD_CONTEXT_AW);

	if (!(entry->lo & VTD_CONTEXT_P)) return VTD_CONTEXT_NOT_PRESENT;
	if ((entry->lo & VTD_CONTEXT_RSVD_LO) || (entry->hi & VTD_CONTEXT_RSVD_HI)) return VTD_CONTEXT_RESERVED;
	if (type != VTD_TT_UNTRANSLATED && type != VTD_TT_PASS_THROUGH) return VTD_CONTEXT_INVALID;
	if (width != VTD_AW_39BIT && width != VTD_AW_48BIT) return VTD_CONTEXT_INVALID;
	return VTD_OK;
}

struct iommu_context iommu_read_context(struct iommu *iommu, uint16_t source_id)
{
	struct vtd_context_entry entry;
	struct vtd_root_entry root;
	uint64_t bus = source_id >> 8;
	uint64_t devfn = source_id & 0xff;

	if (iommu->root_table & VTD_RTADDR_TTM) return no_entry(VTD_TABLE_MODE_INVALID);
	if (memory_read(iommu, iommu->root_table + bus * sizeof(root), &root, sizeof(root)))
		return no_entry(VTD_ROOT_UNREADABLE);
	if (!(root.lo & VTD_ROOT_P)) return no_entry(VTD_ROOT_NOT_PRESENT);
	if ((root.lo & VTD_ROOT_RSVD_LO) || (root.hi & VTD_ROOT_RSVD_HI)) return no_entry(VTD_ROOT_RESERVED);
	if (memory_read(iommu, (root.lo & VTD_ROOT_CTP) + devfn * sizeof(entry), &entry, sizeof(entry)))
		return no_entry(VTD_CONTEXT_UNREADABLE);
	return (struct iommu_context){.entry = entry, .reason = (uint8_t)check_context(&entry)};
}

static bool is_leaf(uint64_t entry, unsigned level) { return level == 1 || (level <= 3 && (entry & VTD_SL_PS)); }

/* VT-d 9.8, with CAP.SLLPS = 2 MiB and 1 GiB and ECAP.DT = 0. */
static bool has_reserved_bits(const struct iommu *iommu, uint64_t entry, unsigned level)
{
	uint64_t reserved = VTD_SL_RSVD;

	if (level == 4) reserved |= VTD_SL_PS;
	if (!is_leaf(entry, level) || !iommu->config.snoop_control) reserved |= VTD_SL_SNP;
	if (level == 2 && is_leaf(entry, level)) reserved |= VTD_SL_RSVD_2M;
	if (level == 3 && is_leaf(entry, level)) reserved |= VTD_SL_RSVD_1G;
	return entry & reserved;
}

/*
 * 'iova' fits the context's width. The permission is what all levels grant up to where the walk
 * ended, so that the caller can tell a denied access from a bad entry, in this order. What does
 * not translate has the size of one 4 KiB page: later mappings beside it are not its matter.
 */
struct iommu_translation iommu_walk(struct iommu *iommu, const struct vtd_context_entry *context, uint64_t iova)
{
	struct iommu_translation result = {.level = 1, .permission = VTD_SL_R | VTD_SL_W};
	unsigned top = width_of(context) == 39 ? 3 : 4;
	uint64_t table = context->lo & VTD_CONTEXT_SLPTPTR;

	for (unsigned level = top;; level--) { /* what is at level 1 is a leaf */
		uint64_t index = page_level_index(iova, level);
		uint64_t entry;

		if (memory_read(iommu, table + index * sizeof(entry), &entry, sizeof(entry))) {
			result.reason = level == top ? VTD_CONTEXT_INVALID : VTD_TABLE_UNREADABLE;
			return result;
		}
		result.permission &= (uint8_t)entry;
		if (!result.permission) return result;
		if (has_reserved_bits(iommu, entry, level)) {
			result.reason = VTD_TABLE_RESERVED;
			return result;
		}
		if (is_leaf(entry, level)) {
			result.level = (uint8_t)level;
			result.address = ALIGN_DOWN(entry & VTD_SL_ADDR, page_level_size(level));
			result.snp = entry & VTD_SL_SNP;
			return result;
		}
		table = entry & VTD_SL_ADDR;
	}
}
