/* SPDX-License-Identifier: MIT */
/*
 * A driver for one VT-d unit in legacy mode: registers, root, context
 * and second-level tables, invalidation queue, fault records. Written from the specification
 * alone, so that it tests iommu/ instead of repeating it. Every wait is bounded.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guest/lib/check.h"
#include "lib/bits.h"

#define VTD_BASE 0xfed90000UL

/* Registers (VT-d 11.4). */
#define VTD_VER     0x00
#define VTD_CAP     0x08
#define VTD_ECAP    0x10
#define VTD_GCMD    0x18
#define VTD_GSTS    0x1c
#define VTD_RTADDR  0x20
#define VTD_CCMD    0x28
#define VTD_FSTS    0x34
#define VTD_FECTL   0x38
#define VTD_FEDATA  0x3c
#define VTD_FEADDR  0x40
#define VTD_FEUADDR 0x44
#define VTD_PMEN    0x64
#define VTD_IQH     0x80
#define VTD_IQT     0x88
#define VTD_IQA     0x90
#define VTD_ICS     0x9c
#define VTD_IECTL   0xa0
#define VTD_IEDATA  0xa4
#define VTD_IEADDR  0xa8
#define VTD_IEUADDR 0xac
#define VTD_IQERCD  0xb0
#define VTD_IRTA    0xb8

#define CAP_ND    BITS(2, 0)
#define CAP_CM    BIT(7)
#define CAP_SAGAW BITS(12, 8)
#define CAP_FRO   BITS(33, 24)
#define CAP_SLLPS BITS(37, 34)
#define CAP_NFR   BITS(47, 40)
#define ECAP_QI   BIT(1)
#define ECAP_IR   BIT(3)
#define ECAP_PT   BIT(6)
#define ECAP_SC   BIT(7)
#define ECAP_IRO  BITS(17, 8)

/* GCMD and GSTS (VT-d 11.4.4, 11.4.5). */
#define GCMD_TE    (1U << 31)
#define GCMD_SRTP  (1U << 30)
#define GCMD_QIE   (1U << 26)
#define GCMD_IRE   (1U << 25)
#define GCMD_SIRTP (1U << 24)
#define GCMD_CFI   (1U << 23)
/* Status bits that are states, to be written back with every command. */
#define GSTS_STATES (GCMD_TE | GCMD_QIE | GCMD_IRE | GCMD_CFI)

#define CCMD_ICC     BIT(63)
#define CCMD_GLOBAL  TO_FIELD(1, BITS(62, 61))
#define CCMD_DOMAIN  TO_FIELD(2, BITS(62, 61))
#define CCMD_DEVICE  TO_FIELD(3, BITS(62, 61))
#define IOTLB_IVT    BIT(63)
#define IOTLB_GLOBAL TO_FIELD(1, BITS(61, 60))

#define FSTS_PFO 0x01U
#define FSTS_PPF 0x02U
#define FSTS_IQE 0x10U

/* Descriptors (VT-d 6.5.2). */
#define DESC_CONTEXT     0x1
#define DESC_IOTLB       0x2
#define DESC_DEVICE_TLB  0x3
#define DESC_INTERRUPT   0x4
#define DESC_WAIT        0x5
#define DESC_GLOBAL      (1 << 4)
#define DESC_DOMAIN      (2 << 4)
#define DESC_SELECTIVE   (3 << 4) /* device of a context, pages of an IOTLB descriptor */
#define DESC_IEC_INDEX   (1 << 4)
#define DESC_WAIT_IRQ    (1 << 4)
#define DESC_WAIT_STATUS (1 << 5)
#define DESC_WAIT_FENCE  (1 << 6)

