/* SPDX-License-Identifier: MIT */
/*
 * The VM-entry checker's rules for the guest's non-register state and its PDPTEs: SDM 3C
 * 27.3.1.5 and 27.3.1.6. A bad PDPTE ends the entry with exit qualification 2, a bad link
 * pointer with 4, the others with 0.
 */
#include "hv/check/rules.h"

static uint64_t activity(const struct entry *e) { return entry_read(e, VMCS_GUEST_ACTIVITY_STATE); }

static bool blocking(const struct entry *e, uint64_t bits)
{
	return entry_read(e, VMCS_GUEST_INTERRUPTIBILITY_STATE) & bits;
}

/* Conditions. */
WHEN(injecting, e->event)
WHEN(injecting_interrupt, injects(e, INTERRUPTION_TYPE_EXTERNAL))
WHEN(injecting_nmi, injects(e, INTERRUPTION_TYPE_NMI))
WHEN(injecting_nmi_virtual, injects(e, INTERRUPTION_TYPE_NMI) && (e->pin & PIN_VIRTUAL_NMIS))
WHEN(blocking_by_sti_or_mov_ss, blocking(e, INTERRUPTIBILITY_SHADOW))
WHEN(interrupts_off, !(entry_read(e, VMCS_GUEST_RFLAGS) & RFLAGS_IF))
WHEN(in_enclave, blocking(e, INTERRUPTIBILITY_ENCLAVE))
WHEN(link_pointer_used, entry_read(e, VMCS_LINK_POINTER) != ~0ULL)
WHEN(pae_paging_with_ept, (e->secondary & SECONDARY_EPT) && !(e->entry & ENTRY_IA32E_GUEST) &&
				  (entry_read(e, VMCS_GUEST_CR0) & CR0_PG) && (entry_read(e, VMCS_GUEST_CR4) & CR4_PAE))

