// SPDX-License-Identifier: MIT
/*
 * The VT-d driver; see vtd.h.
 */
#include "guest/lib/vtd.h"
#include "guest/lib/cpu.h"
#include "guest/lib/start.h"

/* Polls of a register or of a status in memory before a command counts as lost. */
#define PATIENCE      1000000
#define QUEUE_ENTRIES 256

struct descriptor {
	uint64_t low, high;
};

static uint64_t *root, *contexts;
static struct descriptor *queue;
static volatile uint32_t *wait_status;
static uint32_t wait_value;
static unsigned tail;

uint32_t vtd_read32(unsigned offset) { return mmio_read32(VTD_BASE + offset); }

uint64_t vtd_read64(unsigned offset) { return mmio_read64(VTD_BASE + offset); }

void vtd_write32(unsigned offset, uint32_t value) { mmio_write32(VTD_BASE + offset, value); }

void vtd_write64(unsigned offset, uint64_t value) { mmio_write64(VTD_BASE + offset, value); }

bool vtd_init(void)
{
	uint32_t version = vtd_read32(VTD_VER);

	if (!version || version == ~0U) return false;
	root = vtd_table();
	contexts = vtd_table();
	queue = page_alloc();
	wait_status = page_alloc();
	root[0] = (uint64_t)contexts | CONTEXT_PRESENT;
	return true;
}

bool vtd_command(uint32_t bit, bool on)
{
	uint32_t states = vtd_read32(VTD_GSTS) & GSTS_STATES & ~bit;

	vtd_write32(VTD_GCMD, states | (on ? bit : 0));
	for (unsigned i = 0; i < PATIENCE; i++)
		if (!(vtd_read32(VTD_GSTS) & bit) == !on) return true;
	return false;
}

bool vtd_set_root(void)
{
	vtd_write64(VTD_RTADDR, (uint64_t)root);
	return vtd_command(GCMD_SRTP, true);
}

bool vtd_queue_on(void)
{
	tail = 0;
	vtd_write64(VTD_IQT, 0);
	vtd_write64(VTD_IQA, (uint64_t)queue);
	return vtd_command(GCMD_QIE, true);
}

bool vtd_queue_off(void) { return vtd_command(GCMD_QIE, false); }

uint64_t *vtd_context(uint16_t source_id) { return &contexts[2 * (source_id & 0xff)]; }

uint64_t *vtd_root(void) { return root; }

uint64_t *vtd_table(void) { return page_alloc(); }

uint64_t *vtd_entry(uint64_t *table, unsigned levels, uint64_t iova, unsigned level)
{
	for (unsigned at = levels; at > level; at--) {
		uint64_t *entry = &table[page_level_index(iova, at)];

		if (!(*entry & SL_RW)) *entry = (uint64_t)vtd_table() | SL_RW;
		table = (uint64_t *)(*entry & PAGE_ADDRESS);
	}
	return &table[page_level_index(iova, level)];
}

void vtd_map(uint64_t *table, unsigned levels, uint64_t iova, uint64_t address, uint64_t bits)
{
	*vtd_entry(table, levels, iova, 1) = address | bits;
}

void vtd_enter(uint16_t source_id, uint16_t domain, const uint64_t *table)
{
	uint64_t *entry = vtd_context(source_id);

	/* The half with the present bit last: the unit may read at any time. */
	entry[1] = (uint64_t)domain << 8 | CONTEXT_3_LEVELS;
	*(volatile uint64_t *)entry = (uint64_t)table | CONTEXT_TRANSLATE | CONTEXT_PRESENT;
}

bool vtd_attach(uint16_t source_id, uint16_t domain, const uint64_t *table)
{
	vtd_enter(source_id, domain, table);
	/* What was not present is cached, under caching mode, with domain 0 (VT-d 6.1). */
	return vtd_invalidate_context(DESC_SELECTIVE, 0, source_id);
}

bool vtd_detach(uint16_t source_id, uint16_t domain)
{
	uint64_t *entry = vtd_context(source_id);

	*(volatile uint64_t *)entry = 0;
	entry[1] = 0;
	return vtd_invalidate_context(DESC_SELECTIVE, domain, source_id) &&
	       vtd_invalidate_iotlb(DESC_DOMAIN, domain, 0);
}

void vtd_put(uint64_t low, uint64_t high)
{
	queue[tail] = (struct descriptor){low, high};
	tail = (tail + 1) % QUEUE_ENTRIES;
}

void vtd_ring(void)
{
	__asm__ volatile("" : : : "memory");
	vtd_write64(VTD_IQT, tail * sizeof(struct descriptor));
}

