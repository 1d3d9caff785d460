// SPDX-License-Identifier: MIT
/*
 * Of the MSRs that Bochs does not just let through: which bits a write may change, one by one,
 * and what it reads as then.
 */
#include "guest/fidelity/fidelity.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/start.h"

static const struct {
	uint32_t first, count;
} ranges[] = {
	{0x3b, 1},  {0x8b, 1},  {0xfe, 1},  {0x174, 3}, {0x200, 16},     {0x250, 1},      {0x258, 2},
	{0x268, 8}, {0x277, 1}, {0x2ff, 1}, {0x6e0, 1}, {0xc0000080, 4}, {0xc0000102, 2},
};

static void show(uint32_t msr)
{
	uint64_t value = 0, taken = 0, kept = 0, again;
	int vector = try_rdmsr(msr, &value);

	printf("MSR 0x%x: read %d", msr, vector);
	if (vector < 0) printf(" 0x%lx", value);
	printf(", written back %d", try_wrmsr(msr, value));
	for (unsigned bit = 0; bit < 64; bit++) {
		if (msr == MSR_IA32_EFER && bit == 8) continue;
		if (try_wrmsr(msr, value ^ BIT(bit)) >= 0) continue;
		taken |= BIT(bit);
		if (try_rdmsr(msr, &again) < 0 && (again ^ value) & BIT(bit)) kept |= BIT(bit);
		try_wrmsr(msr, value);
	}
	printf(", bits taken 0x%lx, kept 0x%lx\n", taken, kept);
}

void fidelity_msrs(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(ranges); i++)
		for (uint32_t n = 0; n < ranges[i].count; n++) show(ranges[i].first + n);
}
