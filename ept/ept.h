/* SPDX-License-Identifier: MIT */
/*
 * Extended page tables of one VM (SDM 3C 29.3): memory slots, and leaves that faults install on
 * demand, one for each fault. A zap clears every leaf and keeps the tables. Options: a fault fills
 * its whole table (EPT_FILL_TABLE), a transition changes leaves in place (EPT_TRANSITION_RETYPE).
 * There is no hardware access: the world is reached through 'struct ept_host'. The same object runs
 * in the image, in the unit tests, in the fuzzer and in the bench.
 *
 * A caller of these functions must not hold host->lock. Each takes it itself for as long as it
 * changes or walks tables; only a fault may install its leaf, and the tables above, under host->share().
 * When it returns, every change it made has been flushed. 'stats' may be read at any time. ept_init()
 * and ept_destroy() need the VM to themselves, and a transition that retypes needs its CPUs out of the
 * guest.
 */
#pragma once

#include <stddef.h>

#include "ept/memtype.h"
#include "ept/mtrr.h"

/* An entry (SDM 3C tables 29-1 to 29-7). */
#define EPT_READ       BIT(0)
#define EPT_WRITE      BIT(1)
#define EPT_EXECUTE    BIT(2)
#define EPT_RWX        (EPT_READ | EPT_WRITE | EPT_EXECUTE)
#define EPT_TYPE       BITS(5, 3) /* leaves only */
#define EPT_IGNORE_PAT BIT(6)     /* leaves only */
#define EPT_LARGE      BIT(7)     /* a PDPTE or PDE that is a leaf */
#define EPT_ACCESSED   BIT(8)
#define EPT_DIRTY      BIT(9)
#define EPT_ADDRESS    BITS(51, 12)

/*
 * What is known of one table page. It is kept beside the tables, in an array that the host gives,
 * and not in ignored bits of the parent's entry. Where we run under another hypervisor, it
 * write-tracks the upper tables, so each store to them would cost an exit. Fields of 'counts'
 * (ept/table.h): leaves 9:0, child tables 19:10, child tables with a leaf somewhere below them
 * 29:20.
 */
struct ept_table_info {
	uint32_t counts;
};

/*
 * Levels: 1 = PTE (4K leaf), 2 = PDE (2M leaf), 3 = PDPTE (1G leaf), 4 = PML4E. Each decides nine
 * bits of an address. tests/prove/ compiles the same code with smaller trees, so small that it can
 * try them all.
 */
#ifndef EPT_ROOT_LEVEL
#define EPT_ROOT_LEVEL 4
#define EPT_INDEX_BITS 9
#endif
/* Of guest-physical space. */
#define EPT_GPA_BITS (12 + EPT_INDEX_BITS * EPT_ROOT_LEVEL)

/*
 * What the tables need of the world. A table page is named by its physical address. We read
 * and write it at (uint64_t *)(address + phys_offset).
 */
struct ept_host {
	void *ctx;
	uint64_t phys_offset;
	/*
	 * info[(table >> 12) - first_pfn] belongs to the table page 'table'. What it holds does not
	 * matter while the page is no table.
	 */
	struct ept_table_info *info;
	uint64_t first_pfn;
	/* Returns a zeroed 4K page, or 0 when none is left. Both are called under share() as well, by several CPUs at
	 * once. */
	uint64_t (*alloc_table)(void *ctx);
	void (*free_table)(void *ctx, uint64_t table);
	/*
	 * Every CPU that may have cached a translation executes INVEPT. Returns when all have done
	 * so. Called with the lock held, so a CPU that waits in lock() must answer meanwhile.
	 */
	void (*flush)(void *ctx);
	/*
	 * A zap has cleared 'leaves' leaves (perhaps 0). Its ranges lie in [gpa, gpa + size). It has
	 * not flushed yet. Called with the lock held. May be NULL.
	 */
	void (*zapped)(void *ctx, uint64_t gpa, uint64_t size, uint64_t leaves);
	/*
	 * Copy the 4K page at host address 'from' to 'to': the two copies that EPT_SLOT_RAM_TWICE
	 * has of each page. No leaf maps 'to' at that time. Called with the lock held. NULL where no
	 * slot has two copies.
	 */
	void (*copy_page)(void *ctx, uint64_t to, uint64_t from);
	/*
	 * Mutual exclusion of all changes to one VM's tables. All four may be NULL on one CPU. While
	 * a CPU is between share() and unshare(), no CPU has the lock, but others may share too.
	 * share() returns false when the lock does not become free soon.
	 */
	void (*lock)(void *ctx);
	void (*unlock)(void *ctx);
	bool (*share)(void *ctx);
	void (*unshare)(void *ctx);
};

