/* SPDX-License-Identifier: MIT */
/*
 * Names for what the VT-d specification lays down in bits: registers, table
 * entries, descriptors, fault reasons. Legacy mode only. It declares no function and holds no
 * state, so a guest that drives the unit can include it too.
 */
#pragma once

#include "lib/bits.h"

/* Registers, by offset in the page (VT-d 11.4). */
enum vtd_register {
#define REGISTER_ROW(name, offset, width, reset, writable, cleared, written) VTD_##name = offset,
#include "iommu/registers.h"
	VTD_END = 0x230
};

#define VTD_FRCDS 1 /* fault recording registers: CAP.NFR + 1 */

/* VER_REG: 1.0, what software written for other emulated units knows. */
#define VTD_VERSION 0x10

/* CAP_REG (VT-d 11.4.2) */
#define VTD_CAP_ND      BITS(2, 0)
#define VTD_CAP_PLMR    BIT(5)
#define VTD_CAP_PHMR    BIT(6)
#define VTD_CAP_CM      BIT(7)
#define VTD_CAP_SAGAW39 BIT(9)
#define VTD_CAP_SAGAW48 BIT(10)
#define VTD_CAP_MGAW    BITS(21, 16)
#define VTD_CAP_ZLR     BIT(22)
#define VTD_CAP_FRO     BITS(33, 24)
#define VTD_CAP_SLLPS2M BIT(34)
#define VTD_CAP_SLLPS1G BIT(35)
#define VTD_CAP_PSI     BIT(39)
#define VTD_CAP_NFR     BITS(47, 40)
#define VTD_CAP_MAMV    BITS(53, 48)
#define VTD_CAP_DWD     BIT(54)
#define VTD_CAP_DRD     BIT(55)
#define VTD_CAP_ESIRTPS BIT(62)
#define VTD_CAP_ESRTPS  BIT(63)

#define VTD_ND_16BIT 6  /* CAP.ND for 2^16 domain ids */
#define VTD_MGAW     48 /* bits of the widest DMA address */
#define VTD_HAW      48 /* bits of a host address; those above it are reserved in entries */
#define VTD_MAMV     18 /* largest address mask: 2^18 pages, 1 GiB */

/* ECAP_REG (VT-d 11.4.3) */
#define VTD_ECAP_C    BIT(0)
#define VTD_ECAP_QI   BIT(1)
#define VTD_ECAP_IR   BIT(3)
#define VTD_ECAP_EIM  BIT(4)
#define VTD_ECAP_PT   BIT(6)
#define VTD_ECAP_SC   BIT(7)
#define VTD_ECAP_IRO  BITS(17, 8)
#define VTD_ECAP_MHMV BITS(23, 20)

#define VTD_MHMV 15 /* largest interrupt index mask: 2^15 entries */

/* GCMD_REG and GSTS_REG (VT-d 11.4.4): a command and its status have the same bit. */
#define VTD_GCMD_TE    BIT(31)
#define VTD_GCMD_SRTP  BIT(30)
#define VTD_GCMD_WBF   BIT(27)
#define VTD_GCMD_QIE   BIT(26)
#define VTD_GCMD_IRE   BIT(25)
#define VTD_GCMD_SIRTP BIT(24)
#define VTD_GCMD_CFI   BIT(23)

/* CCMD_REG */
#define VTD_CCMD_ICC   BIT(63)
#define VTD_CCMD_CIRG  BITS(62, 61)
#define VTD_CCMD_CAIG  BITS(60, 59)
#define VTD_CCMD_FM    BITS(33, 32)
#define VTD_CCMD_SID   BITS(31, 16)
#define VTD_CCMD_DID   BITS(15, 0)
#define VTD_CCMD_SCOPE (VTD_CCMD_FM | VTD_CCMD_SID | VTD_CCMD_DID)

/* IOTLB_REG and IVA_REG */
#define VTD_IOTLB_IVT  BIT(63)
#define VTD_IOTLB_IIRG BITS(61, 60)
#define VTD_IOTLB_IAIG BITS(58, 57)
#define VTD_IOTLB_DR   BIT(49)
#define VTD_IOTLB_DW   BIT(48)
#define VTD_IOTLB_DID  BITS(47, 32)
#define VTD_IVA_ADDR   BITS(63, 12)
#define VTD_IVA_IH     BIT(6)
#define VTD_IVA_AM     BITS(5, 0)

/* Granularities, the same numbers in CCMD, IOTLB_REG and the queue's descriptors. */
#define VTD_GLOBAL 1
#define VTD_DOMAIN 2
#define VTD_DEVICE 3 /* context cache */
#define VTD_PAGE   3 /* IOTLB */

/* FSTS_REG */
#define VTD_FSTS_PFO BIT(0)
#define VTD_FSTS_PPF BIT(1)
#define VTD_FSTS_IQE BIT(4)
/* What an event tells of; the others are of device TLBs, which the unit has not (ECAP.DT=0). */
#define VTD_FSTS_CONDITIONS (VTD_FSTS_PFO | VTD_FSTS_PPF | VTD_FSTS_IQE)

