// SPDX-License-Identifier: MIT
/*
 * How a VM of several CPUs ends: by an INIT for the boot CPU, or a triple fault of the last one ("by-fault"), while
 * the others write memory without a pause; or by an INIT that the boot CPU sends itself ("by-itself"). With
 * reset=restart it begins anew until the time is over, and each time finds memory of zeroes, in which nobody writes who
 * is not there any more.
 */
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/lapic.h"
#include "guest/lib/start.h"
#include "guest/smp/smp.h"

#define PAGES_FIRST  (24 * MiB)
#define PAGES_SIZE   (512 * KiB)
#define WORDS        (PAGES_SIZE / sizeof(uint64_t))
#define CALM         200000 /* ticks */
#define UNSENT_LINES 8

static volatile uint64_t *const pages = (volatile uint64_t *)PAGES_FIRST;
static volatile bool wrote[SMP_CPUS];

static void write_for_ever(unsigned id)
{
	interrupts_off();
	for (;; wrote[id] = true)
		for (unsigned n = 0; n < WORDS; n++) pages[n] = id;
}

static unsigned words_written(void)
{
	unsigned count = 0;

	for (unsigned n = 0; n < WORDS; n++) count += pages[n] != 0;
	return count;
}

static void fault_thrice(unsigned id)
{
	const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) nothing = {0, 0};

	(void)id;
	__asm__ volatile("lidt %0; int3" : : "m"(nothing));
}

static void init_boot_cpu(unsigned id)
{
	(void)id;
	smp_send(0, (uint32_t)(TO_FIELD(MODE_INIT, COMMAND_MODE) | COMMAND_ASSERT));
}

void run_ends(void)
{
	unsigned last = cpus - 1;
	uint64_t end = rdtsc() + CALM;

	check_count(0, words_written(), "words", "memory is as new");
	while (rdtsc() < end) cpu_pause();
	check_count(0, words_written(), "words", "nobody from before writes");
	if (rdtsc() >= guest_number("until", ~0UL)) return;
	job_start(1, write_for_ever);
	for (unsigned id = 1; id < cpus; id++)
		while (!wrote[id]) cpu_pause();
	for (unsigned n = 0; n < UNSENT_LINES; n++) printf("the end comes before the console has sent this\n");
	if (guest_word("by-itself")) init_boot_cpu(0);
	job_start(last, guest_word("by-fault") ? fault_thrice : init_boot_cpu);
	smp_restart(last);
	write_for_ever(0);
}
