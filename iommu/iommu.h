/* SPDX-License-Identifier: MIT */
/*
 * One emulated VT-d remapping unit, legacy mode (Intel VT-d specification; docs/manuals.md says
 * which revision). The guest programs it through its register page; devices translate every DMA and
 * interrupt through it; it reports which devices are attached and which of them can do noncoherent
 * DMA (docs/iommu.md). No hardware access: the world is reached through 'struct iommu_host'. Calls
 * for one unit must not overlap, but a callback may call back into it.
 */
#ifndef IOMMU_IOMMU_H
#define IOMMU_IOMMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IOMMU_BASE 0xfed90000ULL /* guest-physical address of the register page */
#define IOMMU_SIZE 0x1000ULL

#define IOMMU_DEVICES 16

/*
 * A 'source_id' is a PCI requester id: bus 15:8, device 7:3, function 2:0. The IOAPIC's requests
 * carry this one; the DMAR table says so (bus 0xff, 00.0, as in QEMU).
 */
#define IOMMU_IOAPIC_SOURCE_ID 0xff00

struct iommu_event {
	uint16_t source_id;
	uint16_t domain_id; /* of the context it has now or, detached, had */
	bool attached;      /* the device's state after the event */
	bool noncoherent;
	bool was_attached; /* and before it */
	bool was_noncoherent;
};

enum iommu_cache { IOMMU_CONTEXTS, IOMMU_IOTLB, IOMMU_INTERRUPT_ENTRIES };

/* What a cache, or else the tables in memory, have for one access: what the unit goes by of it. */
struct iommu_answer {
	uint8_t reason; /* enum vtd_reason: why the access is blocked, VTD_OK if it is not */
	/* Of the IOTLB, zero where the access is blocked: */
	uint64_t address;   /* guest-physical, where the access goes */
	uint8_t permission; /* VTD_SL_R, VTD_SL_W */
	bool snp;
	/* Of a context or interrupt entry, without the bits that mean nothing to the unit: */
	uint64_t lo, hi;
};

/* A use of a cached entry although memory has another by now, and no invalidation has come. */
struct iommu_stale {
	enum iommu_cache cache;
	uint16_t source_id;
	uint64_t where; /* the DMA's address; of an interrupt, the entry's index */
	struct iommu_answer cached, in_memory;
};

struct iommu_host {
	void *ctx;
	/*
	 * Guest RAM only, any length; -EFAULT (and nothing done) if any byte is not RAM.
	 * around_cache: this is a part of a DMA that no cache sees, since the device is noncoherent
	 * by now and nothing forces the part to snoop. The unit's own accesses never are.
	 */
	int (*read)(void *ctx, uint64_t gpa, void *to, size_t size, bool around_cache);
	int (*write)(void *ctx, uint64_t gpa, const void *from, size_t size, bool around_cache);
	/* Deliver an interrupt message (after remapping): address 0xfeexxxxx and data. */
	void (*interrupt)(void *ctx, uint64_t address, uint32_t data);
	/*
	 * A device's attachment or coherence changed, and how. The receiver has finished
	 * everything that follows from it (count, zap, INVEPT) when it returns: only then does
	 * the guest see its command completed, and the DMA that found the change go on.
	 */
	void (*changed)(void *ctx, const struct iommu_event *event);
	/*
	 * Is something of changed() still to be done? Each call does a part. From a queue's descriptor it
	 * is done beside the guest, a part for each slice, before the head passes the descriptor; elsewhere at once.
	 * NULL: changed() does all.
	 */
	bool (*unfinished)(void *ctx);
	/*
	 * An entry of a cache was used that is not what memory has: told at its first such use.
	 * It costs a look at the tables for each use of a cache; NULL: nothing is compared.
	 */
	void (*stale_used)(void *ctx, const struct iommu_stale *stale);
	/* A fault was recorded, as software will read it (VT-d 11.4.14.1). May be NULL. */
	void (*fault_recorded)(void *ctx, uint64_t lo, uint64_t hi);
};

struct iommu_config {
	bool snoop_control;       /* ECAP.SC */
	bool caching_mode;        /* CAP.CM */
	bool interrupt_remapping; /* ECAP.IR */
};

struct iommu; /* iommu/state.h; the size is known there, embed it by including that */

/* Reset state, no devices. */
void iommu_init(struct iommu *iommu, const struct iommu_config *config, const struct iommu_host *host);

/*
 * A device that exists behind the unit. emits_no_snoop: it can emit No-Snoop writes (ours do
 * unless 'dev=edu,snoop'). 0, -EEXIST or -ENOSPC.
 */
int iommu_add_device(struct iommu *iommu, uint16_t source_id, bool emits_no_snoop);
/* Its PCIe Device Control "Enable No Snoop" (resets to 1) changed. Unknown devices are ignored. */
void iommu_set_no_snoop(struct iommu *iommu, uint16_t source_id, bool enabled);

/*
 * Register access, offset within the page. Any width and alignment is taken; what is not a
 * naturally aligned 4- or 8-byte access reads as ones and is dropped on write (VT-d 11.2 leaves
 * it undefined). A write returns when all that follows from it is done, host->changed() included;
 * of the invalidation queue that is its first slice.
 */
uint64_t iommu_register_read(struct iommu *iommu, uint64_t offset, unsigned width);
void iommu_register_write(struct iommu *iommu, uint64_t offset, unsigned width, uint64_t value);

/*
 * The invalidation queue goes on beside the guest: while something is pending, call iommu_work()
 * again and again, with the guest in between. Each call is one slice of IOMMU_SLICE descriptors; a
 * device that comes, goes or changes its coherence counts as IOMMU_CHANGE_COST of them.
 */
#define IOMMU_SLICE       64U
#define IOMMU_CHANGE_COST 16U
bool iommu_pending(const struct iommu *iommu);
void iommu_work(struct iommu *iommu);

/*
 * DMA by a device: translated page by page, each part done as soon as it is translated (as on
 * hardware, a fault in the middle leaves the beginning done). 0, or -EFAULT after a fault was
 * recorded or the target was not RAM: then what was not read reads as ones.
 */
int iommu_dma_read(struct iommu *iommu, uint16_t source_id, uint64_t iova, void *to, size_t size);
int iommu_dma_write(struct iommu *iommu, uint16_t source_id, uint64_t iova, const void *from, size_t size);

/* How many uses of stale entries there were, all of each entry; 0 without host->stale_used. */
uint64_t iommu_stale_uses(const struct iommu *iommu);
/* A stale use in words, for people: one line without its end, cut to what fits into 'size'. */
#define IOMMU_STALE_TEXT 256 /* enough for any */
void iommu_stale_text(const struct iommu_stale *stale, char *text, size_t size);

/*
 * What the unit holds, in words for people: devices with their contexts, the IOTLB, what waits in
 * the queue, the fault record. Each line, without its end, goes to line(ctx, text); nothing
 * changes.
 */
void iommu_show(struct iommu *iommu, void (*line)(void *ctx, const char *text), void *ctx);

/* A device's (or the IOAPIC's) write to 0xfeexxxxx: remapped when enabled, then delivered. */
void iommu_interrupt(struct iommu *iommu, uint16_t source_id, uint64_t address, uint32_t data);

#endif
