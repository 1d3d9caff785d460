// SPDX-License-Identifier: MIT
/*
 * PCI configuration accesses and the driver of edu; see pci.h. Waits are bounded, so that a
 * broken device fails a check instead of hanging the image.
 */
#include "guest/lib/pci.h"
#include "guest/lib/cpu.h"
#include "lib/errno.h"

#define ENODEV 19 /* as in Linux: lib/errno.h has what the hypervisor returns */

#define CONFIG_ENABLE   0x80000000U
#define CAPABILITY_LIST 48 /* at most this many fit in 256 bytes */
/* Polls of a busy device; each is an exit. QEMU's edu takes 100 ms for a DMA. */
#define PATIENCE 20000000

static uint16_t select(uint16_t source_id, unsigned offset)
{
	outl(PCI_CONFIG_ADDRESS, CONFIG_ENABLE | (uint32_t)source_id << 8 | (offset & 0xfc));
	return (uint16_t)(PCI_CONFIG_DATA + (offset & 3));
}

uint32_t pci_read32(uint16_t source_id, unsigned offset) { return inl(select(source_id, offset)); }

uint16_t pci_read16(uint16_t source_id, unsigned offset) { return inw(select(source_id, offset)); }

uint8_t pci_read8(uint16_t source_id, unsigned offset) { return inb(select(source_id, offset)); }

void pci_write32(uint16_t source_id, unsigned offset, uint32_t value) { outl(select(source_id, offset), value); }

void pci_write16(uint16_t source_id, unsigned offset, uint16_t value) { outw(select(source_id, offset), value); }

void pci_write8(uint16_t source_id, unsigned offset, uint8_t value) { outb(select(source_id, offset), value); }

int pci_find(uint16_t vendor, uint16_t device, unsigned n)
{
	uint32_t wanted = (uint32_t)device << 16 | vendor;

	for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
		uint16_t source_id = (uint16_t)(slot << 3);

		if (pci_read32(source_id, PCI_VENDOR_ID) == wanted && !n--) return source_id;
	}
	return -ENODEV;
}

unsigned pci_capability(uint16_t source_id, uint8_t id)
{
	unsigned at = 0;

	if (pci_read16(source_id, PCI_STATUS) & PCI_STATUS_CAPS) at = pci_read8(source_id, PCI_CAP_POINTER) & 0xfc;
	for (unsigned i = 0; at && i < CAPABILITY_LIST; i++) {
		if (pci_read8(source_id, at) == id) return at;
		at = pci_read8(source_id, at + 1) & 0xfc;
	}
	return 0;
}

bool edu_find(unsigned n, struct edu_device *edu)
{
	int source_id = pci_find(EDU_VENDOR, EDU_DEVICE, n);
	uint16_t command;

	if (source_id < 0) return false;
	edu->source_id = (uint16_t)source_id;
	edu->bar = pci_read32(edu->source_id, PCI_BAR0) & ~0xfU;
	command = pci_read16(edu->source_id, PCI_COMMAND);
	pci_write16(edu->source_id, PCI_COMMAND, command | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	return true;
}

uint32_t edu_factorial(const struct edu_device *edu, uint32_t n)
{
	mmio_write32(edu->bar + EDU_FACTORIAL, n);
	for (unsigned i = 0; i < PATIENCE; i++)
		if (!(mmio_read32(edu->bar + EDU_STATUS) & EDU_STATUS_BUSY)) break;
	return mmio_read32(edu->bar + EDU_FACTORIAL);
}

bool edu_dma_raw(const struct edu_device *edu, uint64_t source, uint64_t destination, uint64_t count, uint64_t command)
{
	mmio_write64(edu->bar + EDU_DMA_SOURCE, source);
	mmio_write64(edu->bar + EDU_DMA_DESTINATION, destination);
	mmio_write64(edu->bar + EDU_DMA_COUNT, count);
	mmio_write64(edu->bar + EDU_DMA_COMMAND, EDU_DMA_RUN | command);
	for (unsigned i = 0; i < PATIENCE; i++)
		if (!(mmio_read64(edu->bar + EDU_DMA_COMMAND) & EDU_DMA_RUN)) return true;
	return false;
}

bool edu_dma(const struct edu_device *edu, uint64_t address, uint64_t count, bool to_memory)
{
	if (to_memory) return edu_dma_raw(edu, EDU_DMA_BUFFER, address, count, EDU_DMA_TO_MEMORY);
	return edu_dma_raw(edu, address, EDU_DMA_BUFFER, count, 0);
}
