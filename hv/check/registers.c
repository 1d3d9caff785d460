/* SPDX-License-Identifier: MIT */
/*
 * The VM-entry checker's rules for the guest's registers but the segment registers: SDM 3C
 * 27.3.1.1, 27.3.1.3 and 27.3.1.4. A broken one ends the entry with exit reason 33 and
 * exit qualification 0.
 */
#include <stddef.h>

#include "hv/check/rules.h"

WHEN(load_debug, (e->entry & ENTRY_LOAD_DEBUG_CONTROLS) != 0)
WHEN(load_perf, (e->entry & ENTRY_LOAD_PERF_GLOBAL_CTRL) != 0)
WHEN(load_pat, (e->entry & ENTRY_LOAD_PAT) != 0)
WHEN(load_efer, (e->entry & ENTRY_LOAD_EFER) != 0)
WHEN(load_efer_paging, load_efer(e, field) && (entry_read(e, VMCS_GUEST_CR0) & CR0_PG))
WHEN(load_bndcfgs, (e->entry & ENTRY_LOAD_BNDCFGS) != 0)
WHEN(load_cet, (e->entry & ENTRY_LOAD_CET) != 0)
WHEN(load_pkrs, (e->entry & ENTRY_LOAD_PKRS) != 0)
WHEN(ia32e_guest, (e->entry & ENTRY_IA32E_GUEST) != 0)
WHEN(no_ia32e_guest, !(e->entry & ENTRY_IA32E_GUEST))
WHEN(code64, ia32e_guest(e, field) && (entry_read(e, VMCS_GUEST_CS_ACCESS_RIGHTS) & SEGMENT_L))
WHEN(no_code64, !code64(e, field))
WHEN(load_cet_code64, load_cet(e, field) && code64(e, field))
WHEN(load_cet_no_code64, load_cet(e, field) && !code64(e, field))
WHEN(no_virtual_8086, ia32e_guest(e, field) || !(entry_read(e, VMCS_GUEST_CR0) & CR0_PE))
WHEN(injecting_interrupt, injects(e, INTERRUPTION_TYPE_EXTERNAL))

/* VM entry loads neither CD nor NW; an unrestricted guest need have neither PE nor PG. */
static bool guest_cr0(const struct entry *e, uint64_t value, uint32_t field)
{
	uint64_t unchecked = CR0_CD | CR0_NW;

	(void)field;
	if (e->secondary & SECONDARY_UNRESTRICTED_GUEST) unchecked |= CR0_PE | CR0_PG;
	return !(e->caps->cr0_fixed0 & ~value & ~unchecked) && !(value & ~e->caps->cr0_fixed1 & ~unchecked);
}

HOLDS(pg_needs_pe, !(value & CR0_PG) || (value & CR0_PE))
HOLDS(guest_cr4, !(e->caps->cr4_fixed0 & ~value) && !(value & ~e->caps->cr4_fixed1))
HOLDS(cet_needs_wp, !(value & CR4_CET) || (entry_read(e, VMCS_GUEST_CR0) & CR0_WP))
HOLDS(debugctl_reserved, !(value & ~(BITS(2, 0) | BITS(15, 6))))
HOLDS(with_paging, (value & CR0_PG) != 0)
HOLDS(with_pae, (value & CR4_PAE) != 0)
HOLDS(without_pcide, !(value & CR4_PCIDE))
HOLDS(lma_as_control, !!(value & EFER_LMA) == ia32e_guest(e, field))
HOLDS(lme_as_lma, !!(value & EFER_LME) == !!(value & EFER_LMA))
HOLDS(bndcfgs, !(value & BITS(11, 2)) && is_canonical(e, value, field))
HOLDS(limit_16_bits, !(value & BITS(31, 16)))
HOLDS(is_aligned_4, IS_ALIGNED(value, 4))
HOLDS(rflags_reserved, !(value & (BITS(63, 22) | BIT(15) | BIT(5) | BIT(3))))
HOLDS(rflags_fixed_one, (value & RFLAGS_FIXED_ONE) != 0)
HOLDS(without_vm, !(value & RFLAGS_VM))
HOLDS(with_if, (value & RFLAGS_IF) != 0)

/*
 * Bits 63:N identical, N being the width of linear addresses. Weaker than canonical, which wants
 * bit N-1 to be the same too: a CPU may have run to the end of the lower half.
 */
static bool is_linear(const struct entry *e, uint64_t value, uint32_t field)
{
	unsigned width = e->caps->linear_width;

	(void)field;
	return value >> width == 0 || value >> width == ~0ULL >> width;
}

