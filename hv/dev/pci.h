/* SPDX-License-Identifier: MIT */
/*
 * PCI bus 0 of a VM: configuration mechanism #1 (ports 0xcf8 and 0xcfc) and the configuration
 * space of each function (PCI 3.0 6.1, 3.2.2.3.2). A device fills its header at creation and is
 * told when the guest changed it.
 */
#pragma once

#include "hv/dev/board.h"

#define PCI_VENDOR_ID        0x00 /* device behind it */
#define PCI_COMMAND          0x04
#define PCI_COMMAND_MEMORY   0x0002
#define PCI_COMMAND_MASTER   0x0004
#define PCI_COMMAND_INTX_OFF 0x0400
#define PCI_STATUS           0x06
#define PCI_STATUS_INTX      0x0008
#define PCI_STATUS_CAPS      0x0010
#define PCI_REVISION         0x08 /* interface, subclass and base class behind it */
#define PCI_BAR0             0x10
#define PCI_SUBSYSTEM        0x2c
#define PCI_CAP_POINTER      0x34
#define PCI_INTERRUPT_LINE   0x3c
#define PCI_CONFIG_SIZE      256
#define PCI_SLOTS            32
#define PCI_FIRST_SLOT       2

/* Where BARs are, up to the IOAPIC. */
#define PCI_WINDOW 0xc0000000ULL

/* Each by bytes, words and double words. */
#define PCI_CONFIG(name)                                                                                               \
	union {                                                                                                        \
		uint8_t name[PCI_CONFIG_SIZE];                                                                         \
		uint16_t name##16 [PCI_CONFIG_SIZE / 2];                                                               \
		uint32_t name##32 [PCI_CONFIG_SIZE / 4];                                                               \
	}

struct pci_function {
	PCI_CONFIG(config);
	PCI_CONFIG(writable);     /* bits a write changes */
	PCI_CONFIG(clear_on_one); /* bits a written one clears */
	/* Called after each configuration write that reached this function; may be NULL. */
	void (*written)(void *device);
	void *device;
};

struct pci {
	uint32_t address;                     /* CONFIG_ADDRESS, port 0xcf8 */
	struct pci_function *slot[PCI_SLOTS]; /* function 0 of each device of bus 0 */
	struct pci_function bridge;           /* 00:00.0, the host bridge */
	uint64_t next_bar;                    /* where the next one is put */
	bool full;                            /* a function found no slot: whoever makes the machine looks here once */
};

/* The source id of the first free slot from PCI_FIRST_SLOT on; 0, the bridge's, if none is. */
uint16_t pci_free_slot(const struct pci *pci);
static inline unsigned pci_slot(uint16_t source_id) { return source_id >> 3 & (PCI_SLOTS - 1); }
/* Put a function at the slot of 'source_id'. Where one is already, pci->full is set instead. */
void pci_add(struct pci *pci, uint16_t source_id, struct pci_function *function);

/* An address for a memory BAR, as firmware hands them out: the next one aligned to its size. */
uint64_t pci_assign_bar(struct pci *pci, uint64_t size);

/* A double word of a function's configuration space; what no row names reads as 0. */
struct pci_register {
	uint8_t offset;
	uint32_t value, writable, clear_on_one;
};
void pci_function_init(struct pci_function *function, const struct pci_register *registers, unsigned count);

/* Fields of a function's configuration space; offset is aligned to the width. */
static inline uint16_t pci_get16(const struct pci_function *f, unsigned offset) { return f->config16[offset / 2]; }
static inline uint32_t pci_get32(const struct pci_function *f, unsigned offset) { return f->config32[offset / 4]; }
