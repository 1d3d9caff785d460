// SPDX-License-Identifier: MIT
/*
 * Everything that installs leaves: an EPT violation is served with one leaf, the largest that
 * alignment, slot and memory type allow. With fill=table the 4K leaves beside it come too, as far
 * as one answer is right for them. It never clears a leaf.
 */
#include "ept/table.h"
#include "lib/errno.h"

/* The leaf of 'level' around gpa lies in the slot, and the host memory behind it is aligned. */
static bool slot_allows(const struct ept_slot *slot, uint64_t gpa, unsigned level)
{
	uint64_t size = level_size(level);
	uint64_t start = ALIGN_DOWN(gpa, size);

	return start >= slot->gpa && start - slot->gpa + size <= slot->size && IS_ALIGNED(slot->hpa - slot->gpa, size);
}

/*
 * The level of the largest leaf around gpa that the CPU offers and the slot allows. 1G leaves are
 * used only with 2M leaves: where a large leaf may stand, a smaller one may.
 */
inline unsigned ept_largest_level(const struct ept_caps *caps, const struct ept_slot *slot, uint64_t gpa)
{
	if (!caps->large_2m || !IS_ALIGNED(slot->hpa - slot->gpa, level_size(2)))
		return 1; /* at once: where leaves are small there are many faults */
	if (caps->large_1g && slot_allows(slot, gpa, 3)) return 3;
	return slot_allows(slot, gpa, 2) ? 2 : 1;
}

/* Is it the guest's MTRRs that give this memory its type? */
static inline bool asks_mtrrs(const struct ept *ept, const struct ept_cpu *cpu, enum ept_slot_kind kind,
			      bool noncoherent)
{
	return noncoherent && kind != EPT_SLOT_HOST_MMIO && !cpu->cd && ept->policy < MEMTYPE_KVM_6_11;
}

/*
 * The memory type of the leaf of 'level' around gpa, for this CPU, in *bits; false when it is not
 * the same over all of it. The rule is memtype_leaf_bits(). The guest's MTRRs mostly have no say:
 * then nobody looks at them. Where 'next' is not NULL, level is 1 and *next is a border above gpa: up
 * to there all pages of such a slot have the type.
 */
inline bool ept_leaf_type(const struct ept *ept, const struct ept_cpu *cpu, enum ept_slot_kind kind, uint64_t gpa,
			  unsigned level, uint64_t *bits, uint64_t *next)
{
	bool noncoherent = READ_ONCE(ept->noncoherent) != 0, uniform = true;
	enum memtype mtrr = MEMTYPE_WB;

	if (next) *next = ~0ULL;
	if (asks_mtrrs(ept, cpu, kind, noncoherent))
		mtrr = next ? mtrr_type_at(cpu->mtrr, gpa, next)
			    : mtrr_type(cpu->mtrr, ALIGN_DOWN(gpa, level_size(level)), level_size(level), &uniform);
	*bits = memtype_leaf_bits(ept->policy, kind == EPT_SLOT_HOST_MMIO, noncoherent, cpu->cd, mtrr);
	return uniform;
}

bool ept_table_types(const struct ept *ept, const struct ept_cpu *cpu, uint64_t gpa, uint8_t types[EPT_ENTRIES],
		     uint64_t bits[MEMTYPES])
{
	if (!mtrr_page_types(cpu->mtrr, gpa, EPT_ENTRIES, types)) return false;
	for (unsigned type = 0; type < MEMTYPES; type++)
		bits[type] = memtype_leaf_bits(ept->policy, false, true, cpu->cd, (enum memtype)type);
	return true;
}

/*
 * fill=table: the pages around fill->gpa that lie in its 4K table and slot and have its type, as
 * far as one look at the MTRRs tells.
 */
