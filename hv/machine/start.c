/* SPDX-License-Identifier: MIT */
/*
 * INIT-SIPI-SIPI for each CPU that the firmware lists, and what it finds when it comes: a stack of
 * its own above a guard page, and its struct cpu.
 */
#include "hv/machine/start.h"

#include "hv/machine/apic.h"
#include "hv/machine/console.h"
#include "hv/machine/cpu.h"
#include "hv/machine/image.h"
#include "hv/machine/memory.h"
#include "hv/machine/paging.h"
#include "hv/machine/traps.h"
#include "lib/asm.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "lib/x86.h"

#define STACK_SIZE (16 * KiB)
#define APIC_IDS   256

/* Waits in microseconds (SDM 3A 9.4.4.1), and how long a CPU may take to its first line of C. */
#define AFTER_INIT    10000
#define AFTER_STARTUP 200
#define START_MOST    500000

/* Where the trampoline may lie: above the BIOS's data, below its extended data area. */
#define LOW_FIRST 0x8000UL
#define LOW_END   0x90000UL

extern const uint8_t ap_trampoline[], ap_trampoline_end[]; /* boot/ap.asm */
extern uint64_t ap_cr3, ap_stack[APIC_IDS];
void cpu_entered(struct cpu *cpu);

static struct madt madt;
static struct cpu others[CPUS_MAX];
static bool (*cpu_ready)(void);
static void (*cpu_run)(void);

_Static_assert(MADT_CPUS == CPUS_MAX, "each CPU that is listed has a struct cpu");

/* boot/entry.asm mapped this much. */
static const void *below_4g(uint64_t address, uint64_t size)
{
	return address && address < 4 * GiB && size <= 4 * GiB - address ? (const void *)address : NULL;
}

uint64_t cpus_find(const struct boot_info *boot)
{
	const char *what;

	if (madt_read(boot->rsdp, boot->rsdp_size, below_4g, &madt, &what)) {
		print("cpu: 1 of 1: no %s that lists the others was found", what);
		return 0;
	}
	if (madt.cpus < 2) return 0;
	if (apic_init(madt.lapic)) return madt.lapic;
	print("cpu: 1 of %u: the local APIC is not in xAPIC mode at 0x%lx (IA32_APIC_BASE 0x%lx)", madt.listed,
	      madt.lapic, rdmsr(MSR_IA32_APIC_BASE));
	return 0;
}

static bool overlaps(uint64_t page, uint64_t start, uint64_t size)
{
	return page < start + size && start < page + PAGE_SIZE;
}

static bool is_free(uint64_t page, const struct boot_info *boot, const void *info)
{
	uint32_t info_size;
	bool ram = false;

	memcpy(&info_size, info, sizeof(info_size));
	for (unsigned i = 0; i < boot->ram_ranges; i++)
		ram |= page >= boot->ram[i].start && page + PAGE_SIZE <= boot->ram[i].start + boot->ram[i].size;
	for (unsigned i = 0; i < boot->modules; i++)
		ram &= !overlaps(page, boot->module[i].start, boot->module[i].size);
	return ram && !overlaps(page, (uintptr_t)info, info_size);
}

/* Copy the trampoline; the page's number, or 0 when there is none. */
static uint8_t place_trampoline(const struct boot_info *boot, const void *info)
{
	for (uint64_t page = LOW_FIRST; page < LOW_END; page += PAGE_SIZE) {
		if (!is_free(page, boot, info)) continue;
		memcpy((void *)page, ap_trampoline, (size_t)(ap_trampoline_end - ap_trampoline));
		return (uint8_t)(page >> 12);
	}
	return 0;
}

/* Each stack lies above a page that is not mapped. False without memory. */
static bool make_stacks(struct cpu *cpu)
{
	uint64_t piece = PAGE_SIZE + STACK_SIZE, start = memory_alloc(2 * piece, PAGE_SIZE);

	if (!start) return false;
	paging_unmap(start);
	paging_unmap(start + piece);
	cpu->stack_bottom = start + PAGE_SIZE;
	cpu->stack_top = start + piece;
	cpu->tss.ist[0] = start + 2 * piece;
	ap_stack[cpu->apic_id] = cpu->stack_top - sizeof(uint64_t);
	*(uint64_t *)ap_stack[cpu->apic_id] = (uintptr_t)cpu;
	return true;
}

/* The first C of a CPU that was started. The boot CPU may have given up on it. */
void cpu_entered(struct cpu *cpu)
{
	uint32_t called = CPU_CALLED;

	cpu_load(cpu);
	traps_load();
	apic_init_cpu(false);
	if (__atomic_compare_exchange_n(&cpu->start, &called, cpu_ready() ? CPU_STARTED : CPU_LEFT_OUT, false,
					__ATOMIC_SEQ_CST, __ATOMIC_RELAXED) &&
	    cpu->start == CPU_STARTED)
		cpu_run();
	for (;;) hlt();
}

static void wait(uint64_t microseconds, uint64_t tsc_hz)
{
	uint64_t end = rdtsc() + microseconds * tsc_hz / 1000000;

	while (rdtsc() < end) cpu_pause();
}

static uint32_t start_state(struct cpu *cpu) { return __atomic_load_n(&cpu->start, __ATOMIC_ACQUIRE); }

/* Two start-up IPIs, and time to come. The CPU has had its INIT. */
static void start(struct cpu *cpu, uint8_t page, uint64_t tsc_hz)
{
	uint32_t called = CPU_CALLED;
	uint64_t end;

	for (unsigned i = 0; i < 2 && start_state(cpu) == CPU_CALLED; i++) {
		apic_send_startup(cpu->apic_id, page);
		wait(AFTER_STARTUP, tsc_hz);
	}
	for (end = rdtsc() + START_MOST * (tsc_hz / 1000000); start_state(cpu) == CPU_CALLED && rdtsc() < end;)
		cpu_pause();
	if (__atomic_compare_exchange_n(&cpu->start, &called, CPU_ABSENT, false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE))
		print("cpu: the one with APIC id %u did not come up in time; the others go on", cpu->apic_id);
	else if (called == CPU_LEFT_OUT)
		print("cpu: the one with APIC id %u is left out", cpu->apic_id);
	else
		cpus[cpu_count++] = cpu;
}

/* A struct cpu and stacks for each that is listed but this one. Returns how many there are. */
static unsigned call_others(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < madt.cpus; i++) {
		struct cpu *cpu = &others[count];

		cpu->apic_id = madt.apic_id[i];
		if (cpu->apic_id == this_cpu()->apic_id) continue;
		if (!make_stacks(cpu)) break;
		cpu->index = ++count;
		cpu->start = CPU_CALLED;
		apic_send_init(cpu->apic_id);
	}
	return count;
}

void cpus_start(const struct boot_info *boot, const void *info, uint64_t tsc_hz, bool (*ready)(void), void (*run)(void))
{
	uint8_t page = place_trampoline(boot, info);
	unsigned count;

	cpu_ready = ready;
	cpu_run = run;
	ap_cr3 = read_cr3();
	apic_init_cpu(true);
	apic_measure_timer(tsc_hz);
	this_cpu()->apic_id = apic_id();
	count = page ? call_others() : 0;
	wait(AFTER_INIT, tsc_hz);
	for (unsigned i = 0; i < count; i++) start(&others[i], page, tsc_hz);
	print("cpu: %u of %u started", cpu_count, madt.listed);
}
