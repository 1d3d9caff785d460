/* SPDX-License-Identifier: MIT */
/*
 * One emulated VT-d remapping unit, legacy mode (Intel VT-d specification; docs/manuals.md says
 * which revision). The guest programs it through its register page. It translates every DMA and
 * interrupt of the devices. It tells the host which devices are attached and which of them can do
 * noncoherent DMA (docs/iommu.md). There is no hardware access: the world is reached through 'struct
 * iommu_host'. Calls for one unit must not overlap, but a callback may call back into the unit.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IOMMU_BASE 0xfed90000ULL /* guest-physical address of the register page */
#define IOMMU_SIZE 0x1000ULL

#define IOMMU_DEVICES 16

/*
 * A 'source_id' is a PCI requester id: bus 15:8, device 7:3, function 2:0. The IOAPIC's requests
 * carry this one (bus 0xff, 00.0, as in QEMU), and the DMAR table tells the guest so.
 */
#define IOMMU_IOAPIC_SOURCE_ID 0xff00

struct iommu_event {
	uint16_t source_id;
	uint16_t domain_id; /* of the device's context; if it is detached now, of its last one */
	bool attached;      /* the device's state after the event, */
	bool noncoherent;
	bool was_attached; /* and its state before it */
	bool was_noncoherent;
};

enum iommu_cache { IOMMU_CONTEXTS, IOMMU_IOTLB, IOMMU_INTERRUPT_ENTRIES };

/* The unit's answer for one access, from a cache or from the tables in memory. */
struct iommu_answer {
	uint8_t reason; /* enum vtd_reason: why the access is blocked, or VTD_OK */
	/* Of the IOTLB, zero where the access is blocked: */
	uint64_t address;   /* guest-physical, where the access goes */
	uint8_t permission; /* VTD_SL_R, VTD_SL_W */
	bool snp;
	/* Of a context or interrupt entry, only the bits that mean something to the unit: */
	uint64_t lo, hi;
};

/* A cached entry was used although memory has another by now: no invalidation came in between. */
struct iommu_stale {
	enum iommu_cache cache;
	uint16_t source_id;
	uint64_t where; /* a DMA's address, or the index of an interrupt's entry */
	struct iommu_answer cached, in_memory;
};

struct iommu_host {
	void *ctx;
	/*
	 * Read or write guest RAM, any length. Returns -EFAULT, and does nothing, if any byte is not
	 * RAM. around_cache: no cache sees this part of a DMA, since the device is noncoherent and
	 * nothing forces the part to snoop. The unit's own accesses never go around the cache.
	 */
	int (*read)(void *ctx, uint64_t gpa, void *to, size_t size, bool around_cache);
	int (*write)(void *ctx, uint64_t gpa, const void *from, size_t size, bool around_cache);
	/* Deliver an interrupt message, after remapping: address 0xfeexxxxx and data. */
	void (*interrupt)(void *ctx, uint64_t address, uint32_t data);
	/*
	 * A device's attachment or coherence changed. changed() finishes everything that follows
	 * (count, zap, INVEPT), or leaves a rest. To the guest its command completes only after the
	 * rest, and the DMA that found the change goes on only then: where no descriptor of the queue
	 * brought the change, no CPU of the guest runs before the host has done the rest.
	 */
	void (*changed)(void *ctx, const struct iommu_event *event);
	/*
	 * Is a rest left? For a queue's descriptor the unit calls it once a slice, with the guest in
	 * between, and the head waits on the descriptor: then a part of the rest is done first. A DMA
	 * calls it before each part is moved, and ends with -EAGAIN if so; the queue does as it is
	 * turned off. Then the guest's CPUs wait for the rest. NULL: changed() leaves no rest.
	 */
	bool (*unfinished)(void *ctx);
	/*
	 * A cached entry was used that differs from memory. Told at its first such use only. To know
	 * it, the unit looks at the tables at each use of a cache. NULL: it compares nothing.
	 */
	void (*stale_used)(void *ctx, const struct iommu_stale *stale);
	/* A fault was recorded; lo and hi are as software will read it (VT-d 11.4.14.1). May be NULL. */
	void (*fault_recorded)(void *ctx, uint64_t lo, uint64_t hi);
};

