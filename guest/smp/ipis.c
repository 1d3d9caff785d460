// SPDX-License-Identifier: MIT
/*
 * IPIs between CPUs: by physical and logical destination, to all, to all others, of lowest
 * priority, NMI and INIT; and who gets none gets none.
 */
#include "guest/lib/check.h"
#include "guest/lib/cpu.h"
#include "guest/lib/ioapic.h"
#include "guest/lib/lapic.h"
#include "guest/lib/pci.h"
#include "guest/lib/start.h"
#include "guest/lib/vmcall.h"
#include "guest/lib/vtd.h"
#include "guest/smp/smp.h"

/* A capability, its Device Control, and what that is after reset. */
#define PCIE          0x10
#define PCIE_CONTROL  8
#define PCIE_RESET    0x2810
#define PCIE_NO_SNOOP 0x0800

#define VECTOR    0x51
#define BROADCAST 0xff
#define PATIENCE  (20 * calm)

static uint64_t calm = 200000; /* ticks in which an IPI that should not have come would have */
static volatile unsigned came[SMP_CPUS], nmis[SMP_CPUS];
static volatile bool awake[SMP_CPUS];

static bool is_x2apic(void) { return rdmsr(MSR_IA32_APIC_BASE) & APIC_BASE_EXTD; }

static void on_ipi(void)
{
	came[smp_id()]++;
	if (is_x2apic())
		wrmsr(X2APIC_MSR(LAPIC_EOI), 0);
	else
		lapic_eoi();
}

static void on_nmi(void) { nmis[smp_id()]++; }

static void wait(uint64_t ticks)
{
	uint64_t end = rdtsc() + ticks;

	while (rdtsc() < end) cpu_pause();
}

/* Wait until those in 'mask' have one more each, and a while longer. */
static bool arrived(const volatile unsigned *counts, uint32_t mask)
{
	uint64_t end = rdtsc() + PATIENCE;
	bool all = false, others = false;

	while (!all && rdtsc() < end) {
		all = true;
		for (unsigned id = 0; id < cpus; id++) all &= !(mask & 1U << id) || counts[id] == 1;
	}
	wait(calm);
	for (unsigned id = 0; id < cpus; id++) others |= counts[id] != (mask >> id & 1);
	return all && !others;
}

static void forget(void)
{
	for (unsigned id = 0; id < SMP_CPUS; id++) came[id] = nmis[id] = 0;
}

static void send(unsigned destination, uint32_t command)
{
	if (is_x2apic())
		wrmsr(X2APIC_MSR(LAPIC_ICR_LOW), (uint64_t)destination << 32 | command);
	else
		smp_send(destination, command);
}

static void check_ipi(unsigned destination, uint32_t command, uint32_t mask, const char *claim)
{
	forget();
	send(destination, command | VECTOR);
	check(arrived(came, mask), "%s", claim);
}

static void set_logical(unsigned id) { lapic_write(LAPIC_LDR, 1U << (id + 24)); }

/* On nested it is a CPU's last act before a halt that only an NMI ends; see take_nmis(). Elsewhere none may need it. */
static void unblock_nmis(unsigned id)
{
	if (guest_word("interruptible")) take_nmis(id);
}

static void sleep_deaf(unsigned id)
{
	awake[id] = false;
	unblock_nmis(id);
	__asm__ volatile("cli; hlt" : : : "memory");
	awake[id] = true;
	interrupts_on();
}

static void test_lowest(void)
{
	unsigned total = 0, most = 0;

	forget();
	for (unsigned n = 0; n < 4 * cpus; n++) {
		send((1U << cpus) - 1, LAPIC_ICR_LOWEST | (uint32_t)COMMAND_LOGICAL | VECTOR);
		wait(calm);
	}
	for (unsigned id = 0; id < cpus; id++) {
		total += came[id];
		most = came[id] > most ? came[id] : most;
	}
	check_count(4 * cpus, total, "interrupts", "each of lowest priority goes to one CPU");
	check_whether(true, most < total, "to several", "to one", "not always to the same");
}

