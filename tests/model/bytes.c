// SPDX-License-Identifier: MIT
/*
 * The bytes of the model's memory where pages have two copies: what CPUs, devices and the
 * hypervisor read and write, each told to the reference (caches.h) and compared with it. Here too
 * the model's CPUs are at their worst: they write where they still can, in the middle of a flush or
 * of a copy.
 */
#include "tests/model/inside.h"

#include <errno.h>

/* The reference's line of a page, or NULL where there is no second copy. */
static struct cache_line *line_of(struct model *m, uint64_t gpa)
{
	const struct ept_slot *slot = reference_slot(m, gpa);

	return is_twice(m, slot) ? caches_line(&m->caches, slot->hpa + TWICE + (gpa - slot->gpa), gpa) : NULL;
}

/* The number that a page holds, reached by this entry, is what the reference says, or becomes it.
 */
void use_page(struct model *m, uint64_t gpa, uint64_t entry, bool write)
{
	struct cache_line *line = line_of(m, gpa);
	uint64_t *page = caches_page(&m->caches, entry & EPT_ADDRESS);

	if (!line) return;
	if (!write) {
		require(m, *page == line_read(line, is_write_back(entry)), "a CPU reads wrong bytes");
		return;
	}
	*page = ++m->value;
	line_write(line, is_write_back(entry), m->value);
}

/* A walk that ends in a WB leaf caches the page; behind a WBINVD's back, again. */
uint64_t translate(struct model *m, struct model_cpu *cpu, uint64_t gpa, bool write, unsigned *level)
{
	struct cache_line *line;
	uint64_t entry;

	cpu->writes = write;
	entry = model_translate(cpu, &m->world, m->ept.root, gpa, level, &m->result->broken);
	line = entry && cpu->walked && is_write_back(entry) ? line_of(m, gpa) : NULL;
	if (!line) return entry;
	line_fill(line);
	line->again = m->in_write_back && line->gpa - m->write_back < m->write_back_size;
	return entry;
}

/* Until its own INVEPT a CPU writes on where the leaf was dirty when it saw it. */
void write_through_stale(struct model *m, struct model_cpu *cpu)
{
	for (unsigned c = 0; m->config->twice && c < MODEL_LEAVES; c++) {
		if (cpu->leaf[c].level == 1 && (cpu->leaf[c].value & EPT_DIRTY))
			use_page(m, cpu->leaf[c].gpa, cpu->leaf[c].value, true);
	}
}

/* The page whose copy this is, for the moment of its copying: nobody may reach it meanwhile. */
static void meddle(struct model *m, uint64_t hpa)
{
	unsigned level;

	for (unsigned i = 0; i < CANDIDATES; i++) {
		uint64_t offset = hpa % TWICE - candidates[i].hpa;

		if (!m->present[i] || offset >= candidates[i].size) continue;
		for (unsigned c = 0; c < m->config->cpus; c++) {
			uint64_t gpa = candidates[i].gpa + offset;
			uint64_t entry = translate(m, &m->cpu[c], gpa, true, &level);

			if (entry) use_page(m, gpa, entry, true);
		}
	}
}

/* A WBINVD's copies are of pages that may be reached, and that is all right. */
void copy_page(void *ctx, uint64_t to, uint64_t from)
{
	struct ept_world *world = ctx;
	struct model *m = world->on_flush_arg;

	world->errors += !world->locked;
	if (!m->in_write_back) meddle(m, from);
	if (caches_has(&m->caches, to) || caches_has(&m->caches, from))
		*caches_page(&m->caches, to) = *caches_page(&m->caches, from);
}

/* Is it the line of the page that is at its address now? */
static bool line_is_current(const struct model *m, const struct cache_line *line)
{
	const struct ept_slot *slot = line->key ? reference_slot(m, line->gpa) : NULL;

	return is_twice(m, slot) && ALIGN_DOWN(line->key, PAGE_SIZE) == slot->hpa + TWICE + (line->gpa - slot->gpa);
}

/*
 * Leaves may have come or changed since: where the type is not WB the cache has let go. Where it
 * was so before, there is nothing to let go of.
 */
