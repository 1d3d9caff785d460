/* SPDX-License-Identifier: MIT */
/*
 * XSAVE and XRSTOR where the CPU has them, else FXSAVE and FXRSTOR, around one area per vCPU.
 */
#include "hv/vm/fpu.h"

#include "lib/asm.h"
#include "lib/x86.h"

#define FCW_OFFSET   0 /* in the area, SDM 1 10.5.1 */
#define MXCSR_OFFSET 24
#define FCW_RESET    0x37f
#define MXCSR_RESET  0x1f80
#define OFFERABLE    (XCR0_X87 | XCR0_SSE | XCR0_AVX)

static uint64_t offered;

void fpu_init(void)
{
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);
	if (!(cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE)) return;
	write_cr4(read_cr4() | CR4_OSXSAVE);
	offered = cpuid(0xd, 0).eax & OFFERABLE;
}

uint64_t fpu_xcr0_offered(void) { return offered; }

void fpu_area_init(uint8_t *area)
{
	*(uint16_t *)(area + FCW_OFFSET) = FCW_RESET;
	*(uint32_t *)(area + MXCSR_OFFSET) = MXCSR_RESET;
}

void fpu_save(uint8_t *area, uint64_t *xcr0)
{
	if (!offered) {
		__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
		return;
	}
	*xcr0 = xgetbv(0);
	xsetbv(0, offered);
	__asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(~0U), "d"(~0U) : "memory");
}

void fpu_load(const uint8_t *area, uint64_t xcr0)
{
	if (!offered) {
		__asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
		return;
	}
	xsetbv(0, offered);
	__asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(~0U), "d"(~0U) : "memory");
	xsetbv(0, xcr0);
}
