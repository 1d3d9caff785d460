/* SPDX-License-Identifier: MIT */
/*
 * Programs the PIT and the old PIC pair of the host, and measures the TSC with them.
 */
#include "hv/machine/timer.h"

#include "lib/asm.h"

/* 8259A: ports, initialization and operation words. */
enum { MASTER = 0x20, MASTER_DATA = 0x21, SLAVE_DATA = 0xa1 };
#define ICW1_ICW4       0x11
#define ICW3_SLAVE_ON_2 0x04
#define ICW4_8086       0x01
#define OCW2_EOI        0x20
#define OCW3_POLL       0x0c
#define POLL_REQUEST    0x80
#define MASK_ALL        0xff
#define MASK_ALL_BUT_0  0xfe
#define VECTOR_BASE     0x20

/* 8254: channel 0 as a rate generator; channel 2, which raises no interrupt, to measure. */
enum { PIT_CHANNEL_0 = 0x40, PIT_CHANNEL_2 = 0x42, PIT_CONTROL = 0x43, PIT_GATE = 0x61 };
#define PIT_RATE_GENERATOR 0x34
#define PIT_ONE_SHOT_2     0xb0
#define PIT_DIVISOR        11932 /* of 1193182 Hz: a hundred times a second */
#define GATE_2             0x01
#define SPEAKER            0x02
#define OUTPUT_2           0x20
#define MEASURES_A_SECOND  100

/* If the PIT never fires, this many polls end the wait. */
#define WAIT_LIMIT 100000000

void timer_mask_interrupts(void)
{
	outb(MASTER_DATA, MASK_ALL);
	outb(SLAVE_DATA, MASK_ALL);
}

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

void timer_start(void)
{
	outb(MASTER, ICW1_ICW4);
	outb(MASTER_DATA, VECTOR_BASE);
	outb(MASTER_DATA, ICW3_SLAVE_ON_2);
	outb(MASTER_DATA, ICW4_8086);
	outb(MASTER_DATA, MASK_ALL_BUT_0);
	outb(PIT_CONTROL, PIT_RATE_GENERATOR);
	outb(PIT_CHANNEL_0, PIT_DIVISOR & 0xff);
	outb(PIT_CHANNEL_0, PIT_DIVISOR >> 8);
}

/* The poll command is an acknowledge cycle by ports (8259A datasheet, "Poll Command"). */
void timer_acknowledge(void)
{
	outb(MASTER, OCW3_POLL);
	if (inb(MASTER) & POLL_REQUEST)
		outb(MASTER, OCW2_EOI);
}
