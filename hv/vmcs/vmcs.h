/* SPDX-License-Identifier: MIT */
/*
 * The VMCS in names: encodings of its fields (SDM 3D appendix B), the bits of its controls (SDM
 * 3C 25.6 to 25.8), the basic exit reasons (appendix C), exit qualifications (28.2.1) and the
 * VM-instruction errors (31.4). Constants only: it is included by host tests too.
 */
#ifndef HV_VMCS_VMCS_H
#define HV_VMCS_VMCS_H

#include "lib/bits.h"

/*
 * Fields. Bits 14:13 of an encoding give the width (0 16-bit, 1 64-bit, 2 32-bit, 3 natural),
 * bits 11:10 the kind (0 control, 1 read-only data, 2 guest state, 3 host state).
 */
/* B.1: 16-bit fields. */
#define VMCS_VPID                                 0x0000
#define VMCS_POSTED_INTERRUPT_NOTIFICATION_VECTOR 0x0002
#define VMCS_EPTP_INDEX                           0x0004
#define VMCS_HLAT_PREFIX_SIZE                     0x0006
#define VMCS_LAST_PID_POINTER_INDEX               0x0008
#define VMCS_GUEST_ES_SELECTOR                    0x0800
#define VMCS_GUEST_CS_SELECTOR                    0x0802
#define VMCS_GUEST_SS_SELECTOR                    0x0804
#define VMCS_GUEST_DS_SELECTOR                    0x0806
#define VMCS_GUEST_FS_SELECTOR                    0x0808
#define VMCS_GUEST_GS_SELECTOR                    0x080a
#define VMCS_GUEST_LDTR_SELECTOR                  0x080c
#define VMCS_GUEST_TR_SELECTOR                    0x080e
#define VMCS_GUEST_INTERRUPT_STATUS               0x0810
#define VMCS_PML_INDEX                            0x0812
#define VMCS_GUEST_UINV                           0x0814
#define VMCS_HOST_ES_SELECTOR                     0x0c00
#define VMCS_HOST_CS_SELECTOR                     0x0c02
#define VMCS_HOST_SS_SELECTOR                     0x0c04
#define VMCS_HOST_DS_SELECTOR                     0x0c06
#define VMCS_HOST_FS_SELECTOR                     0x0c08
#define VMCS_HOST_GS_SELECTOR                     0x0c0a
#define VMCS_HOST_TR_SELECTOR                     0x0c0c