/* A row a line: a rule is read as a whole. */
/* clang-format off */
static const struct entry_rule rules[] = {
	{"27.3.1.1", "guest CR0: bits as IA32_VMX_CR0_FIXED0 and FIXED1 say", ALWAYS, guest_cr0, FIELDS(VMCS_GUEST_CR0)},
	{"27.3.1.1", "guest CR0.PG is 0 where CR0.PE is 0", ALWAYS, pg_needs_pe, FIELDS(VMCS_GUEST_CR0)},
	{"27.3.1.1", "guest CR4: bits as IA32_VMX_CR4_FIXED0 and FIXED1 say", ALWAYS, guest_cr4, FIELDS(VMCS_GUEST_CR4)},
	{"27.3.1.1", "guest CR4.CET is 0 where CR0.WP is 0", ALWAYS, cet_needs_wp, FIELDS(VMCS_GUEST_CR4)},
	{"27.3.1.1", "guest IA32_DEBUGCTL: reserved bits are 0", load_debug, debugctl_reserved, FIELDS(VMCS_GUEST_IA32_DEBUGCTL)},
	{"27.3.1.1", "in an IA-32e mode guest, CR0.PG is 1", ia32e_guest, with_paging, FIELDS(VMCS_GUEST_CR0)},
	{"27.3.1.1", "in an IA-32e mode guest, CR4.PAE is 1", ia32e_guest, with_pae, FIELDS(VMCS_GUEST_CR4)},
	{"27.3.1.1", "outside IA-32e mode, CR4.PCIDE is 0", no_ia32e_guest, without_pcide, FIELDS(VMCS_GUEST_CR4)},
	{"27.3.1.1", "guest CR3: within the physical-address width", ALWAYS, is_cr3, FIELDS(VMCS_GUEST_CR3)},
	{"27.3.1.1", "guest DR7: bits 63:32 are 0", load_debug, is_below_4g, FIELDS(VMCS_GUEST_DR7)},
	{"27.3.1.1", "guest SYSENTER MSRs: canonical", ALWAYS, is_canonical, FIELDS(VMCS_GUEST_IA32_SYSENTER_ESP,
	 VMCS_GUEST_IA32_SYSENTER_EIP)},
	{"27.3.1.1", "guest IA32_PERF_GLOBAL_CTRL: reserved bits are 0", load_perf, is_perf_global_ctrl,
	 FIELDS(VMCS_GUEST_IA32_PERF_GLOBAL_CTRL)},
	{"27.3.1.1", "guest IA32_PAT: each byte is a memory type", load_pat, is_pat, FIELDS(VMCS_GUEST_IA32_PAT)},
	{"27.3.1.1", "guest IA32_EFER: reserved bits are 0", load_efer, is_efer, FIELDS(VMCS_GUEST_IA32_EFER)},
	{"27.3.1.1", "guest IA32_EFER.LMA equals IA-32e mode guest", load_efer, lma_as_control, FIELDS(VMCS_GUEST_IA32_EFER)},
	{"27.3.1.1", "guest IA32_EFER.LME equals LMA while CR0.PG is 1", load_efer_paging, lme_as_lma, FIELDS(VMCS_GUEST_IA32_EFER)},
	{"27.3.1.1", "guest IA32_BNDCFGS: bits 11:2 are 0, canonical", load_bndcfgs, bndcfgs, FIELDS(VMCS_GUEST_IA32_BNDCFGS)},
	{"27.3.1.1", "guest IA32_S_CET: reserved bits are 0, canonical", load_cet, is_s_cet, FIELDS(VMCS_GUEST_IA32_S_CET)},
	{"27.3.1.1", "guest IA32_INTERRUPT_SSP_TABLE_ADDR: canonical", load_cet, is_canonical,
	 FIELDS(VMCS_GUEST_IA32_INTERRUPT_SSP_TABLE_ADDR)},
	{"27.3.1.1", "guest IA32_PKRS: bits 63:32 are 0", load_pkrs, is_below_4g, FIELDS(VMCS_GUEST_IA32_PKRS)},

	{"27.3.1.3", "guest GDTR and IDTR base: canonical", ALWAYS, is_canonical, FIELDS(VMCS_GUEST_GDTR_BASE, VMCS_GUEST_IDTR_BASE)},
	{"27.3.1.3", "guest GDTR and IDTR limit: bits 31:16 are 0", ALWAYS, limit_16_bits, FIELDS(VMCS_GUEST_GDTR_LIMIT,
	 VMCS_GUEST_IDTR_LIMIT)},

	{"27.3.1.4", "guest RIP: bits 63:32 are 0 outside 64-bit mode", no_code64, is_below_4g, FIELDS(VMCS_GUEST_RIP)},
	{"27.3.1.4", "guest RIP: bits beyond the linear-address width are identical", code64, is_linear, FIELDS(VMCS_GUEST_RIP)},
	{"27.3.1.4", "guest RFLAGS: bits 63:22, 15, 5 and 3 are 0", ALWAYS, rflags_reserved, FIELDS(VMCS_GUEST_RFLAGS)},
	{"27.3.1.4", "guest RFLAGS: bit 1 is 1", ALWAYS, rflags_fixed_one, FIELDS(VMCS_GUEST_RFLAGS)},
	{"27.3.1.4", "guest RFLAGS.VM is 0 in IA-32e mode and where CR0.PE is 0", no_virtual_8086, without_vm, FIELDS(VMCS_GUEST_RFLAGS)},
	{"27.3.1.4", "guest RFLAGS.IF is 1 to inject an external interrupt", injecting_interrupt, with_if, FIELDS(VMCS_GUEST_RFLAGS)},
	{"27.3.1.4", "guest SSP: bits 1:0 are 0", load_cet, is_aligned_4, FIELDS(VMCS_GUEST_SSP)},
	{"27.3.1.4", "guest SSP: bits 63:32 are 0 outside 64-bit mode", load_cet_no_code64, is_below_4g, FIELDS(VMCS_GUEST_SSP)},
	{"27.3.1.4", "guest SSP: bits beyond the linear-address width are identical", load_cet_code64, is_linear, FIELDS(VMCS_GUEST_SSP)},
};
/* clang-format on */

const struct entry_rules entry_rules_registers = {rules, ARRAY_SIZE(rules)};