static void test_nmi(unsigned last)
{
	uint64_t end;

	forget();
	smp_send(last, LAPIC_ICR_NMI);
	check(arrived(nmis, 1U << last), "an NMI");
	job_start(last, sleep_deaf);
	wait(calm);
	forget();
	smp_send(last, VECTOR);
	wait(calm);
	check_whether(false, awake[last], "awake", "asleep",
		      "an interrupt does not wake a CPU that halted with interrupts off");
	smp_send(last, LAPIC_ICR_NMI);
	for (end = rdtsc() + PATIENCE; !awake[last] && rdtsc() < end;) cpu_pause();
	check_whether(true, awake[last], "awake", "asleep", "an NMI does");
	check(job_wait(last) && arrived(came, 1U << last), "and the interrupt comes then");
}

static volatile bool boot_cpu_sleeps;

/* Interrupts off, and once it halts another CPU's wake_boot_cpu() wakes it. */
static void boot_cpu_will_halt(void)
{
	interrupts_off();
	boot_cpu_sleeps = true;
}

static void boot_cpu_halt(void)
{
	unblock_nmis(0);
	__asm__ volatile("hlt" : : : "memory");
	boot_cpu_sleeps = false;
	interrupts_on();
}

/* An NMI that is taken before the HLT does not end it: then another. One that is never taken shows here. */
static void wake_boot_cpu(void)
{
	do {
		unsigned before = nmis[0];
		uint64_t end;

		smp_send(0, LAPIC_ICR_NMI);
		while (nmis[0] == before) cpu_pause();
		for (end = rdtsc() + calm; boot_cpu_sleeps && rdtsc() < end;) cpu_pause();
	} while (boot_cpu_sleeps);
}

static volatile unsigned beginnings;
static volatile uint64_t last_beat;

/* Until an INIT, with long exits, so that both IPIs come within one; anew, it wakes the boot CPU, which sleeps. */
static void beat(unsigned id)
{
	(void)id;
	if (!beginnings++)
		for (;; last_beat = rdtsc()) {
			for (unsigned n = 0; n < 60; n++) vtd_put(DESC_IOTLB | DESC_DOMAIN, 0);
			vtd_ring();
		}
	wait(calm);
	wake_boot_cpu();
}

/* Both IPIs at once, and nobody awake who could see the VM through: neither may be late or end it. */
static void test_begin(unsigned last)
{
	uint64_t sent = 0;

	for (unsigned round = 0; round < times(8); round++) {
		beginnings = 0;
		job_start(last, beat);
		while (!beginnings) cpu_pause();
		wait(calm);
		boot_cpu_will_halt();
		smp_begin(last);
		sent = rdtsc(); /* behind both: the way there may be long where this CPU is another machine's thread */
		boot_cpu_halt();
		if (!job_wait(last) || last_beat > sent + calm) break;
	}
	check(last_beat <= sent + calm, "nothing of what was before runs on behind INIT and a start-up IPI");
}

static volatile unsigned ticks;

static void count_ticks(unsigned id)
{
	uint64_t end = rdtsc() + 2 * PATIENCE;

	wait(calm);
	came[id] = 0;
	while (came[id] < 3 && rdtsc() < end) cpu_pause();
	ticks = came[id];
	wake_boot_cpu();
}

static void test_timer(unsigned last)
{
	ioapic_write_entry(2, (uint64_t)last << 56 | VECTOR);
	outb(0x43, 0x34); /* the PIT's channel 0, every 3.4 ms */
	outb(0x40, 0);
	outb(0x40, 0x10);
	boot_cpu_will_halt();
	job_start(last, count_ticks);
	boot_cpu_halt();
	job_wait(last);
	ioapic_write_entry(2, LAPIC_LVT_MASKED);
	check(ticks >= 3, "a device's timer goes on while the boot CPU is halted with interrupts off");
}