static void widen(const struct ept *ept, const struct ept_cpu *cpu, const struct ept_slot *slot, struct ept_fill *fill)
{
	uint64_t start = ALIGN_DOWN(fill->gpa, level_size(2)), end = start + level_size(2), type, next;
	uint64_t slot_start = READ_ONCE(slot->gpa), slot_size = READ_ONCE(slot->size);
	enum ept_slot_kind kind = READ_ONCE(slot->kind);

	ept_leaf_type(ept, cpu, kind, fill->gpa, 1, &type, &next);
	start = MAX(start, slot_start);
	end = MIN(end, slot_start + slot_size);
	if (asks_mtrrs(ept, cpu, kind, ept->noncoherent != 0))
		start = MAX(start, mtrr_border_below(cpu->mtrr, fill->gpa));
	fill->start = start;
	fill->end = MIN(end, next);
}

static struct ept_slot read_slot(const struct ept_slot *slot)
{
	return (struct ept_slot){.gpa = READ_ONCE(slot->gpa),
				 .size = READ_ONCE(slot->size),
				 .hpa = READ_ONCE(slot->hpa),
				 .kind = READ_ONCE(slot->kind)};
}

/*
 * The last 4K leaf went into the same 2 MiB, and nothing was cleared since: no larger one has room
 * there, so nobody needs to ask whether its type would be the same all over. Were this wrong, the
 * leaf would be smaller than it could be, and right. It saves a first touch 10 of 342 ticks.
 */
static bool is_beside_small_leaf(const struct ept *ept, const struct ept_fill *fill, uint64_t gpa)
{
	return gpa >> level_shift(2) == READ_ONCE(ept->last_region) &&
	       fill->generation == READ_ONCE(ept->last_generation);
}

/*
 * What is otherwise where the slot is not plain RAM or faults fill tables. 0, or -EPERM. RAM that
 * is there twice has small leaves, each with the copy that belongs to its type.
 */
static int refine(const struct ept *ept, const struct ept_cpu *cpu, const struct ept_slot *slot, bool write,
		  struct ept_fill *fill)
{
	if (ept->fill == EPT_FILL_TABLE) widen(ept, cpu, slot, fill);
	if (slot->kind == EPT_SLOT_ROM) {
		uint64_t offset = READ_ONCE(ept->rom_offset);

		fill->hpa += offset;
		if (offset) return 0;
		fill->bits &= ~EPT_WRITE;
		return write ? -EPERM : 0;
	}
	if (slot->kind == EPT_SLOT_RAM_TWICE) {
		fill->level = 1;
		if (!leaf_is_write_back(fill->bits)) fill->hpa += READ_ONCE(slot->uncached_hpa) - READ_ONCE(slot->hpa);
	}
	return 0;
}

/*
 * No lock: another CPU may change slots and count under our eyes. Whatever mixture is read then,
 * that CPU advances the generation before it drops the lock, and install refuses the result.
 */
int ept_fault_begin(const struct ept *ept, const struct ept_cpu *cpu, uint64_t gpa, bool write, struct ept_fill *fill)
{
	const struct ept_slot *found;
	struct ept_slot slot;
	uint64_t type;

	fill->generation = __atomic_load_n(&ept->generation, __ATOMIC_ACQUIRE);
	found = ept_slot_find(ept, gpa);
	if (!found) return -ENOENT;
	slot = read_slot(found);
	fill->level = is_beside_small_leaf(ept, fill, gpa) ? 1 : ept_largest_level(&ept->caps, &slot, gpa);
	while (!ept_leaf_type(ept, cpu, slot.kind, gpa, fill->level, &type, NULL)) fill->level--;
	fill->cpu = cpu;
	fill->write = write;
	fill->gpa = ALIGN_DOWN(gpa, PAGE_SIZE);
	fill->hpa = slot.hpa + (fill->gpa - slot.gpa);
	fill->bits = type | EPT_RWX;
	fill->slot = (unsigned)(found - ept->slot);
	return slot.kind == EPT_SLOT_RAM && ept->fill == EPT_FILL_LEAF ? 0 : refine(ept, cpu, found, write, fill);
}

/* The leaf of 'level' for a fill: any level up to fill->level has the same type. */
static uint64_t leaf_entry(const struct ept_fill *fill, unsigned level)
{
	return ALIGN_DOWN(fill->hpa, level_size(level)) | fill->bits | (level > 1 ? EPT_LARGE : 0);
}