/* B.2: 64-bit fields. */
#define VMCS_IO_BITMAP_A                         0x2000
#define VMCS_IO_BITMAP_B                         0x2002
#define VMCS_MSR_BITMAP                          0x2004
#define VMCS_EXIT_MSR_STORE_ADDRESS              0x2006
#define VMCS_EXIT_MSR_LOAD_ADDRESS               0x2008
#define VMCS_ENTRY_MSR_LOAD_ADDRESS              0x200a
#define VMCS_EXECUTIVE_VMCS_POINTER              0x200c
#define VMCS_PML_ADDRESS                         0x200e
#define VMCS_TSC_OFFSET                          0x2010
#define VMCS_VIRTUAL_APIC_ADDRESS                0x2012
#define VMCS_APIC_ACCESS_ADDRESS                 0x2014
#define VMCS_POSTED_INTERRUPT_DESCRIPTOR_ADDRESS 0x2016
#define VMCS_VM_FUNCTION_CONTROLS                0x2018
#define VMCS_EPT_POINTER                         0x201a
#define VMCS_EOI_EXIT_BITMAP_0                   0x201c
#define VMCS_EOI_EXIT_BITMAP_1                   0x201e
#define VMCS_EOI_EXIT_BITMAP_2                   0x2020
#define VMCS_EOI_EXIT_BITMAP_3                   0x2022
#define VMCS_EPTP_LIST_ADDRESS                   0x2024
#define VMCS_VMREAD_BITMAP                       0x2026
#define VMCS_VMWRITE_BITMAP                      0x2028
#define VMCS_VIRTUALIZATION_EXCEPTION_ADDRESS    0x202a
#define VMCS_XSS_EXITING_BITMAP                  0x202c
#define VMCS_ENCLS_EXITING_BITMAP                0x202e
#define VMCS_SPP_TABLE_POINTER                   0x2030
#define VMCS_TSC_MULTIPLIER                      0x2032
#define VMCS_TERTIARY_CONTROLS                   0x2034
#define VMCS_ENCLV_EXITING_BITMAP                0x2036
#define VMCS_LOW_PASID_DIRECTORY_ADDRESS         0x2038
#define VMCS_HIGH_PASID_DIRECTORY_ADDRESS        0x203a
#define VMCS_SHARED_EPT_POINTER                  0x203c
#define VMCS_PCONFIG_EXITING_BITMAP              0x203e
#define VMCS_HLAT_POINTER                        0x2040
#define VMCS_PID_POINTER_TABLE_ADDRESS           0x2042
#define VMCS_SECONDARY_EXIT_CONTROLS             0x2044
#define VMCS_IA32_SPEC_CTRL_MASK                 0x204a
#define VMCS_IA32_SPEC_CTRL_SHADOW               0x204c
#define VMCS_GUEST_PHYSICAL_ADDRESS              0x2400
#define VMCS_LINK_POINTER                        0x2800
#define VMCS_GUEST_IA32_DEBUGCTL                 0x2802
#define VMCS_GUEST_IA32_PAT                      0x2804
#define VMCS_GUEST_IA32_EFER                     0x2806
#define VMCS_GUEST_IA32_PERF_GLOBAL_CTRL         0x2808
#define VMCS_GUEST_PDPTE0                        0x280a
#define VMCS_GUEST_PDPTE1                        0x280c
#define VMCS_GUEST_PDPTE2                        0x280e
#define VMCS_GUEST_PDPTE3                        0x2810
#define VMCS_GUEST_IA32_BNDCFGS                  0x2812
#define VMCS_GUEST_IA32_RTIT_CTL                 0x2814
#define VMCS_GUEST_IA32_LBR_CTL                  0x2816
#define VMCS_GUEST_IA32_PKRS                     0x2818
#define VMCS_HOST_IA32_PAT                       0x2c00
#define VMCS_HOST_IA32_EFER                      0x2c02
#define VMCS_HOST_IA32_PERF_GLOBAL_CTRL          0x2c04
#define VMCS_HOST_IA32_PKRS                      0x2c06

/* B.3: 32-bit fields. */
#define VMCS_PIN_CONTROLS                 0x4000
#define VMCS_PRIMARY_CONTROLS             0x4002
#define VMCS_EXCEPTION_BITMAP             0x4004
#define VMCS_PAGE_FAULT_ERROR_CODE_MASK   0x4006
#define VMCS_PAGE_FAULT_ERROR_CODE_MATCH  0x4008
#define VMCS_CR3_TARGET_COUNT             0x400a
#define VMCS_EXIT_CONTROLS                0x400c
#define VMCS_EXIT_MSR_STORE_COUNT         0x400e
#define VMCS_EXIT_MSR_LOAD_COUNT          0x4010
#define VMCS_ENTRY_CONTROLS               0x4012
#define VMCS_ENTRY_MSR_LOAD_COUNT         0x4014
#define VMCS_ENTRY_INTERRUPTION_INFO      0x4016
#define VMCS_ENTRY_EXCEPTION_ERROR_CODE   0x4018
#define VMCS_ENTRY_INSTRUCTION_LENGTH     0x401a
#define VMCS_TPR_THRESHOLD                0x401c
#define VMCS_SECONDARY_CONTROLS           0x401e
#define VMCS_PLE_GAP                      0x4020
#define VMCS_PLE_WINDOW                   0x4022
#define VMCS_INSTRUCTION_TIMEOUT_CONTROL  0x4024
#define VMCS_INSTRUCTION_ERROR            0x4400
#define VMCS_EXIT_REASON                  0x4402
#define VMCS_EXIT_INTERRUPTION_INFO       0x4404
#define VMCS_EXIT_INTERRUPTION_ERROR_CODE 0x4406
#define VMCS_IDT_VECTORING_INFO           0x4408
#define VMCS_IDT_VECTORING_ERROR_CODE     0x440a
#define VMCS_EXIT_INSTRUCTION_LENGTH      0x440c
#define VMCS_EXIT_INSTRUCTION_INFO        0x440e
#define VMCS_GUEST_ES_LIMIT               0x4800
#define VMCS_GUEST_CS_LIMIT               0x4802
#define VMCS_GUEST_SS_LIMIT               0x4804
#define VMCS_GUEST_DS_LIMIT               0x4806
#define VMCS_GUEST_FS_LIMIT               0x4808
#define VMCS_GUEST_GS_LIMIT               0x480a
#define VMCS_GUEST_LDTR_LIMIT             0x480c
#define VMCS_GUEST_TR_LIMIT               0x480e
#define VMCS_GUEST_GDTR_LIMIT             0x4810
#define VMCS_GUEST_IDTR_LIMIT             0x4812
#define VMCS_GUEST_ES_ACCESS_RIGHTS       0x4814
#define VMCS_GUEST_CS_ACCESS_RIGHTS       0x4816
#define VMCS_GUEST_SS_ACCESS_RIGHTS       0x4818
#define VMCS_GUEST_DS_ACCESS_RIGHTS       0x481a
#define VMCS_GUEST_FS_ACCESS_RIGHTS       0x481c
#define VMCS_GUEST_GS_ACCESS_RIGHTS       0x481e
#define VMCS_GUEST_LDTR_ACCESS_RIGHTS     0x4820
#define VMCS_GUEST_TR_ACCESS_RIGHTS       0x4822
#define VMCS_GUEST_INTERRUPTIBILITY_STATE 0x4824
#define VMCS_GUEST_ACTIVITY_STATE         0x4826
#define VMCS_GUEST_SMBASE                 0x4828
#define VMCS_GUEST_IA32_SYSENTER_CS       0x482a
#define VMCS_PREEMPTION_TIMER             0x482e
#define VMCS_HOST_IA32_SYSENTER_CS        0x4c00

