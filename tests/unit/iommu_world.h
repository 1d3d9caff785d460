/* SPDX-License-Identifier: MIT */
/*
 * A remapping unit in a world made of 4 MiB of RAM, for the tests of iommu/: tables are built in
 * that RAM and commands given through the registers, as a guest does it. What the unit reports
 * (attachment, interrupts) is written down in order. Included by tests/unit/test_iommu_*.c.
 */
#ifndef TESTS_UNIT_IOMMU_WORLD_H
#define TESTS_UNIT_IOMMU_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "iommu/state.h"
#include "lib/errno.h"

#define RAM_SIZE (4 * MiB)

/* Where things lie in guest memory. */
#define ROOT    0x1000ULL
#define CONTEXT 0x2000ULL  /* of bus 0 */
#define QUEUE   0x3000ULL  /* 256 descriptors */
#define STATUS  0x5000ULL  /* what wait descriptors write */
#define IRT     0x6000ULL  /* interrupt remapping table, 256 entries */
#define TABLES  0x10000ULL /* second-level tables, one after the other */
#define DATA    0x200000ULL

#define EDU   0x20 /* 00:04.0 */
#define EDU_B 0x28 /* 00:05.0 */
#define DID   5

struct world {
	struct iommu iommu;
	uint8_t *ram; /* exactly RAM_SIZE, for AddressSanitizer to watch */
	uint64_t next_table;
	struct iommu_event events[64];
	unsigned event_count;
	int noncoherent; /* the count, as a receiver of events keeps it */
	struct {
		uint64_t address;
		uint32_t data;
	} interrupts[64];
	unsigned interrupt_count;
	uint64_t record[2]; /* the last fault it told, lo and hi */
	unsigned records;
	uint32_t tail;       /* next free descriptor */
	unsigned unfinished; /* so many parts of what an event changed are still to be done */
	/* Called at each event and at each write of the unit, if set. */
	void (*on_event)(struct world *w);
	void (*on_write)(struct world *w, uint64_t gpa);
	uint64_t seen[4]; /* for these two to leave something */
	/* Called before each read of the unit, if set; where it returns an error, the read fails.
	 */
	int (*on_read)(struct world *w);
	struct iommu_stale stale; /* the last report of a stale entry's use */
	unsigned stale_count;
	uint64_t reads; /* how often the unit read memory */
	bool around;    /* was the last access of memory one around the cache? */
	bool ever;      /* was any, since a test has cleared this? */
};

static inline bool in_ram(uint64_t gpa, size_t size) { return gpa < RAM_SIZE && size <= RAM_SIZE - gpa; }

static inline int world_read(void *ctx, uint64_t gpa, void *to, size_t size, bool around)
{
	struct world *w = ctx;

	w->reads++;
	w->around = around;
	w->ever |= around;
	if (!in_ram(gpa, size) || (w->on_read && w->on_read(w))) return -EFAULT;
	memcpy(to, w->ram + gpa, size);
	return 0;
}

static inline int world_write(void *ctx, uint64_t gpa, const void *from, size_t size, bool around)
{
	struct world *w = ctx;

	w->around = around;
	w->ever |= around;
	if (!in_ram(gpa, size)) return -EFAULT;
	if (w->on_write) w->on_write(w, gpa);
	memcpy(w->ram + gpa, from, size);
	return 0;
}

static inline void world_interrupt(void *ctx, uint64_t address, uint32_t data)
{
	struct world *w = ctx;

	assert_in_range(w->interrupt_count, 0, 63);
	w->interrupts[w->interrupt_count].address = address;
	w->interrupts[w->interrupt_count++].data = data;
}

static inline void world_changed(void *ctx, const struct iommu_event *event)
{
	struct world *w = ctx;

	assert_in_range(w->event_count, 0, 63);
	/* By difference: a report of no change would make a receiver count wrong. */
	assert_true(event->attached != event->was_attached || event->noncoherent != event->was_noncoherent);
	w->events[w->event_count++] = *event;
	w->noncoherent += event->noncoherent - event->was_noncoherent;
	if (w->on_event) w->on_event(w);
}

