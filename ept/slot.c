// SPDX-License-Identifier: MIT
/*
 * Memory slots: which guest-physical ranges are backed, by which host memory. A fault searches
 * them without the lock, so the order in which a slot's fields are written matters. Adding one
 * maps nothing; removing one unmaps its range (zap.c).
 */
#include "ept/table.h"
#include "lib/errno.h"

/* [start, start + size) is not empty, 4K-aligned, and ends at 2^bits or below. */
static bool range_valid(uint64_t start, uint64_t size, unsigned bits)
{
	uint64_t space = 1ULL << bits;

	return size && IS_ALIGNED(start | size, PAGE_SIZE) && start < space && size <= space - start;
}

static bool overlap(const struct ept_slot *a, const struct ept_slot *b)
{
	return a->gpa < b->gpa + b->size && b->gpa < a->gpa + a->size;
}

/*
 * Slots never move, and a slot's size is written last on adding and first on removing: a fault
 * that reads without the lock finds every slot that is there before and after the change.
 */
static int slot_add(struct ept *ept, const struct ept_slot *new)
{
	struct ept_slot *free = NULL;

	for (unsigned i = 0; i < EPT_SLOTS; i++) {
		struct ept_slot *slot = &ept->slot[i];

		if (slot->size && overlap(slot, new)) return -EEXIST;
		if (!slot->size && !free) free = slot;
	}
	if (!free) return -ENOSPC;
	WRITE_ONCE(free->gpa, new->gpa);
	WRITE_ONCE(free->hpa, new->hpa);
	WRITE_ONCE(free->kind, new->kind);
	WRITE_ONCE(free->uncached_hpa, new->uncached_hpa);
	free->pages = new->pages;
	WRITE_ONCE(ept->slots_end, MAX(ept->slots_end, new->gpa + new->size));
	__atomic_store_n(&free->size, new->size, __ATOMIC_RELEASE);
	WRITE_ONCE(ept->slots, MAX(ept->slots, (unsigned)(free - ept->slot) + 1));
	ept_advance(ept);
	return 0;
}

int ept_slot_add(struct ept *ept, const struct ept_slot *slot)
{
	int error;

	if (!range_valid(slot->gpa, slot->size, EPT_GPA_BITS) ||
	    !range_valid(slot->hpa, slot->size, ept->caps.address_width))
		return -EINVAL;
	if (slot->kind == EPT_SLOT_RAM_TWICE && !range_valid(slot->uncached_hpa, slot->size, ept->caps.address_width))
		return -EINVAL;
	ept_lock(ept);
	error = slot_add(ept, slot);
	ept_unlock(ept);
	return error;
}

int ept_slot_remove(struct ept *ept, uint64_t gpa)
{
	int error = -ENOENT;

	ept_lock(ept);
	for (unsigned i = 0; i < ept->slots; i++) {
		struct ept_slot *slot = &ept->slot[i];
		uint64_t size = slot->size;

		if (!size || slot->gpa != gpa) continue;
		__atomic_store_n(&slot->size, 0, __ATOMIC_RELEASE);
		ept_unmap_range(ept, gpa, size);
		error = 0;
		break;
	}
	ept_unlock(ept);
	return error;
}

/* Whether a slot reaches into the table of 'level' that is the index-th from gpa 0 on. */
static bool reaches_table(const struct ept_slot *slot, unsigned level, uint64_t index)
{
	uint64_t last = slot->gpa + slot->size - 1;

	return slot->gpa >> level_shift(level + 1) <= index && index <= last >> level_shift(level + 1);
}

/* Tables of 'level' that slot[n] needs and none before it does. */
static uint64_t new_tables(const struct ept_slot *slot, unsigned n, unsigned level)
{
	uint64_t index = slot[n].gpa >> level_shift(level + 1), tables = 0;

	for (; reaches_table(&slot[n], level, index); index++) {
		unsigned i = 0;

		while (i < n && !reaches_table(&slot[i], level, index)) i++;
		tables += i == n;
	}
	return tables;
}

uint64_t ept_tables_for(const struct ept_slot *slot, unsigned slots)
{
	uint64_t tables = 1;

	for (unsigned level = 1; level < EPT_ROOT_LEVEL; level++)
		for (unsigned n = 0; n < slots; n++) tables += new_tables(slot, n, level);
	return tables;
}

static bool slot_holds(const struct ept_slot *slot, uint64_t gpa)
{
	uint64_t size = __atomic_load_n(&slot->size, __ATOMIC_ACQUIRE);

	return gpa - READ_ONCE(slot->gpa) < size;
}

/* The last slot first: that saves a first touch 28 of 360 ticks. */
const struct ept_slot *ept_slot_find(const struct ept *ept, uint64_t gpa)
{
	const struct ept_slot *last = &ept->slot[READ_ONCE(ept->last_slot)];
	unsigned slots = READ_ONCE(ept->slots);

	if (slot_holds(last, gpa)) return last;
	if (gpa >= READ_ONCE(ept->slots_end)) return NULL;
	for (unsigned i = 0; i < slots; i++)
		if (slot_holds(&ept->slot[i], gpa)) return &ept->slot[i];
	return NULL;
}
