// SPDX-License-Identifier: MIT
/*
 * Jobs for the other CPUs; see jobs.h. A CPU polls its own word, so that starting a job needs no
 * interrupt and costs the CPU that starts it one store.
 */
#include "guest/lib/jobs.h"
#include "guest/lib/cpu.h"
#include "guest/lib/start.h"

#define PATIENCE 200000000UL /* ticks */
#define SETTLE   20000       /* ticks after which each has its code and stack in leaves */
#define ONE_LOOK 100         /* ticks: what is longer between two looks at the clock was not the CPU's own */

unsigned cpus = 1;
volatile bool job_stop;

static void (*volatile jobs[SMP_CPUS])(unsigned id);
static volatile unsigned ready;
static volatile bool go;
static volatile uint64_t took[SMP_CPUS], lost[SMP_CPUS];
static void (*part)(unsigned id);

static void other_cpu(unsigned id)
{
	interrupts_on();
	for (;;) {
		if (jobs[id]) {
			jobs[id](id);
			jobs[id] = NULL;
		}
		cpu_pause();
	}
}

unsigned jobs_begin(unsigned count) { return cpus = smp_start(count, other_cpu); }

void job_start(unsigned first, void (*job)(unsigned id))
{
	job_stop = false;
	for (unsigned id = first; id < cpus; id++) jobs[id] = job;
}

bool job_wait(unsigned first)
{
	uint64_t end = rdtsc() + PATIENCE * guest_number("patience", 1);

	job_stop = true;
	for (unsigned id = first; id < cpus; id++)
		while (jobs[id])
			if (rdtsc() > end)
				return false;
			else
				cpu_pause();
	return true;
}

static void timed(unsigned id)
{
	uint64_t start;

	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	while (!go) cpu_pause();
	start = rdtsc();
	part(id);
	took[id] = rdtsc() - start;
}

static uint64_t most_of(const volatile uint64_t *ticks, unsigned first)
{
	uint64_t most = 0;

	for (unsigned id = first; id < cpus; id++) most = MAX(most, ticks[id]);
	return most;
}

static uint64_t sum_of(const volatile uint64_t *ticks, unsigned first)
{
	uint64_t sum = 0;

	for (unsigned id = first; id < cpus; id++) sum += ticks[id];
	return sum;
}

uint64_t job_on_all(void (*job)(unsigned id), uint64_t *sum)
{
	part = job;
	ready = 0;
	go = false;
	job_start(1, timed);
	while (ready < cpus - 1) cpu_pause();
	go = true;
	timed(0);
	job_wait(1);
	if (sum) *sum = sum_of(took, 0);
	return most_of(took, 0);
}

static void watch_clock(unsigned id)
{
	uint64_t last, now, most = 0, all = 0;

	interrupts_off();
	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	while (!go) cpu_pause();
	for (last = rdtsc(); !job_stop; last = now) {
		now = rdtsc();
		if (now - last > ONE_LOOK) all += now - last;
		most = MAX(most, now - last);
	}
	took[id] = most;
	lost[id] = all;
	interrupts_on();
}

void jobs_watch_clock(void)
{
	ready = 0;
	go = false;
	job_start(1, watch_clock);
	while (ready < cpus - 1) cpu_pause();
	go = true;
	for (uint64_t end = rdtsc() + SETTLE; cpus > 1 && rdtsc() < end;) cpu_pause();
}

uint64_t jobs_stood_still(uint64_t *all)
{
	job_wait(1);
	if (all) *all = sum_of(lost, 1);
	return most_of(took, 1);
}
