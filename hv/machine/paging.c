/* SPDX-License-Identifier: MIT */
/*
 * Builds the hypervisor's one set of page tables, once, at start.
 */
#include "hv/machine/paging.h"

#include "hv/machine/apic.h"
#include "hv/machine/cpu.h"
#include "hv/machine/end.h"
#include "hv/machine/image.h"
#include "hv/machine/memory.h"
#include "lib/asm.h"
#include "lib/x86.h"

#define PTE_UC (PAGE_PWT | PAGE_PCD) /* by the PAT at its reset value */

static uint64_t *root;

/* The entry for 'address' at 'level' (1 = PTE), making the tables above it. */
static uint64_t *entry_at(uint64_t address, unsigned level)
{
	uint64_t *table = root;

	for (unsigned l = 4; l > level; l--) {
		uint64_t *entry = &table[address >> (12 + 9 * (l - 1)) & 511];

		if (!*entry) {
			uint64_t page = page_alloc();

			if (!page) panic("paging: no page for a table");
			*entry = page | PAGE_P | PAGE_RW;
		}
		table = (uint64_t *)(*entry & PAGE_ADDRESS);
	}
	return &table[page_level_index(address, level)];
}

static bool is_guard(uint64_t page)
{
	return page == 0 || (page >= (uintptr_t)stacks && page < (uintptr_t)stacks_end &&
			     (page - (uintptr_t)stacks) % cpu_stack_distance() == 0);
}

/* The permissions of a page in the image's first megabytes. */
static uint64_t page_flags(uint64_t page)
{
	if (is_guard(page)) return 0;
	if (page >= (uintptr_t)image_start && page < (uintptr_t)image_text_end) return PAGE_P;
	if (page >= (uintptr_t)image_text_end && page < (uintptr_t)image_rodata_end) return PAGE_P | PAGE_NX;
	return PAGE_P | PAGE_RW | PAGE_NX;
}

void paging_init(void)
{
	uint64_t small_end = ALIGN_UP((uintptr_t)image_end, 2 * MiB);

	root = (uint64_t *)page_alloc();
	if (!root) panic("paging: no page for a table");
	for (uint64_t page = 0; page < small_end; page += PAGE_SIZE) {
		uint64_t flags = page_flags(page);

		if (flags) *entry_at(page, 1) = page | flags;
	}
	for (uint64_t page = small_end; page < memory_top(); page += 2 * MiB)
		*entry_at(page, 2) = page | PAGE_P | PAGE_RW | PAGE_PS | PAGE_NX;
	/* RAM may lie above and below it. */
	*entry_at(apic_page(), 2) = ALIGN_DOWN(apic_page(), 2 * MiB) | PAGE_P | PAGE_RW | PAGE_PS | PAGE_NX | PTE_UC;
	write_cr3((uintptr_t)root);
	memory_reach(memory_top());
}
