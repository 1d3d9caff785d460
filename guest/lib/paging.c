// SPDX-License-Identifier: MIT
/*
 * Changing single pages of the guest's own page tables (SDM 3A 4.5); see paging.h.
 */
#include "guest/lib/paging.h"
#include "guest/lib/cpu.h"
#include "guest/lib/start.h"

#define PAGE_ANY (PAGE_P | PAGE_RW | PAGE_US)

extern uint64_t pml4[];

void tlb_flush(void) { write_cr3(read_cr3()); }

/* The table an entry of 'level' leads to: made, or split off a 2M page, where there is none. */
static uint64_t *next_table(uint64_t *entry, unsigned level)
{
	uint64_t old = *entry, *table;

	if ((old & PAGE_P) && !(old & PAGE_PS)) return (uint64_t *)(old & PAGE_ADDRESS);
	table = page_alloc();
	for (unsigned i = 0; level == 2 && (old & PAGE_P) && i < 512; i++)
		table[i] = (old & PAGE_ADDRESS & ~PAGE_LARGE_PAT) | i * PAGE_SIZE | PAGE_ANY;
	*entry = (uint64_t)table | PAGE_ANY;
	tlb_flush();
	return table;
}

/* The PTE of a page, whatever it holds. */
static uint64_t *page_entry(uint64_t virtual)
{
	uint64_t *table = pml4;

	for (unsigned level = 4; level > 1; level--)
		table = next_table(&table[page_level_index(virtual, level)], level);
	return &table[page_level_index(virtual, 1)];
}

void page_map(uint64_t virtual, uint64_t physical)
{
	*page_entry(virtual) = (physical & PAGE_ADDRESS) | PAGE_ANY;
	invlpg(virtual);
}

void page_set_pat(uint64_t virtual, unsigned n)
{
	uint64_t *pte = page_entry(virtual);

	*pte &= ~(PAGE_PWT | PAGE_PCD | PAGE_4K_PAT);
	*pte |= (n & 1 ? PAGE_PWT : 0) | (n & 2 ? PAGE_PCD : 0) | (n & 4 ? PAGE_4K_PAT : 0);
	invlpg(virtual);
}

void page_set_present(uint64_t virtual, bool present)
{
	uint64_t *pte = page_entry(virtual);

	*pte = (*pte & ~PAGE_P) | (present ? PAGE_P : 0);
	invlpg(virtual);
}

void page_set_writable(uint64_t virtual, bool writable)
{
	uint64_t *pte = page_entry(virtual);

	*pte = (*pte & ~PAGE_RW) | (writable ? PAGE_RW : 0);
	invlpg(virtual);
}
