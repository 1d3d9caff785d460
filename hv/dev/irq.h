/* SPDX-License-Identifier: MIT */
/*
 * The wires between devices and interrupt controllers, as a PC has them: each ISA line reaches
 * the PIC and the IOAPIC pin of the same number; each PCI device's INTA# reaches, shared and
 * level-triggered, IOAPIC pin 16 + slot % 8, and, as firmware routed it, one ISA line.
 */
#pragma once

#include "hv/dev/board.h"

#define IRQ_CASCADE   2 /* the ISA line that no device has */
#define IRQ_TIMER_PIN 2 /* the IOAPIC pin of line 0 */
/* The IOAPIC pin of a slot's INTA#. */
static inline unsigned irq_pci_pin(unsigned slot) { return 16 + slot % 8; }

struct irq {
	struct pic *pic;
	struct ioapic *ioapic;
	uint16_t isa; /* levels of the ISA devices, by line */
	uint32_t pci; /* levels of INTA#, by slot */
	/* Called with 'listener' when what irq_isa_is_heard() says may have changed; or NULL. */
	void (*look)(void *listener);
	void *listener;
};

/*
 * An ISA device's line, 0-15. Line 0 (the timer) is IOAPIC pin 2; line 2 is the cascade, to which
 * no device is wired: nothing happens.
 */
void irq_isa(struct irq *irq, unsigned line, bool level);
/* Would another rise of an ISA device's line do anything? Not while the PIC has one and the IOAPIC masks it. */
bool irq_isa_is_heard(const struct irq *irq, unsigned line);
/* For the controllers; irq may be NULL. */
void irq_look(const struct irq *irq);
/* A PCI device's INTA#. */
void irq_pci(struct irq *irq, unsigned slot, bool level);
/* The ISA line to which firmware routed a slot's INTA#: its Interrupt Line register. */
uint8_t irq_pci_line(unsigned slot);
