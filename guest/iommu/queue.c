// SPDX-License-Identifier: MIT
/*
 * The invalidation queue, and invalidation by registers (VT-d 6.5).
 */
#include "guest/iommu/cases.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"

#define ICS_IWC    0x1U
#define CONTROL_IM (1U << 31)
#define CONTROL_IP (1U << 30)
#define CCMD_CAIG  BITS(60, 59)
#define IOTLB_IAIG BITS(58, 57)

static bool queue_error(void) { return vtd_read32(VTD_FSTS) & FSTS_IQE; }

static void accepts(uint64_t low, uint64_t high, const char *text)
{
	vtd_put(low, high);
	check(vtd_wait() && !queue_error(), "%s", text);
}

static void refuses(uint64_t low, uint64_t high, const char *text)
{
	uint64_t head;

	head = vtd_read64(VTD_IQH);
	vtd_put(low, high);
	vtd_ring();
	check(queue_error() && vtd_read64(VTD_IQH) == head, "%s: IQE, the head stays on it", text);
	vtd_mend();
	check(vtd_wait() && !queue_error(), "... mended, the queue goes on");
}

static void descriptors(void)
{
	uint16_t id = edu[0].source_id;

	accepts(DESC_CONTEXT | DESC_GLOBAL, 0, "context cache, global");
	accepts(DESC_CONTEXT | DESC_DOMAIN | DOMAIN << 16, 0, "context cache, domain");
	accepts(DESC_CONTEXT | DESC_SELECTIVE | (uint64_t)id << 32, 0, "context cache, device");
	accepts(DESC_CONTEXT | DESC_SELECTIVE | (uint64_t)id << 32 | 3UL << 48, 0,
		"context cache, device with function mask");
	accepts(DESC_IOTLB | DESC_GLOBAL, 0, "IOTLB, global");
	accepts(DESC_IOTLB | DESC_DOMAIN | DOMAIN << 16, 0, "IOTLB, domain");
	accepts(DESC_IOTLB | DESC_SELECTIVE | DOMAIN << 16, IOVA, "IOTLB, page");
	accepts(DESC_IOTLB | DESC_SELECTIVE | DOMAIN << 16, IOVA | BIT(6) | 2, "IOTLB, four pages, leaf entries only");
	refuses(DESC_CONTEXT, 0, "context cache of no granularity");
	refuses(DESC_IOTLB, 0, "IOTLB of no granularity");
	refuses(0xf, 0, "a type that does not exist");
	refuses(DESC_CONTEXT | DESC_GLOBAL | BIT(63), 0, "reserved bits");
	if (!native) refuses(DESC_DEVICE_TLB, 0, "device TLB, which ECAP.DT = 0 makes invalid");
}

static void wrap(void)
{
	unsigned through = 0;

	for (unsigned i = 0; i < 600; i++) through += vtd_wait();
	check_count(600, through, "waits", "600 waits through a queue of 256");
	check_is(vtd_read64(VTD_IQT), vtd_read64(VTD_IQH), "head and tail meet");
	for (unsigned i = 0; i < 20; i++) vtd_put(DESC_CONTEXT | DESC_GLOBAL, 0);
	check_whether(true, vtd_wait(), "the wait is over", "it never is", "20 descriptors and a wait by one ring");
}

static void wait_event(void)
{
	vtd_put(DESC_WAIT | DESC_WAIT_IRQ, 0);
	check_whether(true, vtd_wait(), "the wait is over", "it never is", "a wait that asks for an interrupt, masked");
	check_is(ICS_IWC, vtd_read32(VTD_ICS), "... sets ICS.IWC");
	check_is(CONTROL_IM | CONTROL_IP, vtd_read32(VTD_IECTL), "... and IECTL.IP, pending");
	vtd_write32(VTD_ICS, ICS_IWC);
	check_is(0, vtd_read32(VTD_ICS), "ICS.IWC is cleared by a 1");
	check_is(CONTROL_IM, vtd_read32(VTD_IECTL), "... and IP goes with it");
}

/* With the queue off, by registers: the bit clears, and the granularity done is told. */
static void by_register(void)
{
	vtd_queue_off();
	vtd_write64(VTD_CCMD, CCMD_ICC | CCMD_GLOBAL);
	check_is(TO_FIELD(1, CCMD_CAIG), vtd_read64(VTD_CCMD) & (CCMD_ICC | CCMD_CAIG),
		 "CCMD, global: ICC clears, CAIG says global");
	vtd_write64(VTD_CCMD, CCMD_ICC | CCMD_DEVICE | (uint64_t)edu[0].source_id << 16 | DOMAIN);
	check_is(TO_FIELD(3, CCMD_CAIG), vtd_read64(VTD_CCMD) & (CCMD_ICC | CCMD_CAIG),
		 "CCMD, device: CAIG says device");
	vtd_write64((unsigned)FIELD(vtd_read64(VTD_ECAP), ECAP_IRO) * 16 + 8, IOTLB_IVT | IOTLB_GLOBAL);
	check_is(TO_FIELD(1, IOTLB_IAIG),
		 vtd_read64((unsigned)FIELD(vtd_read64(VTD_ECAP), ECAP_IRO) * 16 + 8) & (IOTLB_IVT | IOTLB_IAIG),
		 "IOTLB, global: IVT clears, IAIG says global");
	vtd_queue_on();
}

void queue_cases(void)
{
	heading("Invalidation");
	descriptors();
	wrap();
	wait_event();
	by_register();
	check_whether(true, vtd_wait(), "the wait is over", "it never is", "the queue is on again");
}
