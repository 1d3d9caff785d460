/* SPDX-License-Identifier: MIT */
/*
 * The VM-entry checker's rules for the guest's registers but the segment registers: SDM 3C
 * 27.3.1.1, 27.3.1.3 and 27.3.1.4. A broken one ends the entry with exit reason 33 and
 * exit qualification 0.
 */
#include "hv/check/rules.h"

WHEN(load_efer_paging, (e->entry & ENTRY_LOAD_EFER) && (entry_read(e, VMCS_GUEST_CR0) & CR0_PG))
WHEN(code64, (e->entry & ENTRY_IA32E_GUEST) && (entry_read(e, VMCS_GUEST_CS_ACCESS_RIGHTS) & SEGMENT_L))
WHEN(no_code64, !code64(e, field))
WHEN(load_cet_code64, (e->entry & ENTRY_LOAD_CET) && code64(e, field))
WHEN(load_cet_no_code64, (e->entry & ENTRY_LOAD_CET) && !code64(e, field))
WHEN(no_virtual_8086, (e->entry & ENTRY_IA32E_GUEST) || !(entry_read(e, VMCS_GUEST_CR0) & CR0_PE))
WHEN(injecting_interrupt, injects(e, INTERRUPTION_TYPE_EXTERNAL))

/* VM entry loads neither CD nor NW; an unrestricted guest need have neither PE nor PG. */
static REQUIREMENT(guest_cr0)
{
	uint64_t unchecked = CR0_CD | CR0_NW;

	if (e->secondary & SECONDARY_UNRESTRICTED_GUEST) unchecked |= CR0_PE | CR0_PG;
	return !(e->caps->cr0_fixed0 & ~value & ~unchecked) && !(value & ~e->caps->cr0_fixed1 & ~unchecked);
}

HOLDS(pg_needs_pe, !(value & CR0_PG) || (value & CR0_PE))
HOLDS(guest_cr4, !(e->caps->cr4_fixed0 & ~value) && !(value & ~e->caps->cr4_fixed1))
HOLDS(cet_needs_wp, !(value & CR4_CET) || (entry_read(e, VMCS_GUEST_CR0) & CR0_WP))
HOLDS(debugctl_reserved, !(value & ~(BITS(2, 0) | BITS(15, 6))))
HOLDS(lma_as_control, !!(value & EFER_LMA) == !!(e->entry & ENTRY_IA32E_GUEST))
HOLDS(lme_as_lma, !!(value & EFER_LME) == !!(value & EFER_LMA))
HOLDS(bndcfgs, !(value & BITS(11, 2)) && is_canonical(e, value, field))

/*
 * Bits 63:N identical, N being the width of linear addresses. Weaker than canonical, which wants
 * bit N-1 to be the same too: a CPU may have run to the end of the lower half.
 */
static REQUIREMENT(is_linear)
{
	unsigned width = e->caps->linear_width;

	return value >> width == 0 || value >> width == ~0ULL >> width;
}

