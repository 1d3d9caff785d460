/* SPDX-License-Identifier: MIT */
/*
 * "edu", QEMU's published teaching device (1234:11e8; QEMU docs/specs/edu): identification,
 * liveness, factorial, DMA between a 4 KiB buffer and memory, INTx and MSI; plus, as our
 * extension, a PCI Express capability whose "Enable No Snoop" resets to 1. Every DMA and every
 * MSI goes through its board.
 */
#ifndef HV_DEV_EDU_H
#define HV_DEV_EDU_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/dev/pci.h"

#define EDU_BAR_SIZE    0x100000ULL
#define EDU_BUFFER      0x40000ULL /* device address of the DMA buffer */
#define EDU_BUFFER_SIZE 4096

struct edu {
	const struct board *board;
	struct pci_function pci;
	unsigned region; /* of its BAR, on the MMIO bus */
	bool intx_level; /* as last told to the board */
	bool no_snoop;   /* as last told to the board */
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

/* The words behind dev=edu: the device never does DMA with the No Snoop attribute. */
#define EDU_SNOOP (1U << 0)
extern const char *const edu_words[];

/*
 * Create the device at the slot of its source id: BAR assigned, memory decoding on, bus mastering
 * off, interrupt line set. no_snoop() is not called for the reset value, 1.
 */
void edu_create(void *state, const struct board *board);

#endif