/* B.4: natural-width fields. */
#define VMCS_CR0_MASK                            0x6000
#define VMCS_CR4_MASK                            0x6002
#define VMCS_CR0_READ_SHADOW                     0x6004
#define VMCS_CR4_READ_SHADOW                     0x6006
#define VMCS_CR3_TARGET_VALUE_0                  0x6008
#define VMCS_CR3_TARGET_VALUE_1                  0x600a
#define VMCS_CR3_TARGET_VALUE_2                  0x600c
#define VMCS_CR3_TARGET_VALUE_3                  0x600e
#define VMCS_EXIT_QUALIFICATION                  0x6400
#define VMCS_IO_RCX                              0x6402
#define VMCS_IO_RSI                              0x6404
#define VMCS_IO_RDI                              0x6406
#define VMCS_IO_RIP                              0x6408
#define VMCS_GUEST_LINEAR_ADDRESS                0x640a
#define VMCS_GUEST_CR0                           0x6800
#define VMCS_GUEST_CR3                           0x6802
#define VMCS_GUEST_CR4                           0x6804
#define VMCS_GUEST_ES_BASE                       0x6806
#define VMCS_GUEST_CS_BASE                       0x6808
#define VMCS_GUEST_SS_BASE                       0x680a
#define VMCS_GUEST_DS_BASE                       0x680c
#define VMCS_GUEST_FS_BASE                       0x680e
#define VMCS_GUEST_GS_BASE                       0x6810
#define VMCS_GUEST_LDTR_BASE                     0x6812
#define VMCS_GUEST_TR_BASE                       0x6814
#define VMCS_GUEST_GDTR_BASE                     0x6816
#define VMCS_GUEST_IDTR_BASE                     0x6818
#define VMCS_GUEST_DR7                           0x681a
#define VMCS_GUEST_RSP                           0x681c
#define VMCS_GUEST_RIP                           0x681e
#define VMCS_GUEST_RFLAGS                        0x6820
#define VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS      0x6822
#define VMCS_GUEST_IA32_SYSENTER_ESP             0x6824
#define VMCS_GUEST_IA32_SYSENTER_EIP             0x6826
#define VMCS_GUEST_IA32_S_CET                    0x6828
#define VMCS_GUEST_SSP                           0x682a
#define VMCS_GUEST_IA32_INTERRUPT_SSP_TABLE_ADDR 0x682c
#define VMCS_HOST_CR0                            0x6c00
#define VMCS_HOST_CR3                            0x6c02
#define VMCS_HOST_CR4                            0x6c04
#define VMCS_HOST_FS_BASE                        0x6c06
#define VMCS_HOST_GS_BASE                        0x6c08
#define VMCS_HOST_TR_BASE                        0x6c0a
#define VMCS_HOST_GDTR_BASE                      0x6c0c
#define VMCS_HOST_IDTR_BASE                      0x6c0e
#define VMCS_HOST_IA32_SYSENTER_ESP              0x6c10
#define VMCS_HOST_IA32_SYSENTER_EIP              0x6c12
#define VMCS_HOST_RSP                            0x6c14
#define VMCS_HOST_RIP                            0x6c16
#define VMCS_HOST_IA32_S_CET                     0x6c18
#define VMCS_HOST_SSP                            0x6c1a
#define VMCS_HOST_IA32_INTERRUPT_SSP_TABLE_ADDR  0x6c1c

