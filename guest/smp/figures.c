// SPDX-License-Identifier: MIT
/*
 * What things cost with so many CPUs, in ticks: the first touch of memory that each has for itself,
 * a transition while all run, an IPI, and what firmware does at boot on all at once: MTRRs and CD,
 * here with a noncoherent device. tests/bench/smp prints the lines side by side.
 */
#include "guest/lib/caching.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/lapic.h"
#include "guest/lib/start.h"
#include "guest/lib/vmcall.h"
#include "guest/smp/smp.h"
#include "lib/x86.h"

#define PAGES       480
#define OWN_FIRST   (16 * MiB)
#define OWN_STRIDE  (2 * MiB)
#define TRANSITIONS 4 /* each way */
#define IPIS        16
#define VECTOR      0x52

static volatile unsigned ready;
static volatile bool go;
static volatile uint64_t took[SMP_CPUS], came;
static void (*part)(unsigned id);

static void report(const char *what, uint64_t ticks) { printf("%-46s %8lu ticks\n", what, ticks); }

/* All begin at once. */
static void timed(unsigned id)
{
	uint64_t start;

	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	while (!go) cpu_pause();
	start = rdtsc();
	part(id);
	took[id] = rdtsc() - start;
}

/* The most that one took, and the sum of all in *sum. */
static uint64_t on_all(void (*what)(unsigned id), uint64_t *sum)
{
	uint64_t most = 0;

	part = what;
	ready = 0;
	go = false;
	job_start(1, timed);
	while (ready < cpus - 1) cpu_pause();
	go = true;
	timed(0);
	job_wait(1);
	*sum = 0;
	for (unsigned id = 0; id < cpus; id++) {
		*sum += took[id];
		most = took[id] > most ? took[id] : most;
	}
	return most;
}

static void touch(unsigned id)
{
	volatile uint8_t *own = (volatile uint8_t *)(OWN_FIRST + id * OWN_STRIDE);

	for (unsigned n = 0; n < PAGES; n++) own[n * PAGE_SIZE] = 1;
}

/* As each CPU does it under firmware's rendezvous (SDM 3A 12.11.8). */
static void write_mtrrs(unsigned id)
{
	static const uint32_t fixed[] = {MSR_IA32_MTRR_FIX64K_00000, MSR_IA32_MTRR_FIX16K_80000,
					 MSR_IA32_MTRR_FIX16K_A0000};

	(void)id;
	cache_disable(true);
	for (unsigned n = 0; n < sizeof(fixed) / sizeof(fixed[0]); n++) wrmsr(fixed[n], rdmsr(fixed[n]));
	for (unsigned n = 0; n < 8; n++) wrmsr(MSR_IA32_MTRR_FIX4K_C0000 + n, rdmsr(MSR_IA32_MTRR_FIX4K_C0000 + n));
	for (unsigned n = 1; n < mtrr_variable_count(); n++)
		mtrr_set(n, OWN_FIRST + n * OWN_STRIDE, OWN_STRIDE, MEMTYPE_WT);
	for (unsigned n = 1; n < mtrr_variable_count(); n++) mtrr_set(n, 0, 0, MEMTYPE_UC);
	cache_disable(false);
}

/* Interrupts off: the longest time between two looks at the clock is what it stood still. */
static void watch_clock(unsigned id)
{
	uint64_t last = rdtsc(), now, most = 0;

	interrupts_off();
	for (; !job_stop; last = now) {
		now = rdtsc();
		if (now - last > most) most = now - last;
	}
	took[id] = most;
	interrupts_on();
}

static void transitions(void)
{
	uint64_t ticks = 0, still = 0, kicks;

	job_start(1, watch_clock);
	for (uint64_t end = rdtsc() + 100000; rdtsc() < end;) cpu_pause();
	kicks = vmcall_counter(COUNTER_KICKS);
	for (unsigned n = 0; n < TRANSITIONS; n++) {
		device_attach();
		ticks += vmcall_counter(COUNTER_TRANSITION_TICKS);
		device_detach();
		ticks += vmcall_counter(COUNTER_TRANSITION_TICKS);
	}
	kicks = vmcall_counter(COUNTER_KICKS) - kicks;
	job_wait(1);
	for (unsigned id = 1; id < cpus; id++) still = took[id] > still ? took[id] : still;
	report("a transition while all run", ticks / (2 * TRANSITIONS));
	printf("%-46s %8lu of 10\n", "kicks in ten transitions", 10 * kicks / (2 * TRANSITIONS));
	if (cpus > 1) report("the longest that one stood still", still);
}

static void on_ipi(void)
{
	came = rdtsc();
	lapic_eoi();
}

static void sleep_on(unsigned id)
{
	(void)id;
	while (!job_stop) __asm__ volatile("sti; hlt" : : : "memory");
}

static void look_on(unsigned id)
{
	(void)id;
	while (!job_stop) cpu_pause();
}

static uint64_t ipi(void (*other)(unsigned id))
{
	uint64_t sum = 0;

	job_start(1, other);
	for (unsigned n = 0; n < IPIS; n++) {
		for (uint64_t end = rdtsc() + 20000; rdtsc() < end;) cpu_pause();
		came = 0;
		sum -= rdtsc();
		smp_send(1, VECTOR);
		while (!came) cpu_pause();
		sum += came;
	}
	job_stop = true;
	smp_send(1, VECTOR);
	for (unsigned id = 2; id < cpus; id++) smp_send(id, VECTOR);
	job_wait(1);
	return sum / IPIS;
}

void print_figures(void)
{
	uint64_t sum, most = on_all(touch, &sum);

	printf("%-46s %8u\n", "CPUs", cpus);
	report("first touch of a page of its own, mean", sum / cpus / PAGES);
	report("... the slowest CPU's mean", most / PAGES);
	transitions();
	if (cpus > 1) {
		interrupt_handler(VECTOR, on_ipi);
		report("an IPI to a CPU that runs", ipi(look_on));
		report("... to one that halts", ipi(sleep_on));
	}
	device_attach();
	most = on_all(write_mtrrs, &sum);
	report("all MTRRs and CD on each, from first to last", most);
	report("... of each CPU", sum / cpus);
	device_detach();
}