/* Single-stepping: a trap after each instruction (TF), not after each branch (BTF). */
static bool single_stepping(const struct entry *e)
{
	return (entry_read(e, VMCS_GUEST_RFLAGS) & RFLAGS_TF) &&
	       !(entry_read(e, VMCS_GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF);
}

/* In these states a single-step trap, if any, is already pending. */
WHEN(between_instructions, blocking_by_sti_or_mov_ss(e, field) || activity(e) == ACTIVITY_HLT)
WHEN(stepping_between, between_instructions(e, field) && single_stepping(e))
WHEN(no_stepping_between, between_instructions(e, field) && !single_stepping(e))
WHEN(debug_in_transaction, entry_read(e, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) & PENDING_DEBUG_RTM)

static REQUIREMENT(activity_supported)
{
	switch (value) {
	case ACTIVITY_ACTIVE: return true;
	case ACTIVITY_HLT: return e->caps->misc & VMX_MISC_ACTIVITY_HLT;
	case ACTIVITY_SHUTDOWN: return e->caps->misc & VMX_MISC_ACTIVITY_SHUTDOWN;
	case ACTIVITY_WAIT_FOR_SIPI: return e->caps->misc & VMX_MISC_ACTIVITY_WAIT_FOR_SIPI;
	default: return false;
	}
}

/* What may wake a CPU from HLT: interrupts, debug exceptions and machine checks. */
static bool wakes_from_hlt(const struct entry *e)
{
	switch (event_type(e)) {
	case INTERRUPTION_TYPE_EXTERNAL:
	case INTERRUPTION_TYPE_NMI: return true;
	case INTERRUPTION_TYPE_HARDWARE_EXCEPTION: return event_vector(e) == VECTOR_DB || event_vector(e) == VECTOR_MC;
	case INTERRUPTION_TYPE_OTHER_EVENT: return event_vector(e) == 0;
	default: return false;
	}
}

static REQUIREMENT(event_not_blocked)
{
	switch (value) {
	case ACTIVITY_HLT: return wakes_from_hlt(e);
	case ACTIVITY_SHUTDOWN:
		return injects(e, INTERRUPTION_TYPE_NMI) ||
		       (injects(e, INTERRUPTION_TYPE_HARDWARE_EXCEPTION) && event_vector(e) == VECTOR_MC);
	case ACTIVITY_WAIT_FOR_SIPI: return false;
	default: return true;
	}
}

HOLDS(not_hlt_in_user_mode, value != ACTIVITY_HLT || !(entry_read(e, VMCS_GUEST_SS_ACCESS_RIGHTS) & SEGMENT_DPL))
HOLDS(is_active, value == ACTIVITY_ACTIVE)
HOLDS(not_both, !(value & INTERRUPTIBILITY_STI) || !(value & INTERRUPTIBILITY_MOV_SS))
HOLDS(debug_reserved,
      !(value & ~(PENDING_DEBUG_B | PENDING_DEBUG_BLD | PENDING_DEBUG_ENABLED | PENDING_DEBUG_BS | PENDING_DEBUG_RTM)))
HOLDS(no_enclave_without_sgx, e->caps->sgx || !(value & INTERRUPTIBILITY_ENCLAVE))
HOLDS(no_rtm_without_rtm, e->caps->rtm || !(value & PENDING_DEBUG_RTM))
HOLDS(debug_of_transaction,
      !(value & BITS(11, 0)) && (value & PENDING_DEBUG_ENABLED) && !blocking(e, INTERRUPTIBILITY_MOV_SS))

/* A PDPTE that is present, SDM 3A 4.4.1: bits 2:1, 8:5 and those beyond MAXPHYADDR are 0. */
HOLDS(pdpte, !(value & PAGE_P) || (!(value & (BITS(2, 1) | BITS(8, 5))) && is_cr3(e, value, field)))

/* clang-format off */
/* The rules of the fields that have several. */
#define ACTIVITY_RULE(rule, when, holds) {"activity state: " rule, when, holds, FIELDS(VMCS_GUEST_ACTIVITY_STATE)}
#define BLOCKING_RULE(rule, when, holds) {"interruptibility state: " rule, when, holds, FIELDS(VMCS_GUEST_INTERRUPTIBILITY_STATE)}
#define DEBUG_RULE(rule, when, holds) {"pending debug exceptions: " rule, when, holds, FIELDS(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS)}

/* A row a line: a rule is read as a whole. */
static const struct entry_rule rules[] = {
	SECTION("27.3.1.5"),
	ACTIVITY_RULE("one that IA32_VMX_MISC has", ALWAYS, BY(activity_supported)),
	ACTIVITY_RULE("not HLT where SS DPL is not 0", ALWAYS, BY(not_hlt_in_user_mode)),
	ACTIVITY_RULE("active while blocking by STI or by MOV SS", IF(blocking_by_sti_or_mov_ss), BY(is_active)),
	ACTIVITY_RULE("not one that blocks the event injected", IF(injecting), BY(event_not_blocked)),

	BLOCKING_RULE("bits 31:5 are 0", ALWAYS, ZEROES(INTERRUPTIBILITY_RESERVED)),
	BLOCKING_RULE("not blocking by both STI and MOV SS", ALWAYS, BY(not_both)),
	BLOCKING_RULE("no blocking by STI while RFLAGS.IF is 0", IF(interrupts_off), ZEROES(INTERRUPTIBILITY_STI)),
	BLOCKING_RULE("no blocking by STI or MOV SS to inject an external interrupt",
	 IF(injecting_interrupt), ZEROES(INTERRUPTIBILITY_SHADOW)),
	BLOCKING_RULE("no blocking by MOV SS to inject an NMI", IF(injecting_nmi), ZEROES(INTERRUPTIBILITY_MOV_SS)),
	BLOCKING_RULE("no blocking by SMI outside SMM", ALWAYS, ZEROES(INTERRUPTIBILITY_SMI)),
	BLOCKING_RULE("no blocking by NMI to inject an NMI with virtual NMIs", IF(injecting_nmi_virtual), ZEROES(INTERRUPTIBILITY_NMI)),
	BLOCKING_RULE("no enclave interruption without SGX", ALWAYS, BY(no_enclave_without_sgx)),
	BLOCKING_RULE("no blocking by MOV SS with enclave interruption", IF(in_enclave), ZEROES(INTERRUPTIBILITY_MOV_SS)),

	DEBUG_RULE("bits 10:4, 13, 15 and 63:17 are 0", ALWAYS, BY(debug_reserved)),
	DEBUG_RULE("BS is 1 when single-stepping over STI, MOV SS or HLT", IF(stepping_between), ONES(PENDING_DEBUG_BS)),
	DEBUG_RULE("BS is 0 after STI, MOV SS or HLT without stepping", IF(no_stepping_between), ZEROES(PENDING_DEBUG_BS)),
	DEBUG_RULE("bit 16 is 0 on a CPU without RTM", ALWAYS, BY(no_rtm_without_rtm)),
	DEBUG_RULE("with RTM, bits 11:0 are 0, bit 12 is 1, no blocking by MOV SS", IF(debug_in_transaction), BY(debug_of_transaction)),

	{"VMCS link pointer: all ones, or bits 11:0 are 0", IF(link_pointer_used), ZEROES(BITS(11, 0)), FIELDS(VMCS_LINK_POINTER)},
	{"VMCS link pointer: all ones, or within the physical-address width", IF(link_pointer_used), BY(is_physical),
	 FIELDS(VMCS_LINK_POINTER)},

	SECTION("27.3.1.6"),
	{"PDPTE: reserved bits are 0 if present", IF(pae_paging_with_ept), BY(pdpte),
	 FIELDS(VMCS_GUEST_PDPTE0, VMCS_GUEST_PDPTE1, VMCS_GUEST_PDPTE2, VMCS_GUEST_PDPTE3)},
};
/* clang-format on */

const struct entry_rules entry_rules_state = {rules, ARRAY_SIZE(rules)};
