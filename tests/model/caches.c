// SPDX-License-Identifier: MIT
/*
 * The reference of coherence=model (caches.h): a cache with lines of a page, as plainly as it can
 * be said. Nothing here is shared with ept/.
 */
#include "tests/model/caches.h"

#include <stdlib.h>

/* Addresses are multiples of 4K, and few: a table that is probed in order is enough. */
static unsigned start_of(uint64_t hpa) { return (unsigned)((hpa >> 12) * 0x9e3779b97f4a7c15ULL >> 54) % CACHES_PAGES; }

uint64_t *caches_page(struct caches *c, uint64_t hpa)
{
	uint64_t key = hpa >> 12 << 12 | 1; /* never 0 */

	for (unsigned n = 0, i = start_of(hpa); n < CACHES_PAGES; n++, i = (i + 1) % CACHES_PAGES) {
		if (!c->page[i].hpa) c->page[i].hpa = key;
		if (c->page[i].hpa == key) return &c->page[i].value;
	}
	abort();
}

bool caches_has(const struct caches *c, uint64_t hpa)
{
	uint64_t key = hpa >> 12 << 12 | 1;
	unsigned i = start_of(hpa);

	for (unsigned n = 0; n < CACHES_PAGES && c->page[i].hpa; n++, i = (i + 1) % CACHES_PAGES) {
		if (c->page[i].hpa == key) return true;
	}
	return false;
}

struct cache_line *caches_line(struct caches *c, uint64_t hpa, uint64_t gpa)
{
	uint64_t key = hpa >> 12 << 12 | 1;

	for (unsigned n = 0, i = start_of(hpa); n < CACHES_PAGES; n++, i = (i + 1) % CACHES_PAGES) {
		if (!c->line[i].key) c->line[i] = (struct cache_line){.key = key, .gpa = gpa >> 12 << 12};
		if (c->line[i].key == key) return &c->line[i];
	}
	abort();
}

void line_fill(struct cache_line *line)
{
	if (!line->cached) line->cache = line->memory;
	line->cached = true;
}

uint64_t line_read(struct cache_line *line, bool write_back)
{
	if (!write_back) return line->memory;
	line_fill(line);
	return line->cache;
}

void line_write(struct cache_line *line, bool write_back, uint64_t value)
{
	if (!write_back) {
		line->memory = value;
		return;
	}
	line->cached = line->dirty = true;
	line->cache = value;
}

void line_uncache(struct cache_line *line)
{
	if (line->dirty) line->memory = line->cache;
	line->cached = line->dirty = false;
}

uint64_t line_dma_read(const struct cache_line *line, bool around)
{
	return line->cached && !around ? line->cache : line->memory;
}

void line_dma_write(struct cache_line *line, bool around, uint64_t value)
{
	line->memory = value;
	if (line->cached && !around) line->cache = value;
}

void caches_write_back(struct caches *c, uint64_t gpa, uint64_t size)
{
	for (struct cache_line *line = c->line; line < c->line + CACHES_PAGES; line++) {
		if (!line->key || line->gpa - gpa >= size) continue;
		line_uncache(line);
		if (line->again) line_fill(line);
		line->again = false;
	}
}