static volatile uint64_t queue_ticks;

/* More than a slice of the queue, and then sleep until it is done. */
static void sleep_over_queue(unsigned id)
{
	uint64_t start;

	wait(10 * calm); /* all others sleep, and the console has sent what it had */
	came[id] = 0;
	for (unsigned n = 0; n < 200; n++) vtd_put(DESC_IOTLB | DESC_DOMAIN, 0);
	vtd_put(DESC_WAIT | DESC_WAIT_IRQ, 0);
	start = rdtsc();
	interrupts_off();
	vtd_ring();
	while (!came[id]) __asm__ volatile("sti; hlt; cli" : : : "memory");
	queue_ticks = rdtsc() - start;
	interrupts_on();
	wake_boot_cpu();
}

static void test_queue(unsigned last)
{
	vtd_write32(VTD_IEADDR, (uint32_t)(MESSAGE_BASE | last << 12));
	vtd_write32(VTD_IEDATA, VECTOR);
	vtd_write32(VTD_IECTL, 0);
	boot_cpu_will_halt();
	job_start(last, sleep_over_queue);
	boot_cpu_halt();
	job_wait(last);
	check(queue_ticks < 3 * calm, "the invalidation queue goes on while the CPUs sleep");
}

static volatile uint64_t snoop_ticks;

static void switch_snoop(unsigned id)
{
	struct edu_device edu;
	unsigned control;
	uint64_t start;

	(void)id;
	edu_find(0, &edu);
	control = pci_capability(edu.source_id, PCIE) + PCIE_CONTROL;
	wait(10 * calm);
	start = rdtsc();
	pci_write16(edu.source_id, control, PCIE_RESET & ~PCIE_NO_SNOOP);
	snoop_ticks = rdtsc() - start;
	pci_write16(edu.source_id, control, PCIE_RESET);
	wake_boot_cpu();
}

static void attach_there(unsigned id)
{
	if (id == 1) device_attach();
}

/*
 * With coherence=model the rest of such a transition is done by the CPU that wrote to the IOMMU last. That is CPU 1,
 * and it halts.
 */
static void test_snoop(unsigned last)
{
	job_start(1, attach_there);
	job_wait(1);
	boot_cpu_will_halt();
	job_start(last, switch_snoop);
	boot_cpu_halt();
	job_wait(last);
	device_detach();
	check(snoop_ticks < 3 * calm, "a transition by a device's register ends while the other CPUs sleep");
}

void test_ipis(void)
{
	uint32_t all = (1U << cpus) - 1;
	unsigned last = cpus - 1;

	calm *= guest_number("calm", guest_number("patience", 1));
	interrupt_handler(VECTOR, on_ipi);
	interrupt_handler(VECTOR_NMI, on_nmi);
	interrupts_on();
	check_ipi(last, 0, 1U << last, "an IPI by physical destination");
	check_ipi(0, 0, 1, "one to the CPU itself");
	check_ipi(BROADCAST, 0, all, "one to the physical destination 0xff");
	check_ipi(0, LAPIC_ICR_SELF, 1, "by the shorthand self");
	check_ipi(0, LAPIC_ICR_ALL, all, "by the shorthand all");
	check_ipi(0, LAPIC_ICR_OTHERS, all & ~1U, "by the shorthand all but self");
	if (cpus <= 8) { /* as many as flat logical ids */
		set_logical(0);
		job_start(1, set_logical);
		job_wait(1);
		check_ipi(1U << last, COMMAND_LOGICAL, 1U << last, "by logical destination");
		check_ipi(all & ~1U, COMMAND_LOGICAL, all & ~1U, "by a logical destination of several");
		test_lowest();
	}
	test_nmi(last);
	test_begin(last);
	test_queue(last);
	test_snoop(last);
	test_timer(last);
	check(smp_restart(last), "INIT stops a CPU, a start-up IPI starts it anew");
	check_ipi(last, 0, 1U << last, "and it takes IPIs again");
	if (!guest_word("interruptible")) interrupts_off();
}

