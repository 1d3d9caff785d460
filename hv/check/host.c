/* SPDX-License-Identifier: MIT */
/*
 * The VM-entry checker's rules for the host-state area: SDM 3C 27.2.2 to 27.2.4. A broken one
 * makes VMLAUNCH fail with VM-instruction error 8.
 */
#include <stddef.h>

#include "hv/check/rules.h"

WHEN(host_64bit, (e->exit & EXIT_HOST_64BIT) != 0)
WHEN(host_32bit, !(e->exit & EXIT_HOST_64BIT))
WHEN(load_perf, (e->exit & EXIT_LOAD_PERF_GLOBAL_CTRL) != 0)
WHEN(load_pat, (e->exit & EXIT_LOAD_PAT) != 0)
WHEN(load_efer, (e->exit & EXIT_LOAD_EFER) != 0)
WHEN(load_cet, (e->exit & EXIT_LOAD_CET) != 0)
WHEN(load_pkrs, (e->exit & EXIT_LOAD_PKRS) != 0)

HOLDS(cr0_fixed_bits, !(e->caps->cr0_fixed0 & ~value) && !(value & ~e->caps->cr0_fixed1))
HOLDS(cr4_fixed_bits, !(e->caps->cr4_fixed0 & ~value) && !(value & ~e->caps->cr4_fixed1))
HOLDS(cet_needs_wp, !(value & CR4_CET) || (entry_read(e, VMCS_HOST_CR0) & CR0_WP))
HOLDS(lma_lme_as_host, (value & (EFER_LMA | EFER_LME)) == (host_64bit(e, field) ? EFER_LMA | EFER_LME : 0))
HOLDS(is_aligned_4, IS_ALIGNED(value, 4))
HOLDS(ti_rpl_zero, !(value & (SELECTOR_TI | SELECTOR_RPL)))
HOLDS(with_host_64bit, (value & EXIT_HOST_64BIT) != 0)
HOLDS(without_ia32e_guest, !(value & ENTRY_IA32E_GUEST))
HOLDS(without_pcide, !(value & CR4_PCIDE))
HOLDS(with_pae, (value & CR4_PAE) != 0)

/* A row a line: a rule is read as a whole. */
/* clang-format off */
static const struct entry_rule rules[] = {
	{"27.2.2", "host CR0: bits as IA32_VMX_CR0_FIXED0 and FIXED1 say", ALWAYS, cr0_fixed_bits, FIELDS(VMCS_HOST_CR0)},
	{"27.2.2", "host CR4: bits as IA32_VMX_CR4_FIXED0 and FIXED1 say", ALWAYS, cr4_fixed_bits, FIELDS(VMCS_HOST_CR4)},
	{"27.2.2", "host CR4.CET is 0 where CR0.WP is 0", ALWAYS, cet_needs_wp, FIELDS(VMCS_HOST_CR4)},
	{"27.2.2", "host CR3: within the physical-address width", ALWAYS, is_cr3, FIELDS(VMCS_HOST_CR3)},
	{"27.2.2", "host SYSENTER MSRs: canonical", ALWAYS, is_canonical, FIELDS(VMCS_HOST_IA32_SYSENTER_ESP, VMCS_HOST_IA32_SYSENTER_EIP)},
	{"27.2.2", "host IA32_PERF_GLOBAL_CTRL: reserved bits are 0", load_perf, is_perf_global_ctrl,
	 FIELDS(VMCS_HOST_IA32_PERF_GLOBAL_CTRL)},
	{"27.2.2", "host IA32_PAT: each byte is a memory type", load_pat, is_pat, FIELDS(VMCS_HOST_IA32_PAT)},
	{"27.2.2", "host IA32_EFER: reserved bits are 0", load_efer, is_efer, FIELDS(VMCS_HOST_IA32_EFER)},
	{"27.2.2", "host IA32_EFER: LMA and LME equal host address-space size", load_efer, lma_lme_as_host, FIELDS(VMCS_HOST_IA32_EFER)},
	{"27.2.2", "host IA32_S_CET: reserved bits are 0, canonical", load_cet, is_s_cet, FIELDS(VMCS_HOST_IA32_S_CET)},
	{"27.2.2", "host SSP: bits 1:0 are 0", load_cet, is_aligned_4, FIELDS(VMCS_HOST_SSP)},
	{"27.2.2", "host shadow-stack addresses: canonical", load_cet, is_canonical, FIELDS(VMCS_HOST_SSP,
	 VMCS_HOST_IA32_INTERRUPT_SSP_TABLE_ADDR)},
	{"27.2.2", "host IA32_PKRS: bits 63:32 are 0", load_pkrs, is_below_4g, FIELDS(VMCS_HOST_IA32_PKRS)},

	{"27.2.3", "host selectors: RPL and TI are 0", ALWAYS, ti_rpl_zero, FIELDS(VMCS_HOST_ES_SELECTOR, VMCS_HOST_CS_SELECTOR,
	 VMCS_HOST_SS_SELECTOR, VMCS_HOST_DS_SELECTOR, VMCS_HOST_FS_SELECTOR, VMCS_HOST_GS_SELECTOR, VMCS_HOST_TR_SELECTOR)},
	{"27.2.3", "host CS and TR selectors: not 0000H", ALWAYS, is_not_zero, FIELDS(VMCS_HOST_CS_SELECTOR, VMCS_HOST_TR_SELECTOR)},
	{"27.2.3", "host SS selector: not 0000H for a 32-bit host", host_32bit, is_not_zero, FIELDS(VMCS_HOST_SS_SELECTOR)},
	{"27.2.3", "host FS, GS, GDTR, IDTR and TR base: canonical", ALWAYS, is_canonical, FIELDS(VMCS_HOST_FS_BASE, VMCS_HOST_GS_BASE,
	 VMCS_HOST_GDTR_BASE, VMCS_HOST_IDTR_BASE, VMCS_HOST_TR_BASE)},

	{"27.2.4", "in IA-32e mode, host address-space size is 1", ALWAYS, with_host_64bit, FIELDS(VMCS_EXIT_CONTROLS)},
	{"27.2.4", "for a 32-bit host, IA-32e mode guest is 0", host_32bit, without_ia32e_guest, FIELDS(VMCS_ENTRY_CONTROLS)},
	{"27.2.4", "for a 32-bit host, CR4.PCIDE is 0", host_32bit, without_pcide, FIELDS(VMCS_HOST_CR4)},
	{"27.2.4", "for a 32-bit host, bits 63:32 of RIP are 0", host_32bit, is_below_4g, FIELDS(VMCS_HOST_RIP)},
	{"27.2.4", "for a 64-bit host, CR4.PAE is 1", host_64bit, with_pae, FIELDS(VMCS_HOST_CR4)},
	{"27.2.4", "for a 64-bit host, RIP is canonical", host_64bit, is_canonical, FIELDS(VMCS_HOST_RIP)},
};
/* clang-format on */

const struct entry_rules entry_rules_host = {rules, ARRAY_SIZE(rules)};
