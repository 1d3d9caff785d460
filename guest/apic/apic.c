// SPDX-License-Identifier: MIT
/*
 * The local APIC from inside a guest: acceptance, priorities, delivery at the right instruction,
 * and the timer, a line per case. Runs under QEMU as well, with the word "native"; the word "nmi"
 * adds an NMI sent to itself, "slow" is for where each exit is checked.
 */
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/lapic.h"
#include "guest/lib/start.h"

#define LOW_VECTOR  0x41
#define HIGH_VECTOR 0x81
#define PATIENCE    50000000UL /* turns of a loop that waits for a timer */

static volatile unsigned counts[256];
static volatile unsigned order[8], arrived; /* vectors in the order of their handlers */
static volatile bool serviced;              /* ISR held the vector in its handler */

static void arrive(uint8_t vector)
{
	counts[vector]++;
	order[arrived++ % 8] = vector;
	serviced = lapic_bit(LAPIC_ISR, vector);
	lapic_eoi();
}

static void on_low(void) { arrive(LOW_VECTOR); }

static void on_high(void) { arrive(HIGH_VECTOR); }

static void on_nmi(void) { counts[VECTOR_NMI]++; }

static void forget(void) { counts[LOW_VECTOR] = counts[HIGH_VECTOR] = counts[VECTOR_NMI] = arrived = 0; }

static void send_self(uint32_t command)
{
	lapic_write(LAPIC_ICR_HIGH, 0);
	lapic_write(LAPIC_ICR_LOW, command | LAPIC_ICR_SELF);
}

/* One instruction with interrupts on is enough for everything that waits. */
static void open_window(void) { __asm__ volatile("sti; nop; nop; cli" : : : "memory"); }

static void acceptance(void)
{
	heading("Acceptance and delivery");
	forget();
	send_self(LOW_VECTOR);
	check(lapic_bit(LAPIC_IRR, LOW_VECTOR) && !counts[LOW_VECTOR], "with interrupts off it waits in IRR");
	open_window();
	check_count(1, counts[LOW_VECTOR], "interrupts", "with interrupts on it is delivered, once");
	check(serviced, "... in ISR while its handler runs");
	check(!lapic_bit(LAPIC_ISR, LOW_VECTOR) && !lapic_bit(LAPIC_IRR, LOW_VECTOR), "... and nowhere after EOI");
	send_self(LOW_VECTOR);
	send_self(LOW_VECTOR);
	open_window();
	check_count(2, counts[LOW_VECTOR], "interrupts", "two of one vector are one");
}

static void shadow(void)
{
	unsigned at_once;

	forget();
	send_self(LOW_VECTOR);
	__asm__ volatile("sti; cli" : : : "memory");
	at_once = counts[LOW_VECTOR];
	check_count(0, at_once, "interrupts", "STI; CLI opens no window");
	open_window();
	check_count(1, counts[LOW_VECTOR], "interrupts", "... STI; NOP does");
}

static void priority(void)
{
	heading("Priority");
	forget();
	send_self(LOW_VECTOR);
	send_self(HIGH_VECTOR);
	open_window();
	check(order[0] == HIGH_VECTOR && order[1] == LOW_VECTOR && arrived == 2, "the higher vector is first");
	forget();
	lapic_write(LAPIC_TPR, 0x50);
	check_is(0x50, lapic_read(LAPIC_PPR), "PPR follows TPR");
	send_self(LOW_VECTOR);
	send_self(HIGH_VECTOR);
	open_window();
	check(!counts[LOW_VECTOR] && counts[HIGH_VECTOR] == 1, "TPR holds the lower class back");
	lapic_write(LAPIC_TPR, 0);
	open_window();
	check_count(1, counts[LOW_VECTOR], "interrupts", "... until it is lowered");
	forget();
	__asm__ volatile("mov %0, %%cr8" : : "r"(8UL));
	check_is(0x80, lapic_read(LAPIC_TPR), "CR8 is TPR's upper half");
	send_self(HIGH_VECTOR);
	open_window();
	check_count(0, counts[HIGH_VECTOR], "interrupts", "... and holds the vector's own class back");
	__asm__ volatile("mov %0, %%cr8" : : "r"(0UL));
	open_window();
	check_count(1, counts[HIGH_VECTOR], "interrupts", "... until it is lowered");
}

