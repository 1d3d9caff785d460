/* SPDX-License-Identifier: MIT */
/*
 * Interrupt wiring: joins the levels of devices that share a pin. It keeps levels only; what an
 * interrupt means is the controllers' business.
 */
#include "hv/dev/irq.h"

#include "hv/dev/devices.h"
#include "hv/dev/ioapic.h"
#include "hv/dev/pic.h"
#include "lib/bits.h"

#define PCI_LINES_LEVEL 0x0c /* of the second PIC: lines 10 and 11 */

uint8_t irq_pci_line(unsigned slot) { return slot % 2 ? 11 : 10; }

/* The slots on the same IOAPIC pin, and those on the same ISA line. */
#define SLOTS_OF_PIN(slot)  (0x01010101U << (slot) % 8)
#define SLOTS_OF_LINE(slot) (0x55555555U << (slot) % 2)

static void drive_isa(struct irq *irq, unsigned line)
{
	bool level = irq->isa >> line & 1;

	if (line == irq_pci_line(0) || line == irq_pci_line(1)) level |= (irq->pci & SLOTS_OF_LINE(line)) != 0;
	pic_set(irq->pic, line, level);
	ioapic_set(irq->ioapic, line ? line : IRQ_TIMER_PIN, level);
}

bool irq_isa_is_heard(const struct irq *irq, unsigned line)
{
	return !pic_is_requested(irq->pic, line) || !ioapic_is_masked(irq->ioapic, line ? line : IRQ_TIMER_PIN);
}

void irq_look(const struct irq *irq)
{
	if (irq && irq->look) irq->look(irq->listener);
}

void irq_isa(struct irq *irq, unsigned line, bool level)
{
	uint16_t bit = (uint16_t)(1U << line);

	if (line == IRQ_CASCADE) return;
	irq->isa = level ? irq->isa | bit : irq->isa & (uint16_t)~bit;
	drive_isa(irq, line);
}

void irq_pci(struct irq *irq, unsigned slot, bool level)
{
	uint32_t bit = 1U << slot;

	irq->pci = level ? irq->pci | bit : irq->pci & ~bit;
	ioapic_set(irq->ioapic, irq_pci_pin(slot), (irq->pci & SLOTS_OF_PIN(slot)) != 0);
	drive_isa(irq, irq_pci_line(slot));
}

/*
 * Joins the two controllers of board->chips. Sets the lines that PCI shares to level-triggered in
 * the PIC, as firmware does.
 */
static void create(void *state, const struct board *board)
{
	struct irq *irq = state;

	irq->pic = board->chips->pic;
	irq->ioapic = board->chips->ioapic;
	irq->pic->chip[1].level = PCI_LINES_LEVEL;
	board->chips->irq = irq;
}

const struct device_row irq_device = {.name = "irq", .size = sizeof(struct irq), .create = create};
