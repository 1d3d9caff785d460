// SPDX-License-Identifier: MIT
/*
 * The local APIC: what writing it costs, and an interrupt from the write that causes it to the end of
 * its handler. First by its page, then by MSRs where there is x2APIC mode, which lasts.
 */
#include "guest/bench/bench.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/lapic.h"
#include "guest/lib/start.h"

#define VECTOR 0x51
#define TRIES  32

static volatile uint64_t ended;

static void end_by_page(void) { lapic_eoi(); }

static void end_by_msr(void) { wrmsr(X2APIC_MSR(LAPIC_EOI), 0); }

static void on_page(void)
{
	end_by_page();
	ended = rdtsc();
}

static void on_msr(void)
{
	end_by_msr();
	ended = rdtsc();
}

static void send_by_page(void) { lapic_write(LAPIC_ICR_LOW, LAPIC_ICR_SELF | VECTOR); }

static void send_by_icr(void) { wrmsr(X2APIC_MSR(LAPIC_ICR_LOW), LAPIC_ICR_SELF | VECTOR); }

static void send_by_self_ipi(void) { wrmsr(X2APIC_MSR(LAPIC_SELF_IPI), VECTOR); }

/* A deadline that is over when it is written. */
static void arm(void) { wrmsr(MSR_IA32_TSC_DEADLINE, rdtsc()); }

static void set_priority(void) { __asm__ volatile("mov %0, %%cr8" : : "r"(0UL)); }

/* The least ticks from before 'cause' to behind the handler's EOI. */
static uint64_t interrupt(void (*cause)(void))
{
	uint64_t best = ~0UL;

	interrupts_on();
	for (unsigned i = 0; i < TRIES; i++) {
		uint64_t start;

		ended = 0;
		start = rdtsc();
		cause();
		while (!ended) cpu_pause();
		best = MIN(best, ended - start);
	}
	interrupts_off();
	return best;
}

void bench_interrupts(void)
{
	if (!lapic_enable()) return;
	interrupt_handler(VECTOR, on_page);
	report("MOV to CR8", measure(set_priority));
	report("EOI, xAPIC", measure(end_by_page));
	report("self-IPI to its EOI, xAPIC", interrupt(send_by_page));
	if (!(cpuid(1, 0).ecx & CPUID_1_ECX_X2APIC)) return;
	lapic_x2apic();
	interrupt_handler(VECTOR, on_msr);
	report("EOI, x2APIC", measure(end_by_msr));
	report("self-IPI to its EOI, x2APIC", interrupt(send_by_icr));
	report("the same by its register of its own", interrupt(send_by_self_ipi));
	if (!(cpuid(1, 0).ecx & CPUID_1_ECX_TSC_DEADLINE)) return;
	wrmsr(X2APIC_MSR(LAPIC_LVT_TIMER), LAPIC_LVT_DEADLINE | VECTOR);
	report("deadline timer to its EOI, x2APIC", interrupt(arm));
}