/* The segment registers' fields lie two apart, in the order ES CS SS DS FS GS LDTR TR. */
enum vmcs_segment {
	VMCS_ES,
	VMCS_CS,
	VMCS_SS,
	VMCS_DS,
	VMCS_FS,
	VMCS_GS,
	VMCS_LDTR,
	VMCS_TR,
	VMCS_SEGMENTS
};
#define VMCS_GUEST_SELECTOR(segment)      (VMCS_GUEST_ES_SELECTOR + 2 * (segment))
#define VMCS_GUEST_BASE(segment)          (VMCS_GUEST_ES_BASE + 2 * (segment))
#define VMCS_GUEST_LIMIT(segment)         (VMCS_GUEST_ES_LIMIT + 2 * (segment))
#define VMCS_GUEST_ACCESS_RIGHTS(segment) (VMCS_GUEST_ES_ACCESS_RIGHTS + 2 * (segment))

/* Pin-based VM-execution controls, SDM 3C 25.6.1. */
#define PIN_EXTERNAL_INTERRUPT_EXITING (1U << 0)
#define PIN_NMI_EXITING                (1U << 3)
#define PIN_VIRTUAL_NMIS               (1U << 5)
#define PIN_PREEMPTION_TIMER           (1U << 6)
#define PIN_POSTED_INTERRUPTS          (1U << 7)

/* Primary processor-based VM-execution controls, SDM 3C 25.6.2. */
#define PRIMARY_INTERRUPT_WINDOW_EXITING (1U << 2)
#define PRIMARY_TSC_OFFSETTING           (1U << 3)
#define PRIMARY_HLT_EXITING              (1U << 7)
#define PRIMARY_INVLPG_EXITING           (1U << 9)
#define PRIMARY_MWAIT_EXITING            (1U << 10)
#define PRIMARY_RDPMC_EXITING            (1U << 11)
#define PRIMARY_RDTSC_EXITING            (1U << 12)
#define PRIMARY_CR3_LOAD_EXITING         (1U << 15)
#define PRIMARY_CR3_STORE_EXITING        (1U << 16)
#define PRIMARY_TERTIARY                 (1U << 17) /* activate the tertiary controls */
#define PRIMARY_CR8_LOAD_EXITING         (1U << 19)
#define PRIMARY_CR8_STORE_EXITING        (1U << 20)
#define PRIMARY_TPR_SHADOW               (1U << 21)
#define PRIMARY_NMI_WINDOW_EXITING       (1U << 22)
#define PRIMARY_MOV_DR_EXITING           (1U << 23)
#define PRIMARY_UNCONDITIONAL_IO_EXITING (1U << 24)
#define PRIMARY_IO_BITMAPS               (1U << 25)
#define PRIMARY_MONITOR_TRAP_FLAG        (1U << 27)
#define PRIMARY_MSR_BITMAPS              (1U << 28)
#define PRIMARY_MONITOR_EXITING          (1U << 29)
#define PRIMARY_PAUSE_EXITING            (1U << 30)
#define PRIMARY_SECONDARY                (1U << 31) /* activate the secondary controls */