/* What the CPU offers (IA32_VMX_EPT_VPID_CAP) and the user has not masked off. */
struct ept_caps {
	bool large_2m, large_1g, accessed_dirty;
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
	uint64_t gpa, size, hpa;
	enum ept_slot_kind kind;
	/* These two are for EPT_SLOT_RAM_TWICE. */
	uint64_t uncached_hpa; /* WB leaves lead to 'hpa', all others here */
	uint8_t *pages;        /* a byte for each page, zero at first, which ept/coherence.c keeps */
};
#define EPT_SLOTS 16

/* The state of the faulting vCPU that decides a leaf's type. */
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
	EPT_FILL_TABLE, /* that leaf; if it is one of 4K, also its table's others of the same type */
};

struct ept_stats {
	uint64_t transitions;     /* of the noncoherent count, 0 <-> non-zero, both directions */
	uint64_t leaves_cleared;  /* by all zaps */
	uint64_t last_zap_leaves; /* by the last zap */
	uint64_t last_zap_tables; /* tables in which the last zap cleared a leaf, once for each range */
	uint64_t change_leaves;   /* cleared by the last change of the count, 0 where that zaps nothing, */
	uint64_t change_tables;   /* and the tables they were in */
	uint64_t leaves_retyped;  /* by all transitions that retype */
	uint64_t tables_retyped;  /* tables that held these leaves */
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
	uint64_t slots_end;              /* end of the highest slot ever: above are devices only */
	unsigned last_slot;              /* held the last fault: searched first */
	uint64_t last_table;             /* the table of level 1 that got the last 4K leaf, or 0 */
	uint64_t last_region;            /* gpa >> 21 of what that table maps */
	uint64_t last_generation;        /* the generation at that time */
	uint64_t rom_offset;             /* from where ROM is to where its leaves lead: ept_lead_rom() */
	uint64_t seen;                   /* rights and type bits of all leaves since the last retype, ORed */
	struct ept_stats stats;
};

/* What a leaf of a level covers, in words: "no" for 0, "4K", "2M", "1G", "reserved 512G". */
extern const char *const ept_level_names[5];

/* An empty EPT. 0, or -ENOMEM when there is no page for the root. */
int ept_init(struct ept *ept, const struct ept_host *host, const struct ept_caps *caps, enum memtype_policy policy);
/* Free every table. The caller has stopped all CPUs that use it. */
void ept_destroy(struct ept *ept);

/* The EPTP: root, write-back walks, 4 levels, A/D if offered (SDM 3C 25.6.11). */
uint64_t ept_pointer(const struct ept *ept);

/*
 * Add a slot. Returns 0; -EINVAL if it is unaligned, empty, beyond 48 bits of guest-physical space
 * or beyond the host's address width; -EEXIST if it overlaps another; -ENOSPC.
 */
int ept_slot_add(struct ept *ept, const struct ept_slot *slot);
/*
 * The most table pages, root included, that leaves for these slots can need: as if every leaf were
 * 4K. Slots are as ept_slot_add() takes them.
 */
uint64_t ept_tables_for(const struct ept_slot *slot, unsigned slots);
/* Remove the slot that begins at gpa: unmap, flush, free the tables left empty. 0 or -ENOENT. */
int ept_slot_remove(struct ept *ept, uint64_t gpa);
/* The slot that holds gpa, or NULL. */
const struct ept_slot *ept_slot_find(const struct ept *ept, uint64_t gpa);

/* What a fault has computed, and what it then installed. */
struct ept_fill {
	const struct ept_cpu *cpu;
	bool write;
	uint64_t generation;
	uint64_t gpa;   /* of the 4K page */
	uint64_t hpa;   /* of the host page that backs it */
	uint64_t bits;  /* permissions and memory type */
	unsigned level; /* the largest leaf allowed; a smaller one has the same bits */
	unsigned slot;
	uint64_t start, end; /* with EPT_FILL_TABLE: 4K leaves of [start, end) have these bits too */
};

/*
 * Serve an EPT violation at gpa (any byte of the page) for 'cpu': install the largest leaf that the
 * slot and alignment allow and that has one type throughout. *fill says what was installed. Returns
 * 0 when a leaf was installed or was there; -ENOENT where no slot is, so that the access is for a
 * device model; -EPERM for a write to ROM; -ENOMEM without a page for a table. It takes the lock or
 * shares it, so it must not be called with the lock held.
 */
int ept_fault(struct ept *ept, const struct ept_cpu *cpu, uint64_t gpa, bool write, struct ept_fill *fill);

/*
 * The two halves of ept_fault(), for a caller that does something in between. begin computes the
 * leaf without the lock. install takes the lock or shares it, and stores the leaf only if nothing that
 * begin read has changed since. (The generation tells, as KVM's invalidate sequence does.) Otherwise
 * it returns -EAGAIN, and the caller begins again. So a leaf computed before a transition is never
 * installed after it. A caller that changes MTRRs or CD of 'cpu' between the two must call
 * ept_type_changed(). After install, fill->level is the leaf's level, or 0 where another CPU was
 * faster.
 */
