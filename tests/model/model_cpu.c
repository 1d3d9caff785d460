// SPDX-License-Identifier: MIT
/*
 * The model CPU's caches and its page walk. Used by tests/model/model.c only; of an entry it
 * changes nothing but the accessed and dirty flags.
 */
#include "tests/model/model_cpu.h"

/* Bytes covered by one entry of a table of this level. */
static uint64_t entry_size(unsigned level) { return 1ULL << (12 + 9 * (level - 1)); }

static struct model_cached *lookup(struct model_cached *cache, unsigned n, uint64_t gpa, unsigned level)
{
	for (unsigned i = 0; i < n; i++) {
		if (cache[i].level == level && cache[i].gpa == gpa) return &cache[i];
	}
	return NULL;
}

static void remember(struct model_cached *cache, unsigned n, unsigned *next, struct model_cached value)
{
	if (lookup(cache, n, value.gpa, value.level)) return; /* the old one wins: the worst case */
	cache[(*next)++ % n] = value;
}

void model_invept(struct model_cpu *cpu)
{
	memset(cpu->leaf, 0, sizeof(cpu->leaf));
	memset(cpu->table, 0, sizeof(cpu->table));
}

void model_violation(struct model_cpu *cpu, uint64_t gpa)
{
	struct model_cached *hit;

	for (unsigned level = 1; level <= 3; level++) {
		hit = lookup(cpu->leaf, MODEL_LEAVES, ALIGN_DOWN(gpa, entry_size(level)), level);
		if (hit) hit->level = 0;
		hit = lookup(cpu->table, MODEL_TABLES, ALIGN_DOWN(gpa, entry_size(level + 1)), level);
		if (hit) hit->level = 0;
	}
}

/* A write through a translation whose leaf was not dirty then walks again (SDM 3C 29.3.5). */
static bool is_usable(const struct model_cpu *cpu, struct model_cached *hit)
{
	if (!cpu->exact || !cpu->writes || (hit->value & EPT_DIRTY)) return true;
	hit->level = 0;
	return false;
}

static uint64_t leaf_flags(const struct model_cpu *cpu, uint64_t entry)
{
	bool dirty = cpu->exact ? cpu->writes : entry & EPT_WRITE;

	return cpu->accessed_dirty && dirty ? EPT_DIRTY : 0;
}

/* Where to start: the lowest table that is cached for gpa, else the root. */
static unsigned start_of_walk(struct model_cpu *cpu, uint64_t gpa, uint64_t *table)
{
	for (unsigned level = 1; level <= 3; level++) {
		struct model_cached *hit =
			lookup(cpu->table, MODEL_TABLES, ALIGN_DOWN(gpa, entry_size(level + 1)), level);

		if (hit) {
			*table = hit->value;
			cpu->since = hit->time;
			return level;
		}
	}
	return 4;
}

uint64_t model_translate(struct model_cpu *cpu, struct ept_world *world, uint64_t root, uint64_t gpa, unsigned *level,
			 const char **broken)
{
	uint64_t table = root;

	cpu->walked = false;
	cpu->since = cpu->time;
	for (*level = 1; *level <= 3; (*level)++) {
		struct model_cached *hit = lookup(cpu->leaf, MODEL_LEAVES, ALIGN_DOWN(gpa, entry_size(*level)), *level);

		if (hit && is_usable(cpu, hit)) {
			cpu->since = hit->time;
			return hit->value;
		}
	}
	cpu->walked = true;
	for (unsigned l = start_of_walk(cpu, gpa, &table); l > 0; l--) {
		uint64_t page = (table - WORLD_BASE) / PAGE_SIZE;
		uint64_t *entry;

		if (page >= world->pages || !world->used[page]) {
			*broken = "a CPU walks into a page that is no table (any more)";
			return 0;
		}
		entry = &world_table(world, table)[(gpa >> (12 + 9 * (l - 1))) & 511];
		if (!(*entry & EPT_RWX)) return 0;
		*entry |= cpu->accessed_dirty ? EPT_ACCESSED : 0;
		if (l == 1 || (*entry & EPT_LARGE)) {
			*entry |= leaf_flags(cpu, *entry);
			*level = l;
			remember(cpu->leaf, MODEL_LEAVES, &cpu->next_leaf,
				 (struct model_cached){ALIGN_DOWN(gpa, entry_size(l)), *entry, l, cpu->since});
			return *entry;
		}
		table = *entry & EPT_ADDRESS;
		remember(cpu->table, MODEL_TABLES, &cpu->next_table,
			 (struct model_cached){ALIGN_DOWN(gpa, entry_size(l)), table, l - 1, cpu->since});
	}
	return 0;
}