/* Secondary processor-based VM-execution controls, SDM 3C 25.6.2. */
#define SECONDARY_VIRTUALIZE_APIC_ACCESSES   (1U << 0)
#define SECONDARY_EPT                        (1U << 1)
#define SECONDARY_DESCRIPTOR_TABLE_EXITING   (1U << 2)
#define SECONDARY_RDTSCP                     (1U << 3)
#define SECONDARY_VIRTUALIZE_X2APIC          (1U << 4)
#define SECONDARY_VPID                       (1U << 5)
#define SECONDARY_WBINVD_EXITING             (1U << 6)
#define SECONDARY_UNRESTRICTED_GUEST         (1U << 7)
#define SECONDARY_APIC_REGISTER              (1U << 8) /* APIC-register virtualization */
#define SECONDARY_VIRTUAL_INTERRUPT_DELIVERY (1U << 9)
#define SECONDARY_PAUSE_LOOP_EXITING         (1U << 10)
#define SECONDARY_RDRAND_EXITING             (1U << 11)
#define SECONDARY_INVPCID                    (1U << 12)
#define SECONDARY_VM_FUNCTIONS               (1U << 13)
#define SECONDARY_VMCS_SHADOWING             (1U << 14)
#define SECONDARY_ENCLS_EXITING              (1U << 15)
#define SECONDARY_RDSEED_EXITING             (1U << 16)
#define SECONDARY_PML                        (1U << 17)
#define SECONDARY_EPT_VIOLATION_VE           (1U << 18)
#define SECONDARY_CONCEAL_VMX_FROM_PT        (1U << 19)
#define SECONDARY_XSAVES                     (1U << 20)
#define SECONDARY_MODE_BASED_EXECUTE         (1U << 22)
#define SECONDARY_SPP                        (1U << 23) /* sub-page write permissions */
#define SECONDARY_PT_GUEST_PHYSICAL          (1U << 24)
#define SECONDARY_TSC_SCALING                (1U << 25)
#define SECONDARY_USER_WAIT_PAUSE            (1U << 26)
#define SECONDARY_PCONFIG                    (1U << 27)
#define SECONDARY_ENCLV_EXITING              (1U << 28)
#define SECONDARY_BUS_LOCK_DETECTION         (1U << 30)
#define SECONDARY_INSTRUCTION_TIMEOUT        (1U << 31)

/* VM-exit controls, SDM 3C 25.7.1. */
#define EXIT_SAVE_DEBUG_CONTROLS   (1U << 2)
#define EXIT_HOST_64BIT            (1U << 9) /* host address-space size */
#define EXIT_LOAD_PERF_GLOBAL_CTRL (1U << 12)
#define EXIT_ACKNOWLEDGE_INTERRUPT (1U << 15)
#define EXIT_SAVE_PAT              (1U << 18)
#define EXIT_LOAD_PAT              (1U << 19)
#define EXIT_SAVE_EFER             (1U << 20)
#define EXIT_LOAD_EFER             (1U << 21)
#define EXIT_SAVE_PREEMPTION_TIMER (1U << 22)
#define EXIT_CLEAR_BNDCFGS         (1U << 23)
#define EXIT_CONCEAL_VMX_FROM_PT   (1U << 24)
#define EXIT_CLEAR_RTIT_CTL        (1U << 25)
#define EXIT_CLEAR_LBR_CTL         (1U << 26)
#define EXIT_LOAD_CET              (1U << 28)
#define EXIT_LOAD_PKRS             (1U << 29)
#define EXIT_SAVE_PERF_GLOBAL_CTRL (1U << 30)
#define EXIT_SECONDARY             (1U << 31) /* activate the secondary exit controls */

/* VM-entry controls, SDM 3C 25.8.1. */
#define ENTRY_LOAD_DEBUG_CONTROLS     (1U << 2)
#define ENTRY_IA32E_GUEST             (1U << 9)
#define ENTRY_TO_SMM                  (1U << 10)
#define ENTRY_DEACTIVATE_DUAL_MONITOR (1U << 11)
#define ENTRY_LOAD_PERF_GLOBAL_CTRL   (1U << 13)
#define ENTRY_LOAD_PAT                (1U << 14)
#define ENTRY_LOAD_EFER               (1U << 15)
#define ENTRY_LOAD_BNDCFGS            (1U << 16)
#define ENTRY_CONCEAL_VMX_FROM_PT     (1U << 17)
#define ENTRY_LOAD_RTIT_CTL           (1U << 18)
#define ENTRY_LOAD_CET                (1U << 20)
#define ENTRY_LOAD_LBR_CTL            (1U << 21)
#define ENTRY_LOAD_PKRS               (1U << 22)

/* EPT pointer, SDM 3C 25.6.11. */
#define EPTP_MEMORY_TYPE    BITS(2, 0)
#define EPTP_WALK_LENGTH    BITS(5, 3) /* levels - 1 */
#define EPTP_ACCESSED_DIRTY BIT(6)
#define EPTP_SHADOW_STACK   BIT(7)
#define EPTP_RESERVED       BITS(11, 8)
#define EPTP_WALK_4_LEVELS  TO_FIELD(3, EPTP_WALK_LENGTH)
#define EPTP_WALK_5_LEVELS  TO_FIELD(4, EPTP_WALK_LENGTH)
#define EPTP_MEMORY_TYPE_UC 0
#define EPTP_MEMORY_TYPE_WB 6

