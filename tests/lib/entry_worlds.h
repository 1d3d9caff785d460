/* SPDX-License-Identifier: MIT */
/*
 * Good VMCSs for the VM-entry checker, each with the CPU it is good on, by name: for its unit test,
 * and for the image in which the CPU judges it (tests/entry/oracle.c).
 */
#pragma once

#include "ept/memtype.h"
#include "hv/check/check.h"
#include "hv/vmcs/vmcs.h"

#define VMCS_ENCODINGS 0x7000
/* Pages that a VMCS names: memory that nothing else uses, on a machine of 128 MiB or more. */
#define WORLD_PAGE(n) (0x6000000 + (n)*PAGE_SIZE)

/* A VMCS and the CPU it is for. A field that nobody has set does not exist. */
struct vmcs_world {
	struct vmx_capabilities caps;
	uint64_t value[VMCS_ENCODINGS];
	bool exists[VMCS_ENCODINGS];
};

enum world_name {
	/* In which a guest of ours starts or runs. */
	FLAT32,    /* a kernel in flat 32-bit protected mode without paging, as a multiboot guest starts */
	REAL_MODE, /* after reset: an unrestricted guest */
	LONG64,    /* a 64-bit kernel */
	/* Segments. */
	RESTRICTED, /* without "unrestricted guest", which makes selectors and paging count */
	RESTRICTED_CONFORMING,
	USER_MODE,
	CONFORMING,
	REAL_MODE_CONFORMING,
	DATA_IN_CS, /* as real mode is left in when only CR0.PE was cleared */
	VIRTUAL_8086,
	USABLE_LDTR,
	LIMITS_IN_BYTES,
	LIMITS_IN_PAGES,
	/* Controls. */
	TERTIARY,
	IO_BITMAPS,
	TPR_SHADOW,
	APIC_ACCESSES,
	X2APIC_MODE,
	VIRTUAL_INTERRUPTS,
	POSTED_INTERRUPTS,
	POSTED_INTERRUPTS_OFF,
	EPT_WITHOUT_ACCESSED_DIRTY,
	NO_EPT, /* what needs EPT has its addresses, and is off */
	PML,
	SPP,
	VM_FUNCTIONS_NO_EPT,
	EPTP_SWITCHING,
	VMCS_SHADOWING,
	VIOLATION_EXCEPTIONS,
	PT_GUEST_PHYSICAL,
	NO_PREEMPTION_TIMER,
	MSR_LISTS, /* of two MSRs, which end at the end of physical memory */
	/* Events to inject. */
	INJECTING_INTERRUPT,
	INJECTING_NMI,
	INJECTING_VIRTUAL_NMI,
	INJECTING_GP,
	INJECTING_UD,
	INJECTING_GP_REAL_MODE, /* in real mode no exception has an error code */
	INJECTING_SOFTWARE,
	INJECTING_MTF,
	/* MSRs and CET. */
	ALL_MSRS,
	LONG64_CET,
	HOST_WITHOUT_WP,
	/* Non-register state. */
	AFTER_STI,
	STEPPING_OVER_STI,
	ENCLAVE_INTERRUPTED,
	NO_SGX_OR_RTM,
	DEBUG_IN_TRANSACTION,
	PAE_PAGING,
	/* What a rule must let pass: its condition or its exception is met. */
	MINIMAL, /* an early CPU's controls; the fields that came with the others do not exist */
	NMI_WINDOW,
	NO_NMI_EXITING,
	SAVE_PREEMPTION_TIMER,
	STALE_EVENT, /* what is left in the fields when no event is valid */
	RESTRICTED_VIRTUAL_8086,
	UNRESTRICTED_USER_SELECTORS,
	SHUT_DOWN,
	SINGLE_STEPPING,
};

void world_make(struct vmcs_world *w, enum world_name name);
void world_set(struct vmcs_world *w, uint32_t field, uint64_t value);
/* (value & ~clear) | or. */
void world_change(struct vmcs_world *w, uint32_t field, uint64_t clear, uint64_t or);
/* An event of that type and vector is to be injected; 'error_code' is 0 or the flag that there is one. */
void world_inject(struct vmcs_world *w, unsigned type, unsigned vector, uint64_t error_code);