static void others(void)
{
	heading("Others");
	if (!guest_word("native")) /* QEMU's gives 0 */
		check_is(lapic_read(LAPIC_VERSION) >> 16 & 0xff, mmio_read8(LAPIC_BASE + 0x10 * LAPIC_VERSION + 2),
			 "a byte of a register is read, as compilers read a bit field");
	forget();
	send_self(LOW_VECTOR);
	__asm__ volatile("sti; hlt; cli" : : : "memory");
	check_count(1, counts[LOW_VECTOR], "interrupts", "STI; HLT wakes up for what was pending");
	lapic_write(LAPIC_SVR, lapic_read(LAPIC_SVR) & ~LAPIC_SVR_ENABLE);
	send_self(LOW_VECTOR);
	check(lapic_read(LAPIC_LVT_TIMER) & LAPIC_LVT_MASKED, "disabled by SVR: the LVT is masked");
	if (!guest_word("native")) /* QEMU's and Bochs's accept it */
		check_whether(false, lapic_bit(LAPIC_IRR, LOW_VECTOR), "the bit is 1", "the bit is 0",
			      "... and nothing is accepted");
	lapic_enable();
	open_window();
	if (!guest_word("nmi")) return;
	forget();
	send_self(LAPIC_ICR_NMI);
	__asm__ volatile("nop; nop" : : : "memory");
	check_count(1, counts[VECTOR_NMI], "NMIs", "an NMI comes with interrupts off");
}

/* Waits, halted, until 'n' interrupts of LOW_VECTOR came: or more, where others have the CPU for
 * long. */
static bool wait_for(unsigned n)
{
	for (unsigned i = 0; i < 10 * n && counts[LOW_VECTOR] < n; i++)
		__asm__ volatile("sti; hlt; cli" : : : "memory");
	return counts[LOW_VECTOR] >= n;
}

static void timer(void)
{
	heading("The timer");
	forget();
	lapic_write(LAPIC_TIMER_DIVIDE, 0); /* by 2 */
	lapic_write(LAPIC_LVT_TIMER, LOW_VECTOR);
	lapic_write(LAPIC_TIMER_INITIAL, 100000);
	check(lapic_read(LAPIC_TIMER_CURRENT) <= 100000, "the count goes down");
	check(wait_for(1) && counts[LOW_VECTOR] == 1, "one shot: one interrupt, the CPU halted meanwhile");
	check_is(0, lapic_read(LAPIC_TIMER_CURRENT), "... and the count stays at 0");
	forget();
	lapic_write(LAPIC_LVT_TIMER, LAPIC_LVT_PERIODIC | LOW_VECTOR);
	lapic_write(LAPIC_TIMER_INITIAL, 100000);
	check(wait_for(5), "periodic: five interrupts");
	lapic_write(LAPIC_TIMER_INITIAL, 0);
	open_window(); /* a last one may wait */
	forget();
	lapic_write(LAPIC_LVT_TIMER, LAPIC_LVT_MASKED | LOW_VECTOR);
	lapic_write(LAPIC_TIMER_INITIAL, 1000);
	for (unsigned long i = 0; i < PATIENCE && lapic_read(LAPIC_TIMER_CURRENT); i++) cpu_pause();
	open_window();
	check_count(0, counts[LOW_VECTOR], "interrupts", "masked: it runs out and nothing comes");
}

/* The interrupt must get in between two rounds of a loop that makes no exit. */
static void running(void)
{
	forget();
	lapic_write(LAPIC_LVT_TIMER, LOW_VECTOR);
	lapic_write(LAPIC_TIMER_INITIAL, 200000);
	interrupts_on();
	for (unsigned long i = 0; i < PATIENCE && !counts[LOW_VECTOR]; i++) cpu_pause();
	interrupts_off();
	check_count(1, counts[LOW_VECTOR], "interrupts", "it interrupts a loop that makes no exit");
}

#define COUNT      25000 /* ticks */
#define LATE_EXITS 40
#define DEBUG_PORT 0x80 /* where nothing is */

