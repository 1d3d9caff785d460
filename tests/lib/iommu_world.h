/* SPDX-License-Identifier: MIT */
/*
 * A remapping unit in a world made of 4 MiB of RAM, for the tests of iommu/: tables are built in
 * that RAM and commands given through the registers, as a guest does it. What the unit reports
 * (attachment, interrupts) is written down in order.
 */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "iommu/state.h"
#include "lib/errno.h"
#include "tests/lib/test.h"

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

struct iommu_world {
	struct iommu_world *next; /* of this test */
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
	void (*on_event)(struct iommu_world *w);
	void (*on_write)(struct iommu_world *w, uint64_t gpa);
	uint64_t seen[4]; /* for these two to leave something */
	/* Called before each read of the unit, if set; where it returns an error, the read fails.
	 */
	int (*on_read)(struct iommu_world *w);
	struct iommu_stale stale; /* the last report of a stale entry's use */
	unsigned stale_count;
	uint64_t reads; /* how often the unit read memory */
	bool around;    /* was the last access of memory one around the cache? */
	bool ever;      /* was any, since a test has cleared this? */
};

void world_stale(void *ctx, const struct iommu_stale *stale);
void reg_write(struct iommu_world *w, unsigned offset, uint32_t value);
uint32_t reg_read(struct iommu_world *w, unsigned offset);
void reg_write8(struct iommu_world *w, unsigned offset, uint64_t value);
uint64_t reg_read8(struct iommu_world *w, unsigned offset);
void poke(struct iommu_world *w, uint64_t gpa, uint64_t value);
uint64_t peek(struct iommu_world *w, uint64_t gpa);

/* Every world of a test ends with it, also where it fails. */
int free_worlds(void **state);
#undef TEST
#define TEST(name) TEST_WITH(name, NULL, free_worlds)

/* What the unit offers: caching mode (CAP.CM), snoop control (ECAP.SC). */
enum { NO_CM = 0, CM = 1, SC = 2 };

/* Two devices, EDU and EDU_B, that can both emit No-Snoop; root table for bus 0; nothing on. */
struct iommu_world *world_with(unsigned options, void (*stale_used)(void *ctx, const struct iommu_stale *));
struct iommu_world *world_new(unsigned options);
uint64_t new_table(struct iommu_world *w);

/* Map the page of 'level' at 'iova' to 'gpa' with the leaf bits 'flags'; returns the leaf's place.
 */
uint64_t map_page(struct iommu_world *w, uint64_t table, unsigned top, uint64_t iova, unsigned level, uint64_t gpa,
		  uint64_t flags);
uint64_t context_at(uint16_t source_id);
void set_context(struct iommu_world *w, uint16_t source_id, uint64_t lo, uint64_t hi);
uint64_t context_hi(unsigned domain_id, unsigned width);

/* A 4-level context for 'table'. */
void translated(struct iommu_world *w, uint16_t source_id, uint64_t table, unsigned domain_id);
void passed_through(struct iommu_world *w, uint16_t source_id, unsigned domain_id);
void command(struct iommu_world *w, uint64_t set, uint64_t clear);
void start_queue(struct iommu_world *w);
void set_root(struct iommu_world *w, uint64_t root);

/* The queue, the root table, translation. */
void start(struct iommu_world *w);
void put_descriptor(struct iommu_world *w, uint64_t lo, uint64_t hi);

/* The queue to its end: returns how many slices the first did not do. */
unsigned drain(struct iommu_world *w);
void ring(struct iommu_world *w);
void submit(struct iommu_world *w, uint64_t lo, uint64_t hi);
void flush_contexts(struct iommu_world *w);
void flush_domain(struct iommu_world *w, unsigned domain_id);
void flush_device(struct iommu_world *w, uint16_t source_id, unsigned domain_id, unsigned function_mask);
void flush_iotlb(struct iommu_world *w);
void flush_pages(struct iommu_world *w, unsigned domain_id, uint64_t iova, unsigned order);

/* Vector 0x55, to APIC 3, fixed, edge; any source. */
#define IRTE_LO (VTD_IRTE_P | TO_FIELD(0x55, VTD_IRTE_VECTOR) | TO_FIELD(3, VTD_IRTE_DST))

void set_irte(struct iommu_world *w, unsigned index, uint64_t lo, uint64_t hi);

/* 256 entries, remapping on, compatibility format blocked; the queue runs. */
void start_remapping(struct iommu_world *w);

/* The address of a remappable request for 'handle'. */
uint64_t remappable(unsigned handle);
void invalidate_entries(struct iommu_world *w, uint64_t index, uint64_t order);

/* 8 bytes, which are 'value' afterwards in memory or on the device's side. */
int dma_write(struct iommu_world *w, uint16_t source_id, uint64_t iova, uint64_t value);
uint64_t dma_read(struct iommu_world *w, uint16_t source_id, uint64_t iova);

/* The reason of the recorded fault, 0 if there is none; makes room for the next. */
unsigned take_fault(struct iommu_world *w);

#define RW (VTD_SL_R | VTD_SL_W)

/* EDU with an empty 4-level table, translation on. */
struct iommu_world *translating(unsigned options, uint64_t *table);

/* EDU with a page mapped at iova 0 to DATA by 'leaf'; nothing on yet. */
struct iommu_world *prepared(unsigned options, uint64_t leaf);

/* For on_event: what the DMA's target holds when the event comes. */
void see_data(struct iommu_world *w);
