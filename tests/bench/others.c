// SPDX-License-Identifier: MIT
/*
 * others.h. The shapes only: a walk in pre-order that reads each entry and looks at it, with the way down
 * kept in the iterator, as KVM's; a mark that is pushed down a level at a time, as Xen's.
 */
#include "tests/bench/others.h"

#include "ept/table.h"

#define TYPE_BITS (EPT_TYPE | EPT_IGNORE_PAT)

/* Where KVM's iterator stands. */
struct place {
	struct ept *ept;
	uint64_t *way[EPT_ROOT_LEVEL + 1]; /* the table of each level */
	uint64_t *at, entry, page;
	unsigned level;
};

/* What it keeps for each leaf: how many there are by level, and what the host's pages are told. */
static struct {
	uint64_t leaves[EPT_ROOT_LEVEL + 1], dirty, accessed;
	volatile bool must_yield;
} books;

static bool is_leaf(const struct place *p) { return entry_is_leaf(p->entry, p->level); }

static bool step_down(struct place *p)
{
	if (p->level == 1) return false;
	p->entry = entry_load(p->at);
	if (!entry_present(p->entry) || is_leaf(p)) return false;
	p->way[--p->level] = p->at = table_entries(p->ept, p->entry & EPT_ADDRESS);
	p->entry = entry_load(p->at);
	return true;
}

static bool step_aside(struct place *p)
{
	if (level_index(p->page, p->level) == EPT_ENTRIES - 1) return false;
	p->page += level_size(p->level);
	p->entry = entry_load(++p->at);
	return true;
}

static bool step_up(struct place *p)
{
	if (p->level == EPT_ROOT_LEVEL) return false;
	p->level++;
	p->page = ALIGN_DOWN(p->page, level_size(p->level));
	p->at = &p->way[p->level][level_index(p->page, p->level)];
	p->entry = entry_load(p->at);
	return true;
}

static bool next(struct place *p)
{
	if (step_down(p)) return true;
	do {
		if (step_aside(p)) return true;
	} while (step_up(p));
	return false;
}

/* A and D of the leaf may still be set by a CPU: an exchange where they are not both set. */
static void take_leaf(struct place *p)
{
	uint64_t old = p->entry, both = EPT_ACCESSED | EPT_DIRTY;

	if ((old & both) == both)
		entry_store(p->at, 0);
	else
		old = entry_exchange(p->at, 0);
	__atomic_fetch_sub(&books.leaves[p->level], 1, __ATOMIC_RELAXED);
	if (old & EPT_DIRTY) books.dirty++;
	if (old & EPT_ACCESSED) books.accessed++;
	p->entry = 0;
}

/* Counts of ours, which KVM does not have: it frees no table by them. */
static void forget_counts(struct ept *ept, uint64_t table, unsigned level)
{
	uint64_t *entries = table_entries(ept, table);

	*table_counts(ept, table) &= ~(uint32_t)(INFO_LEAVES | INFO_LIVE);
	for (unsigned i = 0; level > 1 && i < EPT_ENTRIES; i++)
		if (entry_is_table(entries[i])) forget_counts(ept, entries[i] & EPT_ADDRESS, level - 1);
}

static __attribute__((noinline)) void kvm_zap(struct ept *ept)
{
	struct place p = {.ept = ept, .level = EPT_ROOT_LEVEL};

	p.way[p.level] = p.at = table_entries(ept, ept->root);
	p.entry = entry_load(p.at);
	do {
		if (books.must_yield) continue;
		if (is_leaf(&p)) take_leaf(&p);
	} while (next(&p));
	ept_flush(ept);
}

void kvm_transition(struct ept *ept, int delta)
{
	ept->noncoherent += (unsigned)delta;
	ept_advance(ept);
	kvm_zap(ept);
	forget_counts(ept, ept->root, EPT_ROOT_LEVEL);
}

static void mark_all(uint64_t *entries)
{
	for (unsigned i = 0; i < EPT_ENTRIES; i++) {
		uint64_t entry = entry_load(&entries[i]);

		if (entry_present(entry) && !xen_is_marked(entry)) entry_store(&entries[i], entry | EPT_TYPE);
	}
}

void xen_transition(struct ept *ept, int delta)
{
	ept->noncoherent += (unsigned)delta;
	ept_advance(ept);
	mark_all(table_entries(ept, ept->root));
	ept_flush(ept);
}

static void give_type(struct ept *ept, const struct ept_cpu *cpu, uint64_t *entry, unsigned level, uint64_t gpa)
{
	uint64_t bits;

	ept_leaf_type(ept, cpu, EPT_SLOT_RAM, gpa, level, &bits, NULL);
	entry_store(entry, (entry_load(entry) & ~TYPE_BITS) | bits);
}

bool xen_misconfiguration(struct ept *ept, const struct ept_cpu *cpu, uint64_t gpa)
{
	uint64_t table = ept->root;

	for (unsigned level = EPT_ROOT_LEVEL;; level--) {
		uint64_t *entries = table_entries(ept, table), *here = &entries[level_index(gpa, level)];
		uint64_t entry = entry_load(here);

		if (entry_is_leaf(entry, level)) {
			if (!xen_is_marked(entry)) return false;
			if (level > 1)
				give_type(ept, cpu, here, level, gpa);
			else
				for (unsigned i = 0; i < EPT_ENTRIES; i++)
					if (entry_present(entry_load(&entries[i])))
						give_type(ept, cpu, &entries[i], 1,
							  ALIGN_DOWN(gpa, level_size(2)) + i * PAGE_SIZE);
			ept_flush(ept);
			return true;
		}
		if (!entry_present(entry)) return false;
		table = entry & EPT_ADDRESS;
		if (!xen_is_marked(entry)) continue;
		mark_all(table_entries(ept, table));
		entry_store(here, entry & ~EPT_TYPE);
	}
}
