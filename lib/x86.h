/* SPDX-License-Identifier: MIT */
/*
 * Names of the bits, registers and numbers of the x86-64 architecture that more than one file uses.
 * Everything here is a constant; lib/asm.h has the instructions.
 */
#pragma once

#include "lib/bits.h"

/* Control registers, SDM 3A 2.5. */
#define CR0_PE BIT(0)
#define CR0_MP BIT(1)
#define CR0_EM BIT(2)
#define CR0_TS BIT(3)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_AM BIT(18)
#define CR0_NW BIT(29)
#define CR0_CD BIT(30)
#define CR0_PG BIT(31)

#define CR4_VME        BIT(0)
#define CR4_PVI        BIT(1)
#define CR4_TSD        BIT(2)
#define CR4_DE         BIT(3)
#define CR4_PSE        BIT(4)
#define CR4_PAE        BIT(5)
#define CR4_MCE        BIT(6)
#define CR4_PGE        BIT(7)
#define CR4_PCE        BIT(8)
#define CR4_OSFXSR     BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_UMIP       BIT(11)
#define CR4_VMXE       BIT(13)
#define CR4_FSGSBASE   BIT(16)
#define CR4_PCIDE      BIT(17)
#define CR4_OSXSAVE    BIT(18)
#define CR4_SMEP       BIT(20)
#define CR4_SMAP       BIT(21)
#define CR4_CET        BIT(23)

/* IA32_EFER, SDM 3A 2.2.1. */
#define EFER_SCE BIT(0)
#define EFER_LME BIT(8)
#define EFER_LMA BIT(10)
#define EFER_NXE BIT(11)
#define EFER_ALL (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE) /* the others are reserved */

/* RFLAGS, SDM 1 3.4.3; bit 1 always reads 1. */
#define RFLAGS_CF        BIT(0)
#define RFLAGS_FIXED_ONE BIT(1)
#define RFLAGS_PF        BIT(2)
#define RFLAGS_AF        BIT(4)
#define RFLAGS_ZF        BIT(6)
#define RFLAGS_SF        BIT(7)
#define RFLAGS_TF        BIT(8)
#define RFLAGS_IF        BIT(9)
#define RFLAGS_DF        BIT(10)
#define RFLAGS_OF        BIT(11)
#define RFLAGS_NT        BIT(14)
#define RFLAGS_RF        BIT(16)
#define RFLAGS_VM        BIT(17)
#define RFLAGS_AC        BIT(18)
#define RFLAGS_STATUS    (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)
/* All that are not reserved. */
#define RFLAGS_DEFINED (BITS(21, 0) & ~(BIT(1) | BIT(3) | BIT(5) | BIT(15)))

/* XCR0, SDM 1 13.3. */
#define XCR0_X87 BIT(0)
#define XCR0_SSE BIT(1)
#define XCR0_AVX BIT(2)

/* DR6 and DR7, SDM 3B 18.2.3, 18.2.4. */
#define DR6_RESET   0xffff0ff0UL /* SDM 3A 10.1.1 */
#define DR6_B       BITS(3, 0)
#define DR6_BD      BIT(13)
#define DR6_BS      BIT(14)
#define DR6_BT      BIT(15)
#define DR7_ENABLED BITS(7, 0)
#define DR7_LOCAL   0x155UL /* L0-L3 and LE */
#define DR7_GD      BIT(13)

/* A segment's access rights as the VMCS holds them, SDM 3C 25.4.1. */
#define SEGMENT_TYPE     0x0000000fU
#define SEGMENT_S        0x00000010U /* 1: code or data */
#define SEGMENT_DPL      0x00000060U
#define SEGMENT_P        0x00000080U
#define SEGMENT_L        0x00002000U
#define SEGMENT_DB       0x00004000U
#define SEGMENT_G        0x00008000U
#define SEGMENT_UNUSABLE 0x00010000U

