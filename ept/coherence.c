// SPDX-License-Identifier: MIT
/*
 * coherence=model: a cache that is a page long. Each page of a slot with 'pages' has two host
 * copies, "cache" (hpa) and "memory" (uncached_hpa), and a leaf's type chooses which the CPU sees.
 * What is cached and what is dirty the CPUs themselves note, in the accessed and dirty flags of WB
 * leaves; this file adds the flags of leaves that are gone, says when a page has to be copied, and
 * which copy a device reaches. It stores no entry. docs/coherence.md has the rules in words.
 */
#include "ept/table.h"
#include "lib/errno.h"

/* A byte of slot->pages. Flags of a WB leaf over the page count as well: page_flags(). */
#define PAGE_CACHED   0x01
#define PAGE_DIRTY    0x02
#define PAGE_DIVERGED 0x04 /* a device has written memory while the cache had the page */

struct page {
	uint8_t *flags;
	uint64_t cache, memory; /* host addresses */
};

/* The number-th page of a slot that has two copies of each. */
static struct page page_of(const struct ept_slot *slot, uint64_t number)
{
	uint64_t offset = number * PAGE_SIZE;

	return (struct page){&slot->pages[number], slot->hpa + offset, slot->uncached_hpa + offset};
}

/* False: the address has no two copies. */
static bool find_page(const struct ept *ept, uint64_t gpa, struct page *page)
{
	const struct ept_slot *slot = ept_slot_find(ept, gpa);

	if (!slot || slot->kind != EPT_SLOT_RAM_TWICE) return false;
	*page = page_of(slot, (gpa - slot->gpa) / PAGE_SIZE);
	return true;
}

static void copy_page(const struct ept *ept, uint64_t to, uint64_t from)
{
	ept->host.copy_page(ept->host.ctx, to, from);
}

/* What a leaf says of its page: only one that leads to the cache says anything. */
static uint8_t leaf_flags(uint64_t leaf)
{
	if (!leaf_is_write_back(leaf)) return 0;
	return (leaf & EPT_ACCESSED ? PAGE_CACHED : 0) | (leaf & EPT_DIRTY ? PAGE_DIRTY : 0);
}

static uint8_t page_flags(const struct ept *ept, const struct page *page, uint64_t gpa)
{
	unsigned level;
	const uint64_t *leaf = ept_find_leaf(ept, gpa, &level);

	return *page->flags | (leaf ? leaf_flags(entry_load(leaf)) : 0);
}

/* The cache has nothing of the page any more. */
static void settle(struct ept *ept, const struct page *page)
{
	if (*page->flags & PAGE_DIRTY) copy_page(ept, page->memory, page->cache);
	*page->flags = 0;
}

/*
 * Before the store: behind it another CPU may write what the copy would overwrite. While a page is
 * not cached and has a WB leaf its copies are equal, for nobody tells when a CPU begins to cache.
 */
void ept_leaf_comes(struct ept *ept, uint64_t gpa, uint64_t leaf)
{
	struct page page;

	if (!find_page(ept, gpa, &page)) return;
	if (!leaf_is_write_back(leaf))
		settle(ept, &page);
	else if (!(*page.flags & PAGE_CACHED))
		copy_page(ept, page.cache, page.memory);
}

void ept_leaf_goes(struct ept *ept, uint64_t gpa, uint64_t old)
{
	struct page page;

	if (find_page(ept, gpa, &page)) *page.flags |= leaf_flags(old);
}

bool ept_page_diverged(const struct ept *ept, uint64_t gpa)
{
	struct page page;

	return find_page(ept, gpa, &page) && (*page.flags & PAGE_DIVERGED);
}

/* The first page at or behind 'at' that has a flag, or 'end': mostly there is none for long. */
static uint64_t next_flagged(const uint8_t *flags, uint64_t at, uint64_t end)
{
	uint64_t eight;

	for (; at + sizeof(eight) <= end; at += sizeof(eight)) {
		__builtin_memcpy(&eight, &flags[at], sizeof(eight));
		if (eight) break;
	}
	while (at < end && !flags[at]) at++;
	return at;
}

void ept_settle(struct ept *ept, uint64_t gpa, uint64_t size)
{
	for (unsigned s = 0; s < ept->slots; s++) {
		const struct ept_slot *slot = &ept->slot[s];
		uint64_t start = MAX(slot->gpa, gpa), end = MIN(slot->gpa + slot->size, gpa + MIN(size, ~gpa));
		uint64_t at = (start - slot->gpa) / PAGE_SIZE, last = (end - slot->gpa) / PAGE_SIZE;

		if (!slot->size || slot->kind != EPT_SLOT_RAM_TWICE || start >= end) continue;
		for (; (at = next_flagged(slot->pages, at, last)) < last; at++) {
			struct page page = page_of(slot, at);

			settle(ept, &page);
		}
	}
}

static void dma_page(struct ept *ept, const struct page *page, uint64_t gpa, bool write, bool around_cache,
		     ept_use *use, void *ctx)
{
	bool cached = page_flags(ept, page, gpa) & PAGE_CACHED;
	uint64_t offset = gpa % PAGE_SIZE;

	if (!write) {
		use(ctx, (cached && !around_cache ? page->cache : page->memory) + offset);
		return;
	}
	use(ctx, page->memory + offset);
	if (cached && around_cache)
		*page->flags |= PAGE_DIVERGED;
	else
		use(ctx, page->cache + offset);
}

int ept_dma_access(struct ept *ept, uint64_t gpa, bool write, bool around_cache, ept_use *use, void *ctx)
{
	const struct ept_slot *slot;
	struct page page;
	int error = 0;

	ept_lock(ept);
	slot = ept_slot_find(ept, gpa);
	if (!slot || (slot->kind != EPT_SLOT_RAM && slot->kind != EPT_SLOT_RAM_TWICE))
		error = -EFAULT;
	else if (find_page(ept, gpa, &page))
		dma_page(ept, &page, gpa, write, around_cache, use, ctx);
	else
		use(ctx, slot->hpa + (gpa - slot->gpa));
	ept_unlock(ept);
	return error;
}

int ept_cpu_access(struct ept *ept, const struct ept_cpu *cpu, uint64_t gpa, bool write, ept_use *use, void *ctx,
		   struct ept_fill *fill)
{
	uint64_t flags = EPT_ACCESSED | (write ? EPT_DIRTY : 0), *leaf, entry;
	unsigned level;
	int error = 0;

	fill->level = 0;
	if (gpa >> EPT_GPA_BITS) return -ENOENT;
	ept_lock(ept);
	leaf = ept_find_leaf(ept, gpa, &level);
	if (!leaf || (write && !(entry_load(leaf) & EPT_WRITE))) {
		error = ept_fault_locked(ept, cpu, gpa, write, fill);
		leaf = ept_find_leaf(ept, gpa, &level);
	}
	if (!error) {
		entry = entry_load(leaf);
		if (leaf_is_write_back(entry)) __atomic_or_fetch(leaf, flags, __ATOMIC_SEQ_CST);
		use(ctx, ALIGN_DOWN(entry & EPT_ADDRESS, level_size(level)) + gpa % level_size(level));
	}
	ept_unlock(ept);
	return error;
}