struct iommu_config {
	bool snoop_control;       /* ECAP.SC */
	bool caching_mode;        /* CAP.CM */
	bool interrupt_remapping; /* ECAP.IR */
};

struct iommu; /* iommu/state.h has its members: include that to embed one */

/* Puts the unit into its reset state, without devices. */
void iommu_init(struct iommu *iommu, const struct iommu_config *config, const struct iommu_host *host);

/*
 * Adds a device behind the unit. emits_no_snoop: it can emit No-Snoop writes (ours can, unless
 * 'dev=edu,snoop'). Returns 0, -EEXIST or -ENOSPC.
 */
int iommu_add_device(struct iommu *iommu, uint16_t source_id, bool emits_no_snoop);
/* A device's "Enable No Snoop" (PCIe Device Control, 1 at reset) changed. Unknown devices are ignored. */
void iommu_set_no_snoop(struct iommu *iommu, uint16_t source_id, bool enabled);

/*
 * Register access at an offset within the page, of any width and alignment. One that is not 4 or 8
 * bytes, naturally aligned, reads as ones and is dropped on write (VT-d 11.2 leaves it undefined). A
 * write returns when all that follows from it is done, host->changed() included, but for the rest that
 * this may leave. Of the invalidation queue it does the first slice only; iommu_work() does the others.
 */
uint64_t iommu_register_read(struct iommu *iommu, uint64_t offset, unsigned width);
void iommu_register_write(struct iommu *iommu, uint64_t offset, unsigned width, uint64_t value);

/*
 * The invalidation queue goes on beside the guest: while iommu_pending(), call iommu_work() again and
 * again, with the guest in between. Each call is one slice of at most IOMMU_SLICE descriptors. A
 * device that is attached or detached or changes its coherence counts as IOMMU_CHANGE_COST more.
 */
#define IOMMU_SLICE       64U
#define IOMMU_CHANGE_COST 16U
bool iommu_pending(const struct iommu *iommu);
void iommu_work(struct iommu *iommu);

/*
 * DMA by a device. It is translated page by page, and each part is done as soon as it is translated:
 * as on hardware, a fault in the middle leaves the beginning done. Returns 0, or -EFAULT when a part
 * was blocked or its target is not RAM. A read then has ones for what it could not read. -EAGAIN: a part
 * waits for what is unfinished(), and is not moved; once that is done, do all of it again.
 */
int iommu_dma_read(struct iommu *iommu, uint16_t source_id, uint64_t iova, void *to, size_t size);
int iommu_dma_write(struct iommu *iommu, uint16_t source_id, uint64_t iova, const void *from, size_t size);

/* How many uses of stale entries there were, repeated ones included; 0 without host->stale_used. */
uint64_t iommu_stale_uses(const struct iommu *iommu);
/* A stale use in words, for people: one line, without a newline, cut to what fits into 'size'. */
#define IOMMU_STALE_TEXT 256 /* enough for any */
void iommu_stale_text(const struct iommu_stale *stale, char *text, size_t size);

/*
 * Tells in words, for people, what the unit holds: devices with their contexts, the IOTLB, what waits
 * in the queue, the fault record. It calls line(ctx, text) for each line, without a newline, and
 * changes nothing.
 */
void iommu_show(struct iommu *iommu, void (*line)(void *ctx, const char *text), void *ctx);

/* A device (or the IOAPIC) writes to 0xfeexxxxx: remap where enabled, and deliver unless blocked. */
void iommu_interrupt(struct iommu *iommu, uint16_t source_id, uint64_t address, uint32_t data);