/* Types of a code or data segment (S = 1), SDM 3A 3.4.5.1. */
#define SEGMENT_TYPE_ACCESSED   0x1U
#define SEGMENT_TYPE_WRITABLE   0x2U /* of data; of code: readable */
#define SEGMENT_TYPE_READABLE   0x2U
#define SEGMENT_TYPE_CONFORMING 0x4U /* of code; of data: expand-down */
#define SEGMENT_TYPE_CODE       0x8U
#define SEGMENT_TYPE_DATA_RW_A  0x3U /* data, read and write, accessed */
/* Types of a system segment (S = 0), SDM 3A 3.5. */
#define SEGMENT_TYPE_LDT        0x2U
#define SEGMENT_TYPE_TSS16_BUSY 0x3U
#define SEGMENT_TYPE_TSS_BUSY   0xbU /* 32-bit; in IA-32e mode 64-bit */

/* The access rights a guest starts with. */
#define SEGMENT_REAL_CODE    0x009bU /* 16-bit, as after reset */
#define SEGMENT_REAL_DATA    0x0093U
#define SEGMENT_VIRTUAL_8086 0x00f3U /* of every register (SDM 3C 27.3.1.2) */
#define SEGMENT_FLAT_CODE32  0xc09bU
#define SEGMENT_FLAT_DATA    0xc093U
#define SEGMENT_FLAT_CODE64  0xa09bU
#define SEGMENT_LDTR         0x0082U
#define SEGMENT_TR           0x008bU

#define SELECTOR_RPL 0x3U
#define SELECTOR_TI  0x4U
#define SELECTOR_EXT 1U /* of an error code: an event from outside the program, SDM 3A 6.13 */

/* MSRs, SDM 4 chapter 2. */
#define MSR_IA32_TIME_STAMP_COUNTER     0x010
#define MSR_IA32_PLATFORM_ID            0x017
#define MSR_IA32_P5_MC_ADDR             0x000
#define MSR_IA32_P5_MC_TYPE             0x001
#define MSR_IA32_APIC_BASE              0x01b
#define MSR_IA32_FEATURE_CONTROL        0x03a
#define MSR_IA32_TSC_ADJUST             0x03b
#define MSR_IA32_BIOS_SIGN_ID           0x08b
#define MSR_IA32_ARCH_CAPABILITIES      0x10a
#define MSR_IA32_MTRRCAP                0x0fe
#define MSR_IA32_SYSENTER_CS            0x174
#define MSR_IA32_SYSENTER_ESP           0x175
#define MSR_IA32_SYSENTER_EIP           0x176
#define MSR_IA32_MCG_CAP                0x179
#define MSR_IA32_MCG_STATUS             0x17a
#define MSR_IA32_DEBUGCTL               0x1d9
#define MSR_IA32_MISC_ENABLE            0x1a0
#define MSR_IA32_MTRR_PHYSBASE0         0x200 /* PHYSBASEn = 0x200 + 2n */
#define MSR_IA32_MTRR_PHYSMASK0         0x201
#define MSR_IA32_MTRR_FIX64K_00000      0x250
#define MSR_IA32_MTRR_FIX16K_80000      0x258
#define MSR_IA32_MTRR_FIX16K_A0000      0x259
#define MSR_IA32_MTRR_FIX4K_C0000       0x268
#define MSR_IA32_MTRR_FIX4K_F8000       0x26f
#define MSR_IA32_PAT                    0x277
#define MSR_IA32_MTRR_DEF_TYPE          0x2ff
#define MSR_IA32_VMX_BASIC              0x480
#define MSR_IA32_VMX_PINBASED_CTLS      0x481
#define MSR_IA32_VMX_PROCBASED_CTLS     0x482
#define MSR_IA32_VMX_EXIT_CTLS          0x483
#define MSR_IA32_VMX_ENTRY_CTLS         0x484
#define MSR_IA32_VMX_MISC               0x485
#define MSR_IA32_VMX_CR0_FIXED0         0x486
#define MSR_IA32_VMX_CR0_FIXED1         0x487
#define MSR_IA32_VMX_CR4_FIXED0         0x488
#define MSR_IA32_VMX_CR4_FIXED1         0x489
#define MSR_IA32_VMX_PROCBASED_CTLS2    0x48b
#define MSR_IA32_VMX_EPT_VPID_CAP       0x48c
#define MSR_IA32_VMX_TRUE_PINBASED_CTLS 0x48d
#define MSR_IA32_VMX_VMFUNC             0x491
#define MSR_IA32_TSC_DEADLINE           0x6e0
#define MSR_IA32_EFER                   0xc0000080
#define MSR_IA32_STAR                   0xc0000081
#define MSR_IA32_LSTAR                  0xc0000082
#define MSR_IA32_CSTAR                  0xc0000083
#define MSR_IA32_FMASK                  0xc0000084
#define MSR_IA32_FS_BASE                0xc0000100
#define MSR_IA32_GS_BASE                0xc0000101
#define MSR_IA32_KERNEL_GS_BASE         0xc0000102
#define MSR_IA32_TSC_AUX                0xc0000103

