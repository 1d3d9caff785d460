// SPDX-License-Identifier: MIT
/*
 * Storms of sixteen CPUs that interrupt each other as fast as they can: all others, one of the lowest priority, by
 * NMI, by x2APIC, and by a level line that nobody serves. The boot CPU ends them when the time is over.
 */
#include "guest/lib/check.h"
#include "guest/lib/cpu.h"
#include "guest/lib/ioapic.h"
#include "guest/lib/lapic.h"
#include "guest/lib/smp.h"
#include "guest/lib/start.h"
#include "guest/neighbour/storms.h"

#define TESTDEV_LINE 0x2000 /* + n: the level of line n */
#define LINE         9
#define TO_EACH      0xff

static uint32_t command; /* what each CPU sends again and again */
static volatile bool go, by_msr;

static void on_interrupt(void)
{
	if (by_msr)
		wrmsr(X2APIC_MSR(LAPIC_EOI), 0);
	else
		lapic_eoi();
	if (command || rdtsc() < storm_end) return;
	outb(TESTDEV_LINE + LINE, 0); /* a level line leaves no time for it elsewhere */
}

static void on_nmi(void) {}

static void send(void)
{
	if (by_msr)
		wrmsr(X2APIC_MSR(LAPIC_ICR_LOW), (uint64_t)TO_EACH << 32 | command);
	else
		smp_send(TO_EACH, command);
}

static void send_for_ever(unsigned id)
{
	(void)id;
	while (!go) cpu_pause();
	if (by_msr) lapic_x2apic();
	for (interrupts_on();; cpu_pause())
		if (command) send();
}

/* Once: the rounds behind the first find all CPUs at it. The time that it takes them to come does not count. */
static void begin(uint32_t what, bool x2apic)
{
	uint64_t start = rdtsc();
	unsigned count;

	if (go) return;
	count = cpuid(0xb, 1).ebx & 0xffff;
	interrupt_handler(VECTOR, on_interrupt);
	interrupt_handler(VECTOR_NMI, on_nmi);
	lapic_enable();
	check_count(count, smp_start(count, send_for_ever), "CPUs", "all CPUs came");
	storm_end += rdtsc() - start;
	command = what;
	by_msr = x2apic;
	if (x2apic) lapic_x2apic();
	go = true;
	interrupts_on();
}

static void send_as(uint32_t what, bool x2apic)
{
	begin(what, x2apic);
	send();
}

void cpus_broadcast(void) { send_as(LAPIC_ICR_ALL | VECTOR, false); }

void cpus_x2apic(void) { send_as(LAPIC_ICR_ALL | VECTOR, true); }

void cpus_lowest(void) { send_as(LAPIC_ICR_LOWEST | VECTOR, false); }

void cpus_nmi(void) { send_as(LAPIC_ICR_OTHERS | LAPIC_ICR_NMI, false); }

void cpus_level(void)
{
	if (!go) {
		begin(0, false);
		ioapic_write_entry(LINE, RTE_DESTINATION(TO_EACH) | RTE_LEVEL | VECTOR);
		outb(TESTDEV_LINE + LINE, 1);
	}
	cpu_pause();
}