bool vtd_wait(void)
{
	wait_value++;
	vtd_put(DESC_WAIT | DESC_WAIT_STATUS | DESC_WAIT_FENCE | (uint64_t)wait_value << 32, (uint64_t)wait_status);
	vtd_ring();
	for (unsigned i = 0; i < PATIENCE; i++)
		if (*wait_status == wait_value) return true;
	return false;
}

void vtd_mend(void)
{
	unsigned at = (unsigned)(vtd_read64(VTD_IQH) / sizeof(struct descriptor)) % QUEUE_ENTRIES;

	for (; at != tail; at = (at + 1) % QUEUE_ENTRIES)
		queue[at] = (struct descriptor){DESC_WAIT | DESC_WAIT_STATUS, (uint64_t)wait_status};
	vtd_write32(VTD_FSTS, FSTS_IQE);
}

bool vtd_invalidate_context(uint64_t granularity, uint16_t domain, uint16_t source_id)
{
	vtd_put(DESC_CONTEXT | granularity | (uint64_t)domain << 16 | (uint64_t)source_id << 32, 0);
	return vtd_wait();
}

bool vtd_invalidate_iotlb(uint64_t granularity, uint16_t domain, uint64_t iova)
{
	vtd_put(DESC_IOTLB | granularity | (uint64_t)domain << 16, iova & ~(PAGE_SIZE - 1));
	return vtd_wait();
}

/* Fault records, VT-d 11.4.7.6: 16 bytes each from CAP.FRO on. */
#define FRR_HIGH_SOURCE_ID BITS(15, 0)
#define FRR_HIGH_REASON    BITS(39, 32)
#define FRR_HIGH_READ      BIT(62)
#define FRR_HIGH_FAULT     BIT(63)
#define FSTS_FRI           BITS(15, 8)

unsigned vtd_fault_records(void) { return (unsigned)FIELD(vtd_read64(VTD_CAP), CAP_NFR) + 1; }

bool vtd_fault_take(unsigned n, struct vtd_fault *fault)
{
	unsigned record = (unsigned)(FIELD(vtd_read64(VTD_CAP), CAP_FRO) + n) * 16;
	uint64_t high = vtd_read64(record + 8);

	if (!(high & FRR_HIGH_FAULT)) return false;
	*fault = (struct vtd_fault){
		.address = vtd_read64(record) & ~(PAGE_SIZE - 1),
		.source_id = (uint16_t)FIELD(high, FRR_HIGH_SOURCE_ID),
		.reason = (uint8_t)FIELD(high, FRR_HIGH_REASON),
		.read = high & FRR_HIGH_READ,
	};
	vtd_write32(record + 12, FRR_HIGH_FAULT >> 32);
	return true;
}

bool vtd_fault_next(struct vtd_fault *fault)
{
	uint32_t status = vtd_read32(VTD_FSTS);

	if (status & FSTS_PPF) return vtd_fault_take((unsigned)FIELD(status, FSTS_FRI), fault);
	if (status & FSTS_PFO) vtd_write32(VTD_FSTS, FSTS_PFO);
	return false;
}

const char *vtd_reason(uint8_t reason)
{
	switch (reason) {
	case 0x1: return "root entry not present";
	case 0x2: return "context entry not present";
	case 0x3: return "context entry invalid";
	case 0x4: return "address beyond the address width";
	case 0x5: return "no write permission";
	case 0x6: return "no read permission";
	case 0x7: return "second-level table not readable";
	case 0x8: return "root table not readable";
	case 0x9: return "context table not readable";
	case 0xa: return "reserved bits in the root entry";
	case 0xb: return "reserved bits in the context entry";
	case 0xc: return "reserved bits in a second-level entry";
	case 0xd: return "request type blocked by the translation type";
	case 0xe: return "translated into the interrupt range";
	case 0x20: return "reserved bits in an interrupt request";
	case 0x21: return "interrupt index beyond the table";
	case 0x22: return "interrupt entry not present";
	case 0x23: return "interrupt table not readable";
	case 0x24: return "reserved bits in an interrupt entry";
	case 0x25: return "compatibility format blocked";
	case 0x26: return "interrupt source not allowed";
	case 0x30: return "table mode not supported";
	default: return "unknown reason";
	}
}

struct words vtd_reason_words(uint8_t reason) { return words("reason 0x%x, %s", reason, vtd_reason(reason)); }

struct words vtd_request_words(uint16_t source_id, uint64_t address, bool read)
{
	return words("%s of page 0x%lx by %02x:%02x.%x", read ? "read" : "write", address, source_id >> 8,
		     source_id >> 3 & 31, source_id & 7);
}
