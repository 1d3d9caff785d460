// SPDX-License-Identifier: MIT
/*
 * The devices as firmware leaves them, and DMA that goes astray. (The device drops all but 28 bits
 * of a bus address, as QEMU's does: what is not RAM is sought below 1 MiB.)
 */
#include "guest/contract/contract.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/pci.h"
#include "guest/lib/start.h"
#include "lib/string.h"

#define WINDOW_START 0xc0000000UL
#define WINDOW_END   0xfec00000UL
#define FIRMWARE     0xf0000UL /* up to 1 MiB: its tables, read-only */
#define SIZE         64

static void check_device(unsigned n)
{
	int found = pci_find(EDU_VENDOR, EDU_DEVICE, n);
	uint16_t id = (uint16_t)found, command;
	uint8_t pin, line;
	uint64_t bar;

	if (!check(found >= 0, "edu %u is on PCI", n)) return;
	command = pci_read16(id, PCI_COMMAND);
	bar = pci_read32(id, PCI_BAR0);
	pin = pci_read8(id, PCI_INTERRUPT_PIN);
	line = pci_read8(id, PCI_INTERRUPT_LINE);
	check(command & PCI_COMMAND_MEMORY, "... memory decoding on");
	check(!(command & PCI_COMMAND_MASTER), "... bus mastering off");
	check_words(bar >= WINDOW_START && bar + EDU_REGISTERS <= WINDOW_END && IS_ALIGNED(bar, EDU_REGISTERS),
		    words("0x%lx", bar), words("0x%lx to 0x%lx, aligned", WINDOW_START, WINDOW_END - EDU_REGISTERS),
		    "... its BAR 0x%lx is in the window", bar);
	check_is(EDU_IDENTIFIED, mmio_read32(bar + EDU_IDENTIFICATION), "... and it answers there");
	check_words(pin == 1 && line > 2 && line < 16, words("pin %u, line %u", pin, line),
		    words("pin 1, a line from 3 to 15"), "... interrupt line %u", line);
}

/* Are all bytes of the page's beginning this one? */
static bool all(const uint8_t *page, uint8_t byte)
{
	for (unsigned i = 0; i < SIZE; i++)
		if (page[i] != byte) return false;
	return true;
}

static void check_dma(void)
{
	struct edu_device edu;
	uint8_t *page = page_alloc();
	uint16_t command;
	uint64_t first;

	edu_find(0, &edu); /* switches bus mastering on */
	command = pci_read16(edu.source_id, PCI_COMMAND);
	memset(page, 0x5a, SIZE);
	edu_dma(&edu, (uint64_t)page, SIZE, false);
	memset(page, 0, SIZE);
	pci_write16(edu.source_id, PCI_COMMAND, command & ~PCI_COMMAND_MASTER);
	check(edu_dma(&edu, (uint64_t)page, SIZE, true) && all(page, 0),
	      "with bus mastering off DMA ends and moves nothing");
	pci_write16(edu.source_id, PCI_COMMAND, command);
	edu_dma(&edu, (uint64_t)page, SIZE, true);
	check(all(page, 0x5a), "with it on the bytes arrive");
	first = mmio_read64(FIRMWARE);
	edu_dma(&edu, FIRMWARE, SIZE, true);
	check(first != ~0UL && mmio_read64(FIRMWARE) == first, "DMA onto firmware is dropped");
	edu_dma(&edu, HOLE, SIZE, true);
	check_is(~0UL, mmio_read64(HOLE), "DMA onto no memory is dropped");
	edu_dma(&edu, HOLE, SIZE, false);
	edu_dma(&edu, (uint64_t)page, SIZE, true);
	check(all(page, 0xff), "DMA from no memory reads as ones");
	memset(page, 0x33, SIZE);
	edu_dma(&edu, (uint64_t)page, SIZE, false);
	edu_dma(&edu, 0, SIZE, true);
	check_is(0x3333333333333333, mmio_read64(page_0()), "page 0 is RAM for DMA too");
}

void check_pci(unsigned devices)
{
	heading("PCI");
	for (unsigned n = 0; n < devices; n++) check_device(n);
	check(pci_find(EDU_VENDOR, EDU_DEVICE, devices) < 0, "no more edu devices than %u", devices);
	if (devices) check_dma();
}
