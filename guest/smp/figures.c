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
#define WRITES      16
#define VECTOR      0x52

static volatile uint64_t came;

static void report(const char *what, uint64_t ticks) { printf("%-50s %8lu ticks\n", what, ticks); }

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

static void transitions(void)
{
	uint64_t ticks = 0, kicks = vmcall_counter(COUNTER_KICKS), still, lost;

	jobs_watch_clock();
	for (unsigned n = 0; n < TRANSITIONS; n++) {
		device_attach();
		ticks += vmcall_counter(COUNTER_TRANSITION_TICKS);
		device_detach();
		ticks += vmcall_counter(COUNTER_TRANSITION_TICKS);
	}
	kicks = vmcall_counter(COUNTER_KICKS) - kicks;
	still = jobs_stood_still(&lost);
	report("a transition while all run", ticks / (2 * TRANSITIONS));
	printf("%-50s %8lu of 10\n", "kicks in ten transitions", 10 * kicks / (2 * TRANSITIONS));
	if (cpus == 1) return;
	report("... each other CPU loses", lost / (cpus - 1) / (2 * TRANSITIONS));
	report("... all together lose", (ticks + lost) / (2 * TRANSITIONS));
	report("... the longest that one stood still", still);
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

static void pause(void)
{
	for (uint64_t end = rdtsc() + 20000; rdtsc() < end;) cpu_pause();
}

/*
 * An MTRR's write while a noncoherent device is attached, which clears one leaf: with the others at
 * work it waits until those have left their guest.
 */
static uint64_t one_write(void (*other)(unsigned id))
{
	volatile uint8_t *page = (volatile uint8_t *)OWN_FIRST;
	uint64_t sum = 0;

	job_start(1, other);
	mtrr_set(1, OWN_FIRST, OWN_STRIDE, MEMTYPE_WT);
	for (unsigned n = 0; n < WRITES; n++) {
		*page = 1;
		pause();
		sum -= rdtsc();
		wrmsr(MSR_IA32_MTRR_PHYSBASE0 + 2, OWN_FIRST | (n & 1 ? MEMTYPE_WT : MEMTYPE_WC));
		sum += rdtsc();
	}
	job_stop = true;
	for (unsigned id = 1; id < cpus; id++) smp_send(id, VECTOR);
	job_wait(1);
	return sum / WRITES;
}

static uint64_t ipi(void (*other)(unsigned id))
{
	uint64_t sum = 0;

	job_start(1, other);
	for (unsigned n = 0; n < IPIS; n++) {
		pause();
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
	uint64_t sum, most = job_on_all(touch, &sum);

	printf("%-50s %8u\n", "CPUs", cpus);
	report("first touch of a page of its own, mean", sum / cpus / PAGES);
	report("... the slowest CPU's mean", most / PAGES);
	transitions();
	if (cpus > 1) {
		interrupt_handler(VECTOR, on_ipi);
		report("an IPI to a CPU that runs", ipi(look_on));
		report("... to one that halts", ipi(sleep_on));
	}
	device_attach();
	if (cpus > 1) {
		uint64_t halted = one_write(sleep_on);

		report("an MTRR write that clears a leaf, others halted", halted);
		report("... that kicks the others, which run: more", one_write(look_on) - halted);
	}
	most = job_on_all(write_mtrrs, &sum);
	report("all MTRRs and CD on each, from first to last", most);
	report("... of each CPU", sum / cpus);
	device_detach();
}