/* Guest activity state, SDM 3C 25.4.2. */
#define ACTIVITY_ACTIVE        0
#define ACTIVITY_HLT           1
#define ACTIVITY_SHUTDOWN      2
#define ACTIVITY_WAIT_FOR_SIPI 3

/* Guest interruptibility state, SDM 3C 25.4.2. */
#define INTERRUPTIBILITY_STI      BIT(0)
#define INTERRUPTIBILITY_MOV_SS   BIT(1)
#define INTERRUPTIBILITY_SMI      BIT(2)
#define INTERRUPTIBILITY_NMI      BIT(3)
#define INTERRUPTIBILITY_ENCLAVE  BIT(4)
#define INTERRUPTIBILITY_RESERVED BITS(31, 5)

/* Pending debug exceptions, SDM 3C 25.4.2. */
#define PENDING_DEBUG_B       BITS(3, 0)
#define PENDING_DEBUG_BLD     BIT(11) /* bus lock */
#define PENDING_DEBUG_ENABLED BIT(12) /* enabled breakpoint */
#define PENDING_DEBUG_BS      BIT(14)
#define PENDING_DEBUG_RTM     BIT(16)

/* VM-entry, VM-exit and IDT-vectoring interruption information, SDM 3C 25.8.3, 25.9.2, 25.9.3. */
#define INTERRUPTION_INFO_VECTOR                        BITS(7, 0)
#define INTERRUPTION_INFO_TYPE                          BITS(10, 8)
#define INTERRUPTION_INFO_ERROR_CODE                    BIT(11) /* deliver it; of an exit: it is valid */
#define INTERRUPTION_INFO_NMI_UNBLOCK                   BIT(12) /* of an exit only */
#define INTERRUPTION_INFO_VALID                         BIT(31)
#define INTERRUPTION_TYPE_EXTERNAL                      0
#define INTERRUPTION_TYPE_NMI                           2
#define INTERRUPTION_TYPE_HARDWARE_EXCEPTION            3
#define INTERRUPTION_TYPE_SOFTWARE_INTERRUPT            4
#define INTERRUPTION_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION 5 /* INT1 */
#define INTERRUPTION_TYPE_SOFTWARE_EXCEPTION            6 /* INT3, INTO */
#define INTERRUPTION_TYPE_OTHER_EVENT                   7

/* Exit reason, SDM 3C 25.9.1. */
#define EXIT_REASON_BASIC        BITS(15, 0)
#define EXIT_REASON_ENCLAVE      BIT(27)
#define EXIT_REASON_PENDING_MTF  BIT(28)
#define EXIT_REASON_FROM_ROOT    BIT(29)
#define EXIT_REASON_ENTRY_FAILED BIT(31)

