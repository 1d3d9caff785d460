/* SPDX-License-Identifier: MIT */
/*
 * The host's 8259A pair by its ports (Intel 8259A datasheet).
 */
#include "hv/machine/pic.h"

#include "lib/asm.h"
#include "lib/pc.h"

enum { MASTER_DATA = PIC_MASTER + 1, SLAVE_DATA = PIC_SLAVE + 1 };
#define MASK_ALL    0xff
#define VECTOR_BASE 0x20

static uint8_t mask = MASK_ALL;

void pic_init_host(void)
{
	outb(PIC_MASTER, ICW1 | ICW1_ICW4);
	outb(MASTER_DATA, VECTOR_BASE);
	outb(MASTER_DATA, 1 << PIC_CASCADE);
	outb(MASTER_DATA, ICW4_8086 | ICW4_AUTO);
	outb(PIC_SLAVE, ICW1 | ICW1_ICW4);
	outb(SLAVE_DATA, VECTOR_BASE + 8);
	outb(SLAVE_DATA, PIC_CASCADE);
	outb(SLAVE_DATA, ICW4_8086 | ICW4_AUTO);
	outb(MASTER_DATA, MASK_ALL);
	outb(SLAVE_DATA, MASK_ALL);
}

void pic_unmask(unsigned line)
{
	mask &= (uint8_t) ~(1U << line);
	outb(MASTER_DATA, mask);
}
