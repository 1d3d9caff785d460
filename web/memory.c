// SPDX-License-Identifier: MIT
/* The pages of the host's memory that were written, in the order of their first write. */
#include "web/memory.h"

#include <stddef.h>

#include "lib/string.h"

static const struct memory_page *find(const struct memory *memory, uint64_t hpa)
{
	for (unsigned i = 0; i < memory->pages; i++) {
		if (memory->page[i].hpa == ALIGN_DOWN(hpa, PAGE_SIZE))
			return &memory->page[i];
	}
	return NULL;
}

uint8_t memory_read(const struct memory *memory, uint64_t hpa)
{
	const struct memory_page *page = find(memory, hpa);

	return page ? page->byte[hpa % PAGE_SIZE] : 0;
}

void memory_write(struct memory *memory, uint64_t hpa, uint8_t byte)
{
	struct memory_page *page = (struct memory_page *)find(memory, hpa);

	if (!page) {
		if (memory->pages == MEMORY_PAGES)
			return;
		page = &memory->page[memory->pages++];
		memset(page, 0, sizeof(*page));
		page->hpa = ALIGN_DOWN(hpa, PAGE_SIZE);
	}
	page->byte[hpa % PAGE_SIZE] = byte;
}
