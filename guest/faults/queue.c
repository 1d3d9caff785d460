// SPDX-License-Identifier: MIT
/*
 * Invalidation queues that lie: the unit stops with IQE where VT-d 6.5.2.9 says so, and can be
 * used again afterwards. Needs iommu=on.
 */
#include "guest/faults/faults.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/start.h"
#include "guest/lib/vtd.h"

#define NOTHING  0xb0000000UL
#define IQA_SIZE 7 /* QS: 2^7 pages, 32768 descriptors */

static bool queue_error(void) { return vtd_read32(VTD_FSTS) & FSTS_IQE; }

/* Off, the error cleared, on again at the good place; and a wait goes through. */
static void recover(const char *after)
{
	vtd_queue_off();
	vtd_write32(VTD_FSTS, FSTS_IQE);
	check(vtd_queue_on() && vtd_wait() && !queue_error(), "%s: usable again", after);
}

/* Move the queue elsewhere and ring for 'descriptors' of what is found there. */
static void queue_at(uint64_t address, unsigned size, uint64_t descriptors)
{
	vtd_queue_off();
	vtd_write64(VTD_IQT, 0);
	vtd_write64(VTD_IQA, address | size);
	vtd_command(GCMD_QIE, true);
	vtd_write64(VTD_IQT, descriptors * 16);
}

static void bad_descriptor(uint64_t low, uint64_t high, const char *what)
{
	vtd_put(low, high);
	vtd_ring();
	check_whether(true, queue_error(), "IQE", "no IQE", "%s: IQE", what);
	vtd_put(DESC_WAIT | DESC_WAIT_STATUS, 0x1000);
	vtd_ring();
	check(queue_error() && vtd_read64(VTD_IQH) != vtd_read64(VTD_IQT), "... and the queue stands still");
	vtd_mend();
	check(vtd_wait() && !queue_error(), "... mended, it goes on");
}

static void wait_over_itself(void)
{
	uint64_t *queue = page_alloc();

	/* The first wait turns the second, a wait too, into type 0: invalid. */
	queue[0] = DESC_WAIT | DESC_WAIT_STATUS;
	queue[1] = (uint64_t)&queue[2];
	queue[2] = DESC_WAIT | DESC_WAIT_STATUS | 7UL << 32;
	queue[3] = (uint64_t)&queue[8];
	queue_at((uint64_t)queue, 0, 2);
	check(queue_error() && !queue[8], "a wait that overwrites the next descriptor: IQE");
	recover("...");
}

void lying_queue(void)
{
	uint64_t end = ram_end();

	if (!check(vtd_init() && vtd_set_root() && vtd_queue_on() && vtd_wait(), "a VT-d unit with a queue")) return;
	bad_descriptor(0xf, 0, "a type that does not exist");
	bad_descriptor(0, 0, "type 0");
	bad_descriptor(DESC_DEVICE_TLB, 0, "a device-TLB invalidation, ECAP.DT = 0");
	bad_descriptor(DESC_CONTEXT | DESC_GLOBAL | BIT(63), 0, "reserved bits");
	bad_descriptor(DESC_IOTLB, 0, "an IOTLB invalidation of no granularity");
	queue_at(NOTHING, 0, 1);
	check_whether(true, queue_error(), "IQE", "no IQE", "a queue where no memory is: IQE");
	recover("...");
	queue_at(end - PAGE_SIZE, IQA_SIZE, 300);
	check_whether(true, queue_error(), "IQE", "no IQE", "a queue that runs over the end of memory: IQE");
	recover("...");
	queue_at(end - PAGE_SIZE, 0, 0x7fff);
	check(queue_error() || vtd_read64(VTD_IQH) < PAGE_SIZE, "a tail beyond the queue ends");
	recover("...");
	wait_over_itself();
	vtd_put(DESC_WAIT | DESC_WAIT_STATUS, NOTHING);
	vtd_put(DESC_WAIT | DESC_WAIT_STATUS, VTD_BASE + VTD_GCMD);
	check(vtd_wait() || queue_error(), "a wait status where no memory is ends");
	recover("...");
	vtd_command(GCMD_QIE, true);
	vtd_write64(VTD_IQT, BIT(63) | 0xfffff);
	check(true, "a tail of all kinds of bits ends");
	recover("...");
}