static inline bool world_unfinished(void *ctx)
{
	struct world *w = ctx;

	return w->unfinished && --w->unfinished;
}

static inline void world_stale(void *ctx, const struct iommu_stale *stale)
{
	struct world *w = ctx;

	w->stale = *stale;
	w->stale_count++;
}

static inline void world_fault_recorded(void *ctx, uint64_t lo, uint64_t hi)
{
	struct world *w = ctx;

	w->record[0] = lo;
	w->record[1] = hi;
	w->records++;
}

static inline void reg_write(struct world *w, unsigned offset, uint32_t value)
{
	iommu_register_write(&w->iommu, offset, 4, value);
}

static inline uint32_t reg_read(struct world *w, unsigned offset)
{
	return (uint32_t)iommu_register_read(&w->iommu, offset, 4);
}

static inline void reg_write8(struct world *w, unsigned offset, uint64_t value)
{
	iommu_register_write(&w->iommu, offset, 8, value);
}

static inline uint64_t reg_read8(struct world *w, unsigned offset) { return iommu_register_read(&w->iommu, offset, 8); }

static inline void poke(struct world *w, uint64_t gpa, uint64_t value)
{
	assert_true(in_ram(gpa, sizeof(value)));
	memcpy(w->ram + gpa, &value, sizeof(value));
}

static inline uint64_t peek(struct world *w, uint64_t gpa)
{
	uint64_t value;

	assert_true(in_ram(gpa, sizeof(value)));
	memcpy(&value, w->ram + gpa, sizeof(value));
	return value;
}

/* Two devices, EDU and EDU_B, that can both emit No-Snoop; root table for bus 0; nothing on. */
static inline struct world *world_with(bool caching_mode, bool snoop_control,
				       void (*stale_used)(void *ctx, const struct iommu_stale *))
{
	struct world *w = calloc(1, sizeof(*w));
	struct iommu_host host = {.ctx = w,
				  .read = world_read,
				  .write = world_write,
				  .interrupt = world_interrupt,
				  .changed = world_changed,
				  .unfinished = world_unfinished,
				  .stale_used = stale_used,
				  .fault_recorded = world_fault_recorded};
	struct iommu_config config = {
		.snoop_control = snoop_control, .caching_mode = caching_mode, .interrupt_remapping = true};

	assert_non_null(w);
	w->ram = calloc(1, RAM_SIZE);
	assert_non_null(w->ram);
	w->next_table = TABLES;
	iommu_init(&w->iommu, &config, &host);
	assert_int_equal(iommu_add_device(&w->iommu, EDU, true), 0);
	assert_int_equal(iommu_add_device(&w->iommu, EDU_B, true), 0);
	poke(w, ROOT, CONTEXT | VTD_ROOT_P);
	return w;
}

static inline struct world *world_new(bool caching_mode, bool snoop_control)
{
	return world_with(caching_mode, snoop_control, NULL);
}

static inline void world_free(struct world *w)
{
	free(w->ram);
	free(w);
}

static inline uint64_t new_table(struct world *w)
{
	w->next_table += PAGE_SIZE;
	return w->next_table - PAGE_SIZE;
}

/* Map the page of 'level' at 'iova' to 'gpa' with the leaf bits 'flags'; returns the leaf's place.
 */
static inline uint64_t map(struct world *w, uint64_t table, unsigned top, uint64_t iova, unsigned level, uint64_t gpa,
			   uint64_t flags)
{
	for (unsigned l = top;; l--) {
		uint64_t at = table + (iova >> (12 + 9 * (l - 1)) & 511) * 8;

		if (l == level) {
			poke(w, at, gpa | flags | (l > 1 ? VTD_SL_PS : 0));
			return at;
		}
		if (!peek(w, at)) poke(w, at, new_table(w) | VTD_SL_R | VTD_SL_W);
		table = peek(w, at) & VTD_SL_ADDR;
	}
}