#define FEATURE_CONTROL_LOCK            BIT(0)
#define FEATURE_CONTROL_VMX_OUTSIDE_SMX BIT(2)

#define APIC_BASE_BSP     BIT(8)
#define APIC_BASE_EXTD    BIT(10) /* x2APIC mode */
#define APIC_BASE_EN      BIT(11)
#define APIC_BASE_ADDRESS BITS(51, 12)

#define MISC_ENABLE_FAST_STRINGS BIT(0)

#define MCG_STATUS_RIPV BIT(0) /* what was interrupted can go on */

/* IA32_ARCH_CAPABILITIES, SDM 4 table 2-2. */
#define ARCH_RDCL_NO            BIT(0)
#define ARCH_SKIP_L1DFL_VMENTRY BIT(3)
#define ARCH_MDS_NO             BIT(5)
#define ARCH_PSCHANGE_MC_NO     BIT(6)
#define ARCH_BHI_NO             BIT(20)

/* IA32_PAT after reset, SDM 3A 12.12.4. */
#define PAT_RESET 0x0007040600070406ULL

/* IA32_VMX_BASIC, SDM 3D A.1. */
#define VMX_BASIC_REVISION        BITS(30, 0)
#define VMX_BASIC_32BIT_ADDRESSES BIT(48)
#define VMX_BASIC_TRUE_CONTROLS   BIT(55)
#define VMX_BASIC_ANY_ERROR_CODE  BIT(56) /* an exception may be injected with or without one */

/* IA32_VMX_MISC, SDM 3D A.6. */
#define VMX_MISC_PREEMPTION_TIMER_SHIFT BITS(4, 0) /* the timer counts once per 2^n TSC ticks */
#define VMX_MISC_ACTIVITY_HLT           BIT(6)
#define VMX_MISC_ACTIVITY_SHUTDOWN      BIT(7)
#define VMX_MISC_ACTIVITY_WAIT_FOR_SIPI BIT(8)
#define VMX_MISC_CR3_TARGETS            BITS(24, 16)
#define VMX_MISC_INJECT_LENGTH_ZERO     BIT(30)

/* IA32_VMX_EPT_VPID_CAP, SDM 3D A.10. */
#define EPT_CAP_4_LEVELS              BIT(6)
#define EPT_CAP_5_LEVELS              BIT(7)
#define EPT_CAP_UC                    BIT(8)
#define EPT_CAP_WB                    BIT(14)
#define EPT_CAP_2M                    BIT(16)
#define EPT_CAP_1G                    BIT(17)
#define EPT_CAP_INVEPT                BIT(20)
#define EPT_CAP_ACCESSED_DIRTY        BIT(21)
#define EPT_CAP_SHADOW_STACK          BIT(23)
#define EPT_CAP_INVEPT_SINGLE_CONTEXT BIT(25)
#define EPT_CAP_INVEPT_ALL_CONTEXTS   BIT(26)
#define VPID_CAP_INVVPID              BIT(32)
#define VPID_CAP_INVVPID_SINGLE       BIT(41)
#define VPID_CAP_INVVPID_ALL          BIT(42)

/* EPT pointer, SDM 3C 25.6.11. */
#define EPTP_MEMORY_TYPE    BITS(2, 0) /* UC or WB of enum memtype */
#define EPTP_WALK_LENGTH    BITS(5, 3) /* levels - 1 */
#define EPTP_ACCESSED_DIRTY BIT(6)
#define EPTP_SHADOW_STACK   BIT(7)
#define EPTP_RESERVED       BITS(11, 8)
#define EPTP_WALK_4_LEVELS  TO_FIELD(3, EPTP_WALK_LENGTH)
#define EPTP_WALK_5_LEVELS  TO_FIELD(4, EPTP_WALK_LENGTH)

/* IA32_DEBUGCTL: the bits the architecture defines, SDM 3B 18.4.1. */
#define DEBUGCTL_BTF BIT(1)

