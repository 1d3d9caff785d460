/* SPDX-License-Identifier: MIT */
/*
 * For each rule of the VM-entry checker, changes to a good VMCS that break it. Included by the
 * checker's unit test alone.
 */
#pragma once

#include "hv/check/rules.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "tests/unit/entry_check_worlds.h"

#define NON_CANONICAL 0x0000800000000000ULL
#define ALL_BITS      ~0ULL

/*
 * In the good VMCS that 'good' makes, set each of the broken rule's fields in turn to
 * (value & ~clear) | or, or where 'changes' is not 0, make those changes to the fields they name.
 */
struct mutation {
	const char *rule; /* words that are in one rule's text only */
	void (*good)(struct vmcs_world *w);
	uint64_t clear, set_bits;
	unsigned changes;
	struct {
		uint32_t field;
		uint64_t clear, set_bits;
	} change[3];
	const char *also; /* words of the one other rule that is broken with it */
};

#define OR(bits)       0, bits, 0, {{0}}, NULL
#define CLEAR(bits)    bits, 0, 0, {{0}}, NULL
#define SET(value)     ALL_BITS, value, 0, {{0}}, NULL
#define REPLACE(a, b)  a, b, 0, {{0}}, NULL
#define ELSEWHERE(...) 0, 0, 1, {{__VA_ARGS__}}, NULL

/* A 32-bit host on a CPU in IA-32e mode is itself a violation. */
#define HOST_32BIT(...)                                                                                                \
	0, 0, 2, {{VMCS_EXIT_CONTROLS, EXIT_HOST_64BIT | EXIT_LOAD_EFER, 0}, {__VA_ARGS__}}, "in IA-32e mode, host"

