// SPDX-License-Identifier: MIT
/*
 * A CPU loads a segment register from MMIO, which the hypervisor carries out, and another changes that descriptor
 * beside its accessed flag: nothing of it is lost. Needs dev=testdev.
 */
#include "guest/lib/check.h"
#include "guest/lib/cpu.h"
#include "guest/smp/smp.h"
#include "lib/bits.h"

#define TESTDEV  0xff000000UL
#define SELECTOR 0x1bU  /* user data */
#define ACCESSED BIT(8) /* of the descriptor's upper half */
#define LOADS    200U
#define MOST     10000000U /* changes, of which a load takes a few dozens */

extern uint32_t gdt[]; /* guest/lib/entry.asm */

static void load_fs(unsigned id)
{
	(void)id;
	while (!job_stop) __asm__ volatile("movw %0, %%fs" : : "m"(*(volatile uint16_t *)TESTDEV));
}

void test_segments(void)
{
	volatile uint32_t *low = &gdt[SELECTOR / 8 * 2], *high = low + 1;
	uint32_t first = *low, changes = 0;
	unsigned loads = 0;

	mmio_write32(TESTDEV, SELECTOR);
	job_start(1, load_fs);
	for (; loads < LOADS && changes < MOST; loads++) {
		__atomic_fetch_and(high, ~(uint32_t)ACCESSED, __ATOMIC_SEQ_CST);
		for (; !(*high & ACCESSED) && changes < MOST; changes++) __atomic_fetch_add(low, 1, __ATOMIC_SEQ_CST);
	}
	job_wait(1);
	check_count(LOADS, loads, "loads", "a segment register's load by the hypervisor sets the accessed flag");
	check_count(changes, *low - first, "changes", "and loses nothing that another CPU changes beside it");
	*low = first;
}
