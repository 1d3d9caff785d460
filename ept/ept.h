/* SPDX-License-Identifier: MIT */
/*
 * Extended page tables of one VM (SDM 3C 29.3): memory slots, leaves filled on demand one per
 * fault, and zaps that clear every leaf entry and keep the tables; or, where chosen, tables filled
 * whole and leaves whose type changes in place. No hardware access: the world
 * is reached through 'struct ept_host'. The same object runs in the image, in the unit tests, in
 * the fuzzer and in the bench.
 *
 * What a caller must hold, for all functions here: nothing. Each takes host->lock itself for as
 * long as it changes or walks tables, and every change it made has been flushed when it returns.
 * 'stats' may be read at any time. Only ept_init() and ept_destroy() need the VM to themselves.
 */
#ifndef EPT_EPT_H
#define EPT_EPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ept/memtype.h"
#include "ept/mtrr.h"

/* An entry (SDM 3C tables 29-1 to 29-7). */
#define EPT_READ       (1ULL << 0)
#define EPT_WRITE      (1ULL << 1)
#define EPT_EXECUTE    (1ULL << 2)
#define EPT_RWX        (EPT_READ | EPT_WRITE | EPT_EXECUTE)
#define EPT_TYPE       0x38ULL     /* 5:3, leaves only */
#define EPT_IGNORE_PAT (1ULL << 6) /* leaves only */
#define EPT_LARGE      (1ULL << 7) /* a PDPTE or PDE that is a leaf */
#define EPT_ACCESSED   (1ULL << 8)
#define EPT_DIRTY      (1ULL << 9)
#define EPT_ADDRESS    0x000ffffffffff000ULL /* 51:12 */

/*
 * What is known of one table page. It is kept beside the tables, in an array the host gives, and
 * not in ignored bits of the parent's entry: a hypervisor below this one write-tracks the upper
 * tables, and each store to them would cost an exit. Fields of 'counts' (ept/table.h): leaves 9:0,
 * child tables 19:10, child tables with a leaf somewhere below them 29:20.
 */
struct ept_table_info {
	uint32_t counts;
};

/*
 * Levels: 1 = PTE (4K leaf), 2 = PDE (2M leaf), 3 = PDPTE (1G leaf), 4 = PML4E; each decides nine
 * bits of an address. tests/prove/ compiles smaller trees of the same code, small enough to try
 * all.
 */
#ifndef EPT_ROOT_LEVEL
#define EPT_ROOT_LEVEL 4
#define EPT_INDEX_BITS 9
#endif

/*
 * What the tables need of the world. A table page is named by its physical address; its content
 * is at (uint64_t *)(address + phys_offset).
 */
struct ept_host {
	void *ctx;
	uint64_t phys_offset;
	/*
	 * info[(table >> 12) - first_pfn] belongs to the table page 'table'. Content does not
	 * matter while the page is no table.
	 */
	struct ept_table_info *info;
	uint64_t first_pfn;
	/* A zeroed 4K page, or 0 when there is none left. */
	uint64_t (*alloc_table)(void *ctx);
	void (*free_table)(void *ctx, uint64_t table);
	/*
	 * INVEPT on every CPU that may have cached a translation; returns once all have done it.
	 * Called with the lock held, so a CPU that waits in lock() must answer meanwhile.
	 */
	void (*flush)(void *ctx);
	/*
	 * A zap of [gpa, gpa + size) has cleared so many leaves, perhaps none, and is not flushed
	 * yet. Called with the lock held. May be NULL.
	 */
	void (*zapped)(void *ctx, uint64_t gpa, uint64_t size, uint64_t leaves);
	/*
	 * Copy the 4K page at the one host address to the other, for slots with two copies of each
	 * page: no leaf maps 'to' yet, or the page stays as it is for whoever has one. Called with
	 * the lock held. NULL where no slot has two.
	 */
	void (*copy_page)(void *ctx, uint64_t to, uint64_t from);
	/*
	 * Mutual exclusion of all changes to one VM's tables; all four may be NULL on one CPU. Between
	 * share() and unshare() nobody has the lock, but others may share; share() is false when the
	 * lock is not free soon.
	 */
	void (*lock)(void *ctx);
	void (*unlock)(void *ctx);
	bool (*share)(void *ctx);
	void (*unshare)(void *ctx);
};

/* What the CPU offers (IA32_VMX_EPT_VPID_CAP) and the user has not masked off. */
struct ept_caps {
	bool large_2m;
	bool large_1g;
	bool accessed_dirty;
	unsigned address_width; /* host MAXPHYADDR, bits */
};

enum ept_slot_kind {
	EPT_SLOT_RAM,
	EPT_SLOT_ROM,       /* readable and executable; a write is an EPT violation */
	EPT_SLOT_HOST_MMIO, /* a device of the host, always UC */
	EPT_SLOT_RAM_TWICE, /* RAM with two host copies of each page: coherence=model */
};

