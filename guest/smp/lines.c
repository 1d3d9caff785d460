// SPDX-License-Identifier: MIT
/*
 * More than a guest's share of the console, after a pause in which all is sent: the hypervisor sends it with the CPU
 * that booted, which sleeps by then if this VM has no vCPU there and no other runs.
 */
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/smp/smp.h"

#define PAUSE 2000000UL /* TSC ticks */
#define MOST  8000000UL /* several times what the lines take; such a sleep is one of 20 to 40 M */
#define LINES 24

void test_lines(void)
{
	uint64_t start = rdtsc();

	while (rdtsc() < start + PAUSE) cpu_pause();
	start = rdtsc();
	for (unsigned n = 0; n < LINES; n++)
		printf("line %u of more than fit into a guest's share of the console\n", n);
	start = rdtsc() - start;
	check(start < MOST, "%u lines were sent in %lu ticks, fewer than %lu expected", LINES, start, MOST);
}
