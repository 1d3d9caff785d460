// SPDX-License-Identifier: MIT
/*
 * Starting other CPUs; see smp.h and smp_entry.asm.
 */
#include "guest/lib/smp.h"
#include "guest/lib/cpu.h"
#include "guest/lib/lapic.h"
#include "guest/lib/start.h"
#include "lib/string.h"

#define TRAMPOLINE ((uint64_t)SMP_PAGE << 12)
#define IPI(mode)  ((uint32_t)(TO_FIELD(mode, COMMAND_MODE) | COMMAND_ASSERT))
#define PATIENCE   20000000UL /* ticks: a CPU that shares one with others waits its turns */

extern const char smp_trampoline[], smp_trampoline_end[];
extern uint64_t smp_stack[SMP_CPUS];
void smp_entered(unsigned id);

static void (*smp_main)(unsigned id);
static volatile bool came[SMP_CPUS];

unsigned smp_id(void) { return (unsigned)rdmsr(MSR_IA32_GS_BASE); }

void smp_send(unsigned id, uint32_t command)
{
	lapic_write(LAPIC_ICR_HIGH, id << 24);
	lapic_write(LAPIC_ICR_LOW, command);
}

void smp_entered(unsigned id)
{
	wrmsr(MSR_IA32_GS_BASE, id);
	descriptors_reload();
	lapic_enable();
	came[id] = true;
	smp_main(id);
	for (;;) __asm__ volatile("cli; hlt");
}

void smp_begin(unsigned id)
{
	smp_send(id, IPI(MODE_INIT));
	lapic_write(LAPIC_ICR_LOW, IPI(MODE_STARTUP) | SMP_PAGE);
}

bool smp_restart_at(unsigned id, uint8_t page)
{
	uint64_t end;

	came[id] = false;
	smp_send(id, IPI(MODE_INIT));
	smp_send(id, IPI(MODE_STARTUP) | page);
	smp_send(id, IPI(MODE_STARTUP) | SMP_PAGE);
	for (end = rdtsc() + PATIENCE; !came[id] && rdtsc() < end;) cpu_pause();
	return came[id];
}

bool smp_restart(unsigned id) { return smp_restart_at(id, SMP_PAGE); }

unsigned smp_start(unsigned count, void (*main)(unsigned id))
{
	unsigned alive = 1;

	smp_main = main;
	wrmsr(MSR_IA32_GS_BASE, 0);
	memcpy((void *)TRAMPOLINE, smp_trampoline, (size_t)(smp_trampoline_end - smp_trampoline));
	for (unsigned id = 1; id < count && id < SMP_CPUS; id++) {
		smp_stack[id] = (uint64_t)page_alloc() + PAGE_SIZE;
		alive += smp_restart(id);
	}
	return alive;
}
