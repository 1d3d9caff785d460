/* SPDX-License-Identifier: MIT */
/*
 * What the cases of guest/iommu share: two devices with known bytes in their buffers, good
 * tables for them, and the checks of a DMA's fate. The order of calls is in iommu.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guest/lib/pci.h"
#include "guest/lib/vtd.h"

#define DOMAIN 9
#define IOVA   0x800000UL /* translated to pages[0] by the good table; 2 MiB-aligned */
#define PAGES  4
#define BYTES  64 /* moved by each DMA */

extern bool native; /* not on Leafcutter: QEMU's unit is the reference */
extern struct edu_device edu[2];
extern uint64_t *table; /* second level, 3 levels: IOVA + n pages -> pages[n] */
extern uint8_t *pages[PAGES];

/* Good tables and an empty queue again, whatever the case before did; translation on. */
void restore(void);
/* Write a context entry and invalidate everything that was cached. */
void set_context(const struct edu_device *device, uint64_t low, uint64_t high);
void good_context(const struct edu_device *device);
/* The leaf entry of IOVA + offset in the good table. */
void set_leaf(uint64_t offset, uint64_t value);

/* Does a DMA write to 'iova' change 'target', does a read bring what is in 'source'? */
bool write_arrives(const struct edu_device *device, uint64_t iova, uint8_t *target);
bool read_arrives(const struct edu_device *device, uint64_t iova, uint8_t *source);
/* Forget recorded faults. */
void clear_faults(void);
/* A DMA of this direction is blocked and recorded with 'reason'. */
void blocked(const struct edu_device *device, uint64_t iova, bool to_memory, uint8_t reason, const char *text);

void register_cases(void);    /* registers.c */
void queue_cases(void);       /* queue.c */
void translation_cases(void); /* translation.c */
void stale_cases(void);       /* stale.c */
void fault_cases(void);       /* faults.c */
void interrupt_cases(void);   /* interrupts.c */
void intx_cases(void);        /* intx.c */
void attach_cases(void);      /* attach.c: Leafcutter only */