/* Basic exit reasons, SDM 3D appendix C. */
#define EXIT_REASON_EXCEPTION_NMI        0
#define EXIT_REASON_EXTERNAL_INTERRUPT   1
#define EXIT_REASON_TRIPLE_FAULT         2
#define EXIT_REASON_INIT                 3
#define EXIT_REASON_SIPI                 4
#define EXIT_REASON_IO_SMI               5
#define EXIT_REASON_OTHER_SMI            6
#define EXIT_REASON_INTERRUPT_WINDOW     7
#define EXIT_REASON_NMI_WINDOW           8
#define EXIT_REASON_TASK_SWITCH          9
#define EXIT_REASON_CPUID                10
#define EXIT_REASON_GETSEC               11
#define EXIT_REASON_HLT                  12
#define EXIT_REASON_INVD                 13
#define EXIT_REASON_INVLPG               14
#define EXIT_REASON_RDPMC                15
#define EXIT_REASON_RDTSC                16
#define EXIT_REASON_RSM                  17
#define EXIT_REASON_VMCALL               18
#define EXIT_REASON_VMCLEAR              19
#define EXIT_REASON_VMLAUNCH             20
#define EXIT_REASON_VMPTRLD              21
#define EXIT_REASON_VMPTRST              22
#define EXIT_REASON_VMREAD               23
#define EXIT_REASON_VMRESUME             24
#define EXIT_REASON_VMWRITE              25
#define EXIT_REASON_VMXOFF               26
#define EXIT_REASON_VMXON                27
#define EXIT_REASON_CR_ACCESS            28
#define EXIT_REASON_MOV_DR               29
#define EXIT_REASON_IO_INSTRUCTION       30
#define EXIT_REASON_RDMSR                31
#define EXIT_REASON_WRMSR                32
#define EXIT_REASON_INVALID_GUEST_STATE  33 /* of a failed VM entry */
#define EXIT_REASON_MSR_LOADING          34 /* of a failed VM entry */
#define EXIT_REASON_MWAIT                36
#define EXIT_REASON_MONITOR_TRAP_FLAG    37
#define EXIT_REASON_MONITOR              39
#define EXIT_REASON_PAUSE                40
#define EXIT_REASON_MACHINE_CHECK        41 /* of a failed VM entry */
#define EXIT_REASON_TPR_BELOW_THRESHOLD  43
#define EXIT_REASON_APIC_ACCESS          44
#define EXIT_REASON_VIRTUALIZED_EOI      45
#define EXIT_REASON_GDTR_IDTR_ACCESS     46
#define EXIT_REASON_LDTR_TR_ACCESS       47
#define EXIT_REASON_EPT_VIOLATION        48
#define EXIT_REASON_EPT_MISCONFIGURATION 49
#define EXIT_REASON_INVEPT               50
#define EXIT_REASON_RDTSCP               51
#define EXIT_REASON_PREEMPTION_TIMER     52
#define EXIT_REASON_INVVPID              53
#define EXIT_REASON_WBINVD               54
#define EXIT_REASON_XSETBV               55
#define EXIT_REASON_APIC_WRITE           56
#define EXIT_REASON_RDRAND               57
#define EXIT_REASON_INVPCID              58
#define EXIT_REASON_VMFUNC               59
#define EXIT_REASON_ENCLS                60
#define EXIT_REASON_RDSEED               61
#define EXIT_REASON_PML_FULL             62
#define EXIT_REASON_XSAVES               63
#define EXIT_REASON_XRSTORS              64
#define EXIT_REASON_PCONFIG              65
#define EXIT_REASON_SPP_EVENT            66
#define EXIT_REASON_UMWAIT               67
#define EXIT_REASON_TPAUSE               68
#define EXIT_REASON_LOADIWKEY            69
#define EXIT_REASON_ENCLV                70
#define EXIT_REASON_ENQCMD_PASID         72
#define EXIT_REASON_ENQCMDS_PASID        73
#define EXIT_REASON_BUS_LOCK             74
#define EXIT_REASON_INSTRUCTION_TIMEOUT  75
#define EXIT_REASON_SEAMCALL             76
#define EXIT_REASON_TDCALL               77
#define EXIT_REASON_RDMSRLIST            78
#define EXIT_REASON_WRMSRLIST            79
#define EXIT_REASON_URDMSR               80
#define EXIT_REASON_UWRMSR               81
#define EXIT_REASONS                     82 /* one past the last */

/* Exit qualification: control-register accesses, SDM 3C 28.2.1 (table 28-3). */
#define CR_ACCESS_NUMBER        BITS(3, 0)
#define CR_ACCESS_TYPE          BITS(5, 4)
#define CR_ACCESS_LMSW_MEMORY   BIT(6)
#define CR_ACCESS_REGISTER      BITS(11, 8) /* 0 RAX, 1 RCX, 2 RDX, 3 RBX, 4 RSP, ... 15 R15 */
#define CR_ACCESS_LMSW_SOURCE   BITS(31, 16)
#define CR_ACCESS_TYPE_MOV_TO   0
#define CR_ACCESS_TYPE_MOV_FROM 1
#define CR_ACCESS_TYPE_CLTS     2
#define CR_ACCESS_TYPE_LMSW     3

/* Exit qualification: MOV DR, SDM 3C 28.2.1 (table 28-4). */
#define DR_ACCESS_NUMBER   BITS(2, 0)
#define DR_ACCESS_FROM     BIT(4)
#define DR_ACCESS_REGISTER BITS(11, 8)

