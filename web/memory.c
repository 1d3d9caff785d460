// SPDX-License-Identifier: MIT
/* The pages of the host's memory that were written, in the order of their first write. */
#include "web/memory.h"

#include <stddef.h>

#include "lib/string.h"

static const struct memory_page *find(const struct memory *memory, uint64_t hpa)
{
	for (unsigned i = 0; i < memory->pages; i++) {
		if (memory->page[i].hpa == ALIGN_DOWN(hpa, PAGE_SIZE)) return &memory->page[i];
	}
	return NULL;
}

uint8_t memory_read(const struct memory *memory, uint64_t hpa)
{
	const struct memory_page *page = find(memory, hpa);

	return page ? page->byte[hpa % PAGE_SIZE] : 0;
}

/* To be written: made if there is none; NULL where there is no room. */
static struct memory_page *page_of(struct memory *memory, uint64_t hpa)
{
	struct memory_page *page = (struct memory_page *)find(memory, hpa);

	if (page || memory->pages == MEMORY_PAGES) return page;
	page = &memory->page[memory->pages++];
	memset(page, 0, sizeof(*page));
	page->hpa = ALIGN_DOWN(hpa, PAGE_SIZE);
	return page;
}

void memory_write(struct memory *memory, uint64_t hpa, uint8_t byte)
{
	struct memory_page *page = page_of(memory, hpa);

	if (page) page->byte[hpa % PAGE_SIZE] = byte;
}

void memory_copy(struct memory *memory, uint64_t to, uint64_t from)
{
	const struct memory_page *source = find(memory, from);
	struct memory_page *page;

	if (!source && !find(memory, to)) return; /* both are zeroes */
	page = page_of(memory, to);
	if (!page) return;
	if (source)
		memcpy(page->byte, source->byte, PAGE_SIZE);
	else
		memset(page->byte, 0, PAGE_SIZE);
}
