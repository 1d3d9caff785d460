/* SPDX-License-Identifier: MIT */
#include "hv/timer.h"

#include "hv/asm.h"

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

/* 8254: channel 0 as a rate generator. */
enum { PIT_CHANNEL_0 = 0x40, PIT_CONTROL = 0x43 };
#define PIT_RATE_GENERATOR 0x34
#define PIT_DIVISOR        11932 /* of 1193182 Hz */

void timer_mask_interrupts(void)
{
	outb(MASTER_DATA, MASK_ALL);
	outb(SLAVE_DATA, MASK_ALL);
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