/* A row a line: a rule is read as a whole. */
/* clang-format off */
static const struct entry_rule rules[] = {
	SECTION("27.3.1.1"),
	{"guest CR0: bits as IA32_VMX_CR0_FIXED0 and FIXED1 say", ALWAYS, BY(guest_cr0), FIELDS(VMCS_GUEST_CR0)},
	{"guest CR0.PG is 0 where CR0.PE is 0", ALWAYS, BY(pg_needs_pe), FIELDS(VMCS_GUEST_CR0)},
	{"guest CR4: bits as IA32_VMX_CR4_FIXED0 and FIXED1 say", ALWAYS, BY(guest_cr4), FIELDS(VMCS_GUEST_CR4)},
	{"guest CR4.CET is 0 where CR0.WP is 0", ALWAYS, BY(cet_needs_wp), FIELDS(VMCS_GUEST_CR4)},
	{"guest IA32_DEBUGCTL: reserved bits are 0", WITH(entry, ENTRY_LOAD_DEBUG_CONTROLS), BY(debugctl_reserved),
	 FIELDS(VMCS_GUEST_IA32_DEBUGCTL)},
	{"in an IA-32e mode guest, CR0.PG is 1", WITH(entry, ENTRY_IA32E_GUEST), ONES(CR0_PG), FIELDS(VMCS_GUEST_CR0)},
	{"in an IA-32e mode guest, CR4.PAE is 1", WITH(entry, ENTRY_IA32E_GUEST), ONES(CR4_PAE), FIELDS(VMCS_GUEST_CR4)},
	{"outside IA-32e mode, CR4.PCIDE is 0", WITHOUT(entry, ENTRY_IA32E_GUEST), ZEROES(CR4_PCIDE), FIELDS(VMCS_GUEST_CR4)},
	{"guest CR3: within the physical-address width", ALWAYS, BY(is_cr3), FIELDS(VMCS_GUEST_CR3)},
	{"guest DR7: bits 63:32 are 0", WITH(entry, ENTRY_LOAD_DEBUG_CONTROLS), ZEROES(BITS(63, 32)), FIELDS(VMCS_GUEST_DR7)},
	{"guest SYSENTER MSRs: canonical", ALWAYS, BY(is_canonical), FIELDS(VMCS_GUEST_IA32_SYSENTER_ESP, VMCS_GUEST_IA32_SYSENTER_EIP)},
	{"guest IA32_PERF_GLOBAL_CTRL: reserved bits are 0", WITH(entry, ENTRY_LOAD_PERF_GLOBAL_CTRL), BY(is_perf_global_ctrl),
	 FIELDS(VMCS_GUEST_IA32_PERF_GLOBAL_CTRL)},
	{"guest IA32_PAT: each byte is a memory type", WITH(entry, ENTRY_LOAD_PAT), BY(is_pat), FIELDS(VMCS_GUEST_IA32_PAT)},
	{"guest IA32_EFER: reserved bits are 0", WITH(entry, ENTRY_LOAD_EFER), ZEROES(~EFER_ALL), FIELDS(VMCS_GUEST_IA32_EFER)},
	{"guest IA32_EFER.LMA equals IA-32e mode guest", WITH(entry, ENTRY_LOAD_EFER), BY(lma_as_control), FIELDS(VMCS_GUEST_IA32_EFER)},
	{"guest IA32_EFER.LME equals LMA while CR0.PG is 1", IF(load_efer_paging), BY(lme_as_lma), FIELDS(VMCS_GUEST_IA32_EFER)},
	{"guest IA32_BNDCFGS: bits 11:2 are 0, canonical", WITH(entry, ENTRY_LOAD_BNDCFGS), BY(bndcfgs), FIELDS(VMCS_GUEST_IA32_BNDCFGS)},
	{"guest IA32_S_CET: reserved bits are 0, canonical", WITH(entry, ENTRY_LOAD_CET), BY(is_s_cet), FIELDS(VMCS_GUEST_IA32_S_CET)},
	{"guest IA32_INTERRUPT_SSP_TABLE_ADDR: canonical", WITH(entry, ENTRY_LOAD_CET), BY(is_canonical),
	 FIELDS(VMCS_GUEST_IA32_INTERRUPT_SSP_TABLE_ADDR)},
	{"guest IA32_PKRS: bits 63:32 are 0", WITH(entry, ENTRY_LOAD_PKRS), ZEROES(BITS(63, 32)), FIELDS(VMCS_GUEST_IA32_PKRS)},

	SECTION("27.3.1.3"),
	{"guest GDTR and IDTR base: canonical", ALWAYS, BY(is_canonical), FIELDS(VMCS_GUEST_GDTR_BASE, VMCS_GUEST_IDTR_BASE)},
	{"guest GDTR and IDTR limit: bits 31:16 are 0", ALWAYS, ZEROES(BITS(31, 16)), FIELDS(VMCS_GUEST_GDTR_LIMIT, VMCS_GUEST_IDTR_LIMIT)},

	SECTION("27.3.1.4"),
	{"guest RIP: bits 63:32 are 0 outside 64-bit mode", IF(no_code64), ZEROES(BITS(63, 32)), FIELDS(VMCS_GUEST_RIP)},
	{"guest RIP: bits beyond the linear-address width are identical", IF(code64), BY(is_linear), FIELDS(VMCS_GUEST_RIP)},
	{"guest RFLAGS: bits 63:22, 15, 5 and 3 are 0", ALWAYS, ZEROES(BITS(63, 22) | BIT(15) | BIT(5) | BIT(3)), FIELDS(VMCS_GUEST_RFLAGS)},
	{"guest RFLAGS: bit 1 is 1", ALWAYS, ONES(RFLAGS_FIXED_ONE), FIELDS(VMCS_GUEST_RFLAGS)},
	{"guest RFLAGS.VM is 0 in IA-32e mode and where CR0.PE is 0", IF(no_virtual_8086), ZEROES(RFLAGS_VM), FIELDS(VMCS_GUEST_RFLAGS)},
	{"guest RFLAGS.IF is 1 to inject an external interrupt", IF(injecting_interrupt), ONES(RFLAGS_IF), FIELDS(VMCS_GUEST_RFLAGS)},
	{"guest SSP: bits 1:0 are 0", WITH(entry, ENTRY_LOAD_CET), ZEROES(BITS(1, 0)), FIELDS(VMCS_GUEST_SSP)},
	{"guest SSP: bits 63:32 are 0 outside 64-bit mode", IF(load_cet_no_code64), ZEROES(BITS(63, 32)), FIELDS(VMCS_GUEST_SSP)},
	{"guest SSP: bits beyond the linear-address width are identical", IF(load_cet_code64), BY(is_linear), FIELDS(VMCS_GUEST_SSP)},
};
/* clang-format on */

const struct entry_rules entry_rules_registers = {rules, ARRAY_SIZE(rules)};