/* Nor may a loop that makes nothing but exits hold it back, however long they take and whoever else has turns. */
static void exiting(void)
{
	unsigned late = 0;
	uint64_t due;

	forget();
	lapic_write(LAPIC_TIMER_DIVIDE, 0xb); /* by 1 */
	lapic_write(LAPIC_LVT_TIMER, LOW_VECTOR);
	lapic_write(LAPIC_TIMER_INITIAL, COUNT);
	due = rdtsc() + COUNT;
	interrupts_on();
	for (unsigned long i = 0; i < PATIENCE && !counts[LOW_VECTOR]; i++) {
		late += rdtsc() > due;
		inb(DEBUG_PORT);
	}
	interrupts_off();
	check(counts[LOW_VECTOR] == 1 && late <= LATE_EXITS,
	      "a loop that makes nothing but exits makes at most %u too many", LATE_EXITS);
	forget();
	lapic_write(LAPIC_TIMER_INITIAL, COUNT);
	interrupts_on();
	while (lapic_read(LAPIC_TIMER_CURRENT)) continue;
	interrupts_off();
	check_count(1, counts[LOW_VECTOR], "interrupts", "who sees the count at 0 has had the interrupt");
	lapic_write(LAPIC_LVT_TIMER, LAPIC_LVT_MASKED | LOW_VECTOR);
	lapic_write(LAPIC_TIMER_INITIAL, COUNT);
	while (lapic_read(LAPIC_TIMER_CURRENT)) continue;
	lapic_write(LAPIC_LVT_TIMER, LAPIC_LVT_PERIODIC | LAPIC_LVT_MASKED | LOW_VECTOR);
	check_is(0, lapic_read(LAPIC_TIMER_CURRENT), "what has run out does not begin anew when it becomes periodic");
}

/* However short its period, the timer must not keep the code that it interrupts from getting on. */
static void short_period(void)
{
	volatile unsigned turns = 0;

	forget();
	lapic_write(LAPIC_TIMER_DIVIDE, 0xb); /* by 1 */
	lapic_write(LAPIC_LVT_TIMER, LAPIC_LVT_PERIODIC | LOW_VECTOR);
	lapic_write(LAPIC_TIMER_INITIAL, 1);
	interrupts_on();
	while (counts[LOW_VECTOR] < 200 && turns < PATIENCE) turns++;
	interrupts_off();
	lapic_write(LAPIC_TIMER_INITIAL, 0);
	open_window();
	check(turns >= counts[LOW_VECTOR] && counts[LOW_VECTOR] >= 200,
	      "a period of one tick: the loop makes a turn between two interrupts");
}

#define SHORT_COUNT 60 /* ticks: a CPU's handler is through by then, and an exit is not */

static void on_low_again(void)
{
	counts[LOW_VECTOR]++;
	lapic_write(LAPIC_TIMER_INITIAL, SHORT_COUNT);
	lapic_eoi();
}

/* The same of one that fires once, and that its handler sets again. */
static void short_count(void)
{
	volatile unsigned turns = 0;

	forget();
	interrupt_handler(LOW_VECTOR, on_low_again);
	lapic_write(LAPIC_LVT_TIMER, LOW_VECTOR);
	lapic_write(LAPIC_TIMER_INITIAL, SHORT_COUNT);
	interrupts_on();
	while (counts[LOW_VECTOR] < 200 && turns < PATIENCE) turns++;
	interrupts_off();
	interrupt_handler(LOW_VECTOR, on_low);
	lapic_write(LAPIC_TIMER_INITIAL, 0);
	open_window();
	check(turns >= counts[LOW_VECTOR] && counts[LOW_VECTOR] >= 200,
	      "a count of %u set in each handler: the loop makes a turn between two interrupts", SHORT_COUNT);
}

#define RATE_TICKS 1000000 /* of the TSC: far more than the count may miss */

