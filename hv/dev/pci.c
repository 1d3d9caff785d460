/* SPDX-License-Identifier: MIT */
/*
 * Configuration mechanism #1 and the configuration spaces behind it. A function is a header with a
 * mask of what may be written, so that BAR sizing, hardwired bits and write-1-to-clear need no code
 * of their own. A device is touched only by its written() callback.
 */
#include "hv/dev/pci.h"

#include "hv/dev/devices.h"
#include "lib/bits.h"
#include "lib/string.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc

/* CONFIG_ADDRESS (PCI 3.0 3.2.2.3.2). */
#define ADDRESS_ENABLE   BIT(31)
#define ADDRESS_BUS      BITS(23, 16)
#define ADDRESS_SLOT     BITS(15, 11)
#define ADDRESS_FUNCTION BITS(10, 8)
#define ADDRESS_REGISTER BITS(7, 0)

void pci_function_init(struct pci_function *function, const struct pci_register *registers, unsigned count)
{
	for (const struct pci_register *r = registers; r < registers + count; r++) {
		function->config32[r->offset / 4] = r->value;
		function->writable32[r->offset / 4] = r->writable;
		function->clear_on_one32[r->offset / 4] = r->clear_on_one;
	}
}

static void config_write(struct pci_function *function, unsigned offset, unsigned width, uint64_t value)
{
	for (unsigned i = offset; i < offset + width; i++, value >>= 8) {
		unsigned byte = function->config[i];
		unsigned writable = function->writable[i];

		byte = (byte & ~writable) | ((unsigned)value & writable);
		byte &= ~((unsigned)value & function->clear_on_one[i]);
		function->config[i] = (uint8_t)byte;
	}
	if (function->written) function->written(function->device);
}

/* The function that CONFIG_ADDRESS selects, or NULL where there is none. */
static struct pci_function *selected(const struct pci *pci)
{
	uint32_t address = pci->address;

	if ((address & (ADDRESS_ENABLE | ADDRESS_BUS | ADDRESS_FUNCTION)) != ADDRESS_ENABLE) return NULL;
	return pci->slot[FIELD(address, ADDRESS_SLOT)];
}

/*
 * CONFIG_DATA. The byte within the register comes from the port; bits 1:0 of CONFIG_ADDRESS,
 * which the specification has at 0, are honoured too, since some kernels put it there.
 */
static void config_data(void *device, uint64_t port, unsigned width, bool write, uint64_t *value)
{
	struct pci *pci = device;
	struct pci_function *function = selected(pci);
	unsigned offset = (pci->address & ADDRESS_REGISTER) | (unsigned)port;

	if (!function || offset + width > PCI_CONFIG_SIZE) {
		if (!write) *value = ~0ULL;
	} else if (write) {
		config_write(function, offset, width, *value);
	} else {
		memcpy(value, &function->config[offset], width); /* the bus drops the other bytes */
	}
}

/* CONFIG_ADDRESS is there for 4-byte accesses only (PCI 3.0 3.2.2.3.2). */
static void config_address(void *device, uint64_t port, unsigned width, bool write, uint64_t *value)
{
	struct pci *pci = device;

	(void)port; /* 0: four bytes fit nowhere else */
	if (width != 4) {
		if (!write) *value = ~0ULL;
	} else if (write) {
		pci->address = (uint32_t)*value;
	} else {
		*value = pci->address;
	}
}

/* Reset state with a host bridge. */
static void create(void *state, const struct board *board)
{
	/* Red Hat's "generic host bridge": operating systems know it and have no quirks for it. */
	static const struct pci_register bridge[] = {{PCI_VENDOR_ID, 0x00081b36, 0, 0},
						     {PCI_REVISION, 0x06000000, 0, 0}};
	struct pci *pci = state;

	pci_function_init(&pci->bridge, bridge, ARRAY_SIZE(bridge));
	pci->slot[0] = &pci->bridge;
	pci->next_bar = PCI_WINDOW;
	bus_add(board->ports, CONFIG_ADDRESS, 4, config_address, pci, "pci address");
	bus_add(board->ports, CONFIG_DATA, 4, config_data, pci, "pci data");
	board->chips->pci = pci;
}

uint16_t pci_free_slot(const struct pci *pci)
{
	for (unsigned slot = PCI_FIRST_SLOT; slot < PCI_SLOTS; slot++)
		if (!pci->slot[slot]) return (uint16_t)(slot << 3);
	return 0;
}

void pci_add(struct pci *pci, uint16_t source_id, struct pci_function *function)
{
	struct pci_function **slot = &pci->slot[pci_slot(source_id)];

	if (*slot)
		pci->full = true;
	else
		*slot = function;
}

uint64_t pci_assign_bar(struct pci *pci, uint64_t size)
{
	uint64_t bar = ALIGN_UP(pci->next_bar, size);

	pci->next_bar = bar + size;
	return bar;
}

const struct device_row pci_device = {.name = "pci", .size = sizeof(struct pci), .create = create};
