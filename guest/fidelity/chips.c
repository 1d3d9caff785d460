// SPDX-License-Identifier: MIT
/*
 * The 8254 timer and the 8259s, whose interrupts come while nothing else makes the CPU look: how long it takes
 * differs, whether they come does not. And what only some CPUs allow of the local APIC's registers.
 */
#include "guest/fidelity/fidelity.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/lapic.h"
#include "guest/lib/start.h"
#include "lib/pc.h"

#define SPIN_TICKS 200000 /* of the TSC, without an exit: many times the longest count below */

static void start_timer(unsigned mode, unsigned count)
{
	outb(PIT_PORT + PIT_CONTROL, (uint8_t)(0x30 | mode << 1));
	outb(PIT_PORT, (uint8_t)count);
	outb(PIT_PORT, (uint8_t)(count >> 8));
}

static void spin(void)
{
	uint64_t start = rdtsc();

	while (rdtsc() - start < SPIN_TICKS) {
	}
}

/* The 8259 is only looked at. */
static void requests(void)
{
	for (unsigned mode = 0; mode <= 4; mode += 2)
		for (unsigned count = mode == 2 ? 250 : 1; count < 3000; count *= 5) {
			unsigned before;

			start_timer(1, 1); /* waits for its gate */
			outb(PIC_MASTER, ICW1);
			outb(PIC_MASTER + 1, 0x50);
			outb(PIC_MASTER + 1, 1 << PIC_CASCADE);
			outb(PIC_MASTER + 1, 0xff);
			before = inb(PIC_MASTER) & 1;
			start_timer(mode, count);
			spin();
			printf("PIT mode %u, count %u: request %u, then %u\n", mode, count, before,
			       inb(PIC_MASTER) & 1);
		}
}

/* The local APIC's version, by bytes and words. */
static void parts(void)
{
	const uint64_t version = LAPIC_BASE + 16 * LAPIC_VERSION;

	printf("parts of the APIC's version: 0x%x 0x%x 0x%x, 0x%x\n", mmio_read8(version), mmio_read8(version + 1),
	       mmio_read8(version + 2), mmio_read16(version));
}

void fidelity_chips(void)
{
	requests();
	parts();
}
