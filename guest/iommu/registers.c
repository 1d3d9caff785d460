// SPDX-License-Identifier: MIT
/*
 * The registers as they are after reset, by themselves (VT-d 11.4).
 */
#include "guest/iommu/cases.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "lib/apic.h"

#define CONTROL_IM (1U << 31)

static void capabilities(void)
{
	uint64_t cap = vtd_read64(VTD_CAP), ecap = vtd_read64(VTD_ECAP);

	check_is(0x1, vtd_read32(VTD_VER) >> 4, "VER: major version 1");
	check(cap & TO_FIELD(2, CAP_SAGAW), "CAP.SAGAW: 39-bit, 3-level tables");
	check_is(3, FIELD(cap, CAP_SLLPS), "CAP.SLLPS: 2 MiB and 1 GiB pages");
	check(FIELD(cap, CAP_FRO) * 16 + vtd_fault_records() * 16 <= PAGE_SIZE,
	      "CAP.FRO and NFR: the records lie in the page");
	check((ecap & ECAP_QI) && (ecap & ECAP_PT), "ECAP: queued invalidation, pass-through");
	check(!(ecap & BIT(2)), "ECAP.DT is 0");
	check_is(cap, vtd_read32(VTD_CAP) | (uint64_t)vtd_read32(VTD_CAP + 4) << 32, "CAP is the same in two halves");
}

static void read_only(void)
{
	uint64_t cap = vtd_read64(VTD_CAP);

	vtd_write64(VTD_CAP, ~cap);
	vtd_write32(VTD_VER, ~0U);
	vtd_write32(VTD_GSTS, ~0U);
	check(vtd_read64(VTD_CAP) == cap && vtd_read32(VTD_VER) >> 4 == 1 && !vtd_read32(VTD_GSTS),
	      "CAP, VER and GSTS are read-only");
}

static void read_write(void)
{
	vtd_write64(VTD_RTADDR, 0x123456000);
	check_is(0x123456000, vtd_read64(VTD_RTADDR), "RTADDR, 8 bytes");
	vtd_write32(VTD_RTADDR, 0x7654000);
	check_is(0x107654000, vtd_read64(VTD_RTADDR), "RTADDR, its lower half");
	vtd_write32(VTD_RTADDR + 4, 0);
	check_is(0x7654000, vtd_read64(VTD_RTADDR), "RTADDR, its upper half");
	vtd_write64(VTD_IQA, 0x8000);
	if (!native) check_is(0x8000, vtd_read64(VTD_IQA), "IQA, before the queue is on");
	vtd_write32(VTD_FEDATA, 0x41);
	vtd_write32(VTD_FEADDR, MESSAGE_BASE);
	check(vtd_read32(VTD_FEDATA) == 0x41 && vtd_read32(VTD_FEADDR) == MESSAGE_BASE, "FEDATA and FEADDR");
}

void register_cases(void)
{
	heading("Registers");
	capabilities();
	read_only();
	check_is(0, vtd_read32(VTD_FSTS), "FSTS is clear after reset");
	check_is(CONTROL_IM, vtd_read32(VTD_FECTL), "FECTL: masked after reset");
	check_is(CONTROL_IM, vtd_read32(VTD_IECTL), "IECTL: masked after reset");
	check_is(0, vtd_read64(VTD_IQH) | vtd_read64(VTD_IQT), "IQH and IQT are 0 after reset");
	read_write();
	check_is(0, vtd_read32(VTD_GSTS), "nothing is enabled by all this");
}