static const struct mutation mutations[] = {
	/* 27.2.1.1 */
	{"pin-based controls: reserved", flat32, OR(BIT(8))},
	{"pin-based controls: reserved", flat32, CLEAR(BIT(1))},
	{"primary controls: reserved", flat32, OR(BIT(0))},
	{"secondary controls: reserved", flat32, OR(BIT(21))},
	{"tertiary controls: reserved", tertiary, OR(BIT(63))},
	{"CR3-target count", flat32, SET(5)},
	{"I/O-bitmap address: bits", io_bitmaps, OR(0x800)},
	{"I/O-bitmap address: within", io_bitmaps, OR(BIT(40))},
	{"MSR-bitmap address: bits", flat32, OR(0x800)},
	{"MSR-bitmap address: within", flat32, OR(BIT(40))},
	{"virtual-APIC address: bits", tpr_shadow, OR(0x800)},
	{"virtual-APIC address: within", tpr_shadow, OR(BIT(40))},
	{"TPR threshold", tpr_shadow, OR(0x10)},
	{"without NMI exiting", flat32, REPLACE(PIN_NMI_EXITING, PIN_VIRTUAL_NMIS)},
	{"without virtual NMIs", flat32, OR(PRIMARY_NMI_WINDOW_EXITING)},
	{"APIC-access address: bits", apic_accesses, OR(0x800)},
	{"APIC-access address: within", apic_accesses, OR(BIT(40))},
	{"without TPR shadow", flat32, OR(SECONDARY_VIRTUALIZE_X2APIC)},
	{"without TPR shadow", flat32, OR(SECONDARY_APIC_REGISTER)},
	{"without TPR shadow", flat32, OR(SECONDARY_VIRTUAL_INTERRUPT_DELIVERY)},
	{"with virtualize x2APIC mode", x2apic_mode, OR(SECONDARY_VIRTUALIZE_APIC_ACCESSES)},
	{"with virtual-interrupt delivery", virtual_interrupts, CLEAR(PIN_EXTERNAL_INTERRUPT_EXITING)},
	{"posted interrupts, virtual-interrupt", posted_interrupts_off, OR(PIN_POSTED_INTERRUPTS)},
	{"posted interrupts, acknowledge", posted_interrupts, CLEAR(EXIT_ACKNOWLEDGE_INTERRUPT)},
	{"notification vector", posted_interrupts, OR(0x100)},
	{"posted-interrupt descriptor address: bits", posted_interrupts, OR(0x20)},
	{"posted-interrupt descriptor address: within", posted_interrupts, OR(BIT(40))},
	{"VPID: not", flat32, SET(0)},
	{"EPTP: memory type", flat32, REPLACE(EPTP_MEMORY_TYPE, 1)},
	{"EPTP: page-walk length", flat32, REPLACE(EPTP_WALK_LENGTH, EPTP_WALK_5_LEVELS)},
	{"EPTP: page-walk length", flat32, REPLACE(EPTP_WALK_LENGTH, 2 << 3)},
	{"EPTP: bit 6", ept_without_accessed_dirty, OR(EPTP_ACCESSED_DIRTY)},
	{"EPTP: bit 7", flat32, OR(EPTP_SHADOW_STACK)},
	{"EPTP: bits 11:8", flat32, OR(BIT(8))},
	{"EPTP: bits 11:8", flat32, OR(BIT(40))},
	{"with page-modification logging", no_ept, OR(SECONDARY_PML)},
	{"PML address: bits", pml, OR(0x800)},
	{"PML address: within", pml, OR(BIT(40))},
	{"without EPT", no_ept, OR(SECONDARY_UNRESTRICTED_GUEST)},
	{"without EPT", no_ept, OR(SECONDARY_MODE_BASED_EXECUTE)},
	{"with sub-page write permissions", no_ept, OR(SECONDARY_SPP)},
	{"sub-page-permission-table pointer: bits", spp, OR(0x800)},
	{"sub-page-permission-table pointer: within", spp, OR(BIT(40))},
	{"VM-function controls: reserved", eptp_switching, OR(BIT(1))},
	{"with EPTP switching", vm_functions_no_ept, OR(1)},
	{"EPTP-list address: bits", eptp_switching, OR(0x800)},
	{"EPTP-list address: within", eptp_switching, OR(BIT(40))},
	{"VMWRITE-bitmap address: bits", vmcs_shadowing, OR(0x800)},
	{"VMWRITE-bitmap address: within", vmcs_shadowing, OR(BIT(40))},
	{"information address: bits", violation_exceptions, OR(0x800)},
	{"information address: within", violation_exceptions, OR(BIT(40))},
	{"guest physical addresses, enable EPT", no_ept, OR(SECONDARY_PT_GUEST_PHYSICAL)},
	{"guest physical addresses, load", pt_guest_physical, CLEAR(ENTRY_LOAD_RTIT_CTL)},
	{"guest physical addresses, clear", pt_guest_physical, CLEAR(EXIT_CLEAR_RTIT_CTL)},

	/* 27.2.1.2 */
	{"VM-exit controls: reserved", flat32, OR(BIT(27))},
	{"without VMX-preemption timer", no_preemption_timer, OR(EXIT_SAVE_PREEMPTION_TIMER)},
	{"VM-exit MSR-store address: bits", msr_lists, REPLACE(0x20, 8)},
	{"VM-exit MSR-store area", msr_lists, OR(16)},
	{"VM-exit MSR-load address: bits", msr_lists, REPLACE(0x20, 8)},
	{"VM-exit MSR-load area", msr_lists, OR(16)},
	{"VM-exit MSR-load area", msr_lists, SET(ALL_BITS << 4)},

	/* 27.2.1.3 */
	{"VM-entry controls: reserved", flat32, OR(BIT(23))},
	{"the interruption type is not", injecting_interrupt, OR(TO_FIELD(1, BITS(10, 8)))},
	{"the vector fits", injecting_nmi, OR(1)},
	{"the vector fits", injecting_ud, OR(0x20)},
	{"the vector fits", injecting_mtf, OR(1)},
	{"for an exception that has one", injecting_gp, CLEAR(INTERRUPTION_INFO_ERROR_CODE)},
	{"for an exception that has one", injecting_ud, OR(INTERRUPTION_INFO_ERROR_CODE)},
	{"in protected mode", injecting_interrupt, OR(INTERRUPTION_INFO_ERROR_CODE)},
	{"in protected mode", injecting_gp_real_mode, OR(INTERRUPTION_INFO_ERROR_CODE)},
	{"bits 30:12", injecting_gp, OR(BIT(12))},
	{"of the error code", injecting_gp, OR(BIT(16))},
	{"of a software event", injecting_software, SET(0)},
	{"of a software event", injecting_software, SET(16)},
	{"VM-entry MSR-load address: bits", msr_lists, REPLACE(0x20, 8)},
	{"VM-entry MSR-load area", msr_lists, OR(16)},
	{"outside SMM, entry to SMM", flat32, OR(ENTRY_TO_SMM)},
	{"outside SMM, entry to SMM", flat32, OR(ENTRY_DEACTIVATE_DUAL_MONITOR)},

	/* 27.2.2 */
	{"host CR0: bits", flat32, CLEAR(CR0_NE)},
	{"host CR0: bits", flat32, OR(BIT(32))},
	{"host CR4: bits", flat32, CLEAR(CR4_VMXE)},
	{"host CR4.CET", host_without_wp, OR(CR4_CET)},
	{"host CR3", flat32, OR(BIT(40))},
	{"host SYSENTER", flat32, SET(NON_CANONICAL)},
	{"host IA32_PERF_GLOBAL_CTRL", all_msrs, OR(BIT(4))},
	{"host IA32_PAT", flat32, SET(0x0007040600070402)},
	{"host IA32_EFER: reserved", flat32, OR(BIT(1))},
	{"host IA32_EFER: LMA and LME", flat32, CLEAR(EFER_LMA)},
	{"host IA32_EFER: LMA and LME", flat32, CLEAR(EFER_LME)},
	{"host IA32_S_CET", all_msrs, OR(BIT(6))},
	{"host IA32_S_CET", all_msrs, OR(BITS(11, 10))},
	{"host SSP: bits 1:0", all_msrs, OR(2)},
	{"host shadow-stack addresses", all_msrs, SET(NON_CANONICAL)},
	{"host IA32_PKRS", all_msrs, OR(BIT(32))},

	/* 27.2.3 */
	{"host selectors: RPL and TI", flat32, OR(SELECTOR_TI)},
	{"host selectors: RPL and TI", flat32, OR(1)},
	{"host CS and TR selectors", flat32, SET(0)},
	{"host SS selector", flat32, HOST_32BIT(VMCS_HOST_SS_SELECTOR, ALL_BITS, 0)},
	{"host FS, GS, GDTR", flat32, SET(NON_CANONICAL)},

	/* 27.2.4 */
	{"in IA-32e mode, host", flat32, CLEAR(EXIT_HOST_64BIT | EXIT_LOAD_EFER)},
	/* Even without PAE. */
	{"in IA-32e mode, host",
	 flat32,
	 0,
	 0,
	 2,
	 {{VMCS_EXIT_CONTROLS, EXIT_HOST_64BIT | EXIT_LOAD_EFER, 0}, {VMCS_HOST_CR4, CR4_PAE, 0}},
	 NULL},
	{"32-bit host, IA-32e mode guest", long64, HOST_32BIT(VMCS_EXIT_CONTROLS, 0, 0)},
	{"32-bit host, CR4.PCIDE", flat32, HOST_32BIT(VMCS_HOST_CR4, 0, CR4_PCIDE)},
	{"32-bit host, bits 63:32 of RIP", flat32, HOST_32BIT(VMCS_HOST_RIP, 0, BIT(32))},
	{"64-bit host, CR4.PAE", flat32, CLEAR(CR4_PAE)},
	{"64-bit host, RIP", flat32, SET(NON_CANONICAL)},

	/* 27.3.1.1 */
	{"guest CR0: bits", flat32, CLEAR(CR0_NE)},
	{"guest CR0: bits", restricted, CLEAR(CR0_PG)},
	{"guest CR0: bits", flat32, OR(BIT(32))},
	{"guest CR0.PG", real_mode, OR(CR0_PG)},
	{"guest CR4: bits", flat32, CLEAR(CR4_VMXE)},
	{"guest CR4: bits", flat32, OR(BIT(15))},
	{"guest CR4.CET", flat32, OR(CR4_CET)},
	{"guest IA32_DEBUGCTL", flat32, OR(BIT(3))},
	{"in an IA-32e mode guest, CR0.PG", long64, CLEAR(CR0_PG)},
	{"in an IA-32e mode guest, CR4.PAE", long64, CLEAR(CR4_PAE)},
	{"outside IA-32e mode, CR4.PCIDE", flat32, OR(CR4_PCIDE)},
	{"guest CR3", flat32, OR(BIT(40))},
	{"guest DR7", flat32, OR(BIT(32))},
	{"guest SYSENTER", flat32, SET(NON_CANONICAL)},
	{"guest IA32_PERF_GLOBAL_CTRL", all_msrs, OR(BIT(4))},
	{"guest IA32_PAT", flat32, SET(0x0307040600070406)},
	{"guest IA32_PAT", flat32, SET(0x0008040600070406)},
	{"guest IA32_EFER: reserved", flat32, OR(BIT(9))},
	{"guest IA32_EFER.LMA", flat32, OR(EFER_LMA)},
	{"guest IA32_EFER.LME", long64, CLEAR(EFER_LME)},
	{"guest IA32_BNDCFGS", all_msrs, OR(BIT(2))},
	{"guest IA32_S_CET", all_msrs, OR(BIT(9))},
	{"guest IA32_INTERRUPT_SSP", all_msrs, SET(NON_CANONICAL)},
	{"guest IA32_PKRS", all_msrs, OR(BIT(32))},

	/* 27.3.1.3, 27.3.1.4 */
	{"guest GDTR and IDTR base", flat32, SET(NON_CANONICAL)},
	{"guest GDTR and IDTR limit", flat32, OR(BIT(16))},
	{"guest RIP: bits 63:32", flat32, OR(BIT(32))},
	{"guest RIP: bits beyond", long64, SET(BIT(48))},
	{"guest RIP: bits beyond", long64, CLEAR(BIT(63))},
	{"guest RFLAGS: bits 63:22", flat32, OR(BIT(3))},
	{"guest RFLAGS: bits 63:22", flat32, OR(BIT(22))},
	{"guest RFLAGS: bit 1", flat32, CLEAR(RFLAGS_FIXED_ONE)},
	{"guest RFLAGS.VM", virtual_8086, ELSEWHERE(VMCS_GUEST_CR0, CR0_PE, 0)},
	{"guest RFLAGS.IF", injecting_interrupt, CLEAR(RFLAGS_IF)},
	{"guest SSP: bits 1:0", all_msrs, OR(1)},
	{"guest SSP: bits 63:32", all_msrs, OR(BIT(32))},
	{"guest SSP: bits beyond", long64_cet, SET(BIT(48))},

	/* 27.3.1.2 */
	{"TR selector: TI", flat32, OR(SELECTOR_TI)},
	{"LDTR selector: TI", usable_ldtr, OR(SELECTOR_TI)},
	{"SS selector: RPL", restricted, ELSEWHERE(VMCS_GUEST_CS_SELECTOR, 0, 3)},
	{"base is the selector shifted", virtual_8086, OR(8)},
	{"TR, FS and GS base", flat32, SET(NON_CANONICAL)},
	{"LDTR base", usable_ldtr, SET(NON_CANONICAL)},
	{"CS base: bits", flat32, OR(BIT(32))},
	{"SS, DS and ES base", flat32, OR(BIT(32))},
	{"limit is 0000FFFFH", virtual_8086, SET(0x1ffff)},
	{"access rights are 000000F3H", virtual_8086, SET(0xfb)},
	{"CS type: accessed code", flat32, CLEAR(SEGMENT_TYPE_ACCESSED)},
	{"CS type: accessed code", restricted, REPLACE(SEGMENT_TYPE, SEGMENT_TYPE_DATA_RW_A)},
	{"SS type: 3 or 7", flat32, CLEAR(SEGMENT_TYPE_WRITABLE)},
	{"FS and GS type: accessed", flat32, CLEAR(SEGMENT_TYPE_ACCESSED)},
	{"FS and GS type: readable", flat32, REPLACE(SEGMENT_TYPE, 9)},
	{"S is 1", flat32, CLEAR(SEGMENT_S)},
	{"CS DPL: 0", data_in_cs, OR(SEGMENT_DPL)},
	{"CS DPL: that of SS", flat32, OR(SEGMENT_DPL)},
	{"CS DPL: at most", conforming, OR(SEGMENT_DPL)},
	{"SS DPL: RPL", restricted_conforming, OR(SEGMENT_DPL)},
	{"SS DPL: 0", real_mode_conforming, OR(SEGMENT_DPL)},
	{"SS DPL: 0", data_in_cs, OR(SEGMENT_DPL)},
	{"GS DPL: at least RPL", user_mode, CLEAR(SEGMENT_DPL)},
	{"P is 1", usable_ldtr, CLEAR(SEGMENT_P)},
	{"access rights: bits 11:8", usable_ldtr, OR(BIT(8))},
	{"CS D/B", long64, OR(SEGMENT_DB)},
	{"G is 0", limits_in_bytes, OR(SEGMENT_G)},
	{"G is 1", limits_in_pages, CLEAR(SEGMENT_G)},
	{"access rights: bits 31:17", usable_ldtr, OR(BIT(17))},
	{"TR type", flat32, REPLACE(SEGMENT_TYPE, 9)},
	{"TR type", long64, REPLACE(SEGMENT_TYPE, SEGMENT_TYPE_TSS16_BUSY)},
	{"TR: usable", flat32, OR(SEGMENT_UNUSABLE)},
	{"LDTR type", usable_ldtr, REPLACE(SEGMENT_TYPE, 3)},
	{"S is 0", usable_ldtr, OR(SEGMENT_S)},

	/* 27.3.1.5 */
	{"activity state: one that", flat32, SET(4)},
	{"activity state: not HLT", user_mode, SET(ACTIVITY_HLT)},
	{"activity state: active", after_sti, SET(ACTIVITY_HLT)},
	{"activity state: not one that blocks", injecting_interrupt, SET(ACTIVITY_SHUTDOWN)},
	{"activity state: not one that blocks", injecting_nmi, SET(ACTIVITY_WAIT_FOR_SIPI)},
	{"activity state: not one that blocks", injecting_gp, SET(ACTIVITY_HLT)},
	{"interruptibility state: bits 31:5", flat32, OR(BIT(5))},
	{"not blocking by both", after_sti, OR(INTERRUPTIBILITY_MOV_SS)},
	{"no blocking by STI while", flat32, OR(INTERRUPTIBILITY_STI)},
	{"or MOV SS to inject", injecting_interrupt, OR(INTERRUPTIBILITY_STI)},
	{"or MOV SS to inject", injecting_interrupt, OR(INTERRUPTIBILITY_MOV_SS)},
	{"no blocking by MOV SS to inject an NMI", injecting_nmi, OR(INTERRUPTIBILITY_MOV_SS)},
	{"no blocking by SMI", flat32, OR(INTERRUPTIBILITY_SMI)},
	{"with virtual NMIs", injecting_virtual_nmi, OR(INTERRUPTIBILITY_NMI)},
	{"no enclave interruption", no_sgx_or_rtm, OR(INTERRUPTIBILITY_ENCLAVE)},
	{"with enclave interruption", enclave_interrupted, OR(INTERRUPTIBILITY_MOV_SS)},
	{"pending debug exceptions: bits 10:4", flat32, OR(BIT(4))},
	{"pending debug exceptions: BS is 1", stepping_over_sti, CLEAR(PENDING_DEBUG_BS)},
	{"pending debug exceptions: BS is 0", after_sti, OR(PENDING_DEBUG_BS)},
	{"bit 16 is 0", no_sgx_or_rtm, OR(PENDING_DEBUG_RTM | PENDING_DEBUG_ENABLED)},
	{"pending debug exceptions: with RTM", debug_in_transaction, OR(1)},
	{"pending debug exceptions: with RTM", debug_in_transaction, CLEAR(PENDING_DEBUG_ENABLED)},
	{"VMCS link pointer: all ones, or bits", flat32, SET(WORLD_PAGE(0xd) + 0x800)},
	{"VMCS link pointer: all ones, or within", flat32, SET(BIT(40))},

	/* 27.3.1.6 */
	{"PDPTE", pae_paging, REPLACE(ALL_BITS, PAGE_P | BIT(1))},
	{"PDPTE", pae_paging, REPLACE(ALL_BITS, PAGE_P | BIT(40))},
};