/* A range of guest-physical space backed by host memory, 4K-aligned. */
struct ept_slot {
	uint64_t gpa;
	uint64_t size;
	uint64_t hpa;
	enum ept_slot_kind kind;
	/*
	 * Of RAM twice: leaves of type WB lead to 'hpa', all others here; and a byte for each page,
	 * zero at first, that ept/coherence.c keeps.
	 */
	uint64_t uncached_hpa;
	uint8_t *pages;
};
#define EPT_SLOTS 16

/* What of the faulting vCPU decides a leaf's type. */
struct ept_cpu {
	const struct mtrr *mtrr;
	bool cd; /* guest CR0.CD */
};

/* How a transition of the noncoherent count gives leaves their other type. */
enum ept_transition {
	EPT_TRANSITION_ZAP,    /* all are cleared, and come back by faults */
	EPT_TRANSITION_RETYPE, /* each is changed where it is; nothing faults */
};

/* What a fault installs. */
enum ept_fill_way {
	EPT_FILL_LEAF,  /* the leaf that covers the address */
	EPT_FILL_TABLE, /* where that is a 4K leaf, its neighbours of the same type in its table too
			 */
};

struct ept_stats {
	uint64_t transitions;     /* of the noncoherent count, 0 <-> non-zero, both directions */
	uint64_t leaves_cleared;  /* by all zaps */
	uint64_t last_zap_leaves; /* by the last zap */
	uint64_t last_zap_tables; /* tables the last zap cleared a leaf in, for each of its ranges */
	uint64_t leaves_retyped;  /* given their type in place, by all transitions that retype */
	uint64_t tables_retyped;  /* tables that held them then */
	uint64_t flushes;         /* calls of host->flush */
	uint64_t tables;          /* table pages in use now, root included */
	uint64_t retries;         /* faults computed again because the generation had moved */
	uint64_t installed[4];    /* leaves ever installed, by level (1-3) */
};

struct ept {
	struct ept_host host;
	struct ept_caps caps;
	enum memtype_policy policy;
	/* ept_init() leaves both 0; the owner chooses before the first fault. */
	enum ept_transition transition;
	enum ept_fill_way fill;
	uint64_t root;                   /* physical address of the PML4 table */
	unsigned noncoherent;            /* devices that can do noncoherent DMA */
	uint64_t generation;             /* advanced by every change; see ept_fault_begin() */
	struct ept_slot slot[EPT_SLOTS]; /* size 0: free */
	unsigned slots;                  /* one above the highest slot ever in use */
	uint64_t slots_end;              /* no slot ever reached it: beyond are devices */
	unsigned last_slot;              /* the one that held the last fault: searched first */
	uint64_t last_table;             /* of level 1, the last one a leaf went into, or 0 */
	uint64_t last_region;            /* gpa >> 21 of what it maps */
	uint64_t last_generation;        /* when that was */
	uint64_t seen;                   /* of all leaves stored since the last retype, the bits set */
	struct ept_stats stats;
};

/* An empty EPT. 0, or -ENOMEM when there is no page for the root. */
int ept_init(struct ept *ept, const struct ept_host *host, const struct ept_caps *caps, enum memtype_policy policy);
/* Free every table. The caller has stopped all CPUs that use it. */
void ept_destroy(struct ept *ept);

/* The EPTP: root, write-back walks, 4 levels, A/D if offered (SDM 3C 25.6.11). */
uint64_t ept_pointer(const struct ept *ept);

/*
 * Add a slot. 0; -EINVAL unaligned, empty, beyond 48 bits of guest-physical space or beyond the
 * host's address width; -EEXIST overlap; -ENOSPC.
 */
int ept_slot_add(struct ept *ept, const struct ept_slot *slot);
/*
 * The most table pages, root included, that leaves for these slots can need: every leaf 4K. Slots
 * are as ept_slot_add() takes them.
 */
uint64_t ept_tables_for(const struct ept_slot *slot, unsigned slots);
/* Remove the slot that begins at gpa: unmap, flush, free tables left empty. 0 or -ENOENT. */
int ept_slot_remove(struct ept *ept, uint64_t gpa);
/* The slot that holds gpa, or NULL. */
const struct ept_slot *ept_slot_find(const struct ept *ept, uint64_t gpa);

/* What a fault has computed, and what it then installed. */
struct ept_fill {
	const struct ept_cpu *cpu;
	bool write;
	uint64_t generation;
	uint64_t gpa;   /* of the 4K page */
	uint64_t hpa;   /* that backs it */
	uint64_t bits;  /* permissions and memory type */
	unsigned level; /* the largest leaf allowed; a smaller one has the same bits */
	unsigned slot;
	uint64_t start, end; /* with EPT_FILL_TABLE: the pages that 4K leaves of these bits may map */
};

