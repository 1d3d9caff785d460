/* SPDX-License-Identifier: MIT */
/*
 * What a device may use of the machine it sits in, and the row by which it is made. A device gets
 * its board at its creation and reaches nothing else: hv/vm/devices.c fills the functions in for a
 * VM, unit tests and fuzzers with their own.
 */
#pragma once

#include <stddef.h>

#include "hv/dev/bus.h"
#include "hv/dev/timers.h"

struct ioapic;
struct irq;
struct pci;
struct pic;
struct uart;

/* The devices that others are wired to. Each enters itself here when it is created. */
struct chipset {
	struct pci *pci;
	struct pic *pic;
	struct ioapic *ioapic;
	struct irq *irq;
	struct uart *uart;
};

/* One device's view; it lives as long as the device. A function that a device calls is there. */
struct board {
	const char *name;   /* the device's, as its row has it */
	uint16_t source_id; /* PCI requester id of its DMA and messages; 0: it sends none */
	unsigned words;     /* bit n: the n-th of the row's words was given behind dev=NAME */

	struct bus *ports, *mmio;
	struct chipset *chips;
	struct timers *timers;

	/* What firmware would tell of the machine. */
	unsigned cpus;
	uint64_t low_ram_end, high_ram_end; /* as e820_make() takes them */
	uint64_t start_time;                /* seconds from 1970 to 0 of the clock below */

	void *ctx; /* what the functions are called with */
	/*
	 * DMA as the bus sees it, through the IOMMU where there is one: 0, or -EFAULT (then what
	 * was not read reads as ones), or -EAGAIN: it waits, and is done again by go_on().
	 */
	int (*dma_read)(void *ctx, uint16_t source_id, uint64_t address, void *to, size_t size);
	int (*dma_write)(void *ctx, uint16_t source_id, uint64_t address, const void *from, size_t size);
	/* Once, at creation, by each device that does DMA; whether with the No Snoop attribute. */
	void (*dma_device)(void *ctx, uint16_t source_id, bool emits_no_snoop);
	/* PCIe Device Control "Enable No Snoop", which resets to 1, changed. */
	void (*no_snoop)(void *ctx, uint16_t source_id, bool enabled);
	/* A write of 'data' to 'address', 0xfeexxxxx: a message signalled interrupt. */
	void (*message)(void *ctx, uint16_t source_id, uint64_t address, uint32_t data);
	/* The level of an ISA line, 0-15, or of the device's INTA# pin changed. */
	void (*line)(void *ctx, unsigned line, bool level);
	void (*intx)(void *ctx, uint16_t source_id, bool level);
	/* The PIC's output to the CPU may have become asserted. */
	void (*extint)(void *ctx);
	/* Forget how the page at 'gpa' is mapped: the next access to it faults. */
	void (*flush)(void *ctx, uint64_t gpa);
	/* A byte for the VM's console. */
	void (*console)(void *ctx, uint8_t byte);
	/* A byte for what is shown beside it, on lines of their own. */
	void (*debug)(void *ctx, uint8_t byte);
	/* The end of the VM: with a status, or because it was reset. */
	void (*exit)(void *ctx, uint32_t status);
	void (*reset)(void *ctx);
	/* A clock that never stands, and its ticks in a second. */
	uint64_t (*now)(void *ctx);
	uint64_t clock_hz;
};

/* The board's clock at another rate, without overflow on the way; it stands if that has no rate. */
static inline uint64_t board_clock(const struct board *board, uint64_t hz)
{
	uint64_t now;

	if (!board->clock_hz) return 0;
	now = board->now(board->ctx);
	return now / board->clock_hz * hz + now % board->clock_hz * hz / board->clock_hz;
}

struct device_row {
	const char *name;
	size_t size; /* bytes of state, zeroed and aligned to 16 when create() gets them */
	/*
	 * Bring 'state' to what firmware leaves and register on the buses. It cannot fail: a bus or
	 * slot that is full says so itself, once for all devices (bus.h, pci.h).
	 */
	void (*create)(void *state, const struct board *board);
	/* Do again what ended with -EAGAIN, if anything did. NULL: the device does no DMA. */
	void (*go_on)(void *state);
	bool pci;                 /* it is a PCI function: gets a slot, and thereby a source id */
	uint16_t source_id;       /* of one that is none and still sends messages */
	const char *const *words; /* that may follow its name, up to a NULL; NULL: none */
};
