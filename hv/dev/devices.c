/* SPDX-License-Identifier: MIT */
/*
 * The order of the devices, and the creation of one from its row. Whoever makes a machine walks the
 * rows; nothing here knows which machine that is.
 */
#include "hv/dev/devices.h"

#include "hv/dev/pci.h"
#include "lib/bits.h"

/* The reset port lies within PCI's address port, so it comes first; the wires join two chips. */
const struct device_row *const fixed_devices[] = {
	&uart_device, &ports_device, &pci_device,      &pic_device,    &ioapic_device,  &irq_device,
	&pit_device,  &rtc_device,   &keyboard_device, &fw_cfg_device, &acpi_pm_device,
};
const unsigned fixed_device_count = ARRAY_SIZE(fixed_devices);

const struct device_row *const optional_devices[] = {&edu_device, &testdev_device};
const unsigned optional_device_count = ARRAY_SIZE(optional_devices);

/* The board in front, the state behind it. */
#define ALIGNMENT   16
#define BOARD_BYTES ALIGN_UP(sizeof(struct board), ALIGNMENT)

size_t device_size(const struct device_row *row) { return BOARD_BYTES + ALIGN_UP(row->size, ALIGNMENT); }

void *device_create(const struct device_row *row, const struct board *board, unsigned words, void *place)
{
	struct board *own = place;
	void *state = (char *)place + BOARD_BYTES;

	*own = *board;
	own->name = row->name;
	own->source_id = row->pci ? pci_free_slot(board->chips->pci) : row->source_id;
	own->words = words;
	row->create(state, own);
	return state;
}

void device_go_on(const struct device_row *row, void *place)
{
	if (row->go_on) row->go_on((char *)place + BOARD_BYTES);
}
