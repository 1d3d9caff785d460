// SPDX-License-Identifier: MIT
/*
 * Each leaf of CPUID to above the last one, a line each; guest/fidelity/bochs_differs has those of which
 * a guest sees less.
 */
#include "guest/fidelity/fidelity.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "lib/asm.h"

#define LAST        0x15
#define EXTENDED    0x80000000
#define SUBLEAVES   4
#define X87_CHANGES (BIT(6) | BIT(13)) /* FDP of exceptions only, neither FCS nor FDS: how the x87 is */

static void show(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_result r = cpuid(leaf, subleaf);

	printf("CPUID 0x%x.%u: %08x %08x %08x %08x\n", leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx);
}

static bool has_subleaves(uint32_t leaf) { return leaf == 4 || leaf == 7 || leaf == 0xb || leaf == 0xd; }

void fidelity_cpuid(void)
{
	for (uint32_t leaf = 0; leaf <= LAST; leaf++)
		for (uint32_t s = 0; s < (has_subleaves(leaf) ? SUBLEAVES : 1); s++) show(leaf, s);
	for (uint32_t leaf = EXTENDED; leaf <= EXTENDED + 8; leaf++) show(leaf, 0);
	printf("CPUID 7 of the x87: 0x%lx\n", cpuid(7, 0).ebx & X87_CHANGES);
	printf("a leaf above the last: %s\n",
	       cpuid(0x12345, 0).ecx == cpuid(cpuid(0, 0).eax, 0).ecx ? "the last one" : "another");
}
