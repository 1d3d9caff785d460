/* SPDX-License-Identifier: MIT */
/*
 * Which MSRs a guest touches without an exit (SDM 3C 25.6.9). What the others do is in
 * hv/exits/msr.c.
 */
#include "hv/machine/memory.h"
#include "hv/vm/cpu_model.h"
#include "hv/vm/vmcs_setup.h"

/* The bitmap's four kilobytes: reads and writes of MSRs 0-0x1fff and of 0xc0000000-0xc0001fff. */
#define BITMAP_HIGH  1024
#define BITMAP_WRITE 2048
#define HIGH_FIRST   0xc0000000U

/*
 * MSRs that a guest touches without an exit: the VMCS holds them or hv/vm/switch.c swaps them. Their
 * values cannot harm anyone else.
 */
static const uint32_t direct[] = {
	MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP,   MSR_IA32_SYSENTER_EIP, MSR_IA32_STAR,
	MSR_IA32_LSTAR,       MSR_IA32_CSTAR,          MSR_IA32_FMASK,        MSR_IA32_FS_BASE,
	MSR_IA32_GS_BASE,     MSR_IA32_KERNEL_GS_BASE, MSR_IA32_PAT,
};
/* And those it only reads so. */
static const uint32_t direct_read[] = {MSR_IA32_TIME_STAMP_COUNTER, MSR_IA32_EFER};

static void allow(uint8_t *bitmap, uint32_t msr, bool write)
{
	uint32_t bit = msr & 0x1fff;
	uint8_t others = (uint8_t) ~(1U << bit % 8);

	if (msr >= HIGH_FIRST) bitmap += BITMAP_HIGH;
	bitmap[bit / 8] &= others;
	if (write) bitmap[BITMAP_WRITE + bit / 8] &= others;
}

uint64_t msr_bitmap_alloc(void)
{
	uint64_t page = page_alloc();
	uint8_t *bitmap = (uint8_t *)page;

	if (!page) return 0;
	memset(bitmap, 0xff, PAGE_SIZE);
	for (size_t i = 0; i < ARRAY_SIZE(direct); i++) allow(bitmap, direct[i], true);
	for (size_t i = 0; i < ARRAY_SIZE(direct_read); i++) allow(bitmap, direct_read[i], false);
	if (cpu_has_rdtscp()) allow(bitmap, MSR_IA32_TSC_AUX, true);
	return page;
}