/* CPUID, SDM 2A "CPUID": the name says leaf, register and feature. */
#define CPUID_1_ECX_VMX                  (1U << 5)
#define CPUID_1_ECX_FMA                  (1U << 12)
#define CPUID_1_ECX_PCID                 (1U << 17)
#define CPUID_1_ECX_X2APIC               (1U << 21)
#define CPUID_1_ECX_TSC_DEADLINE         (1U << 24)
#define CPUID_1_ECX_XSAVE                (1U << 26)
#define CPUID_1_ECX_OSXSAVE              (1U << 27)
#define CPUID_1_ECX_AVX                  (1U << 28)
#define CPUID_1_ECX_F16C                 (1U << 29)
#define CPUID_1_ECX_HYPERVISOR           (1U << 31)
#define CPUID_1_EBX_IDS                  BITS(23, 16) /* that the package may have */
#define CPUID_4_EAX_CORES                BITS(31, 26) /* ids of cores, less one */
#define CPUID_1_EDX_APIC                 (1U << 9)
#define CPUID_1_EDX_HTT                  (1U << 28)
#define CPUID_6_EAX_ARAT                 (1U << 2) /* the APIC timer runs in every C-state */
#define CPUID_7_EBX_FSGSBASE             (1U << 0)
#define CPUID_7_EBX_TSC_ADJUST           (1U << 1)
#define CPUID_7_EBX_SGX                  (1U << 2)
#define CPUID_7_EBX_BMI1                 (1U << 3)
#define CPUID_7_EBX_AVX2                 (1U << 5)
#define CPUID_7_EBX_SMEP                 (1U << 7)
#define CPUID_7_EBX_INVPCID              (1U << 10)
#define CPUID_7_EBX_RTM                  (1U << 11)
#define CPUID_7_EBX_SMAP                 (1U << 20)
#define CPUID_7_ECX_UMIP                 (1U << 2)
#define CPUID_80000001_ECX_LZCNT         (1U << 5)
#define CPUID_7_EDX_MD_CLEAR             (1U << 10)
#define CPUID_7_EDX_IBPB                 (1U << 26)
#define CPUID_7_EDX_L1D_FLUSH            (1U << 28)
#define CPUID_7_EDX_ARCH_CAPABILITIES    (1U << 29)
#define CPUID_80000001_EDX_SYSCALL       (1U << 11) /* in 64-bit mode alone */
#define CPUID_80000001_EDX_1G            (1U << 26)
#define CPUID_80000001_EDX_RDTSCP        (1U << 27)
#define CPUID_80000007_EDX_INVARIANT_TSC (1U << 8)
#define CPUID_80000008_EAX_MAXPHYADDR    0x000000ffU
#define CPUID_80000008_EAX_LINEAR_WIDTH  0x0000ff00U

/* Exceptions, SDM 3A table 6-1. */
enum { VECTOR_DE, VECTOR_DB, VECTOR_NMI, VECTOR_BP, VECTOR_OF, VECTOR_BR, VECTOR_UD, VECTOR_NM, VECTOR_DF };
enum { VECTOR_TS = 10, VECTOR_NP, VECTOR_SS, VECTOR_GP, VECTOR_PF };
enum { VECTOR_MF = 16, VECTOR_AC, VECTOR_MC, VECTOR_XM, VECTOR_VE, VECTOR_CP };

/* Error code of a page fault, SDM 3A 4.7. */
#define PF_ERROR_PRESENT  BIT(0)
#define PF_ERROR_WRITE    BIT(1)
#define PF_ERROR_USER     BIT(2)
#define PF_ERROR_RESERVED BIT(3)
#define PF_ERROR_FETCH    BIT(4)

/* An entry of the CPU's own page tables, SDM 3A 4.5. */
#define PAGE_P         BIT(0)
#define PAGE_RW        BIT(1)
#define PAGE_US        BIT(2)
#define PAGE_PWT       BIT(3)
#define PAGE_PCD       BIT(4)
#define PAGE_A         BIT(5)
#define PAGE_D         BIT(6)
#define PAGE_PS        BIT(7) /* a 2M or 1G leaf */
#define PAGE_4K_PAT    BIT(7)
#define PAGE_LARGE_PAT BIT(12)
#define PAGE_ADDRESS   BITS(51, 12)
#define PAGE_NX        BIT(63)