/*
 * Serve an EPT violation at gpa (any byte of the page) for 'cpu': install the largest leaf that
 * alignment, slot and uniformity of type allow; *fill says what was installed. 0 installed (or already
 * there); -ENOENT no slot: the access is the device models'; -EPERM write to ROM; -ENOMEM no page for a
 * table. Takes the lock: not to be called with it held.
 */
int ept_fault(struct ept *ept, const struct ept_cpu *cpu, uint64_t gpa, bool write, struct ept_fill *fill);

/*
 * The two halves of ept_fault(), for a caller that does something in between. begin computes the
 * leaf under no lock. install takes the lock and stores the leaf only if nothing that the computation
 * read has changed since (the generation tells, as KVM's invalidate sequence does); otherwise it
 * returns -EAGAIN, and the caller begins again. A leaf computed before a transition is thus never installed after it.
 * The CPU whose MTRRs and CD are read must not change them in between without ept_type_changed().
 * Once installed, fill->level is that of the leaf, or 0 where another CPU was faster.
 */
int ept_fault_begin(const struct ept *ept, const struct ept_cpu *cpu, uint64_t gpa, bool write, struct ept_fill *fill);
int ept_fault_install(struct ept *ept, struct ept_fill *fill);

/*
 * The leaf entry that maps gpa, whole, and its level in *level (1-3); 0 and level 0 when none is
 * present. Never changes anything.
 */
uint64_t ept_walk(const struct ept *ept, uint64_t gpa, unsigned *level);

/*
 * Clear every leaf entry of [gpa, gpa + size), keep the tables, flush if
 * anything was cleared. Returns the number of leaves cleared. A range zap touches its range
 * only: a large leaf that straddles its edge is cleared whole, and comes back in smaller leaves
 * where its types now differ. A zap that finds no leaf flushes nothing: every earlier one has
 * flushed what it cleared, so no CPU holds a translation that the tables do not.
 */
uint64_t ept_zap_range(struct ept *ept, uint64_t gpa, uint64_t size);

/*
 * Memory as others than the guest's CPUs reach it, where pages have two copies (ept/coherence.c has
 * the rules). Each calls use(ctx, hpa) under the lock with the host address of gpa, for bytes of
 * that page only; a write calls it once more where both copies are written.
 *
 * ept_cpu_access(): in the place of 'cpu', through the leaf, which is installed first if there is
 * none, and whose flags are set. 0, or as ept_fault(); fill->level is 0 where none was installed.
 * ept_dma_access(): by a device; around_cache: it does not look into caches. 0, or -EFAULT: no RAM.
 */
typedef void ept_use(void *ctx, uint64_t hpa);
int ept_cpu_access(struct ept *ept, const struct ept_cpu *cpu, uint64_t gpa, bool write, ept_use *use, void *ctx,
		   struct ept_fill *fill);
int ept_dma_access(struct ept *ept, uint64_t gpa, bool write, bool around_cache, ept_use *use, void *ctx);
/*
 * WBINVD of [gpa, gpa + size), where pages have two copies: flush, dirty pages to memory, nothing
 * cached. The ranges of a larger one may be done one after the other.
 */
void ept_write_back(struct ept *ept, uint64_t gpa, uint64_t size);

/*
 * The noncoherent count's only door: delta is +1 or -1. On 0 -> 1 and 1 -> 0 every leaf is
 * zapped and flushed before it returns true (a transition; under kvm-6.6 it is counted and
 * nothing is zapped, as KVM did before 6.7). Under kvm-6.16 no type depends on the count: it
 * changes, and nothing else. Going below 0 is refused: returns false and changes nothing.
 *
 * With EPT_TRANSITION_RETYPE each leaf gets, in the place of being zapped, the type that a fault of
 * 'cpu' would give it, the vCPU whose write brought the change; where types now differ under a
 * large leaf it becomes smaller ones, where they no longer do small ones become a large one. Then
 * no CPU may be in the guest from the call to the return: it would use two types of one page. Only
 * a leaf that must be split when no table is left is cleared.
 */
bool ept_noncoherent_change(struct ept *ept, const struct ept_cpu *cpu, int delta);

/*
 * A guest CPU changed MTRRs or CR0.CD: while noncoherent DMA is present, zap these ranges (any
 * order and overlap) as one zap with one flush. Nothing without
 * noncoherent DMA, nor from kvm-6.11 on, where neither decides a type. kvm-6.6 does zap here, as
 * KVM did (update_mtrr() and kvm_post_set_cr0()). Returns the leaves cleared.
 */
uint64_t ept_type_changed(struct ept *ept, const struct ept_range *range, unsigned count);

#endif
