/* SPDX-License-Identifier: MIT */
/*
 * What a CPU of the host has of its own (descriptor tables, stacks, the pointer in GS), and what
 * CPUs ask of each other by NMI.
 */
#include "hv/machine/cpu.h"

#include "hv/machine/apic.h"
#include "hv/machine/end.h"
#include "hv/machine/image.h"
#include "hv/machine/lock.h"
#include "lib/string.h"
#include "lib/x86.h"

#define TSS_PRESENT_AVAILABLE 0x89ULL
#define NMI_STACK             2048 /* bytes: several times what cpu_answer() needs */

_Static_assert(offsetof(struct cpu, slice) == 20, "hv/vmx/enter.asm");
_Static_assert(offsetof(struct cpu, stack_top) == 72, "boot/ap.asm");

static struct cpu boot_cpu;
struct cpu *cpus[CPUS_MAX] = {&boot_cpu};
unsigned cpu_count = 1;
bool cpus_are_all;
bool locks_forgotten;

uint64_t cpus_asked;
static uint32_t write_back; /* CPUs that are to do it at their next NMI: cpus_write_back() */
static struct cpu *ender;   /* the one that ends the machine; the others have stopped */

/* A system descriptor takes two entries in 64-bit mode (SDM 3A 8.2.3). */
static void set_tss_descriptor(struct cpu *cpu)
{
	uint64_t base = (uintptr_t)&cpu->tss, *entry = &cpu->gdt[SELECTOR_TSS / 8];

	entry[0] = (sizeof(cpu->tss) - 1) | (base & 0xffffff) << 16 | TSS_PRESENT_AVAILABLE << 40 |
		   (base >> 24 & 0xff) << 56;
	entry[1] = base >> 32;
}

void cpu_load(struct cpu *cpu)
{
	struct descriptor_pointer gdt = {sizeof(cpu->gdt) - 1, (uintptr_t)cpu->gdt};

	cpu->self = cpu;
	memcpy(cpu->gdt, boot_gdt, SELECTOR_TSS);
	cpu->tss.io_map_base = sizeof(cpu->tss);
	set_tss_descriptor(cpu);
	lgdt(&gdt);
	ltr(SELECTOR_TSS);
	wrmsr(MSR_IA32_GS_BASE, (uintptr_t)cpu);
}

uint64_t cpu_stack_distance(void) { return (uint64_t)(stacks_end - stacks) / (2 * CPUS_MAX); }

void cpu_set_stacks(struct cpu *cpu, unsigned number)
{
	uint64_t piece = cpu_stack_distance(), start = (uintptr_t)stacks + 2 * number * piece;

	cpu->stack_bottom = start + PAGE_SIZE;
	cpu->stack_top = start + piece;
	cpu->tss.ist[IST_NMI - 1] = start + 2 * piece;
	cpu->tss.ist[IST_EXCEPTION - 1] = start + 2 * piece - NMI_STACK;
}

void cpu_init_boot(void)
{
	cpu_set_stacks(&boot_cpu, 0);
	cpu_load(&boot_cpu);
}

void cpu_kick(const struct cpu *cpu) { apic_send_nmi(cpu->apic_id); }

void cpu_wake(const struct cpu *cpu)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* the store before the look: cpu_begin_idle() */
	if (__atomic_load_n(&cpu->idle, __ATOMIC_ACQUIRE)) cpu_kick(cpu);
}

/* Those of 'which' but this CPU. */
static uint32_t others_of(uint32_t which)
{
	return which & (uint32_t)BITS(cpu_count - 1, 0) & ~(1U << this_cpu()->index);
}

void cpus_kick(uint32_t which)
{
	uint32_t left = others_of(which);

	if (cpus_are_all && left == others_of(CPUS_ALL)) {
		apic_send_nmi_others();
		return;
	}
	for (; left; left &= left - 1) cpu_kick(cpus[__builtin_ctz(left)]);
}

void cpu_answer(void)
{
	struct cpu *cpu = this_cpu();
	uint32_t me = 1U << cpu->index;
	uint64_t number = __atomic_load_n(&cpus_asked, __ATOMIC_ACQUIRE); /* what was asked by then is done below */

	if (__atomic_load_n(&write_back, __ATOMIC_RELAXED) & me) {
		__atomic_fetch_and(&write_back, ~me, __ATOMIC_RELAXED);
		wbinvd();
	}
	cpu->slice = 1;
	/* A full barrier: what this CPU looks at next, it reads after the answer is seen. */
	__atomic_exchange_n(&cpu->answered, number, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&ender, __ATOMIC_RELAXED) && __atomic_load_n(&ender, __ATOMIC_RELAXED) != cpu) hlt();
}

void cpus_wait(uint32_t which, uint64_t number)
{
	for (uint32_t left = others_of(which); left; left &= left - 1)
		while (!cpu_has_answered(cpus[__builtin_ctz(left)], number)) cpu_pause();
}

void cpus_write_back(uint32_t which)
{
	uint64_t number;

	__atomic_fetch_or(&write_back, others_of(which), __ATOMIC_RELAXED);
	number = cpus_ask(); /* a full barrier */
	cpus_kick(which);
	wbinvd();
	cpus_wait(which, number);
}

void cpus_stop(void)
{
	struct cpu *none = NULL;

	__atomic_compare_exchange_n(&ender, &none, this_cpu(), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	while (ender != this_cpu()) hlt();
	cpus_kick(CPUS_ALL);
	locks_forgotten = true;
	this_cpu()->locks_held = 0;
}

_Noreturn void cpu_check_failed(const char *function, const char *condition)
{
	panic("%s: a check failed: %s", function, condition);
}
