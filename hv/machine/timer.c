/* SPDX-License-Identifier: MIT */
/*
 * Programs the PIT's channel 2, which raises no interrupt, and the local APIC's timer.
 */
#include "hv/machine/timer.h"

#include "hv/machine/apic.h"
#include "hv/machine/cpu.h"
#include "lib/asm.h"
#include "lib/bits.h"
#include "lib/pc.h"

#define PIT_ONE_SHOT_2    0xb0 /* of channel 2, to its control port */
#define MEASURES_A_SECOND 100
#define PIT_DIVISOR       (PIT_HZ / MEASURES_A_SECOND + 1)

/* If the PIT never fires, this many polls end the wait. */
#define WAIT_LIMIT 100000000

static uint64_t tsc_hz, timer_hz;
static bool periodic; /* it interrupts all the time: timer_start() */

uint64_t timer_measure(void)
{
	uint8_t gate = inb(GATE_PORT) & (uint8_t) ~(SPEAKER | GATE_2);
	uint64_t start;

	apic_start_timer(~0U, false);
	outb(GATE_PORT, gate | GATE_2);
	outb(PIT_PORT + PIT_CONTROL, PIT_ONE_SHOT_2);
	outb(PIT_PORT + 2, PIT_DIVISOR & 0xff);
	outb(PIT_PORT + 2, PIT_DIVISOR >> 8);
	start = rdtsc();
	for (unsigned i = 0; i < WAIT_LIMIT && !(inb(GATE_PORT) & OUTPUT_2); i++)
		;
	outb(GATE_PORT, gate);
	tsc_hz = (rdtsc() - start) * MEASURES_A_SECOND;
	timer_hz = (uint64_t)(~0U - apic_stop_timer()) * MEASURES_A_SECOND;
	return tsc_hz;
}

void timer_start(void)
{
	periodic = true;
	apic_start_timer((uint32_t)(timer_hz / MEASURES_A_SECOND), true);
}

void timer_halt(uint64_t ticks)
{
	if (!periodic) apic_start_timer((uint32_t)MAX(MIN(ticks, tsc_hz) * timer_hz / tsc_hz, 1U), false);
	cpu_halt();
	apic_end_interrupt();
	if (!periodic) apic_stop_timer();
}

void timer_take_interrupts(void)
{
	sti_cli();
	apic_end_interrupt();
}