static void divide(void)
{
	uint64_t start = rdtsc(), changed;
	uint32_t before, at_once, later;

	lapic_write(LAPIC_LVT_TIMER, LAPIC_LVT_MASKED | LOW_VECTOR);
	lapic_write(LAPIC_TIMER_DIVIDE, 0xb); /* by 1 */
	lapic_write(LAPIC_TIMER_INITIAL, ~0U);
	before = lapic_read(LAPIC_TIMER_CURRENT);
	lapic_write(LAPIC_TIMER_DIVIDE, 0xa); /* by 128 */
	changed = rdtsc();
	at_once = lapic_read(LAPIC_TIMER_CURRENT);
	check(before - at_once <= rdtsc() - start, "a new divider leaves the count as it is");
	do {
		later = lapic_read(LAPIC_TIMER_CURRENT);
	} while (rdtsc() - changed < RATE_TICKS);
	check(at_once > later && at_once - later <= (rdtsc() - changed) / 128 + 1, "... and changes its rate");
	lapic_write(LAPIC_TIMER_INITIAL, 0);
}

/* IA32_APIC_BASE.EN = 0: none is there (SDM 3A 11.4.3). */
static void globally_disabled(void)
{
	uint64_t base = rdmsr(MSR_IA32_APIC_BASE);

	heading("Disabled in IA32_APIC_BASE");
	check(cpuid(1, 0).edx & CPUID_1_EDX_APIC, "enabled: CPUID shows it");
	lapic_write(LAPIC_TPR, 0x20);
	wrmsr(MSR_IA32_APIC_BASE, base & ~APIC_BASE_EN);
	check(!(cpuid(1, 0).edx & CPUID_1_EDX_APIC), "CPUID does not show it");
	check_is(0xffffffff, lapic_read(LAPIC_TPR), "its page has nothing");
	wrmsr(MSR_IA32_APIC_BASE, base);
	check_is(0xff, lapic_read(LAPIC_SVR), "enabled again: it is as after reset");
	check_is(0, lapic_read(LAPIC_TPR), "... and so is its priority");
	lapic_enable();
}

static void deadline(void)
{
	uint64_t start, ticks;

	if (!(cpuid(1, 0).ecx & CPUID_1_ECX_TSC_DEADLINE)) {
		printf("CPUID shows no TSC deadline\n");
		return;
	}
	forget();
	lapic_write(LAPIC_LVT_TIMER, LAPIC_LVT_DEADLINE | LOW_VECTOR);
	__asm__ volatile("mfence" : : : "memory");
	wrmsr(MSR_IA32_TSC_DEADLINE, rdtsc() + 200000);
	check(wait_for(1), "TSC deadline: one interrupt");
	check_is(0, rdmsr(MSR_IA32_TSC_DEADLINE), "... and the MSR is 0 again");
	if (try_wrmsr(MSR_IA32_TSC_ADJUST, 0) == VECTOR_GP) return;
	forget();
	for (start = rdtsc(); rdtsc() - start < 5000000;) cpu_pause(); /* until the console has no need of the CPU */
	wrmsr(MSR_IA32_TSC_DEADLINE, rdtsc() + 100000000);
	wrmsr(MSR_IA32_TSC_ADJUST, 200000000);
	start = rdtsc();
	interrupts_on();
	while (!counts[LOW_VECTOR] && rdtsc() - start < 1000000) cpu_pause();
	ticks = rdtsc() - start;
	interrupts_off();
	wrmsr(MSR_IA32_TSC_ADJUST, 0);
	check(counts[LOW_VECTOR] && ticks < 500000, "TSC_ADJUST makes a deadline due: at once");
}

static void on_x2apic(void)
{
	counts[HIGH_VECTOR]++;
	serviced = rdmsr(X2APIC_MSR(LAPIC_ISR) + HIGH_VECTOR / 32) >> HIGH_VECTOR % 32 & 1;
	wrmsr(X2APIC_MSR(LAPIC_EOI), 0);
}

