// SPDX-License-Identifier: MIT
/*
 * The guest of lab 8: one CPU attaches and detaches a noncoherent device, the other polls the status of
 * the wait behind it. When that is there, the transition must be complete: its counter has moved.
 */
#include "guest/lib/check.h"
#include "guest/lib/cpu.h"
#include "guest/lib/pci.h"
#include "guest/lib/smp.h"
#include "guest/lib/start.h"
#include "guest/lib/vmcall.h"
#include "guest/lib/vtd.h"

#define DOMAIN 7
#define ROUNDS 4

static volatile uint32_t *status;
static volatile uint32_t round;            /* whose status is awaited; 0: none yet */
static volatile uint64_t seen[ROUNDS + 1]; /* transitions, when it was there; 0: not yet */

static void poll(unsigned id)
{
	(void)id;
	for (uint32_t n = 1; n <= ROUNDS; n++) {
		while (round != n) cpu_pause();
		while (*status != n) {
		}
		seen[n] = vmcall_counter(COUNTER_TRANSITIONS) + 1;
	}
}

/* Its context entry becomes another; the unit is told, and told to say when it is done. */
static void change(const struct edu_device *edu, uint64_t low, uint32_t n)
{
	uint64_t *context = vtd_context(edu->source_id);

	context[1] = CONTEXT_3_LEVELS | DOMAIN << 8;
	context[0] = low;
	vtd_put(DESC_CONTEXT | DESC_GLOBAL, 0);
	vtd_put(DESC_WAIT | DESC_WAIT_STATUS | (uint64_t)n << 32, (uint64_t)status);
	round = n;
	vtd_ring();
	while (!seen[n]) cpu_pause();
}

int guest_main(void)
{
	uint64_t before = vmcall_counter(COUNTER_TRANSITIONS), table;
	struct edu_device edu;

	if (!check(edu_find(0, &edu) && vtd_init() && vtd_set_root() && vtd_queue_on() && vtd_command(GCMD_TE, true),
		   "a device, and translation is on"))
		return check_status();
	status = page_alloc();
	table = (uint64_t)vtd_table();
	if (!check_count(2, smp_start(2, poll), "CPUs", "both CPUs run")) return check_status();
	for (uint32_t n = 1; n <= ROUNDS; n++) {
		change(&edu, n & 1 ? table | CONTEXT_PRESENT : 0, n);
		check_count(before + n, seen[n] - 1, "transitions complete", "status %u is written after transition %u",
			    n, n);
	}
	return check_status();
}
