/* SPDX-License-Identifier: MIT */
/*
 * Programs the PIT and the old PIC pair of the host, and measures the TSC with them.
 */
#include "hv/machine/timer.h"

#include <stdbool.h>

#include "hv/machine/apic.h"
#include "hv/machine/cpu.h"
#include "hv/machine/pic.h"
#include "lib/asm.h"
#include "lib/bits.h"

/* 8254: channel 0 as a rate generator; channel 2, which raises no interrupt, to measure. */
enum { PIT_CHANNEL_0 = 0x40, PIT_CHANNEL_2 = 0x42, PIT_CONTROL = 0x43, PIT_GATE = 0x61 };
#define PIT_RATE_GENERATOR 0x34
#define PIT_ONE_SHOT_0     0x30
#define PIT_ONE_SHOT_2     0xb0
#define PIT_HZ             1193182
#define PIT_MOST           65535
#define PIT_DIVISOR        11932 /* of 1193182 Hz: a hundred times a second */
#define GATE_2             0x01
#define SPEAKER            0x02
#define OUTPUT_2           0x20
#define MEASURES_A_SECOND  100

static bool periodic; /* channel 0 interrupts all the time: timer_start() */

/* If the PIT never fires, this many polls end the wait. */
#define WAIT_LIMIT 100000000

uint64_t timer_measure_tsc(void)
{
	uint8_t gate = inb(PIT_GATE) & (uint8_t) ~(SPEAKER | GATE_2);
	uint64_t start;

	outb(PIT_GATE, gate | GATE_2);
	outb(PIT_CONTROL, PIT_ONE_SHOT_2);
	outb(PIT_CHANNEL_2, PIT_DIVISOR & 0xff);
	outb(PIT_CHANNEL_2, PIT_DIVISOR >> 8);
	start = rdtsc();
	for (unsigned i = 0; i < WAIT_LIMIT && !(inb(PIT_GATE) & OUTPUT_2); i++)
		;
	outb(PIT_GATE, gate);
	return (rdtsc() - start) * MEASURES_A_SECOND;
}

void timer_start(uint64_t tsc_hz)
{
	if (this_cpu()->index) {
		apic_set_timer(tsc_hz / MEASURES_A_SECOND, true);
		return;
	}
	outb(PIT_CONTROL, PIT_RATE_GENERATOR);
	outb(PIT_CHANNEL_0, PIT_DIVISOR & 0xff);
	outb(PIT_CHANNEL_0, PIT_DIVISOR >> 8);
	pic_unmask(PIC_LINE_TIMER);
	periodic = true;
}

/* One interrupt after 'count' of the PIT's ticks, at most 65535. */
static void wake_after(uint64_t count)
{
	outb(PIT_CONTROL, PIT_ONE_SHOT_0);
	outb(PIT_CHANNEL_0, (uint8_t)count);
	outb(PIT_CHANNEL_0, (uint8_t)(count >> 8));
	pic_unmask(PIC_LINE_TIMER);
}

/* The PIT's interrupt reaches the CPU that booted only; the others have their own timer. */
static void halt_without_pit(uint64_t ticks)
{
	if (!periodic) apic_set_timer(ticks, false);
	cpu_halt();
	if (!periodic) apic_set_timer(0, false);
}

void timer_halt(uint64_t ticks, uint64_t tsc_hz)
{
	uint64_t count = ticks >= tsc_hz ? PIT_MOST : MIN(ticks * PIT_HZ / tsc_hz, PIT_MOST);

	if (!count) return; /* due now, or too soon for the PIT */
	if (this_cpu()->index) {
		halt_without_pit(ticks);
		return;
	}
	if (periodic) {
		cpu_halt();
		return;
	}
	wake_after(count);
	cpu_halt();
	pic_mask(PIC_LINE_TIMER); /* woken by another: it may not fire in a guest, again and again */
}