/* Exit qualification: I/O instructions, SDM 3C 28.2.1 (table 28-5). */
#define IO_SIZE      BITS(2, 0) /* bytes - 1: 0, 1 or 3 */
#define IO_IN        BIT(3)
#define IO_STRING    BIT(4)
#define IO_REP       BIT(5)
#define IO_IMMEDIATE BIT(6)
#define IO_PORT      BITS(31, 16)

/* Exit qualification: task switches, SDM 3C 28.2.1 (table 28-2). */
#define TASK_SWITCH_SELECTOR    BITS(15, 0)
#define TASK_SWITCH_SOURCE      BITS(31, 30)
#define TASK_SWITCH_SOURCE_CALL 0
#define TASK_SWITCH_SOURCE_IRET 1
#define TASK_SWITCH_SOURCE_JMP  2
#define TASK_SWITCH_SOURCE_GATE 3

/* Exit qualification: EPT violations, SDM 3C 28.2.1 (table 28-7). */
#define EPT_VIOLATION_READ            BIT(0)
#define EPT_VIOLATION_WRITE           BIT(1)
#define EPT_VIOLATION_FETCH           BIT(2)
#define EPT_VIOLATION_READABLE        BIT(3) /* what the entries allowed */
#define EPT_VIOLATION_WRITABLE        BIT(4)
#define EPT_VIOLATION_EXECUTABLE      BIT(5)
#define EPT_VIOLATION_USER_EXECUTABLE BIT(6)
#define EPT_VIOLATION_LINEAR_VALID    BIT(7)
#define EPT_VIOLATION_TRANSLATED      BIT(8) /* 0: an access of the guest's page walk */
#define EPT_VIOLATION_NMI_UNBLOCK     BIT(12)

/* The memory operand's form in VMCS_EXIT_INSTRUCTION_INFO of INS and OUTS, SDM 3C 28.2.5. */
#define INS_OUTS_ADDRESS_SIZE BITS(9, 7)   /* 0 16-bit, 1 32-bit, 2 64-bit */
#define INS_OUTS_SEGMENT      BITS(17, 15) /* enum vmcs_segment; of OUTS only */

/* VM-instruction errors, SDM 3C 31.4. */
#define VM_ERROR_VMCALL_IN_ROOT         1
#define VM_ERROR_VMCLEAR_ADDRESS        2
#define VM_ERROR_VMCLEAR_VMXON_POINTER  3
#define VM_ERROR_VMLAUNCH_NOT_CLEAR     4
#define VM_ERROR_VMRESUME_NOT_LAUNCHED  5
#define VM_ERROR_VMRESUME_AFTER_VMXOFF  6
#define VM_ERROR_INVALID_CONTROLS       7
#define VM_ERROR_INVALID_HOST_STATE     8
#define VM_ERROR_VMPTRLD_ADDRESS        9
#define VM_ERROR_VMPTRLD_VMXON_POINTER  10
#define VM_ERROR_VMPTRLD_REVISION       11
#define VM_ERROR_UNSUPPORTED_FIELD      12
#define VM_ERROR_READ_ONLY_FIELD        13
#define VM_ERROR_VMXON_IN_ROOT          15
#define VM_ERROR_EXECUTIVE_POINTER      16
#define VM_ERROR_EXECUTIVE_NOT_LAUNCHED 17
#define VM_ERROR_EXECUTIVE_NOT_VMXON    18
#define VM_ERROR_VMCALL_NOT_CLEAR       19
#define VM_ERROR_VMCALL_EXIT_CONTROLS   20
#define VM_ERROR_VMCALL_MSEG_REVISION   22
#define VM_ERROR_VMXOFF_DUAL_MONITOR    23
#define VM_ERROR_VMCALL_SMM_FEATURES    24
#define VM_ERROR_EXECUTIVE_CONTROLS     25
#define VM_ERROR_BLOCKED_BY_MOV_SS      26
#define VM_ERROR_INVALID_INVALIDATION   28 /* operand of INVEPT or INVVPID */

/*
 * What the VM-instruction error 'number' (the field VMCS_INSTRUCTION_ERROR) says, in the SDM's
 * words; "unknown VM-instruction error" for a number the SDM does not list. SDM 3C 31.4.
 */
const char *vm_instruction_error(unsigned number);

/*
 * The name of a VMCS field by its encoding, as above without "VMCS_"; "unknown field" for an
 * encoding that is not in this file.
 */
const char *vmcs_field_name(uint32_t field);

#endif
