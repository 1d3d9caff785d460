/* SPDX-License-Identifier: MIT */
/*
 * PCI configuration by mechanism #1 (PCI 3.0 3.2.2.3.2), and the edu device on it. A function is
 * named by its source-id: bus 15:8, device 7:3, function 2:0. Register names: hv/dev/pci.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "hv/dev/pci.h"

#define PCI_CONFIG_ADDRESS 0xcf8
#define PCI_CONFIG_DATA    0xcfc
#define PCI_INTERRUPT_PIN  (PCI_INTERRUPT_LINE + 1)

uint32_t pci_read32(uint16_t source_id, unsigned offset);
uint16_t pci_read16(uint16_t source_id, unsigned offset);
uint8_t pci_read8(uint16_t source_id, unsigned offset);
void pci_write32(uint16_t source_id, unsigned offset, uint32_t value);
void pci_write16(uint16_t source_id, unsigned offset, uint16_t value);
void pci_write8(uint16_t source_id, unsigned offset, uint8_t value);

/* The n-th function (from 0) of bus 0 with these ids: its source-id, or -ENODEV. */
int pci_find(uint16_t vendor, uint16_t device, unsigned n);
/* The offset of the capability with this id in the function's list, or 0. */
unsigned pci_capability(uint16_t source_id, uint8_t id);

#define EDU_VENDOR           0x1234
#define EDU_DEVICE           0x11e8
#define EDU_IDENTIFICATION   0x00 /* 0xRRrr00ed */
#define EDU_IDENTIFIED       0x010000edU
#define EDU_LIVENESS         0x04 /* reads as the inverse of what was written */
#define EDU_FACTORIAL        0x08
#define EDU_STATUS           0x20
#define EDU_STATUS_BUSY      0x01
#define EDU_STATUS_IRQ       0x80
#define EDU_INTERRUPT_STATUS 0x24
#define EDU_INTERRUPT_RAISE  0x60
#define EDU_INTERRUPT_ACK    0x64
#define EDU_DMA_SOURCE       0x80
#define EDU_DMA_DESTINATION  0x88
#define EDU_DMA_COUNT        0x90
#define EDU_DMA_COMMAND      0x98
#define EDU_DMA_RUN          0x1
#define EDU_DMA_TO_MEMORY    0x2
#define EDU_DMA_IRQ          0x4
/* Device address of its 4 KiB buffer. */
#define EDU_DMA_BUFFER 0x40000

/* Size of its BAR. */
#define EDU_REGISTERS 0x100000

struct edu_device {
	uint16_t source_id;
	uint64_t bar;
};

/* The n-th edu: bus mastering is switched on. False when there is none. */
bool edu_find(unsigned n, struct edu_device *edu);
/* n! modulo 2^32, computed by the device. */
uint32_t edu_factorial(const struct edu_device *edu, uint32_t n);
/*
 * One transfer between the device's buffer (from its start) and bus address 'address', up to
 * 4096 bytes, waited for. False when the device never finished.
 */
bool edu_dma(const struct edu_device *edu, uint64_t address, uint64_t count, bool to_memory);
/* The same with all registers chosen: 'command' is EDU_DMA_ bits besides RUN. */
bool edu_dma_raw(const struct edu_device *edu, uint64_t source, uint64_t destination, uint64_t count, uint64_t command);
