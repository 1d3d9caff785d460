/* SPDX-License-Identifier: MIT */
/*
 * "edu", QEMU's published teaching device (1234:11e8; QEMU docs/specs/edu): identification,
 * liveness, factorial, DMA between a 4 KiB buffer and memory, INTx and MSI; plus, as our
 * extension, a PCI Express capability whose "Enable No Snoop" resets to 1. Every DMA and every
 * MSI goes through the functions it is given.
 */
#ifndef HV_DEV_EDU_H
#define HV_DEV_EDU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hv/dev/bus.h"
#include "hv/dev/pci.h"

#define EDU_BAR_SIZE    0x100000ULL
#define EDU_BUFFER      0x40000ULL /* device address of the DMA buffer */
#define EDU_BUFFER_SIZE 4096

struct edu_host {
	void *ctx;
	/* DMA as seen by the bus: 0 or -EFAULT (then what was not read reads as ones). */
	int (*dma_read)(void *ctx, uint16_t source_id, uint64_t address, void *to, size_t size);
	int (*dma_write)(void *ctx, uint16_t source_id, uint64_t address, const void *from,
			 size_t size);
	/* A message signalled interrupt. */
	void (*msi)(void *ctx, uint16_t source_id, uint64_t address, uint32_t data);
	/* The level of the INTA# pin changed. */
	void (*intx)(void *ctx, uint16_t source_id, bool level);
	/* PCIe Device Control "Enable No Snoop" changed. */
	void (*no_snoop)(void *ctx, uint16_t source_id, bool enabled);
};

struct edu {
	struct edu_host host;
	struct pci_function pci;
	uint16_t source_id;
	struct bus *mmio;
	int region;
	bool intx_level; /* as last told to host.intx */
	bool no_snoop;   /* as last told to host.no_snoop */
	uint32_t liveness;
	uint32_t factorial;
	uint32_t status;
	uint32_t interrupt_status;
	uint64_t dma_source;
	uint64_t dma_destination;
	uint64_t dma_count;
	uint64_t dma_command;
	uint64_t dma_mask; /* addresses are cut to this: 28 bits by default */
	uint8_t buffer[EDU_BUFFER_SIZE];
};

/* Offsets in its configuration space. */
#define EDU_MSI  0x40
#define EDU_PCIE 0x50

/*
 * Create the device at 'slot' of 'pci' with its BAR at 'bar' (memory decoding on, bus mastering
 * off, interrupt line 'irq'). 0, or what pci_add() and bus_add() return. host.no_snoop is not
 * called for the reset value, 1.
 */
int edu_init(struct edu *edu, struct pci *pci, struct bus *mmio, unsigned slot, uint64_t bar,
	     uint8_t irq, const struct edu_host *host);

#endif
