/* SPDX-License-Identifier: MIT */
/*
 * The VM-entry checker's rules for the host-state area: SDM 3C 27.2.2 to 27.2.4. A broken one
 * makes VMLAUNCH fail with VM-instruction error 8.
 */
#include "hv/check/rules.h"

HOLDS(cr0_fixed_bits, !(e->caps->cr0_fixed0 & ~value) && !(value & ~e->caps->cr0_fixed1))
HOLDS(cr4_fixed_bits, !(e->caps->cr4_fixed0 & ~value) && !(value & ~e->caps->cr4_fixed1))
HOLDS(cet_needs_wp, !(value & CR4_CET) || (entry_read(e, VMCS_HOST_CR0) & CR0_WP))
HOLDS(lma_lme_as_host, (value & (EFER_LMA | EFER_LME)) == (e->exit & EXIT_HOST_64BIT ? EFER_LMA | EFER_LME : 0))

/* A row a line: a rule is read as a whole. */
/* clang-format off */
static const struct entry_rule rules[] = {
	SECTION("27.2.2"),
	{"host CR0: bits as IA32_VMX_CR0_FIXED0 and FIXED1 say", ALWAYS, BY(cr0_fixed_bits), FIELDS(VMCS_HOST_CR0)},
	{"host CR4: bits as IA32_VMX_CR4_FIXED0 and FIXED1 say", ALWAYS, BY(cr4_fixed_bits), FIELDS(VMCS_HOST_CR4)},
	{"host CR4.CET is 0 where CR0.WP is 0", ALWAYS, BY(cet_needs_wp), FIELDS(VMCS_HOST_CR4)},
	{"host CR3: within the physical-address width", ALWAYS, BY(is_cr3), FIELDS(VMCS_HOST_CR3)},
	{"host SYSENTER MSRs: canonical", ALWAYS, BY(is_canonical), FIELDS(VMCS_HOST_IA32_SYSENTER_ESP, VMCS_HOST_IA32_SYSENTER_EIP)},
	{"host IA32_PERF_GLOBAL_CTRL: reserved bits are 0", WITH(exit, EXIT_LOAD_PERF_GLOBAL_CTRL), BY(is_perf_global_ctrl),
	 FIELDS(VMCS_HOST_IA32_PERF_GLOBAL_CTRL)},
	{"host IA32_PAT: each byte is a memory type", WITH(exit, EXIT_LOAD_PAT), BY(is_pat), FIELDS(VMCS_HOST_IA32_PAT)},
	{"host IA32_EFER: reserved bits are 0", WITH(exit, EXIT_LOAD_EFER), ZEROES(~EFER_ALL), FIELDS(VMCS_HOST_IA32_EFER)},
	{"host IA32_EFER: LMA and LME equal host address-space size", WITH(exit, EXIT_LOAD_EFER), BY(lma_lme_as_host),
	 FIELDS(VMCS_HOST_IA32_EFER)},
	{"host IA32_S_CET: reserved bits are 0, canonical", WITH(exit, EXIT_LOAD_CET), BY(is_s_cet), FIELDS(VMCS_HOST_IA32_S_CET)},
	{"host SSP: bits 1:0 are 0", WITH(exit, EXIT_LOAD_CET), ZEROES(BITS(1, 0)), FIELDS(VMCS_HOST_SSP)},
	{"host shadow-stack addresses: canonical", WITH(exit, EXIT_LOAD_CET), BY(is_canonical),
	 FIELDS(VMCS_HOST_SSP, VMCS_HOST_IA32_INTERRUPT_SSP_TABLE_ADDR)},
	{"host IA32_PKRS: bits 63:32 are 0", WITH(exit, EXIT_LOAD_PKRS), ZEROES(BITS(63, 32)), FIELDS(VMCS_HOST_IA32_PKRS)},

	SECTION("27.2.3"),
	{"host selectors: RPL and TI are 0", ALWAYS, ZEROES(SELECTOR_TI | SELECTOR_RPL),
	 FIELDS(VMCS_HOST_ES_SELECTOR, VMCS_HOST_CS_SELECTOR, VMCS_HOST_SS_SELECTOR, VMCS_HOST_DS_SELECTOR, VMCS_HOST_FS_SELECTOR, VMCS_HOST_GS_SELECTOR, VMCS_HOST_TR_SELECTOR)},
	{"host CS and TR selectors: not 0000H", ALWAYS, BY(is_not_zero), FIELDS(VMCS_HOST_CS_SELECTOR, VMCS_HOST_TR_SELECTOR)},
	{"host SS selector: not 0000H for a 32-bit host", WITHOUT(exit, EXIT_HOST_64BIT), BY(is_not_zero), FIELDS(VMCS_HOST_SS_SELECTOR)},
	{"host FS, GS, GDTR, IDTR and TR base: canonical", ALWAYS, BY(is_canonical),
	 FIELDS(VMCS_HOST_FS_BASE, VMCS_HOST_GS_BASE, VMCS_HOST_GDTR_BASE, VMCS_HOST_IDTR_BASE, VMCS_HOST_TR_BASE)},

	SECTION("27.2.4"),
	{"in IA-32e mode, host address-space size is 1", ALWAYS, ONES(EXIT_HOST_64BIT), FIELDS(VMCS_EXIT_CONTROLS)},
	{"for a 32-bit host, IA-32e mode guest is 0", WITHOUT(exit, EXIT_HOST_64BIT), ZEROES(ENTRY_IA32E_GUEST), FIELDS(VMCS_ENTRY_CONTROLS)},
	{"for a 32-bit host, CR4.PCIDE is 0", WITHOUT(exit, EXIT_HOST_64BIT), ZEROES(CR4_PCIDE), FIELDS(VMCS_HOST_CR4)},
	{"for a 32-bit host, bits 63:32 of RIP are 0", WITHOUT(exit, EXIT_HOST_64BIT), ZEROES(BITS(63, 32)), FIELDS(VMCS_HOST_RIP)},
	{"for a 64-bit host, CR4.PAE is 1", WITH(exit, EXIT_HOST_64BIT), ONES(CR4_PAE), FIELDS(VMCS_HOST_CR4)},
	{"for a 64-bit host, RIP is canonical", WITH(exit, EXIT_HOST_64BIT), BY(is_canonical), FIELDS(VMCS_HOST_RIP)},
};
/* clang-format on */

const struct entry_rules entry_rules_host = {rules, ARRAY_SIZE(rules)};