/* The mode lasts to the end: what follows uses MSRs. */
static void x2apic(void)
{
	uint64_t base = rdmsr(MSR_IA32_APIC_BASE);
	uint32_t id = lapic_id();

	heading("x2APIC mode");
	if (!(cpuid(1, 0).ecx & CPUID_1_ECX_X2APIC)) {
		printf("CPUID shows no x2APIC\n");
		return;
	}
	check_is(VECTOR_GP, (uint64_t)try_wrmsr(X2APIC_MSR(LAPIC_EOI), 0), "its MSRs raise #GP before");
	check_is(VECTOR_GP, (uint64_t)try_wrmsr(MSR_IA32_APIC_BASE, (base & ~APIC_BASE_EN) | APIC_BASE_EXTD),
		 "EXTD without EN raises #GP");
	lapic_x2apic();
	check_is(base | APIC_BASE_EXTD, rdmsr(MSR_IA32_APIC_BASE), "IA32_APIC_BASE says so");
	check_is(id, rdmsr(X2APIC_MSR(LAPIC_ID)), "the id is that of before, in 32 bits");
	check_is(cpuid(0xb, 0).edx, rdmsr(X2APIC_MSR(LAPIC_ID)), "... and CPUID's");
	check_is((id >> 4) << 16 | 1U << id % 16, rdmsr(X2APIC_MSR(LAPIC_LDR)), "the logical id is made of it");
	check_is(~0U, lapic_read(LAPIC_ID), "the page is gone");
	check_is(VECTOR_GP, (uint64_t)try_wrmsr(MSR_IA32_APIC_BASE, base), "back to xAPIC raises #GP");
	check_is(VECTOR_GP, (uint64_t)try_wrmsr(X2APIC_MSR(LAPIC_EOI), 1), "an EOI of 1 raises #GP");
	check_is(VECTOR_GP, (uint64_t)try_wrmsr(X2APIC_MSR(LAPIC_ID), 1), "the id is read-only");
	forget();
	interrupt_handler(HIGH_VECTOR, on_x2apic);
	interrupts_on();
	wrmsr(X2APIC_MSR(LAPIC_SELF_IPI), HIGH_VECTOR);
	check(counts[HIGH_VECTOR] == 1 && serviced, "a self-IPI comes with the next instruction, and is in ISR");
	check_is(0, rdmsr(X2APIC_MSR(LAPIC_ISR) + HIGH_VECTOR / 32), "... until its EOI");
	wrmsr(X2APIC_MSR(LAPIC_ICR_LOW), (uint64_t)id << 32 | HIGH_VECTOR);
	check_count(2, counts[HIGH_VECTOR], "interrupts", "and one by the command register, in one write");
	wrmsr(X2APIC_MSR(LAPIC_TPR), HIGH_VECTOR & 0xf0);
	wrmsr(X2APIC_MSR(LAPIC_SELF_IPI), HIGH_VECTOR);
	check_count(2, counts[HIGH_VECTOR], "interrupts", "TPR holds it back");
	wrmsr(X2APIC_MSR(LAPIC_TPR), 0);
	check_count(3, counts[HIGH_VECTOR], "interrupts", "... until it is lowered");
	interrupts_off();
	wrmsr(MSR_IA32_APIC_BASE, base & ~APIC_BASE_EN);
	check_is(VECTOR_GP, (uint64_t)try_wrmsr(MSR_IA32_APIC_BASE, base | APIC_BASE_EXTD), "off to x2APIC raises #GP");
	check_is(VECTOR_GP, (uint64_t)try_wrmsr(X2APIC_MSR(LAPIC_EOI), 0), "off, it has no MSRs");
	wrmsr(MSR_IA32_APIC_BASE, base);
	check_is(id, lapic_id(), "from off to xAPIC, and the page is back");
}

int guest_main(void)
{
	if (!check(lapic_enable(), "a local APIC")) return check_status();
	interrupt_handler(LOW_VECTOR, on_low);
	interrupt_handler(HIGH_VECTOR, on_high);
	interrupt_handler(VECTOR_NMI, on_nmi);
	acceptance();
	shadow();
	priority();
	others();
	timer();
	running();
	if (!guest_word("native")) exiting(); /* QEMU's counts at a rate of its own */
	deadline();
	if (!guest_word("slow")) { /* each exit takes longer than what is left to the loop */
		short_period();
		short_count();
	}
	divide();
	x2apic();
	if (!guest_word("native")) globally_disabled(); /* Bochs ignores writes of the MSR from then on */
	return check_status();
}
