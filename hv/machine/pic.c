/* SPDX-License-Identifier: MIT */
/*
 * The host's 8259A pair by its ports (Intel 8259A datasheet).
 */
#include "hv/machine/pic.h"

#include "lib/asm.h"

/* Ports, initialization and operation words. */
enum { MASTER = 0x20, MASTER_DATA = 0x21, SLAVE = 0xa0, SLAVE_DATA = 0xa1 };
#define ICW1_ICW4       0x11
#define ICW3_SLAVE_ON_2 0x04
#define ICW3_SLAVE_ID   0x02
#define ICW4_8086_AEOI  0x03 /* an interrupt that is taken is over */
#define MASK_ALL        0xff
#define VECTOR_BASE     0x20

static uint8_t mask = MASK_ALL;

void pic_init_host(void)
{
	outb(MASTER, ICW1_ICW4);
	outb(MASTER_DATA, VECTOR_BASE);
	outb(MASTER_DATA, ICW3_SLAVE_ON_2);
	outb(MASTER_DATA, ICW4_8086_AEOI);
	outb(SLAVE, ICW1_ICW4);
	outb(SLAVE_DATA, VECTOR_BASE + 8);
	outb(SLAVE_DATA, ICW3_SLAVE_ID);
	outb(SLAVE_DATA, ICW4_8086_AEOI);
	outb(MASTER_DATA, MASK_ALL);
	outb(SLAVE_DATA, MASK_ALL);
}

void pic_unmask(unsigned line)
{
	mask &= (uint8_t) ~(1U << line);
	outb(MASTER_DATA, mask);
}
