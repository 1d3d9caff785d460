// SPDX-License-Identifier: MIT
/*
 * MTRRs, PAT and CR0.CD; see caching.h.
 */
#include "guest/lib/caching.h"
#include "guest/lib/cpu.h"
#include "guest/lib/paging.h"

#define MTRR_ENABLE       BIT(11)
#define MTRR_FIXED_ENABLE BIT(10)
#define MTRR_MASK_VALID   BIT(11)
#define MTRRCAP_COUNT     BITS(7, 0)

void cache_disable(bool disable)
{
	uint64_t cr0 = read_cr0() & ~(CR0_CD | CR0_NW);

	write_cr0(cr0 | (disable ? CR0_CD : 0));
	if (disable) wbinvd();
}

/* Steps 4-8 of SDM 3A 12.11.8: no caching, nothing cached, MTRRs off. */
static uint64_t change_begin(void)
{
	uint64_t def_type = rdmsr(MSR_IA32_MTRR_DEF_TYPE);

	cache_disable(true);
	tlb_flush();
	wrmsr(MSR_IA32_MTRR_DEF_TYPE, def_type & ~MTRR_ENABLE);
	return def_type;
}

/* Steps 10-13: MTRRs on again, nothing cached under an old type, caching on. */
static void change_end(uint64_t def_type)
{
	wrmsr(MSR_IA32_MTRR_DEF_TYPE, def_type);
	wbinvd();
	tlb_flush();
	cache_disable(false);
}

static uint64_t address_mask(void)
{
	unsigned width = 36;

	if (cpuid(0x80000000, 0).eax >= 0x80000008) width = cpuid(0x80000008, 0).eax & CPUID_80000008_EAX_MAXPHYADDR;
	return BITS(width - 1, 12);
}

void mtrr_set(unsigned n, uint64_t base, uint64_t size, enum memtype type)
{
	uint64_t def_type = change_begin();

	wrmsr(MSR_IA32_MTRR_PHYSMASK0 + 2 * n, 0);
	if (size) {
		wrmsr(MSR_IA32_MTRR_PHYSBASE0 + 2 * n, base | type);
		wrmsr(MSR_IA32_MTRR_PHYSMASK0 + 2 * n, (~(size - 1) & address_mask()) | MTRR_MASK_VALID);
	}
	change_end(def_type);
}

void mtrr_set_default(enum memtype type)
{
	change_begin();
	change_end(MTRR_ENABLE | MTRR_FIXED_ENABLE | type);
}

unsigned mtrr_variable_count(void) { return (unsigned)FIELD(rdmsr(MSR_IA32_MTRRCAP), MTRRCAP_COUNT); }

void pat_set(unsigned n, enum memtype type)
{
	uint64_t pat = rdmsr(MSR_IA32_PAT);

	pat &= ~(0xffUL << 8 * n);
	pat |= (uint64_t)type << 8 * n;
	wbinvd();
	wrmsr(MSR_IA32_PAT, pat);
	tlb_flush();
}
