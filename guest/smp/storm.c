// SPDX-License-Identifier: MIT
/*
 * Two VMs that share their CPUs, a vCPU of each on each. With "storm" a vCPU does nothing but what
 * costs the hypervisor time or other CPUs an exit: attach and detach, IPIs to all others, MTRRs and
 * CR0.CD, WBINVD and VMCALL. With "witness" each spins and says what share of its CPU it had, and how
 * long it was kept from it at the worst. Both for ticks= TSC ticks.
 */
#include "guest/lib/caching.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/lapic.h"
#include "guest/lib/start.h"
#include "guest/lib/vmcall.h"
#include "guest/smp/smp.h"
#include "lib/bits.h"

#define TICKS        12000000 /* unless ticks= says otherwise */
#define LONGEST_WAIT 4000000
#define ONE_STEP     1000 /* ticks: a longer one between two looks at the clock was somebody else's */
#define VECTOR       0x53
#define IPI_PERIOD   4000 /* ticks */
#define RANGE        (32 * MiB)

static struct {
	volatile uint64_t turns, longest, mine;
} of[SMP_CPUS];

static uint64_t ticks(void) { return guest_number("ticks", TICKS); }

static void transitions(void)
{
	device_attach();
	device_detach();
}

/* With a pause: IPIs that come faster than a handler returns leave those they come to nothing, as on a machine. */
static void ipis(void)
{
	uint64_t end = rdtsc() + IPI_PERIOD;

	smp_send(0, LAPIC_ICR_OTHERS | VECTOR);
	while (rdtsc() < end) cpu_pause();
}

static void types(void)
{
	mtrr_set(1, RANGE, RANGE / 2, MEMTYPE_WT);
	cache_disable(true);
	cache_disable(false);
	mtrr_set(1, 0, 0, MEMTYPE_UC);
}

static void exits(void)
{
	wbinvd();
	for (unsigned n = 0; n < 64; n++) vmcall_counter(COUNTER_KICKS);
}

static void storm(unsigned id)
{
	static void (*const storms[])(void) = {transitions, ipis, types, exits};
	uint64_t end = rdtsc() + ticks();

	for (interrupts_on(); rdtsc() < end; of[id].turns++) storms[id % ARRAY_SIZE(storms)]();
}

static void witness(unsigned id)
{
	uint64_t last = rdtsc(), end = last + ticks(), now, gap;

	for (interrupts_off(); last < end; last = now) {
		now = rdtsc();
		gap = now - last;
		if (gap > of[id].longest) of[id].longest = gap;
		if (gap < ONE_STEP) of[id].mine += gap;
	}
}

static void on_all(void (*what)(unsigned id))
{
	job_start(1, what);
	what(0);
	check(job_wait(1), "all CPUs end their work");
}

static void on_ipi(void) { lapic_eoi(); }

void run_storm(void)
{
	interrupt_handler(VECTOR, on_ipi);
	on_all(storm);
	for (unsigned id = 0; id < cpus; id++) check(of[id].turns >= 4, "CPU %u stormed: %lu turns", id, of[id].turns);
}

void run_witness(void)
{
	on_all(witness);
	for (unsigned id = 0; id < cpus; id++) {
		check(of[id].longest <= LONGEST_WAIT, "CPU %u: kept from it for %lu ticks, at most %u expected", id,
		      of[id].longest, LONGEST_WAIT);
		check(of[id].mine >= ticks() / 3, "CPU %u: a third of the time was mine: %lu of %lu ticks", id,
		      of[id].mine, ticks());
	}
}