/*
 * A leaf more in path[level]. Where that makes the table live, the parent has a live child more,
 * which may make the parent live, and so on up. Others may do the same: one of them makes it live.
 */
static void count_leaf(struct ept *ept, const uint64_t *path, unsigned level)
{
	bool was_live = counts_live(__atomic_fetch_add(table_counts(ept, path[level]), INFO_LEAF, __ATOMIC_RELAXED));

	while (!was_live && level < EPT_ROOT_LEVEL)
		was_live = counts_live(
			__atomic_fetch_add(table_counts(ept, path[++level]), INFO_LIVING, __ATOMIC_RELAXED));
}

/*
 * fill=table: the other leaves that fill->start to fill->end may have; one that is there stays. (Inline: 27 ticks of
 * 957 where a fault finds one page of its type.)
 */
static inline __attribute__((always_inline)) void fill_table(struct ept *ept, const struct ept_fill *fill,
							     uint64_t table)
{
	uint64_t *entries = table_entries(ept, table);
	/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): ept->fill never changes */
	uint64_t leaf = leaf_entry(fill, 1) - (fill->gpa - fill->start);
	unsigned first = level_index(fill->start, 1), leaves = 0;
	unsigned end = first + (unsigned)((fill->end - fill->start) / PAGE_SIZE);

	for (unsigned i = first; i < end; i++, leaf += PAGE_SIZE) {
		uint64_t none = 0;

		if (ept->host.copy_page && !entry_load(&entries[i]))
			ept_leaf_comes(ept, fill->start + (i - first) * PAGE_SIZE, leaf);
		if (entry_put(&entries[i], &none, leaf)) leaves++;
	}
	__atomic_fetch_add(table_counts(ept, table), leaves * INFO_LEAF, __ATOMIC_RELAXED);
	__atomic_fetch_add(&ept->stats.installed[1], leaves, __ATOMIC_RELAXED);
}

/* The next 4K leaf mostly goes into the table of the last one; not where faults fill tables. */
static void remember_table(struct ept *ept, const struct ept_fill *fill, uint64_t table)
{
	ept->last_table = ept->fill == EPT_FILL_TABLE ? 0 : table;
	WRITE_ONCE(ept->last_region, fill->gpa >> level_shift(2));
	WRITE_ONCE(ept->last_generation, ept->generation);
}

/*
 * Store a leaf over 'old'. From not present nothing has to be flushed (SDM 3C 29.4.3.3). Over a
 * kept, empty table it is one store, then the flush (a CPU may have cached the way to the table),
 * and only then are the table and those below it freed.
 */
static void put_leaf(struct ept *ept, const struct ept_fill *fill, uint64_t *entry, uint64_t old, const uint64_t *path,
		     unsigned level)
{
	if (ept->host.copy_page)
		ept_leaf_comes(ept, fill->gpa, fill->bits);
	else if (level == 1)
		remember_table(ept, fill, path[1]);
	entry_store(entry, leaf_entry(fill, level));
	count_leaf(ept, path, level);
	ept->stats.installed[level]++;
	if (level == 1 && ept->fill == EPT_FILL_TABLE) fill_table(ept, fill, path[1]);
	if (entry_present(old)) {
		*table_counts(ept, path[level]) -= INFO_TABLE;
		ept_flush(ept);
		table_free_tree(ept, old & EPT_ADDRESS, level - 1);
	}
}

/*
 * A child table where there was nothing, perhaps while others do the same or put a leaf there: then it goes back. What
 * the entry is now, or 0 without a table. No flush: it was not present.
 */
static uint64_t put_table(struct ept *ept, uint64_t *entry, uint64_t parent)
{
	uint64_t child = table_new(ept), found = 0;

	if (!child) return 0;
	if (!entry_put(entry, &found, child | EPT_RWX)) {
		table_free(ept, child);
		return found;
	}
	__atomic_fetch_add(table_counts(ept, parent), INFO_TABLE, __ATOMIC_RELAXED);
	return child | EPT_RWX;
}

