/* SPDX-License-Identifier: MIT */
/*
 * INIT-SIPI-SIPI for each CPU that the firmware lists, and what it finds when it comes.
 */
#include "hv/machine/start.h"

#include "boot/madt.h"
#include "hv/machine/apic.h"
#include "hv/machine/console.h"
#include "hv/machine/cpu.h"
#include "hv/machine/traps.h"
#include "lib/asm.h"
#include "lib/bits.h"
#include "lib/string.h"

/* Waits in microseconds (SDM 3A 9.4.4.1), and how long a CPU may take to its first line of C. */
#define AFTER_INIT    10000
#define AFTER_STARTUP 200
#define START_MOST    500000

/* Where the trampoline lies meanwhile: RAM on every PC. What was there comes back. */
#define TRAMPOLINE      ((uint8_t *)0x8000)
#define TRAMPOLINE_MOST 64

extern const uint8_t ap_trampoline[], ap_trampoline_end[]; /* boot/ap.asm */
extern uint64_t ap_cr3;
extern struct cpu *ap_cpu;
_Noreturn void cpu_entered(struct cpu *cpu);

static struct madt madt;
static struct cpu others[CPUS_MAX]; /* by their place in the list */
static uint64_t tsc_hz;
static bool (*cpu_ready)(void);
static void (*cpu_run)(void);

_Static_assert(MADT_CPUS == CPUS_MAX, "each CPU that is listed has a struct cpu");

/* boot/entry.asm mapped this much. */
static const void *below_4g(uint64_t address, uint64_t size)
{
	return address && address < 4 * GiB && size <= 4 * GiB - address ? (const void *)address : NULL;
}

void cpus_find(const struct boot_info *boot)
{
	const char *missing = madt_read(boot->rsdp, boot->rsdp_size, below_4g, &madt);

	if (missing) print("cpu: 1 of 1: no %s that lists the others was found", missing);
}

/* The first C of a CPU that was started. Once the boot CPU has given it up it takes no lock: an INIT is on its way. */
void cpu_entered(struct cpu *cpu)
{
	bool ready;

	cpu_load(cpu);
	traps_load();
	apic_init(false);
	while (__atomic_exchange_n(&cpu->is_settled, true, __ATOMIC_SEQ_CST)) hlt();
	ready = cpu_ready();
	__atomic_store_n(&cpu->start, ready ? CPU_STARTED : CPU_LEFT_OUT, __ATOMIC_RELEASE);
	if (ready) cpu_run();
	for (;;) hlt();
}

static bool is_called(const struct cpu *cpu) { return __atomic_load_n(&cpu->start, __ATOMIC_ACQUIRE) == CPU_CALLED; }

/* Returns early when the CPU has come. */
static void wait_for(const struct cpu *cpu, uint64_t microseconds)
{
	uint64_t end = rdtsc() + microseconds * tsc_hz / 1000000;

	while (rdtsc() < end && is_called(cpu)) cpu_pause();
}

/*
 * Start-up IPIs, and time to come. The CPU has had its INIT; if it does not come it gets another. One that has come is
 * waited for, for it may hold a lock.
 */
static void start(struct cpu *cpu)
{
	cpu->index = cpu_count;
	ap_cpu = cpu;
	for (unsigned i = 0; i < 2 && is_called(cpu); i++) {
		apic_send_startup(cpu->apic_id, (uintptr_t)TRAMPOLINE / PAGE_SIZE);
		wait_for(cpu, AFTER_STARTUP);
	}
	wait_for(cpu, START_MOST);
	if (!__atomic_exchange_n(&cpu->is_settled, true, __ATOMIC_SEQ_CST)) {
		print("cpu: the one with APIC id %u did not come up in time; the others go on", cpu->apic_id);
		apic_send_init(cpu->apic_id);
		return;
	}
	while (is_called(cpu)) cpu_pause();
	if (cpu->start == CPU_STARTED)
		cpus[cpu_count++] = cpu;
	else
		print("cpu: the one with APIC id %u is left out", cpu->apic_id);
}

/* INIT for each that is listed but this one. Returns how many there are. */
static unsigned call_others(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < madt.cpus && count < CPUS_MAX - 1; i++) {
		struct cpu *cpu = &others[count];

		if (madt.apic_id[i] == this_cpu()->apic_id) continue;
		cpu_set_stacks(cpu, ++count);
		cpu->apic_id = madt.apic_id[i];
		apic_send_init(cpu->apic_id);
	}
	return count;
}

void cpus_start(uint64_t hz, bool (*ready)(void), void (*run)(void))
{
	uint8_t kept[TRAMPOLINE_MOST];
	size_t size = MIN((size_t)(ap_trampoline_end - ap_trampoline), sizeof(kept));
	unsigned count;

	this_cpu()->apic_id = apic_id();
	if (madt.listed < 2) return;
	tsc_hz = hz;
	cpu_ready = ready;
	cpu_run = run;
	ap_cr3 = read_cr3();
	memcpy(kept, TRAMPOLINE, size);
	memcpy(TRAMPOLINE, ap_trampoline, size);
	count = call_others();
	wait_for(&others[0], AFTER_INIT);
	for (unsigned i = 0; i < count; i++) start(&others[i]);
	memcpy(TRAMPOLINE, kept, size);
	cpus_are_all = cpu_count == madt.listed;
	print("cpu: %u of %u started", cpu_count, madt.listed);
}