/*
 * An event's four registers: control, data, address, upper address. FECTL and IECTL begin one
 * each, with the same layout.
 */
#define VTD_EVENT_DATA 4
#define VTD_EVENT_ADDR 8
#define VTD_EVENT_IM   BIT(31)
#define VTD_EVENT_IP   BIT(30)

#define VTD_ICS_IWC BIT(0)

/* Fault recording register, high 8 bytes; the low 8 hold the address (63:12). */
#define VTD_FRCD_F        BIT(63)
#define VTD_FRCD_T_READ   BIT(62)
#define VTD_FRCD_FR       BITS(39, 32)
#define VTD_FRCD_SID      BITS(15, 0)
#define VTD_FRCD_FI       BITS(63, 12)
#define VTD_FRCD_FI_IRTE  BITS(63, 48) /* interrupt index, for these reasons: */
#define VTD_FR_INTERRUPTS 0x20         /* and up */

/* PMEN_REG; the regions' bases and limits have 2 MiB grains. */
#define VTD_PMEN_EPM  BIT(31)
#define VTD_PMEN_PRS  BIT(0)
#define VTD_PMR_GRAIN (2 * MiB)

/* Invalidation queue: 2^(QS + 8) descriptors of 16 bytes. */
#define VTD_IQA_QS  BITS(2, 0)
#define VTD_IQ_ADDR BITS(63, 12)
#define VTD_IQ_PTR  BITS(18, 4) /* head and tail, counted in descriptors */

/* IRTA_REG: 2^(S + 1) entries. */
#define VTD_IRTA_ADDR BITS(63, 12)
#define VTD_IRTA_EIME BIT(11) /* destinations have 32 bits, as x2APIC's */
#define VTD_IRTA_S    BITS(3, 0)

/* RTADDR_REG. The unit knows one table mode, 0 (legacy). */
#define VTD_RTADDR_ADDR BITS(63, 12)
#define VTD_RTADDR_TTM  BITS(11, 10)

/* Root entry (VT-d 9.1) */
struct vtd_root_entry {
	uint64_t lo, hi;
};
#define VTD_ROOT_P       BIT(0)
#define VTD_ROOT_CTP     BITS(VTD_HAW - 1, 12)
#define VTD_ROOT_RSVD_LO (BITS(11, 1) | BITS(63, VTD_HAW))
#define VTD_ROOT_RSVD_HI BITS(63, 0)

/* Context entry (VT-d 9.3) */
struct vtd_context_entry {
	uint64_t lo, hi;
};
#define VTD_CONTEXT_P       BIT(0)
#define VTD_CONTEXT_FPD     BIT(1)
#define VTD_CONTEXT_TT      BITS(3, 2)
#define VTD_CONTEXT_SLPTPTR BITS(VTD_HAW - 1, 12)
#define VTD_CONTEXT_RSVD_LO (BITS(11, 4) | BITS(63, VTD_HAW))
#define VTD_CONTEXT_AW      BITS(2, 0)
#define VTD_CONTEXT_DID     BITS(23, 8)
#define VTD_CONTEXT_RSVD_HI (BIT(7) | BITS(63, 24))
#define VTD_TT_UNTRANSLATED 0 /* requests with an untranslated address go through the tables */
#define VTD_TT_PASS_THROUGH 2
#define VTD_AW_39BIT        1 /* three levels */
#define VTD_AW_48BIT        2 /* four levels */

/* Second-level paging entry (VT-d 9.8) */
#define VTD_SL_R       BIT(0)
#define VTD_SL_W       BIT(1)
#define VTD_SL_PS      BIT(7)  /* a leaf at level 2 (2 MiB) or 3 (1 GiB); reserved at level 4 */
#define VTD_SL_SNP     BIT(11) /* leaf only, and only with ECAP.SC */
#define VTD_SL_ADDR    BITS(VTD_HAW - 1, 12)
#define VTD_SL_TM      BIT(62) /* needs ECAP.DT */
#define VTD_SL_RSVD    (BITS(51, VTD_HAW) | VTD_SL_TM)
#define VTD_SL_RSVD_2M BITS(20, 12)
#define VTD_SL_RSVD_1G BITS(29, 12)

/* Interrupt remapping table entry (VT-d 9.9), not posted. */
struct vtd_irte {
	uint64_t lo, hi;
};
#define VTD_IRTE_P       BIT(0)
#define VTD_IRTE_FPD     BIT(1)
#define VTD_IRTE_DM      BIT(2)
#define VTD_IRTE_RH      BIT(3)
#define VTD_IRTE_TM      BIT(4)
#define VTD_IRTE_DLM     BITS(7, 5)
#define VTD_IRTE_AVAIL   BITS(11, 8) /* for software */
#define VTD_IRTE_VECTOR  BITS(23, 16)
#define VTD_IRTE_DST     BITS(47, 40) /* xAPIC: the rest of 63:32 is reserved */
#define VTD_IRTE_DST_32  BITS(63, 32) /* with IRTA.EIME */
#define VTD_IRTE_RSVD_LO (BITS(15, 12) | BITS(31, 24))
#define VTD_IRTE_SID     BITS(15, 0)
#define VTD_IRTE_SQ      BITS(17, 16)
#define VTD_IRTE_SVT     BITS(19, 18)
#define VTD_IRTE_RSVD_HI BITS(63, 20)
#define VTD_SVT_NONE     0
#define VTD_SVT_SID      1 /* the requester id, without the bits SQ leaves out */
#define VTD_SVT_BUS      2 /* a range of buses, SID 7:0 to 15:8 */

