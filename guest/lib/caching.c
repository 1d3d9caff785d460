// SPDX-License-Identifier: MIT
/*
 * MTRRs, PAT, CR0.CD and PAT-selecting pages; see caching.h. Splits the 2M pages of entry.asm's
 * identity map where one 4K page of it is to be different.
 */
#include "guest/lib/caching.h"
#include "guest/lib/cpu.h"
#include "guest/lib/start.h"

#define MTRR_ENABLE       BIT(11)
#define MTRR_FIXED_ENABLE BIT(10)
#define MTRR_MASK_VALID   BIT(11)
#define MTRRCAP_COUNT     BITS(7, 0)

#define PAGE_2M_ADDRESS BITS(51, 21)

extern uint64_t page_directories[];

static void tlb_flush(void)
{
	write_cr3(read_cr3());
}

void cache_disable(bool disable)
{
	uint64_t cr0 = read_cr0() & ~(CR0_CD | CR0_NW);

	write_cr0(cr0 | (disable ? CR0_CD : 0));
	if (disable)
		wbinvd();
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

	if (cpuid(0x80000000, 0).eax >= 0x80000008)
		width = cpuid(0x80000008, 0).eax & CPUID_80000008_EAX_MAXPHYADDR;
	return BITS(width - 1, 12);
}

void mtrr_set(unsigned n, uint64_t base, uint64_t size, enum memtype type)
{
	uint64_t def_type = change_begin();

	wrmsr(MSR_IA32_MTRR_PHYSMASK0 + 2 * n, 0);
	if (size) {
		wrmsr(MSR_IA32_MTRR_PHYSBASE0 + 2 * n, base | type);
		wrmsr(MSR_IA32_MTRR_PHYSMASK0 + 2 * n,
		      (~(size - 1) & address_mask()) | MTRR_MASK_VALID);
	}
	change_end(def_type);
}

void mtrr_set_default(enum memtype type)
{
	change_begin();
	change_end(MTRR_ENABLE | MTRR_FIXED_ENABLE | type);
}

unsigned mtrr_variable_count(void)
{
	return (unsigned)FIELD(rdmsr(MSR_IA32_MTRRCAP), MTRRCAP_COUNT);
}

void pat_set(unsigned n, enum memtype type)
{
	uint64_t pat = rdmsr(MSR_IA32_PAT);

	pat &= ~(0xffULL << 8 * n);
	pat |= (uint64_t)type << 8 * n;
	wbinvd();
	wrmsr(MSR_IA32_PAT, pat);
	tlb_flush();
}

/* The PTE of a page of the identity map, which until now may be part of a 2M page. */
static uint64_t *page_entry(uint64_t address)
{
	uint64_t *pde = &page_directories[address >> 21];
	uint64_t *table;

	if (*pde & PAGE_PS) {
		uint64_t large = *pde;

		table = page_alloc();
		for (unsigned i = 0; i < 512; i++)
			table[i] = (large & PAGE_2M_ADDRESS) | i * PAGE_SIZE | PAGE_P | PAGE_RW |
				   PAGE_US;
		*pde = (uint64_t)table | PAGE_P | PAGE_RW | PAGE_US;
		tlb_flush();
	}
	table = (uint64_t *)(*pde & PAGE_ADDRESS);
	return &table[address >> 12 & 511];
}

void page_set_pat(uint64_t address, unsigned n)
{
	uint64_t *pte = page_entry(address);

	*pte &= ~(PAGE_PWT | PAGE_PCD | PAGE_4K_PAT);
	*pte |= (n & 1 ? PAGE_PWT : 0) | (n & 2 ? PAGE_PCD : 0) | (n & 4 ? PAGE_4K_PAT : 0);
	invlpg(address);
}

void page_set_present(uint64_t address, bool present)
{
	uint64_t *pte = page_entry(address);

	*pte = (*pte & ~PAGE_P) | (present ? PAGE_P : 0);
	invlpg(address);
}