/* Nothing is lost by a large leaf here: no entry, or a table without a leaf below it. */
static bool room_for_leaf(const struct ept *ept, uint64_t entry)
{
	return !entry_present(entry) || !counts_live(*table_counts(ept, entry & EPT_ADDRESS));
}

/*
 * Down from the root to the first level where the leaf may and can stand. Where live tables are in
 * the way of the large leaf, a smaller one goes below them. Out of memory on the way leaves a
 * table or two without entries, linked and counted, as a zap would. The level becomes the leaf's.
 * (Inline it would cost a first touch 16 of 348 ticks.)
 */
static __attribute__((noinline)) int install_from_root(struct ept *ept, struct ept_fill *fill)
{
	uint64_t path[EPT_ROOT_LEVEL + 1], table = ept->root;

	for (unsigned level = EPT_ROOT_LEVEL; level > 0; level--) {
		uint64_t *entry = &table_entries(ept, table)[level_index(fill->gpa, level)];
		uint64_t old = entry_load(entry);

		path[level] = table;
		if (entry_is_leaf(old, level)) {
			fill->level = 0; /* another CPU was faster */
			break;
		}
		if (level <= fill->level && room_for_leaf(ept, old)) {
			put_leaf(ept, fill, entry, old, path, level);
			fill->level = level;
			break;
		}
		if (!old) old = put_table(ept, entry, table);
		if (!old) return -ENOMEM;
		table = old & EPT_ADDRESS;
	}
	return 0;
}

/*
 * Guests touch page after page, so the next 4K leaf mostly goes into the table of the last one.
 * While that table is live it is linked, and no count above it changes. That saves a first touch 112
 * of 444 ticks. (Where pages have two copies no table is remembered: this way pays nothing for them.)
 */
static bool install_beside_last(struct ept *ept, struct ept_fill *fill)
{
	uint64_t *entry;

	if (fill->level > 1 || fill->gpa >> level_shift(2) != ept->last_region || !ept->last_table ||
	    !counts_live(*table_counts(ept, ept->last_table)))
		return false;
	entry = &table_entries(ept, ept->last_table)[level_index(fill->gpa, 1)];
	if (!entry_present(entry_load(entry))) {
		entry_store(entry, leaf_entry(fill, 1));
		*table_counts(ept, ept->last_table) += INFO_LEAF;
		ept->stats.installed[1]++;
	} else {
		fill->level = 0;
	}
	return true;
}

static int install_locked(struct ept *ept, struct ept_fill *fill)
{
	if (fill->generation != ept->generation) {
		ept->stats.retries++;
		return -EAGAIN;
	}
	WRITE_ONCE(ept->last_slot, fill->slot);
	ept->seen |= fill->bits;
	return install_beside_last(ept, fill) ? 0 : install_from_root(ept, fill);
}

/*
 * A 4K leaf into a live table, while others do the same there: nothing is freed or cleared meanwhile, and
 * this changes no count above. False where it takes more than that. (Unrolled: 16 ticks of 396.)
 */
static bool install_shared(struct ept *ept, struct ept_fill *fill)
{
	uint64_t table = ept->root, entry, none = 0;

#pragma GCC unroll 3
	for (unsigned level = EPT_ROOT_LEVEL; level > 1; level--) {
		entry = entry_load(&table_entries(ept, table)[level_index(fill->gpa, level)]);
		if (!entry_present(entry) || entry_is_leaf(entry, level)) return false;
		table = entry & EPT_ADDRESS;
		if (level <= fill->level && !counts_live(READ_ONCE(*table_counts(ept, table)))) return false;
	}
	if (!counts_live(READ_ONCE(*table_counts(ept, table)))) return false;
	fill->level = entry_put(&table_entries(ept, table)[level_index(fill->gpa, 1)], &none, leaf_entry(fill, 1));
	if (fill->level) {
		__atomic_fetch_add(table_counts(ept, table), INFO_LEAF, __ATOMIC_RELAXED);
		__atomic_fetch_add(&ept->stats.installed[1], 1, __ATOMIC_RELAXED);
	}
	return true;
}