/* Interrupt requests in the remappable format (VT-d 5.1.2); lib/apic.h has the other. */
#define VTD_MSI_REMAPPABLE BIT(4)
#define VTD_MSI_SHV        BIT(3)
#define VTD_MSI_HANDLE_LOW BITS(19, 5)
#define VTD_MSI_HANDLE_15  BIT(2)
#define VTD_MSI_SUBHANDLE  BITS(15, 0)
#define VTD_MSI_DATA_RSVD  BITS(31, 16)

/* Invalidation descriptors (VT-d 6.5.2) */
struct vtd_descriptor {
	uint64_t lo, hi;
};
#define VTD_DESC_TYPE       BITS(3, 0)
#define VTD_DESC_CONTEXT    1
#define VTD_DESC_IOTLB      2
#define VTD_DESC_DEVICE_TLB 3
#define VTD_DESC_IEC        4
#define VTD_DESC_WAIT       5
#define VTD_DESC_G          BITS(5, 4)
#define VTD_DESC_DID        BITS(31, 16)

#define VTD_CONTEXT_DESC_SID     BITS(47, 32)
#define VTD_CONTEXT_DESC_FM      BITS(49, 48)
#define VTD_CONTEXT_DESC_SCOPE   BITS(49, 16) /* laid out as VTD_CCMD_SCOPE */
#define VTD_CONTEXT_DESC_RSVD_LO (BITS(15, 6) | BITS(63, 50))

#define VTD_IOTLB_DESC_RSVD_LO (BITS(15, 8) | BITS(63, 32))
#define VTD_IOTLB_DESC_RSVD_HI BITS(11, 7)

#define VTD_IEC_DESC_G       BIT(4) /* 0: all entries */
#define VTD_IEC_DESC_IM      BITS(31, 27)
#define VTD_IEC_DESC_IIDX    BITS(47, 32)
#define VTD_IEC_DESC_RSVD_LO (BITS(26, 5) | BITS(63, 48))

#define VTD_WAIT_DESC_IF      BIT(4)
#define VTD_WAIT_DESC_SW      BIT(5)
#define VTD_WAIT_DESC_DATA    BITS(63, 32)
#define VTD_WAIT_DESC_RSVD_LO BITS(31, 7)
#define VTD_WAIT_DESC_RSVD_HI BITS(1, 0)

/* Why a request was blocked (VT-d 7.1.3, 5.1.4.1), as the fault record's FR says it. */
enum vtd_reason {
	VTD_OK = 0,
	VTD_ROOT_NOT_PRESENT = 0x01,
	VTD_CONTEXT_NOT_PRESENT = 0x02,
	VTD_CONTEXT_INVALID = 0x03, /* width or type, or its SLPTPTR cannot be read */
	VTD_ADDRESS_TOO_WIDE = 0x04,
	VTD_NO_WRITE = 0x05,
	VTD_NO_READ = 0x06,
	VTD_TABLE_UNREADABLE = 0x07,
	VTD_ROOT_UNREADABLE = 0x08,
	VTD_CONTEXT_UNREADABLE = 0x09,
	VTD_ROOT_RESERVED = 0x0a,
	VTD_CONTEXT_RESERVED = 0x0b,
	VTD_TABLE_RESERVED = 0x0c,
	VTD_INTO_INTERRUPT_RANGE = 0x0e, /* the translated address is 0xfeexxxxx */
	VTD_IR_REQUEST_RESERVED = 0x20,
	VTD_IR_INDEX_TOO_LARGE = 0x21,
	VTD_IR_NOT_PRESENT = 0x22,
	VTD_IR_UNREADABLE = 0x23,
	VTD_IR_ENTRY_RESERVED = 0x24,
	VTD_IR_COMPATIBILITY_BLOCKED = 0x25,
	VTD_IR_WRONG_SOURCE = 0x26,
	VTD_TABLE_MODE_INVALID = 0x30, /* RTADDR_REG.TTM */
};

_Static_assert(sizeof(struct vtd_root_entry) == 16, "VT-d 9.1");
_Static_assert(sizeof(struct vtd_context_entry) == 16, "VT-d 9.3");
_Static_assert(sizeof(struct vtd_irte) == 16, "VT-d 9.9");
_Static_assert(sizeof(struct vtd_descriptor) == 16, "VT-d 6.5.2");
_Static_assert(VTD_CONTEXT_RSVD_LO == 0xffff000000000ff0ULL, "VT-d 9.3, with HAW = 48");
_Static_assert(VTD_CONTEXT_RSVD_HI == 0xffffffffff000080ULL, "VT-d 9.3");
_Static_assert(VTD_FRCD + 16 * VTD_FRCDS <= VTD_END, "every record lies within the registers");
