/* SPDX-License-Identifier: MIT */
/* The changes of entry_mutations.h, in the order of the SDM's sections. */
#include "tests/lib/entry_mutations.h"

#include "lib/bits.h"
#include "lib/string.h"
#include "lib/x86.h"

#define ALL_BITS ~0ULL

#define OR(bits)       0, bits, 0, {{0}}, NULL
#define CLEAR(bits)    bits, 0, 0, {{0}}, NULL
#define SET(value)     ALL_BITS, value, 0, {{0}}, NULL
#define REPLACE(a, b)  a, b, 0, {{0}}, NULL
#define ELSEWHERE(...) 0, 0, 1, {{__VA_ARGS__}}, NULL

/* A 32-bit host on a CPU in IA-32e mode is itself a violation. */
#define HOST_32BIT(...)                                                                                                \
	0, 0, 2, {{VMCS_EXIT_CONTROLS, EXIT_HOST_64BIT | EXIT_LOAD_EFER, 0}, {__VA_ARGS__}}, "in IA-32e mode, host"

const struct mutation mutations[] = {
	/* 27.2.1.1 */
	{"pin-based controls: reserved", FLAT32, OR(BIT(8))},
	{"pin-based controls: reserved", FLAT32, CLEAR(BIT(1))},
	{"primary controls: reserved", FLAT32, OR(BIT(0))},
	{"secondary controls: reserved", FLAT32, OR(BIT(21))},
	{"tertiary controls: reserved", TERTIARY, OR(BIT(63))},
	{"CR3-target count", FLAT32, SET(5)},
	{"I/O-bitmap address: bits", IO_BITMAPS, OR(0x800)},
	{"I/O-bitmap address: within", IO_BITMAPS, OR(BIT(40))},
	{"MSR-bitmap address: bits", FLAT32, OR(0x800)},
	{"MSR-bitmap address: within", FLAT32, OR(BIT(40))},
	{"virtual-APIC address: bits", TPR_SHADOW, OR(0x800)},
	{"virtual-APIC address: within", TPR_SHADOW, OR(BIT(40))},
	{"TPR threshold", TPR_SHADOW, OR(0x10)},
	{"without NMI exiting", FLAT32, REPLACE(PIN_NMI_EXITING, PIN_VIRTUAL_NMIS)},
	{"without virtual NMIs", FLAT32, OR(PRIMARY_NMI_WINDOW_EXITING)},
	{"APIC-access address: bits", APIC_ACCESSES, OR(0x800)},
	{"APIC-access address: within", APIC_ACCESSES, OR(BIT(40))},
	{"without TPR shadow", FLAT32, OR(SECONDARY_VIRTUALIZE_X2APIC)},
	{"without TPR shadow", FLAT32, OR(SECONDARY_APIC_REGISTER)},
	{"without TPR shadow", FLAT32, OR(SECONDARY_VIRTUAL_INTERRUPT_DELIVERY)},
	{"with virtualize x2APIC mode", X2APIC_MODE, OR(SECONDARY_VIRTUALIZE_APIC_ACCESSES)},
	{"with virtual-interrupt delivery", VIRTUAL_INTERRUPTS, CLEAR(PIN_EXTERNAL_INTERRUPT_EXITING)},
	{"posted interrupts, virtual-interrupt", POSTED_INTERRUPTS_OFF, OR(PIN_POSTED_INTERRUPTS)},
	{"posted interrupts, acknowledge", POSTED_INTERRUPTS, CLEAR(EXIT_ACKNOWLEDGE_INTERRUPT)},
	{"notification vector", POSTED_INTERRUPTS, OR(0x100)},
	{"posted-interrupt descriptor address: bits", POSTED_INTERRUPTS, OR(0x20)},
	{"posted-interrupt descriptor address: within", POSTED_INTERRUPTS, OR(BIT(40))},
	{"VPID: not", FLAT32, SET(0)},
	{"EPTP: memory type", FLAT32, REPLACE(EPTP_MEMORY_TYPE, 1)},
	{"EPTP: page-walk length", FLAT32, REPLACE(EPTP_WALK_LENGTH, EPTP_WALK_5_LEVELS)},
	{"EPTP: page-walk length", FLAT32, REPLACE(EPTP_WALK_LENGTH, 2 << 3)},
	{"EPTP: bit 6", EPT_WITHOUT_ACCESSED_DIRTY, OR(EPTP_ACCESSED_DIRTY)},
	{"EPTP: bit 7", FLAT32, OR(EPTP_SHADOW_STACK)},
	{"EPTP: bits 11:8", FLAT32, OR(BIT(8))},
	{"EPTP: bits 11:8", FLAT32, OR(BIT(40))},
	{"with page-modification logging", NO_EPT, OR(SECONDARY_PML)},
	{"PML address: bits", PML, OR(0x800)},
	{"PML address: within", PML, OR(BIT(40))},
	{"without EPT", NO_EPT, OR(SECONDARY_UNRESTRICTED_GUEST)},
	{"without EPT", NO_EPT, OR(SECONDARY_MODE_BASED_EXECUTE)},
	{"with sub-page write permissions", NO_EPT, OR(SECONDARY_SPP)},
	{"sub-page-permission-table pointer: bits", SPP, OR(0x800)},
	{"sub-page-permission-table pointer: within", SPP, OR(BIT(40))},
	{"VM-function controls: reserved", EPTP_SWITCHING, OR(BIT(1))},
	{"with EPTP switching", VM_FUNCTIONS_NO_EPT, OR(1)},
	{"EPTP-list address: bits", EPTP_SWITCHING, OR(0x800)},
	{"EPTP-list address: within", EPTP_SWITCHING, OR(BIT(40))},
	{"VMWRITE-bitmap address: bits", VMCS_SHADOWING, OR(0x800)},
	{"VMWRITE-bitmap address: within", VMCS_SHADOWING, OR(BIT(40))},
	{"information address: bits", VIOLATION_EXCEPTIONS, OR(0x800)},
	{"information address: within", VIOLATION_EXCEPTIONS, OR(BIT(40))},
	{"guest physical addresses, enable EPT", NO_EPT, OR(SECONDARY_PT_GUEST_PHYSICAL)},
	{"guest physical addresses, load", PT_GUEST_PHYSICAL, CLEAR(ENTRY_LOAD_RTIT_CTL)},
	{"guest physical addresses, clear", PT_GUEST_PHYSICAL, CLEAR(EXIT_CLEAR_RTIT_CTL)},

	/* 27.2.1.2 */
	{"VM-exit controls: reserved", FLAT32, OR(BIT(27))},
	{"without VMX-preemption timer", NO_PREEMPTION_TIMER, OR(EXIT_SAVE_PREEMPTION_TIMER)},
	{"VM-exit MSR-store address: bits", MSR_LISTS, REPLACE(0x20, 8)},
	{"VM-exit MSR-store area", MSR_LISTS, OR(16)},
	{"VM-exit MSR-load address: bits", MSR_LISTS, REPLACE(0x20, 8)},
	{"VM-exit MSR-load area", MSR_LISTS, OR(16)},
	{"VM-exit MSR-load area", MSR_LISTS, SET(ALL_BITS << 4)},

	/* 27.2.1.3 */
	{"VM-entry controls: reserved", FLAT32, OR(BIT(23))},
	{"the interruption type is not", INJECTING_INTERRUPT, OR(TO_FIELD(1, BITS(10, 8)))},
	{"the vector fits", INJECTING_NMI, OR(1)},
	{"the vector fits", INJECTING_UD, OR(0x20)},
	{"the vector fits", INJECTING_MTF, OR(1)},
	{"for an exception that has one", INJECTING_GP, CLEAR(INTERRUPTION_INFO_ERROR_CODE)},
	{"for an exception that has one", INJECTING_UD, OR(INTERRUPTION_INFO_ERROR_CODE)},
	{"in protected mode", INJECTING_INTERRUPT, OR(INTERRUPTION_INFO_ERROR_CODE)},
	{"in protected mode", INJECTING_GP_REAL_MODE, OR(INTERRUPTION_INFO_ERROR_CODE)},
	{"bits 30:12", INJECTING_GP, OR(BIT(12))},
	{"of the error code", INJECTING_GP, OR(BIT(16))},
	{"of a software event", INJECTING_SOFTWARE, SET(0)},
	{"of a software event", INJECTING_SOFTWARE, SET(16)},
	{"VM-entry MSR-load address: bits", MSR_LISTS, REPLACE(0x20, 8)},
	{"VM-entry MSR-load area", MSR_LISTS, OR(16)},
	{"outside SMM, entry to SMM", FLAT32, OR(ENTRY_TO_SMM)},
	{"outside SMM, entry to SMM", FLAT32, OR(ENTRY_DEACTIVATE_DUAL_MONITOR)},

	/* 27.2.2 */
	{"host CR0: bits", FLAT32, CLEAR(CR0_NE)},
	{"host CR0: bits", FLAT32, OR(BIT(32))},
	{"host CR4: bits", FLAT32, CLEAR(CR4_VMXE)},
	{"host CR4.CET", HOST_WITHOUT_WP, OR(CR4_CET)},
	{"host CR3", FLAT32, OR(BIT(40))},
	{"host SYSENTER", FLAT32, SET(NON_CANONICAL)},
	{"host IA32_PERF_GLOBAL_CTRL", ALL_MSRS, OR(BIT(4))},
	{"host IA32_PAT", FLAT32, SET(0x0007040600070402)},
	{"host IA32_EFER: reserved", FLAT32, OR(BIT(1))},
	{"host IA32_EFER: LMA and LME", FLAT32, CLEAR(EFER_LMA)},
	{"host IA32_EFER: LMA and LME", FLAT32, CLEAR(EFER_LME)},
	{"host IA32_S_CET", ALL_MSRS, OR(BIT(6))},
	{"host IA32_S_CET", ALL_MSRS, OR(BITS(11, 10))},
	{"host SSP: bits 1:0", ALL_MSRS, OR(2)},
	{"host shadow-stack addresses", ALL_MSRS, SET(NON_CANONICAL)},
	{"host IA32_PKRS", ALL_MSRS, OR(BIT(32))},

	/* 27.2.3 */
	{"host selectors: RPL and TI", FLAT32, OR(SELECTOR_TI)},
	{"host selectors: RPL and TI", FLAT32, OR(1)},
	{"host CS and TR selectors", FLAT32, SET(0)},
	{"host SS selector", FLAT32, HOST_32BIT(VMCS_HOST_SS_SELECTOR, ALL_BITS, 0)},
	{"host FS, GS, GDTR", FLAT32, SET(NON_CANONICAL)},

	/* 27.2.4 */
	{"in IA-32e mode, host", FLAT32, CLEAR(EXIT_HOST_64BIT | EXIT_LOAD_EFER)},
	/* Even without PAE. */
	{"in IA-32e mode, host",
	 FLAT32,
	 0,
	 0,
	 2,
	 {{VMCS_EXIT_CONTROLS, EXIT_HOST_64BIT | EXIT_LOAD_EFER, 0}, {VMCS_HOST_CR4, CR4_PAE, 0}},
	 NULL},
	{"32-bit host, IA-32e mode guest", LONG64, HOST_32BIT(VMCS_EXIT_CONTROLS, 0, 0)},
	{"32-bit host, CR4.PCIDE", FLAT32, HOST_32BIT(VMCS_HOST_CR4, 0, CR4_PCIDE)},
	{"32-bit host, bits 63:32 of RIP", FLAT32, HOST_32BIT(VMCS_HOST_RIP, 0, BIT(32))},
	{"64-bit host, CR4.PAE", FLAT32, CLEAR(CR4_PAE)},
	{"64-bit host, RIP", FLAT32, SET(NON_CANONICAL)},

	/* 27.3.1.1 */
	{"guest CR0: bits", FLAT32, CLEAR(CR0_NE)},
	{"guest CR0: bits", RESTRICTED, CLEAR(CR0_PG)},
	{"guest CR0: bits", FLAT32, OR(BIT(32))},
	{"guest CR0.PG", REAL_MODE, OR(CR0_PG)},
	{"guest CR4: bits", FLAT32, CLEAR(CR4_VMXE)},
	{"guest CR4: bits", FLAT32, OR(BIT(15))},
	{"guest CR4.CET", FLAT32, OR(CR4_CET)},
	{"guest IA32_DEBUGCTL", FLAT32, OR(BIT(3))},
	{"in an IA-32e mode guest, CR0.PG", LONG64, CLEAR(CR0_PG)},
	{"in an IA-32e mode guest, CR4.PAE", LONG64, CLEAR(CR4_PAE)},
	{"outside IA-32e mode, CR4.PCIDE", FLAT32, OR(CR4_PCIDE)},
	{"guest CR3", FLAT32, OR(BIT(40))},
	{"guest DR7", FLAT32, OR(BIT(32))},
	{"guest SYSENTER", FLAT32, SET(NON_CANONICAL)},
	{"guest IA32_PERF_GLOBAL_CTRL", ALL_MSRS, OR(BIT(4))},
	{"guest IA32_PAT", FLAT32, SET(0x0307040600070406)},
	{"guest IA32_PAT", FLAT32, SET(0x0008040600070406)},
	{"guest IA32_EFER: reserved", FLAT32, OR(BIT(9))},
	{"guest IA32_EFER.LMA", FLAT32, OR(EFER_LMA)},
	{"guest IA32_EFER.LME", LONG64, CLEAR(EFER_LME)},
	{"guest IA32_BNDCFGS", ALL_MSRS, OR(BIT(2))},
	{"guest IA32_S_CET", ALL_MSRS, OR(BIT(9))},
	{"guest IA32_INTERRUPT_SSP", ALL_MSRS, SET(NON_CANONICAL)},
	{"guest IA32_PKRS", ALL_MSRS, OR(BIT(32))},

	/* 27.3.1.3, 27.3.1.4 */
	{"guest GDTR and IDTR base", FLAT32, SET(NON_CANONICAL)},
	{"guest GDTR and IDTR limit", FLAT32, OR(BIT(16))},
	{"guest RIP: bits 63:32", FLAT32, OR(BIT(32))},
	{"guest RIP: bits beyond", LONG64, SET(BIT(48))},
	{"guest RIP: bits beyond", LONG64, CLEAR(BIT(63))},
	{"guest RFLAGS: bits 63:22", FLAT32, OR(BIT(3))},
	{"guest RFLAGS: bits 63:22", FLAT32, OR(BIT(22))},
	{"guest RFLAGS: bit 1", FLAT32, CLEAR(RFLAGS_FIXED_ONE)},
	{"guest RFLAGS.VM", VIRTUAL_8086, ELSEWHERE(VMCS_GUEST_CR0, CR0_PE, 0)},
	{"guest RFLAGS.IF", INJECTING_INTERRUPT, CLEAR(RFLAGS_IF)},
	{"guest SSP: bits 1:0", ALL_MSRS, OR(1)},
	{"guest SSP: bits 63:32", ALL_MSRS, OR(BIT(32))},
	{"guest SSP: bits beyond", LONG64_CET, SET(BIT(48))},

	/* 27.3.1.2 */
	{"TR selector: TI", FLAT32, OR(SELECTOR_TI)},
	{"LDTR selector: TI", USABLE_LDTR, OR(SELECTOR_TI)},
	{"SS selector: RPL", RESTRICTED, ELSEWHERE(VMCS_GUEST_CS_SELECTOR, 0, 3)},
	{"base is the selector shifted", VIRTUAL_8086, OR(8)},
	{"TR, FS and GS base", FLAT32, SET(NON_CANONICAL)},
	{"LDTR base", USABLE_LDTR, SET(NON_CANONICAL)},
	{"CS base: bits", FLAT32, OR(BIT(32))},
	{"SS, DS and ES base", FLAT32, OR(BIT(32))},
	{"limit is 0000FFFFH", VIRTUAL_8086, SET(0x1ffff)},
	{"access rights are 000000F3H", VIRTUAL_8086, SET(0xfb)},
	{"CS type: accessed code", FLAT32, CLEAR(SEGMENT_TYPE_ACCESSED)},
	{"CS type: accessed code", RESTRICTED, REPLACE(SEGMENT_TYPE, SEGMENT_TYPE_DATA_RW_A)},
	{"SS type: 3 or 7", FLAT32, CLEAR(SEGMENT_TYPE_WRITABLE)},
	{"FS and GS type: accessed", FLAT32, CLEAR(SEGMENT_TYPE_ACCESSED)},
	{"FS and GS type: readable", FLAT32, REPLACE(SEGMENT_TYPE, 9)},
	{"S is 1", FLAT32, CLEAR(SEGMENT_S)},
	{"CS DPL: 0", DATA_IN_CS, OR(SEGMENT_DPL)},
	{"CS DPL: that of SS", FLAT32, OR(SEGMENT_DPL)},
	{"CS DPL: at most", CONFORMING, OR(SEGMENT_DPL)},
	{"SS DPL: RPL", RESTRICTED_CONFORMING, OR(SEGMENT_DPL)},
	{"SS DPL: 0", REAL_MODE_CONFORMING, OR(SEGMENT_DPL)},
	{"SS DPL: 0", DATA_IN_CS, OR(SEGMENT_DPL)},
	{"GS DPL: at least RPL", USER_MODE, CLEAR(SEGMENT_DPL)},
	{"P is 1", USABLE_LDTR, CLEAR(SEGMENT_P)},
	{"access rights: bits 11:8", USABLE_LDTR, OR(BIT(8))},
	{"CS D/B", LONG64, OR(SEGMENT_DB)},
	{"G is 0", LIMITS_IN_BYTES, OR(SEGMENT_G)},
	{"G is 1", LIMITS_IN_PAGES, CLEAR(SEGMENT_G)},
	{"access rights: bits 31:17", USABLE_LDTR, OR(BIT(17))},
	{"TR type", FLAT32, REPLACE(SEGMENT_TYPE, 9)},
	{"TR type", LONG64, REPLACE(SEGMENT_TYPE, SEGMENT_TYPE_TSS16_BUSY)},
	{"TR: usable", FLAT32, OR(SEGMENT_UNUSABLE)},
	{"LDTR type", USABLE_LDTR, REPLACE(SEGMENT_TYPE, 3)},
	{"S is 0", USABLE_LDTR, OR(SEGMENT_S)},

	/* 27.3.1.5 */
	{"activity state: one that", FLAT32, SET(4)},
	{"activity state: not HLT", USER_MODE, SET(ACTIVITY_HLT)},
	{"activity state: active", AFTER_STI, SET(ACTIVITY_HLT)},
	{"activity state: not one that blocks", INJECTING_INTERRUPT, SET(ACTIVITY_SHUTDOWN)},
	{"activity state: not one that blocks", INJECTING_NMI, SET(ACTIVITY_WAIT_FOR_SIPI)},
	{"activity state: not one that blocks", INJECTING_GP, SET(ACTIVITY_HLT)},
	{"interruptibility state: bits 31:5", FLAT32, OR(BIT(5))},
	{"not blocking by both", AFTER_STI, OR(INTERRUPTIBILITY_MOV_SS)},
	{"no blocking by STI while", FLAT32, OR(INTERRUPTIBILITY_STI)},
	{"or MOV SS to inject", INJECTING_INTERRUPT, OR(INTERRUPTIBILITY_STI)},
	{"or MOV SS to inject", INJECTING_INTERRUPT, OR(INTERRUPTIBILITY_MOV_SS)},
	{"no blocking by MOV SS to inject an NMI", INJECTING_NMI, OR(INTERRUPTIBILITY_MOV_SS)},
	{"no blocking by SMI", FLAT32, OR(INTERRUPTIBILITY_SMI)},
	{"with virtual NMIs", INJECTING_VIRTUAL_NMI, OR(INTERRUPTIBILITY_NMI)},
	{"no enclave interruption", NO_SGX_OR_RTM, OR(INTERRUPTIBILITY_ENCLAVE)},
	{"with enclave interruption", ENCLAVE_INTERRUPTED, OR(INTERRUPTIBILITY_MOV_SS)},
	{"pending debug exceptions: bits 10:4", FLAT32, OR(BIT(4))},
	{"pending debug exceptions: BS is 1", STEPPING_OVER_STI, CLEAR(PENDING_DEBUG_BS)},
	{"pending debug exceptions: BS is 0", AFTER_STI, OR(PENDING_DEBUG_BS)},
	{"bit 16 is 0", NO_SGX_OR_RTM, OR(PENDING_DEBUG_RTM | PENDING_DEBUG_ENABLED)},
	{"pending debug exceptions: with RTM", DEBUG_IN_TRANSACTION, OR(1)},
	{"pending debug exceptions: with RTM", DEBUG_IN_TRANSACTION, CLEAR(PENDING_DEBUG_ENABLED)},
	{"VMCS link pointer: all ones, or bits", FLAT32, SET(WORLD_PAGE(0xd) + 0x800)},
	{"VMCS link pointer: all ones, or within", FLAT32, SET(BIT(40))},

	/* 27.3.1.6 */
	{"PDPTE", PAE_PAGING, REPLACE(ALL_BITS, PAGE_P | BIT(1))},
	{"PDPTE", PAE_PAGING, REPLACE(ALL_BITS, PAGE_P | BIT(40))},
};

const unsigned mutation_count = ARRAY_SIZE(mutations);

const struct entry_rule *rule_at(unsigned index)
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

bool text_begins(const char *text, const char *with)
{
	while (*with && *text == *with) text++, with++;
	return !*with;
}

bool has_words(const char *text, const char *words)
{
	for (const char *at = text; *at; at++)
		if ((at == text || at[-1] == ' ') && text_begins(at, words)) return true;
	return false;
}

void world_mutate(struct vmcs_world *w, const struct mutation *m, uint32_t field)
{
	if (!m->changes) world_change(w, field, m->clear, m->set_bits);
	for (unsigned i = 0; i < m->changes; i++)
		world_change(w, m->change[i].field, m->change[i].clear, m->change[i].set_bits);
}
