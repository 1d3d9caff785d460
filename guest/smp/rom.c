// SPDX-License-Identifier: MIT
/*
 * All CPUs write to one page of ROM at once, by an instruction that only a step on a copy of ROM
 * carries out, and look at it: none ever sees what another wrote.
 */
#include "guest/smp/smp.h"
#include "guest/lib/check.h"
#include "guest/lib/cpu.h"

#define ROM 0xf8000UL

static unsigned rounds;
static volatile unsigned changed, done;

static void write_rom(unsigned id)
{
	uint8_t *at = (uint8_t *)ROM + 128 * id;

	for (unsigned i = 0; i < rounds; i++) {
		uint64_t before = mmio_read64(ROM);

		if (id & 1) /* these look only */
			for (unsigned n = 0; n < 50; n++) changed += mmio_read64(ROM) != before;
		else
			__asm__ volatile("fnsave %0" : "=m"(*(uint8_t(*)[108])at) : : "memory");
		changed += mmio_read64(ROM) != before;
	}
	__atomic_fetch_add(&done, 1, __ATOMIC_RELAXED);
}

void test_rom(void)
{
	rounds = times(200);
	job_start(1, write_rom);
	write_rom(0);
	check(job_wait(1) && done == cpus, "each CPU wrote to ROM %u times, or looked", rounds);
	check_count(0, changed, "changes", "seen in ROM");
}