static inline uint64_t context_at(uint16_t source_id) { return CONTEXT + (source_id & 0xff) * 16; }

static inline void set_context(struct world *w, uint16_t source_id, uint64_t lo, uint64_t hi)
{
	poke(w, context_at(source_id), lo);
	poke(w, context_at(source_id) + 8, hi);
}

static inline uint64_t context_hi(unsigned domain_id, unsigned width)
{
	return TO_FIELD(domain_id, VTD_CONTEXT_DID) | TO_FIELD(width, VTD_CONTEXT_AW);
}

/* A 4-level context for 'table'. */
static inline void translated(struct world *w, uint16_t source_id, uint64_t table, unsigned domain_id)
{
	set_context(w, source_id, table | VTD_CONTEXT_P, context_hi(domain_id, VTD_AW_48BIT));
}

static inline void passed_through(struct world *w, uint16_t source_id, unsigned domain_id)
{
	set_context(w, source_id, VTD_CONTEXT_P | TO_FIELD(VTD_TT_PASS_THROUGH, VTD_CONTEXT_TT),
		    context_hi(domain_id, VTD_AW_48BIT));
}

static inline void command(struct world *w, uint64_t set, uint64_t clear)
{
	uint64_t one_shot = VTD_GCMD_SRTP | VTD_GCMD_SIRTP;
	uint64_t now = reg_read(w, VTD_GSTS) & ~one_shot;

	reg_write(w, VTD_GCMD, (uint32_t)((now & ~clear) | set));
}

static inline void start_queue(struct world *w)
{
	reg_write8(w, VTD_IQT, 0);
	reg_write8(w, VTD_IQA, QUEUE);
	command(w, VTD_GCMD_QIE, 0);
	w->tail = 0;
}

static inline void set_root(struct world *w, uint64_t root)
{
	reg_write8(w, VTD_RTADDR, root);
	command(w, VTD_GCMD_SRTP, 0);
}

/* The queue, the root table, translation. */
static inline void start(struct world *w)
{
	set_root(w, ROOT);
	start_queue(w);
	command(w, VTD_GCMD_TE, 0);
}

static inline void put_descriptor(struct world *w, uint64_t lo, uint64_t hi)
{
	poke(w, QUEUE + w->tail * 16, lo);
	poke(w, QUEUE + w->tail * 16 + 8, hi);
	w->tail = (w->tail + 1) % 256;
}

/* The queue to its end: returns how many slices the first did not do. */
static inline unsigned drain(struct world *w)
{
	unsigned slices = 0;

	for (; iommu_pending(&w->iommu); slices++) {
		assert_in_range(slices, 0, 32768 / IOMMU_SLICE * IOMMU_CHANGE_COST);
		iommu_work(&w->iommu);
	}
	return slices;
}

static inline void ring(struct world *w)
{
	reg_write8(w, VTD_IQT, w->tail * 16);
	drain(w);
}

static inline void submit(struct world *w, uint64_t lo, uint64_t hi)
{
	put_descriptor(w, lo, hi);
	ring(w);
}

static inline void flush_contexts(struct world *w)
{
	submit(w, VTD_DESC_CONTEXT | TO_FIELD(VTD_GLOBAL, VTD_DESC_G), 0);
}

static inline void flush_domain(struct world *w, unsigned domain_id)
{
	submit(w, VTD_DESC_CONTEXT | TO_FIELD(VTD_DOMAIN, VTD_DESC_G) | TO_FIELD(domain_id, VTD_DESC_DID), 0);
}

static inline void flush_device(struct world *w, uint16_t source_id, unsigned domain_id, unsigned function_mask)
{
	submit(w,
	       VTD_DESC_CONTEXT | TO_FIELD(VTD_DEVICE, VTD_DESC_G) | TO_FIELD(domain_id, VTD_DESC_DID) |
		       TO_FIELD(source_id, VTD_CONTEXT_DESC_SID) | TO_FIELD(function_mask, VTD_CONTEXT_DESC_FM),
	       0);
}