static void switch_off(unsigned id)
{
	(void)id;
	wrmsr(MSR_IA32_APIC_BASE, rdmsr(MSR_IA32_APIC_BASE) & ~(APIC_BASE_EN | APIC_BASE_EXTD));
}

static void to_x2apic(unsigned id)
{
	(void)id;
	wrmsr(MSR_IA32_APIC_BASE, rdmsr(MSR_IA32_APIC_BASE) | APIC_BASE_EN);
	lapic_x2apic();
	lapic_enable();
}

static void send_to_boot_cpu(unsigned id)
{
	(void)id;
	send(0, VECTOR);
}

static void note_mode(unsigned id) { awake[id] = is_x2apic(); }

/* One CPU by itself, and the others are in xAPIC mode. */
static void test_mixed(unsigned last, uint32_t all)
{
	job_start(last, switch_off);
	job_wait(last);
	forget();
	send(last, LAPIC_ICR_NMI);
	check(arrived(nmis, 0), "a local APIC that is switched off gets not even an NMI");
	job_start(last, to_x2apic);
	job_wait(last);
	check_ipi(last, 0, 1U << last, "from xAPIC mode to a CPU in x2APIC mode");
	check_ipi(BROADCAST, 0, all, "and to all, in either mode");
	forget();
	job_start(last, send_to_boot_cpu);
	check(job_wait(last) && arrived(came, 1), "from x2APIC mode to a CPU in xAPIC mode");
}

static void test_restart_x2apic(unsigned last)
{
	uint64_t end = rdtsc() + PATIENCE;

	awake[last] = false;
	send(last, (uint32_t)(TO_FIELD(MODE_INIT, COMMAND_MODE) | COMMAND_ASSERT));
	job_start(last, note_mode);
	send(last, (uint32_t)(TO_FIELD(MODE_STARTUP, COMMAND_MODE) | COMMAND_ASSERT) | SMP_PAGE);
	while (!awake[last] && rdtsc() < end) cpu_pause();
	check(awake[last] && job_wait(last), "INIT and start-up begin anew, in x2APIC mode still");
}

void test_x2apic(void)
{
	uint32_t all = (1U << cpus) - 1;
	unsigned last = cpus - 1;

	interrupts_on();
	test_mixed(last, all);
	job_start(1, to_x2apic);
	job_wait(1);
	to_x2apic(0);
	check_ipi(last, 0, 1U << last, "in x2APIC mode by physical destination");
	check_ipi(~0U, 0, all, "one to the physical destination 0xffffffff");
	check_ipi(BROADCAST, 0, 0, "0xff is an id there, and nobody's");
	check_ipi(all & ~1U, COMMAND_LOGICAL, all & ~1U, "by logical destination, a bit each of cluster 0");
	check_ipi(1U << 16 | all, COMMAND_LOGICAL, 0, "cluster 1 has nobody");
	check_ipi(~0U, COMMAND_LOGICAL, all, "one to the logical destination 0xffffffff");
	check_ipi(0, LAPIC_ICR_SELF, 1, "by the shorthand self");
	check_ipi(0, LAPIC_ICR_ALL, all, "by the shorthand all");
	check_ipi(0, LAPIC_ICR_OTHERS, all & ~1U, "by the shorthand all but self");
	forget();
	wrmsr(X2APIC_MSR(LAPIC_SELF_IPI), VECTOR);
	check(arrived(came, 1), "by the self-IPI register");
	test_lowest();
	forget();
	send(last, LAPIC_ICR_NMI);
	check(arrived(nmis, 1U << last), "an NMI");
	test_restart_x2apic(last);
	check_ipi(last, 0, 1U << last, "and it takes IPIs again");
}