int ept_fault_begin(const struct ept *ept, const struct ept_cpu *cpu, uint64_t gpa, bool write, struct ept_fill *fill);
int ept_fault_install(struct ept *ept, struct ept_fill *fill);

/*
 * Returns the whole leaf entry that maps gpa, and its level (1-3) in *level; 0 and level 0 when none
 * is present. Never changes anything.
 */
uint64_t ept_walk(const struct ept *ept, uint64_t gpa, unsigned *level);

/*
 * Clear every leaf of [gpa, gpa + size), keep the tables, and flush if anything was cleared. Returns
 * the number of leaves cleared. A large leaf that straddles the range's edge is cleared whole, and
 * comes back as smaller leaves where its types now differ; no other leaf outside is touched. A zap
 * that finds no leaf need not flush: every earlier one has flushed what it cleared, so no CPU holds a
 * translation that the tables do not have.
 */
uint64_t ept_zap_range(struct ept *ept, uint64_t gpa, uint64_t size);

/*
 * From now on the leaves of ROM's slot lead 'offset' bytes beyond it, to a copy, and allow writes; with 0 they lead
 * to ROM itself, as at first. The leaves in place are cleared and flushed. So a write to ROM can be carried out and
 * then forgotten. While 'offset' is not 0 the caller keeps all other CPUs out of the guest.
 */
void ept_lead_rom(struct ept *ept, const struct ept_slot *rom, uint64_t offset);

/*
 * Accesses by the hypervisor and by devices, where pages have two copies (ept/coherence.c has the
 * rules). Both functions call use(ctx, hpa) under the lock, with the host address of gpa; it is good
 * for bytes of that page only. Where a write goes to both copies, they call it a second time.
 *
 * ept_cpu_access() acts for 'cpu'. It goes through the leaf, sets its flags, and installs it first
 * if there is none. Returns 0, or as ept_fault(). fill->level is 0 where no leaf was installed.
 * ept_dma_access() acts for a device; with around_cache the access does not look into caches.
 * Returns 0, or -EFAULT where there is no RAM.
 */
typedef void ept_use(void *ctx, uint64_t hpa);
int ept_cpu_access(struct ept *ept, const struct ept_cpu *cpu, uint64_t gpa, bool write, ept_use *use, void *ctx,
		   struct ept_fill *fill);
int ept_dma_access(struct ept *ept, uint64_t gpa, bool write, bool around_cache, ept_use *use, void *ctx);
/*
 * WBINVD of [gpa, gpa + size), where pages have two copies: flush, and copy dirty pages to memory.
 * Then nothing of the range is cached. A large range may be done in parts, one after the other.
 */
void ept_write_back(struct ept *ept, uint64_t gpa, uint64_t size);

/*
 * Changes the noncoherent count, which nothing else does; delta is +1 or -1. 0 -> 1 and 1 -> 0 are
 * transitions: every leaf is zapped and flushed, and then it returns true. Under kvm-6.6 a
 * transition is counted and nothing is zapped, as KVM did before 6.7. Under kvm-6.16 no type depends
 * on the count, so only the count changes. A count below 0 is refused: it returns false and changes
 * nothing.
 *
 * With EPT_TRANSITION_RETYPE no leaf is zapped. Each gets the type that a fault of 'cpu' would give
 * it. 'cpu' is the vCPU whose write brought the change. A large leaf is split where types now differ;
 * small ones merge where they no longer do. No CPU may be in the guest from the call to the return,
 * since it would use two types of one page. A leaf is cleared only where it must be split and no
 * table is left. Where pages have two copies it only changes the count, and ept_retype_part() does the
 * rest, part by part; no CPU may be in the guest before the last. 'gpa' and 'size' are multiples of 2 MiB.
 */
bool ept_noncoherent_change(struct ept *ept, const struct ept_cpu *cpu, int delta);
void ept_retype_part(struct ept *ept, const struct ept_cpu *cpu, uint64_t gpa, uint64_t size);

/*
 * A guest CPU changed MTRRs or CR0.CD. While noncoherent DMA is present, zap these ranges as one zap
 * with one flush; they may come in any order and overlap. It does nothing without noncoherent DMA,
 * and never from kvm-6.11 on: MTRRs and CD decide no type there. kvm-6.6 does zap here, as KVM did
 * (update_mtrr() and kvm_post_set_cr0()). Returns the number of leaves cleared.
 */
uint64_t ept_type_changed(struct ept *ept, const struct ept_range *range, unsigned count);