/*
 * The same of any leaf where there is no entry, with the tables that are missing and the counts above. False where a
 * table has to go for a large leaf, or none is left: another CPU may be about to give one back.
 */
static __attribute__((noinline)) bool install_first(struct ept *ept, struct ept_fill *fill)
{
	uint64_t path[EPT_ROOT_LEVEL + 1], table = ept->root, old;
	unsigned level = EPT_ROOT_LEVEL;

	for (;; level--) {
		uint64_t *entry = &table_entries(ept, table)[level_index(fill->gpa, level)];

		path[level] = table;
		old = entry_load(entry);
		if (level <= fill->level && !old && entry_put(entry, &old, leaf_entry(fill, level))) break;
		if (!old) old = put_table(ept, entry, table);
		if (entry_is_leaf(old, level)) {
			fill->level = 0; /* another CPU was faster */
			return true;
		}
		table = old & EPT_ADDRESS;
		if (!table || (level <= fill->level && !counts_live(READ_ONCE(*table_counts(ept, table)))))
			return false;
	}
	count_leaf(ept, path, level);
	__atomic_fetch_add(&ept->stats.installed[level], 1, __ATOMIC_RELAXED);
	WRITE_ONCE(ept->last_slot, fill->slot);
	fill->level = level;
	return true;
}

/* fill=table, while others do the same there. */
static __attribute__((noinline)) void fill_shared(struct ept *ept, struct ept_fill *fill)
{
	uint64_t entry = (uint64_t)ept_descend(ept, fill->gpa, &fill->level);

	fill_table(ept, fill, ALIGN_DOWN(entry, PAGE_SIZE) - ept->host.phys_offset);
}

/* Several CPUs: the usual leaf needs no lock. Not where pages have two copies. */
static bool install_beside_others(struct ept *ept, struct ept_fill *fill)
{
	bool done = false;

	if (ept->host.copy_page || !ept->host.share(ept->host.ctx)) return false;
	if (fill->generation == ept->generation) {
		if (fill->bits & ~READ_ONCE(ept->seen)) __atomic_fetch_or(&ept->seen, fill->bits, __ATOMIC_RELAXED);
		done = install_shared(ept, fill) || install_first(ept, fill);
		if (ept->fill == EPT_FILL_TABLE && done && fill->level == 1) fill_shared(ept, fill);
	}
	ept->host.unshare(ept->host.ctx);
	return done;
}

static __attribute__((noinline)) int install_among_others(struct ept *ept, struct ept_fill *fill)
{
	int error;

	if (ept->host.share && install_beside_others(ept, fill)) return 0;
	ept_lock(ept);
	error = install_locked(ept, fill);
	ept_unlock(ept);
	return error;
}

/* With one CPU there is nothing to lock: a fault that saves no registers for it is 20 ticks shorter. */
int ept_fault_install(struct ept *ept, struct ept_fill *fill)
{
	return ept->host.lock ? install_among_others(ept, fill) : install_locked(ept, fill);
}

int ept_fault_locked(struct ept *ept, const struct ept_cpu *cpu, uint64_t gpa, bool write, struct ept_fill *fill)
{
	int error = ept_fault_begin(ept, cpu, gpa, write, fill);

	return error ? error : install_locked(ept, fill);
}

/* The second try computes under the lock, where no transition can come between: it is the last. */
static int fault_again(struct ept *ept, struct ept_fill *fill)
{
	int error;

	ept_lock(ept);
	error = ept_fault_locked(ept, fill->cpu, fill->gpa, fill->write, fill);
	ept_unlock(ept);
	return error;
}

int ept_fault(struct ept *ept, const struct ept_cpu *cpu, uint64_t gpa, bool write, struct ept_fill *fill)
{
	int error = ept_fault_begin(ept, cpu, gpa, write, fill);

	if (error) return error;
	error = ept_fault_install(ept, fill);
	return error == -EAGAIN ? fault_again(ept, fill) : error;
}
