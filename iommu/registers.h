/* SPDX-License-Identifier: MIT */
/*
 * The registers of the unit (VT-d 11.4), a row each: offset, width in bytes, value at reset, what a write changes,
 * what a written 1 clears, and who has the side effect of a write of the whole or of a half, or NULL. No guard: the
 * file that includes it says what REGISTER_ROW() makes of a row (iommu/vtd.h: an offset; registers.c: a table). CAP
 * and ECAP depend on the configuration: iommu_init() fills them in.
 */
#ifndef REGISTER_ROW
#define REGISTER_ROW(name, offset, width, reset, writable, cleared, written)
#endif
REGISTER_ROW(VER, 0x000, 4, VTD_VERSION, 0, 0, NULL)
REGISTER_ROW(CAP, 0x008, 8, 0, 0, 0, NULL)
REGISTER_ROW(ECAP, 0x010, 8, 0, 0, 0, NULL)
REGISTER_ROW(GCMD, 0x018, 4, 0, GCMD_BITS, 0, iommu_command_written)
REGISTER_ROW(GSTS, 0x01c, 4, 0, 0, 0, NULL)
REGISTER_ROW(RTADDR, 0x020, 8, 0, VTD_RTADDR_ADDR | VTD_RTADDR_TTM, 0, NULL)
REGISTER_ROW(CCMD, 0x028, 8, 0, CCMD_BITS, 0, iommu_ccmd_written)
REGISTER_ROW(FSTS, 0x034, 4, 0, 0, VTD_FSTS_PFO | VTD_FSTS_IQE, iommu_fsts_written)
REGISTER_ROW(FECTL, 0x038, 4, VTD_EVENT_IM, VTD_EVENT_IM, 0, iommu_fectl_written)
REGISTER_ROW(FEDATA, 0x03c, 4, 0, EVENT_DATA_BITS, 0, NULL)
REGISTER_ROW(FEADDR, 0x040, 4, 0, BITS(31, 2), 0, NULL)
REGISTER_ROW(FEUADDR, 0x044, 4, 0, BITS(31, 0), 0, NULL)
REGISTER_ROW(PMEN, 0x064, 4, 0, VTD_PMEN_EPM, 0, iommu_pmen_written)
REGISTER_ROW(PLMBASE, 0x068, 4, 0, PMR_BITS, 0, NULL)
REGISTER_ROW(PLMLIMIT, 0x06c, 4, 0, PMR_BITS, 0, NULL)
REGISTER_ROW(PHMBASE, 0x070, 8, 0, PMR_BITS, 0, NULL)
REGISTER_ROW(PHMLIMIT, 0x078, 8, 0, PMR_BITS, 0, NULL)
REGISTER_ROW(IQH, 0x080, 8, 0, 0, 0, NULL)
REGISTER_ROW(IQT, 0x088, 8, 0, VTD_IQ_PTR, 0, iommu_work)
REGISTER_ROW(IQA, 0x090, 8, 0, VTD_IQ_ADDR | VTD_IQA_QS, 0, NULL)
REGISTER_ROW(ICS, 0x09c, 4, 0, 0, VTD_ICS_IWC, iommu_ics_written)
REGISTER_ROW(IECTL, 0x0a0, 4, VTD_EVENT_IM, VTD_EVENT_IM, 0, iommu_iectl_written)
REGISTER_ROW(IEDATA, 0x0a4, 4, 0, EVENT_DATA_BITS, 0, NULL)
REGISTER_ROW(IEADDR, 0x0a8, 4, 0, BITS(31, 2), 0, NULL)
REGISTER_ROW(IEUADDR, 0x0ac, 4, 0, BITS(31, 0), 0, NULL)
REGISTER_ROW(IRTA, 0x0b8, 8, 0, VTD_IRTA_ADDR | VTD_IRTA_EIME | VTD_IRTA_S, 0, NULL)
REGISTER_ROW(IVA, 0x0f0, 8, 0, VTD_IVA_ADDR | VTD_IVA_IH | VTD_IVA_AM, 0, NULL) /* where ECAP.IRO says */
REGISTER_ROW(IOTLB, 0x0f8, 8, 0, IOTLB_BITS, 0, iommu_iotlb_written)
REGISTER_ROW(FRCD, 0x220, 8, 0, 0, 0, NULL) /* where CAP.FRO says: 16 bytes for each record */
REGISTER_ROW(FRCD_HI, VTD_FRCD + 8, 8, 0, 0, VTD_FRCD_F, iommu_frcd_written)
#undef REGISTER_ROW