/* Every rule of every table, in turn, but for the rows that begin a section; null after the last. */
static const struct entry_rule *rule_at(unsigned index)
{
	static const struct entry_rules *const tables[] = {
		&entry_rules_controls, &entry_rules_host,  &entry_rules_registers,
		&entry_rules_segments, &entry_rules_state,
	};

	for (unsigned t = 0; t < ARRAY_SIZE(tables); t++)
		for (unsigned r = 0; r < tables[t]->count; r++)
			if (tables[t]->rule[r].text && !index--) return &tables[t]->rule[r];
	return NULL;
}

static bool begins(const char *text, const char *with)
{
	while (*with && *text == *with) text++, with++;
	return !*with;
}

/* 'words' stand in 'text', from the beginning of a word. */
static bool has_words(const char *text, const char *words)
{
	for (const char *at = text; *at; at++)
		if ((at == text || at[-1] == ' ') && begins(at, words)) return true;
	return false;
}

/* 'm' made to the good VMCS in 'w', at this field of the rule it breaks. */
static void mutate(struct vmcs_world *w, const struct mutation *m, uint32_t field)
{
	if (!m->changes) change(w, field, m->clear, m->set_bits);
	for (unsigned i = 0; i < m->changes; i++)
		change(w, m->change[i].field, m->change[i].clear, m->change[i].set_bits);
}
