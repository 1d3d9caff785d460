/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor, of the very same objects, on a machine whose other CPUs are not all good: by APIC id the first
 * never comes to its first line of C, the second does when guests run, for its second INIT is lost, the third has no
 * EPT and says so long after its time, the fourth is of another kind. The linker puts these in front of what a CPU does
 * at its start.
 */
#include "hv/machine/apic.h"
#include "hv/machine/console.h"
#include "hv/machine/cpu.h"
#include "hv/vm/fpu.h"
#include "hv/vm/run.h"
#include "hv/vmcs/controls.h"
#include "hv/vmx/vmx.h"
#include "lib/asm.h"
#include "lib/x86.h"

enum { STUCK = 1, LATE = 2, SLOW_WITHOUT_EPT = 3, OF_ANOTHER_KIND = 4 };

#define BEYOND_ITS_TIME 200000 /* ticks that it is later than all who are waited for */
#define START_SECONDS   1      /* more than a CPU has until its first line */

_Noreturn void __real_cpu_entered(struct cpu *cpu);
_Noreturn void __wrap_cpu_entered(struct cpu *cpu);
void __real_apic_init(bool takes_extint);
void __wrap_apic_init(bool takes_extint);
void __real_apic_send_init(uint32_t id);
void __wrap_apic_send_init(uint32_t id);
void __real_fpu_init(void);
void __wrap_fpu_init(void);
bool __real_controls_adjust(uint64_t capability, uint32_t required, uint32_t optional, uint32_t *result,
			    uint32_t *missing);
bool __wrap_controls_adjust(uint64_t capability, uint32_t required, uint32_t optional, uint32_t *result,
			    uint32_t *missing);
bool __real_vmx_init_other(void);
bool __wrap_vmx_init_other(void);
void __real_run_begin(void);
void __wrap_run_begin(void);

static bool guests_run;

void __wrap_run_begin(void)
{
	__real_run_begin();
	__atomic_store_n(&guests_run, true, __ATOMIC_RELEASE);
}

/* Until the CPU that booted has given it up, and guests run. */
static void be_late(void)
{
	uint64_t end;

	while (!__atomic_load_n(&guests_run, __ATOMIC_ACQUIRE)) cpu_pause();
	for (end = rdtsc() + BEYOND_ITS_TIME; rdtsc() < end;) cpu_pause();
}

/* An INIT is to end that wait: it never goes on. */
_Noreturn void __wrap_cpu_entered(struct cpu *cpu)
{
	if (cpu->apic_id == STUCK || cpu->apic_id == LATE) be_late();
	__real_cpu_entered(cpu);
}

/* The last of what it does before it knows whether it was given up. */
void __wrap_apic_init(bool takes_extint)
{
	__real_apic_init(takes_extint);
	if (!takes_extint && (this_cpu()->apic_id == LATE || this_cpu()->apic_id == STUCK))
		print("late: the one with APIC id %u comes after all", this_cpu()->apic_id);
}

void __wrap_apic_send_init(uint32_t id)
{
	static unsigned sent;

	if (id != LATE || !sent++) __real_apic_send_init(id);
}

void __wrap_fpu_init(void)
{
	if (this_cpu()->apic_id == LATE) print("late: it goes on");
	__real_fpu_init();
}

bool __wrap_controls_adjust(uint64_t capability, uint32_t required, uint32_t optional, uint32_t *result,
			    uint32_t *missing)
{
	if (this_cpu()->apic_id == SLOW_WITHOUT_EPT && required & SECONDARY_EPT) {
		uint64_t end = rdtsc() + START_SECONDS * vmx.tsc_hz;

		while (rdtsc() < end) cpu_pause();
		capability &= ~((uint64_t)SECONDARY_EPT << 32);
	}
	return __real_controls_adjust(capability, required, optional, result, missing);
}

bool __wrap_vmx_init_other(void)
{
	uint64_t others = this_cpu()->apic_id == OF_ANOTHER_KIND ? VMX_MISC_PREEMPTION_TIMER_SHIFT : 0;
	bool is_ready;

	vmx.capabilities.misc ^= others;
	is_ready = __real_vmx_init_other();
	vmx.capabilities.misc ^= others;
	return is_ready;
}
