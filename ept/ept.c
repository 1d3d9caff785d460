// SPDX-License-Identifier: MIT
/*
 * The extended page tables of one VM as an object: birth and death, the EPTP, memory slots, and
 * looking up what maps an address. Leaves come in fault.c and go in zap.c.
 */
#include "ept/table.h"
#include "lib/errno.h"
#include "lib/string.h"

/* EPTP fields (SDM 3C 25.6.11). */
#define EPTP_TYPE      BITS(2, 0)
#define EPTP_LEVELS    BITS(5, 3) /* page-walk length - 1 */
#define EPTP_ENABLE_AD BIT(6)

uint64_t table_new(struct ept *ept)
{
	uint64_t table = ept->host.alloc_table(ept->host.ctx);

	if (table) {
		*table_counts(ept, table) = 0;
		ept->stats.tables++;
	}
	return table;
}

/* At most four deep, and below level 1 there is nothing. */
void table_free_tree(struct ept *ept, uint64_t table, unsigned level)
{
	unsigned left = (unsigned)FIELD(*table_counts(ept, table), INFO_TABLES);
	const uint64_t *entries = table_entries(ept, table);

	for (unsigned i = 0; left && i < EPT_ENTRIES; i++) {
		uint64_t entry = entry_load(&entries[i]);

		if (entry_is_table(entry)) {
			table_free_tree(ept, entry & EPT_ADDRESS, level - 1);
			left--;
		}
	}
	if (table == ept->last_table)
		ept->last_table = 0;
	ept->host.free_table(ept->host.ctx, table);
	ept->stats.tables--;
}

/* The only caller of host->flush. */
void ept_flush(struct ept *ept)
{
	ept->stats.flushes++;
	ept->host.flush(ept->host.ctx);
}

int ept_init(struct ept *ept, const struct ept_host *host, const struct ept_caps *caps,
	     enum memtype_policy policy)
{
	memset(ept, 0, sizeof(*ept));
	ept->host = *host;
	ept->caps = *caps;
	ept->policy = policy;
	ept->root = table_new(ept);
	return ept->root ? 0 : -ENOMEM;
}

void ept_destroy(struct ept *ept)
{
	table_free_tree(ept, ept->root, EPT_ROOT_LEVEL);
	ept->root = 0;
}

uint64_t ept_pointer(const struct ept *ept)
{
	return ept->root | TO_FIELD(MEMTYPE_WB, EPTP_TYPE) |
	       TO_FIELD(EPT_ROOT_LEVEL - 1, EPTP_LEVELS) |
	       (ept->caps.accessed_dirty ? EPTP_ENABLE_AD : 0);
}

/* [start, start + size) is not empty, 4K-aligned, and ends at 2^bits or below. */
static bool range_valid(uint64_t start, uint64_t size, unsigned bits)
{
	uint64_t space = 1ULL << bits;

	return size && IS_ALIGNED(start | size, PAGE_SIZE) && start < space &&
	       size <= space - start;
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

		if (slot->size && overlap(slot, new))
			return -EEXIST;
		if (!slot->size && !free)
			free = slot;
	}
	if (!free)
		return -ENOSPC;
	WRITE_ONCE(free->gpa, new->gpa);
	WRITE_ONCE(free->hpa, new->hpa);
	WRITE_ONCE(free->kind, new->kind);
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

		if (!size || slot->gpa != gpa)
			continue;
		__atomic_store_n(&slot->size, 0, __ATOMIC_RELEASE);
		ept_unmap_range(ept, gpa, size);
		error = 0;
		break;
	}
	ept_unlock(ept);
	return error;
}

static bool slot_holds(const struct ept_slot *slot, uint64_t gpa)
{
	uint64_t size = __atomic_load_n(&slot->size, __ATOMIC_ACQUIRE);

	return gpa - READ_ONCE(slot->gpa) < size;
}

const struct ept_slot *ept_slot_find(const struct ept *ept, uint64_t gpa)
{
	const struct ept_slot *last = &ept->slot[READ_ONCE(ept->last_slot)];
	unsigned slots = READ_ONCE(ept->slots);

	if (slot_holds(last, gpa))
		return last;
	if (gpa >= READ_ONCE(ept->slots_end))
		return NULL;
	for (unsigned i = 0; i < slots; i++) {
		if (slot_holds(&ept->slot[i], gpa))
			return &ept->slot[i];
	}
	return NULL;
}

/* Under the lock: without it a table could be freed on the way. */
static uint64_t walk(const struct ept *ept, uint64_t gpa, unsigned *level)
{
	uint64_t table = ept->root;

	for (unsigned l = EPT_ROOT_LEVEL; l > 0; l--) {
		uint64_t entry = entry_load(&table_entries(ept, table)[level_index(gpa, l)]);

		if (entry_is_leaf(entry, l)) {
			*level = l;
			return entry;
		}
		if (!entry_present(entry))
			break;
		table = entry & EPT_ADDRESS;
	}
	*level = 0;
	return 0;
}

uint64_t ept_walk(const struct ept *ept, uint64_t gpa, unsigned *level)
{
	uint64_t entry = 0;

	*level = 0;
	if (gpa >> EPT_GPA_BITS)
		return 0;
	ept_lock(ept);
	entry = walk(ept, gpa, level);
	ept_unlock(ept);
	return entry;
}
