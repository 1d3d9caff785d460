/* SPDX-License-Identifier: MIT */
/*
 * The register page: the table of what each register is (iommu/registers.h), and the two functions through
 * which the guest reads and writes it. A register with a side effect names the function that has it;
 * this file has none itself.
 */
#include "iommu/parts.h"

struct iommu_register {
	uint16_t offset;
	uint8_t width; /* 4 or 8 */
	uint64_t reset, writable, write_1_to_clear;
	/* Called after each write, of the whole register or of a half. */
	void (*written)(struct iommu *iommu);
};

#define GCMD_BITS                                                                                                      \
	(VTD_GCMD_TE | VTD_GCMD_SRTP | VTD_GCMD_WBF | VTD_GCMD_QIE | VTD_GCMD_IRE | VTD_GCMD_SIRTP | VTD_GCMD_CFI)
#define CCMD_BITS       (VTD_CCMD_ICC | VTD_CCMD_CIRG | VTD_CCMD_FM | VTD_CCMD_SID | VTD_CCMD_DID)
#define IOTLB_BITS      (VTD_IOTLB_IVT | VTD_IOTLB_IIRG | VTD_IOTLB_DR | VTD_IOTLB_DW | VTD_IOTLB_DID)
#define EVENT_DATA_BITS BITS(15, 0)
#define PMR_BITS        BITS(63, 21)

static const struct iommu_register registers[] = {
#define REGISTER_ROW(name, offset, width, reset, writable, cleared, written)                                           \
	{offset, width, reset, writable, cleared, written},
#include "iommu/registers.h"
};

static uint64_t capabilities(const struct iommu_config *config)
{
	uint64_t cap = TO_FIELD(VTD_ND_16BIT, VTD_CAP_ND) | VTD_CAP_PLMR | VTD_CAP_PHMR | VTD_CAP_SAGAW39 |
		       VTD_CAP_SAGAW48 | TO_FIELD(VTD_MGAW - 1, VTD_CAP_MGAW) | VTD_CAP_ZLR |
		       TO_FIELD(VTD_FRCD / 16, VTD_CAP_FRO) | VTD_CAP_SLLPS2M | VTD_CAP_SLLPS1G | VTD_CAP_PSI |
		       TO_FIELD(VTD_FRCDS - 1, VTD_CAP_NFR) | TO_FIELD(VTD_MAMV, VTD_CAP_MAMV) | VTD_CAP_DWD |
		       VTD_CAP_DRD | VTD_CAP_ESIRTPS | VTD_CAP_ESRTPS;

	return config->caching_mode ? cap | VTD_CAP_CM : cap;
}

static uint64_t extended_capabilities(const struct iommu_config *config)
{
	uint64_t ecap = VTD_ECAP_C | VTD_ECAP_QI | VTD_ECAP_PT | TO_FIELD(VTD_IVA / 16, VTD_ECAP_IRO);

	if (config->snoop_control) ecap |= VTD_ECAP_SC;
	if (config->interrupt_remapping) ecap |= VTD_ECAP_IR | VTD_ECAP_EIM | TO_FIELD(VTD_MHMV, VTD_ECAP_MHMV);
	return ecap;
}

static void set_register(struct iommu *iommu, const struct iommu_register *reg, uint64_t value)
{
	set_reg32(iommu, reg->offset, value);
	if (reg->width == 8) set_reg32(iommu, reg->offset + 4, value >> 32);
}

void iommu_init(struct iommu *iommu, const struct iommu_config *config, const struct iommu_host *host)
{
	memset(iommu, 0, sizeof(*iommu));
	iommu->config = *config;
	iommu->host = *host;
	for (size_t i = 0; i < ARRAY_SIZE(registers); i++) set_register(iommu, &registers[i], registers[i].reset);
	set_reg64(iommu, VTD_CAP, capabilities(config));
	set_reg64(iommu, VTD_ECAP, extended_capabilities(config));
}

/* Naturally aligned, 4 or 8 bytes, within the page. */
static bool access_is_defined(uint64_t offset, unsigned width)
{
	return (width == 4 || width == 8) && IS_ALIGNED(offset, width) && offset <= IOMMU_SIZE - width;
}

static uint32_t read_word(const struct iommu *iommu, uint64_t offset)
{
	return offset < VTD_END ? iommu->words[offset / 4] : 0;
}

uint64_t iommu_register_read(struct iommu *iommu, uint64_t offset, unsigned width)
{
	if (!access_is_defined(offset, width)) return ~0ULL;
	if (width == 4) return read_word(iommu, offset);
	return read_word(iommu, offset) | (uint64_t)read_word(iommu, offset + 4) << 32;
}

/* The register that has the 4 bytes at 'offset', or NULL where nothing is. */
static const struct iommu_register *find_register(uint64_t offset)
{
	for (size_t i = 0; i < ARRAY_SIZE(registers); i++)
		if (offset >= registers[i].offset && offset < registers[i].offset + registers[i].width)
			return &registers[i];
	return NULL;
}

/* 'bytes' is a mask of what is written; 'value' is 0 outside it. */
static void write_bits(struct iommu *iommu, const struct iommu_register *reg, uint64_t bytes, uint64_t value)
{
	uint64_t old = reg->width == 8 ? reg64(iommu, reg->offset) : reg32(iommu, reg->offset);
	uint64_t writable = reg->writable & bytes;

	set_register(iommu, reg, ((old & ~writable) | (value & writable)) & ~(value & reg->write_1_to_clear));
	if (reg->written) reg->written(iommu);
}

void iommu_register_write(struct iommu *iommu, uint64_t offset, unsigned width, uint64_t value)
{
	const struct iommu_register *reg = find_register(offset);

	if (!access_is_defined(offset, width)) return;
	if (width == 8 && (!reg || reg->width == 4)) {
		/* Two registers written at once (as Xen does) are written one after the other. */
		iommu_register_write(iommu, offset, 4, value);
		iommu_register_write(iommu, offset + 4, 4, value >> 32);
	} else if (reg) {
		uint64_t bytes = BITS(8 * width - 1, 0), shift = 8 * (offset - reg->offset);

		write_bits(iommu, reg, bytes << shift, (value & bytes) << shift);
	}
}
