/* SPDX-License-Identifier: MIT */
/*
 * The VMCS in names, as far as the hypervisor or the VM-entry checker has a use for them: encodings
 * of its fields (SDM 3D appendix B), the bits of its controls (SDM 3C 25.6 to 25.8), the basic exit
 * reasons (appendix C), exit qualifications (28.2.1) and the VM-instruction errors (31.4).
 * Constants only.
 */
#pragma once

#include "lib/bits.h"

/*
 * Fields. Bits 14:13 of an encoding give the width (0 16-bit, 1 64-bit, 2 32-bit, 3 natural),
 * bits 11:10 the kind (0 control, 1 read-only data, 2 guest state, 3 host state).
 */
enum vmcs_field {
#define FIELD_ROW(name, encoding) VMCS_##name = encoding,
#include "hv/vmcs/fields.h"
};

/* The segment registers' fields lie two apart, in the order ES CS SS DS FS GS LDTR TR. */
enum vmcs_segment { VMCS_ES, VMCS_CS, VMCS_SS, VMCS_DS, VMCS_FS, VMCS_GS, VMCS_LDTR, VMCS_TR, VMCS_SEGMENTS };
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
#define PRIMARY_MWAIT_EXITING            (1U << 10)
#define PRIMARY_RDPMC_EXITING            (1U << 11)
#define PRIMARY_TERTIARY                 (1U << 17) /* activate the tertiary controls */
#define PRIMARY_CR8_LOAD_EXITING         (1U << 19)
#define PRIMARY_CR8_STORE_EXITING        (1U << 20)
#define PRIMARY_TPR_SHADOW               (1U << 21)
#define PRIMARY_NMI_WINDOW_EXITING       (1U << 22)
#define PRIMARY_UNCONDITIONAL_IO_EXITING (1U << 24)
#define PRIMARY_IO_BITMAPS               (1U << 25)
#define PRIMARY_MONITOR_TRAP_FLAG        (1U << 27)
#define PRIMARY_MSR_BITMAPS              (1U << 28)
#define PRIMARY_MONITOR_EXITING          (1U << 29)
#define PRIMARY_SECONDARY                (1U << 31) /* activate the secondary controls */

/* Secondary processor-based VM-execution controls, SDM 3C 25.6.2. */
#define SECONDARY_VIRTUALIZE_APIC_ACCESSES   (1U << 0)
#define SECONDARY_EPT                        (1U << 1)
#define SECONDARY_RDTSCP                     (1U << 3)
#define SECONDARY_VIRTUALIZE_X2APIC          (1U << 4)
#define SECONDARY_VPID                       (1U << 5)
#define SECONDARY_WBINVD_EXITING             (1U << 6)
#define SECONDARY_UNRESTRICTED_GUEST         (1U << 7)
#define SECONDARY_APIC_REGISTER              (1U << 8) /* APIC-register virtualization */
#define SECONDARY_VIRTUAL_INTERRUPT_DELIVERY (1U << 9)
#define SECONDARY_INVPCID                    (1U << 12)
#define SECONDARY_VM_FUNCTIONS               (1U << 13)
#define SECONDARY_VMCS_SHADOWING             (1U << 14)
#define SECONDARY_PML                        (1U << 17)
#define SECONDARY_EPT_VIOLATION_VE           (1U << 18)
#define SECONDARY_MODE_BASED_EXECUTE         (1U << 22)
#define SECONDARY_SPP                        (1U << 23) /* sub-page write permissions */
#define SECONDARY_PT_GUEST_PHYSICAL          (1U << 24)

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
#define EXIT_CLEAR_RTIT_CTL        (1U << 25)
#define EXIT_LOAD_CET              (1U << 28)
#define EXIT_LOAD_PKRS             (1U << 29)

/* VM-entry controls, SDM 3C 25.8.1. */
#define ENTRY_LOAD_DEBUG_CONTROLS     (1U << 2)
#define ENTRY_IA32E_GUEST             (1U << 9)
#define ENTRY_TO_SMM                  (1U << 10)
#define ENTRY_DEACTIVATE_DUAL_MONITOR (1U << 11)
#define ENTRY_LOAD_PERF_GLOBAL_CTRL   (1U << 13)
#define ENTRY_LOAD_PAT                (1U << 14)
#define ENTRY_LOAD_EFER               (1U << 15)
#define ENTRY_LOAD_BNDCFGS            (1U << 16)
#define ENTRY_LOAD_RTIT_CTL           (1U << 18)
#define ENTRY_LOAD_CET                (1U << 20)
#define ENTRY_LOAD_PKRS               (1U << 22)

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
#define INTERRUPTIBILITY_SHADOW   (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS)
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
#define EXIT_REASON_ENTRY_FAILED BIT(31)

/* Basic exit reasons, SDM 3D appendix C. */
enum exit_reason {
#define EXIT(number, reason, handler, name) EXIT_REASON_##reason = number,
#include "hv/vmcs/exits.inc"
#undef EXIT
	EXIT_REASONS = 82 /* one past the last */
};

/* Exit qualification: control-register accesses, SDM 3C 28.2.1 (table 28-3). */
#define CR_ACCESS_NUMBER        BITS(3, 0)
#define CR_ACCESS_TYPE          BITS(5, 4)
#define CR_ACCESS_REGISTER      BITS(11, 8) /* 0 RAX, 1 RCX, 2 RDX, 3 RBX, 4 RSP, ... 15 R15 */
#define CR_ACCESS_TYPE_MOV_TO   0
#define CR_ACCESS_TYPE_MOV_FROM 1

/* Exit qualification: I/O instructions, SDM 3C 28.2.1 (table 28-5). */
#define IO_SIZE   BITS(2, 0) /* bytes - 1: 0, 1 or 3 */
#define IO_IN     BIT(3)
#define IO_STRING BIT(4)
#define IO_PORT   BITS(31, 16)

/* Exit qualification: task switches, SDM 3C 28.2.1 (table 28-2). */
#define TASK_SWITCH_SELECTOR    BITS(15, 0)
#define TASK_SWITCH_SOURCE      BITS(31, 30)
#define TASK_SWITCH_SOURCE_CALL 0
#define TASK_SWITCH_SOURCE_IRET 1
#define TASK_SWITCH_SOURCE_GATE 3

/* Exit qualification: EPT violations, SDM 3C 28.2.1 (table 28-7). */
#define EPT_VIOLATION_WRITE       BIT(1)
#define EPT_VIOLATION_FETCH       BIT(2)
#define EPT_VIOLATION_TRANSLATED  BIT(8) /* 0: an access of the guest's page walk */
#define EPT_VIOLATION_NMI_UNBLOCK BIT(12)

/*
 * What the VM-instruction error 'number' (the field VMCS_INSTRUCTION_ERROR) says, in the SDM's
 * words; "unknown VM-instruction error" for a number that the SDM does not list, or whose instruction is not
 * executed here (VMCALL in root operation, VMXOFF, an SMM monitor's). SDM 3C 31.4.
 */
const char *vm_instruction_error(unsigned number);

/*
 * The name of a VMCS field by its encoding, as above without "VMCS_"; "unknown field" for an
 * encoding that is not in this file.
 */
const char *vmcs_field_name(uint32_t field);