static inline void flush_iotlb(struct world *w) { submit(w, VTD_DESC_IOTLB | TO_FIELD(VTD_GLOBAL, VTD_DESC_G), 0); }

static inline void flush_pages(struct world *w, unsigned domain_id, uint64_t iova, unsigned order)
{
	submit(w, VTD_DESC_IOTLB | TO_FIELD(VTD_PAGE, VTD_DESC_G) | TO_FIELD(domain_id, VTD_DESC_DID), iova | order);
}

/* Vector 0x55, to APIC 3, fixed, edge; any source. */
#define IRTE_LO (VTD_IRTE_P | TO_FIELD(0x55, VTD_IRTE_VECTOR) | TO_FIELD(3, VTD_IRTE_DST))

static inline void set_irte(struct world *w, unsigned index, uint64_t lo, uint64_t hi)
{
	poke(w, IRT + index * 16, lo);
	poke(w, IRT + index * 16 + 8, hi);
}

/* 256 entries, remapping on, compatibility format blocked; the queue runs. */
static inline void start_remapping(struct world *w)
{
	start_queue(w);
	reg_write8(w, VTD_IRTA, IRT | 7);
	command(w, VTD_GCMD_SIRTP, 0);
	command(w, VTD_GCMD_IRE, 0);
}

/* The address of a remappable request for 'handle'. */
static inline uint64_t remappable(unsigned handle)
{
	return VTD_MSI_BASE | VTD_MSI_REMAPPABLE | TO_FIELD(handle, VTD_MSI_HANDLE_LOW) |
	       (handle & BIT(15) ? VTD_MSI_HANDLE_15 : 0);
}

static inline void invalidate_entries(struct world *w, uint64_t index, uint64_t order)
{
	submit(w, VTD_DESC_IEC | VTD_IEC_DESC_G | TO_FIELD(index, VTD_IEC_DESC_IIDX) | TO_FIELD(order, VTD_IEC_DESC_IM),
	       0);
}

/* 8 bytes, which are 'value' afterwards in memory or on the device's side. */
static inline int dma_write(struct world *w, uint16_t source_id, uint64_t iova, uint64_t value)
{
	return iommu_dma_write(&w->iommu, source_id, iova, &value, sizeof(value));
}

static inline uint64_t dma_read(struct world *w, uint16_t source_id, uint64_t iova)
{
	uint64_t value = 0;

	(void)iommu_dma_read(&w->iommu, source_id, iova, &value, sizeof(value));
	return value;
}

/* The reason of the recorded fault, 0 if there is none; makes room for the next. */
static inline unsigned take_fault(struct world *w)
{
	uint64_t hi = reg_read8(w, VTD_FRCD_HI);

	reg_write8(w, VTD_FRCD_HI, VTD_FRCD_F);
	reg_write(w, VTD_FSTS, VTD_FSTS_PFO);
	return hi & VTD_FRCD_F ? (unsigned)FIELD(hi, VTD_FRCD_FR) : 0;
}

#define RW (VTD_SL_R | VTD_SL_W)

/* EDU with an empty 4-level table, translation on. */
static inline struct world *translating(bool caching_mode, bool snoop_control, uint64_t *table)
{
	struct world *w = world_new(caching_mode, snoop_control);

	*table = new_table(w);
	translated(w, EDU, *table, DID);
	start(w);
	return w;
}

/* EDU with a page mapped at iova 0 to DATA by 'leaf'; nothing on yet. */
static inline struct world *prepared(bool caching_mode, bool snoop_control, uint64_t leaf)
{
	struct world *w = world_new(caching_mode, snoop_control);
	uint64_t table = new_table(w);

	map(w, table, 4, 0, 1, DATA, leaf);
	translated(w, EDU, table, DID);
	return w;
}

/* For on_event: what the DMA's target holds when the event comes. */
static inline void see_data(struct world *w) { w->seen[0] = peek(w, DATA); }

#endif
