// SPDX-License-Identifier: MIT
/*
 * A device's INTA# through the IOAPIC, as it is and remapped (VT-d 5.1.5.1), and the three causes
 * edu interrupts for. Which pin the board wired it to is not asked: all of PCI's are set alike.
 */
#include "guest/iommu/cases.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/ioapic.h"
#include "guest/lib/lapic.h"
#include "guest/lib/start.h"

#define VECTOR          0x51
#define FIRST_PCI_PIN   5 /* below are the timer's and the keyboard's */
#define INDEX           9 /* of the interrupt entry */
#define IRTE_LEVEL      BIT(4)
#define IRTA_256        7
#define VERIFY          TO_FIELD(1, BITS(19, 18)) /* SVT: the whole source-id */
#define IOAPIC_ID       0xff00U                   /* its source-id, by the DMAR table */
#define NOT_A_DEVICE    0x00f8U
#define CAUSE_FACTORIAL 0x001
#define CAUSE_DMA       0x100

static volatile unsigned count;
static volatile uint32_t causes;

/* The line stays up until the device is acknowledged. */
static void on_interrupt(void)
{
	causes = mmio_read32(edu[0].bar + EDU_INTERRUPT_STATUS);
	mmio_write32(edu[0].bar + EDU_INTERRUPT_ACK, causes);
	count++;
	lapic_eoi();
}

/* Turns of the loop that waits: QEMU's edu interrupts from a thread of its own. */
#define PATIENCE 300000

/* Let it in: did exactly one come, for this cause? */
static bool came(uint32_t cause)
{
	bool yes;

	interrupts_on();
	for (unsigned i = 0; i < PATIENCE && !count; i++) cpu_pause();
	interrupts_off();
	yes = count == 1 && causes == cause;
	count = 0;
	return yes;
}

static void set_pins(uint64_t entry)
{
	for (unsigned pin = FIRST_PCI_PIN; pin < ioapic_pins(); pin++)
		ioapic_write_entry(pin, entry | RTE_LEVEL | RTE_ACTIVE_LOW | VECTOR);
}

static void raise(uint32_t cause) { mmio_write32(edu[0].bar + EDU_INTERRUPT_RAISE, cause); }

static void plain(void)
{
	uint16_t command = pci_read16(edu[0].source_id, PCI_COMMAND);

	set_pins(RTE_DESTINATION(lapic_id()));
	raise(0x10);
	check_whether(true, came(0x10), "an interrupt", "none", "INTA# by the IOAPIC, once");
	raise(0x20);
	check_whether(true, came(0x20), "an interrupt", "none", "... and a second time after EOI");
	mmio_write32(edu[0].bar + EDU_STATUS, EDU_STATUS_IRQ);
	edu_factorial(&edu[0], 5);
	check_whether(true, came(CAUSE_FACTORIAL), "an interrupt", "none", "a factorial interrupts when asked to");
	mmio_write32(edu[0].bar + EDU_STATUS, 0);
	edu_dma_raw(&edu[0], IOVA, EDU_DMA_BUFFER + 0x800, BYTES, EDU_DMA_IRQ);
	check_whether(true, came(CAUSE_DMA), "an interrupt", "none", "a DMA interrupts when asked to");
	pci_write16(edu[0].source_id, PCI_COMMAND, command | PCI_COMMAND_INTX_OFF);
	raise(0x40);
	check_whether(false, came(0x40), "an interrupt", "none", "Interrupt Disable in the command register");
	check(pci_read16(edu[0].source_id, PCI_STATUS) & PCI_STATUS_INTX, "... Interrupt Status is set all the same");
	mmio_write32(edu[0].bar + EDU_INTERRUPT_ACK, 0x40);
	pci_write16(edu[0].source_id, PCI_COMMAND, command);
}

/* 'high' is the entry's source verification. */
static void set_irte(uint64_t *irtes, uint64_t high)
{
	irtes[2 * INDEX] = 1 | IRTE_LEVEL | VECTOR << 16 | (uint64_t)lapic_id() << 40;
	irtes[2 * INDEX + 1] = high;
	vtd_put(DESC_INTERRUPT, 0);
	vtd_wait();
}

/* Blocked, recorded as of the IOAPIC. Edges: a level that was blocked would wait for its EOI. */
static void is_blocked(uint64_t entry, uint8_t reason, const char *text)
{
	struct vtd_fault f = {0};
	bool recorded;

	for (unsigned pin = FIRST_PCI_PIN; pin < ioapic_pins(); pin++) ioapic_write_entry(pin, entry | VECTOR);
	raise(0x60);
	check_whether(false, came(0x60), "an interrupt", "none", "%s: blocked", text);
	recorded = vtd_fault_next(&f);
	check_words(recorded && f.reason == reason && f.source_id == IOAPIC_ID,
		    recorded ? words("%s, of 0x%04x", vtd_reason_words(f.reason).text, f.source_id)
			     : words("no record"),
		    words("%s, of 0x%04x", vtd_reason_words(reason).text, IOAPIC_ID), "... recorded as reason 0x%x, %s",
		    reason, vtd_reason(reason));
	mmio_write32(edu[0].bar + EDU_INTERRUPT_ACK, 0x60);
	clear_faults(); /* the second pin of a line that has two found no room */
}

static void refused(uint64_t *irtes)
{
	set_irte(irtes, VERIFY | NOT_A_DEVICE);
	is_blocked(RTE_REMAPPABLE(INDEX), 0x26, "an IOAPIC entry of another source-id");
	is_blocked(RTE_REMAPPABLE(INDEX + 1), 0x22, "an IOAPIC entry without an entry");
	is_blocked(RTE_DESTINATION(lapic_id()), 0x25, "an IOAPIC entry in compatibility format");
}

static void remapped(void)
{
	uint64_t *irtes = page_alloc();

	vtd_write64(VTD_IRTA, (uint64_t)irtes | IRTA_256);
	vtd_command(GCMD_SIRTP, true);
	set_irte(irtes, 0);
	vtd_command(GCMD_IRE, true);
	set_pins(RTE_REMAPPABLE(INDEX));
	raise(0x10);
	check_whether(true, came(0x10), "an interrupt", "none", "INTA# by the IOAPIC and an interrupt entry");
	raise(0x20);
	check_whether(true, came(0x20), "an interrupt", "none", "... and a second time after EOI");
	set_irte(irtes, VERIFY | edu[0].source_id);
	raise(0x30);
	check_whether(true, came(0x30), "an interrupt", "none", "an entry verified by the device's own source-id");
	if (!native) { /* QEMU's IOAPIC has another source-id, and is not verified */
		set_irte(irtes, VERIFY | IOAPIC_ID);
		raise(0x50);
		check_whether(true, came(0x50), "an interrupt", "none",
			      "... by the one the DMAR table gives the IOAPIC");
		refused(irtes);
	}
	vtd_command(GCMD_IRE, false);
}

void intx_cases(void)
{
	heading("INTx");
	if (!ioapic_present() || !lapic_enable()) {
		printf("no IOAPIC or no local APIC\n");
		return;
	}
	interrupt_handler(VECTOR, on_interrupt);
	plain();
	if (vtd_read64(VTD_ECAP) & ECAP_IR) remapped();
	set_pins(RTE_MASKED);
}