void note_leaves(struct model *m)
{
	struct cache_line *end = m->caches.line + (m->config->twice ? CACHES_PAGES : 0);

	for (struct cache_line *line = m->caches.line; line < end; line++) {
		unsigned level;
		uint64_t leaf = line_is_current(m, line) ? ept_walk(&m->ept, line->gpa, &level) : 0;

		if (leaf && !is_write_back(leaf)) line_uncache(line);
	}
}

/* The host addresses that an access of the hypervisor was given. */
struct seen {
	uint64_t hpa[2];
	unsigned count;
};

static void see(void *ctx, uint64_t hpa)
{
	struct seen *seen = ctx;

	if (seen->count < 2) seen->hpa[seen->count] = hpa;
	seen->count++;
}

void emulated_access(struct model *m, struct model_cpu *cpu, uint64_t gpa, bool write)
{
	struct ept_cpu ept_cpu = as_ept_cpu(cpu);
	struct seen seen = {.count = 0};
	unsigned level;
	uint64_t entry;
	struct ept_fill fill;
	int error = ept_cpu_access(&m->ept, &ept_cpu, gpa, write, see, &seen, &fill);

	note_leaves(m);
	if (error == -ENOMEM) return;
	require(m, error == expected_error(m, gpa, write), "ept_cpu_access() returns wrongly");
	require(m, seen.count == !error, "ept_cpu_access() is no single access");
	if (error) return;
	entry = ept_walk(&m->ept, gpa, &level);
	check_use(m, gpa, entry, level);
	require(m,
		seen.hpa[0] == ALIGN_DOWN(entry & EPT_ADDRESS, 1ULL << (12 + 9 * (level - 1))) +
				       gpa % (1ULL << (12 + 9 * (level - 1))),
		"an emulated access does not go where the leaf leads");
	use_page(m, gpa, entry, write);
}

void dma(struct model *m, uint64_t gpa, bool write, bool around)
{
	const struct ept_slot *slot = reference_slot(m, gpa);
	struct cache_line *line = line_of(m, gpa);
	bool ram = slot && slot->kind == EPT_SLOT_RAM;
	struct seen seen = {.count = 0};

	require(m, ept_dma_access(&m->ept, gpa, write, around, see, &seen) == (ram ? 0 : -EFAULT),
		"ept_dma_access() returns wrongly");
	if (!line) {
		require(m, seen.count == ram && (!ram || seen.hpa[0] == slot->hpa + (gpa - slot->gpa)),
			"a device reaches the wrong host address");
	} else if (!write) {
		require(m, *caches_page(&m->caches, seen.hpa[0]) == line_dma_read(line, around),
			"a device reads wrong bytes");
	} else {
		m->value++;
		for (unsigned i = 0; i < MIN(seen.count, 2U); i++) *caches_page(&m->caches, seen.hpa[i]) = m->value;
		line_dma_write(line, around, m->value);
	}
}

void write_back(struct model *m, uint64_t gpa, uint64_t size)
{
	if (!m->config->twice) return;
	m->in_write_back = true;
	m->write_back = gpa;
	m->write_back_size = size;
	ept_write_back(&m->ept, gpa, size);
	m->in_write_back = false;
	caches_write_back(&m->caches, gpa, size);
}

/* What the cache had of a slot that was removed is lost. */
void forget_lines(struct model *m, unsigned n)
{
	for (unsigned i = 0; i < CACHES_PAGES; i++) {
		struct cache_line *line = &m->caches.line[i];

		if (line->key % TWICE - candidates[n].hpa < candidates[n].size) line->cached = line->dirty = false;
	}
	free(m->flags[n]);
	m->flags[n] = NULL;
}

/* Both copies of each page that was ever touched. */
void check_lines(struct model *m)
{
	for (unsigned i = 0; i < CACHES_PAGES; i++) {
		struct cache_line *line = &m->caches.line[i];

		if (!line->key || line_of(m, line->gpa) != line) continue;
		require(m, *caches_page(&m->caches, line->key) == line->memory, "memory holds wrong bytes");
		require(m, !line->cached || *caches_page(&m->caches, line->key % TWICE) == line->cache,
			"the cache holds wrong bytes");
	}
}