/* Context entry (VT-d 9.3), second-level entry (VT-d 9.8). */
#define CONTEXT_PRESENT      BIT(0)
#define CONTEXT_FPD          BIT(1)
#define CONTEXT_TRANSLATE    0
#define CONTEXT_PASS_THROUGH TO_FIELD(2, BITS(3, 2))
#define CONTEXT_3_LEVELS     1
#define CONTEXT_4_LEVELS     2
#define SL_READ              BIT(0)
#define SL_WRITE             BIT(1)
#define SL_RW                (SL_READ | SL_WRITE)
#define SL_LARGE             BIT(7)
#define SL_SNOOP             BIT(11)

uint32_t vtd_read32(unsigned offset);
uint64_t vtd_read64(unsigned offset);
void vtd_write32(unsigned offset, uint32_t value);
void vtd_write64(unsigned offset, uint64_t value);

/*
 * Finds the unit and allocates an empty root table, the context table of bus 0, and a queue.
 * Changes no register. False: no unit answers.
 */
bool vtd_init(void);
/* Hand the root table over: RTADDR, SRTP and its status. */
bool vtd_set_root(void);
/* Reset the queue to empty and switch it on. */
bool vtd_queue_on(void);
bool vtd_queue_off(void);
/* Set or clear one state bit of GCMD, or issue a one-shot command; waits for its status. */
bool vtd_command(uint32_t bit, bool on);

/* The two words of a device's context entry on bus 0. */
uint64_t *vtd_context(uint16_t source_id);
/* The root table's first entry, and the root itself. */
uint64_t *vtd_root(void);

/* An empty second-level table. */
uint64_t *vtd_table(void);
/* The entry of 'level' (1 = 4K) that translates iova under a table of 'levels'; tables on the
 * way are made. */
uint64_t *vtd_entry(uint64_t *table, unsigned levels, uint64_t iova, unsigned level);
/* Map one 4K page with these bits (SL_*). */
void vtd_map(uint64_t *table, unsigned levels, uint64_t iova, uint64_t address, uint64_t bits);

/* Fill a context entry (3 levels), and nothing else: without caching mode from not present that is enough. */
void vtd_enter(uint16_t source_id, uint16_t domain, const uint64_t *table);
/* The same, and tell the unit: from not present, or from another. */
bool vtd_attach(uint16_t source_id, uint16_t domain, const uint64_t *table);
/* Clear it, and tell the unit with the domain it had. */
bool vtd_detach(uint16_t source_id, uint16_t domain);

/* Append a descriptor; the unit sees it at the next vtd_ring(). */
void vtd_put(uint64_t low, uint64_t high);
void vtd_ring(void);
/* Append a wait descriptor, ring, and wait for its status. False: never came. */
bool vtd_wait(void);
/*
 * After IQE: turn what the unit has not fetched yet into waits for nothing, and clear IQE, so
 * that it goes on (VT-d 6.5.2.9).
 */
void vtd_mend(void);
/* One descriptor each, with a wait behind it. */
bool vtd_invalidate_context(uint64_t granularity, uint16_t domain, uint16_t source_id);
bool vtd_invalidate_iotlb(uint64_t granularity, uint16_t domain, uint64_t iova);

/* A fault record (VT-d 11.4.7.6), decoded. */
struct vtd_fault {
	uint64_t address; /* of the page, or an interrupt index in 63:48 */
	uint16_t source_id;
	uint8_t reason;
	bool read;
};
unsigned vtd_fault_records(void);
/* Record n: false when it holds no fault. Else decodes and clears it. */
bool vtd_fault_take(unsigned n, struct vtd_fault *fault);
/* The next fault of any record, oldest by FRI; clears overflow when none is left. */
bool vtd_fault_next(struct vtd_fault *fault);
/* What a reason code means (VT-d 7.1.3). */
const char *vtd_reason(uint8_t reason);
/* A record in words: "reason 0x5, no write permission". */
struct words vtd_reason_words(uint8_t reason);
/* "write of page 0x1000 by 00:02.0". */
struct words vtd_request_words(uint16_t source_id, uint64_t address, bool read);
