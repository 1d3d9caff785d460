/* SPDX-License-Identifier: MIT */
/*
 * A row for each device, and the creation of one from its row. Whoever makes a machine walks the
 * rows; nothing here knows which machine that is.
 */
#include "hv/dev/devices.h"

#include "hv/dev/acpi_pm.h"
#include "hv/dev/debug_port.h"
#include "hv/dev/edu.h"
#include "hv/dev/exit_port.h"
#include "hv/dev/fw_cfg.h"
#include "hv/dev/ioapic.h"
#include "hv/dev/irq.h"
#include "hv/dev/keyboard.h"
#include "hv/dev/pci.h"
#include "hv/dev/pic.h"
#include "hv/dev/pit.h"
#include "hv/dev/reset.h"
#include "hv/dev/rtc.h"
#include "hv/dev/testdev.h"
#include "hv/dev/uart.h"
#include "lib/bits.h"

/* The reset port lies within PCI's address port, so it comes first; the wires join two chips. */
const struct device_row fixed_devices[] = {
	{.name = "uart", .size = sizeof(struct uart), .create = uart_create},
	{.name = "exit", .size = sizeof(struct exit_port), .create = exit_port_create},
	{.name = "reset", .size = sizeof(struct reset), .create = reset_create},
	{.name = "pci", .size = sizeof(struct pci), .create = pci_create},
	{.name = "pic", .size = sizeof(struct pic), .create = pic_create},
	{.name = "ioapic", .size = sizeof(struct ioapic), .create = ioapic_create, .source_id = IOAPIC_SOURCE_ID},
	{.name = "irq", .size = sizeof(struct irq), .create = irq_create},
	{.name = "pit", .size = sizeof(struct pit), .create = pit_create},
	{.name = "rtc", .size = sizeof(struct rtc), .create = rtc_create},
	{.name = "keyboard", .size = sizeof(struct keyboard), .create = keyboard_create},
	{.name = "fw_cfg", .size = sizeof(struct fw_cfg), .create = fw_cfg_create},
	{.name = "debug port", .size = sizeof(struct debug_port), .create = debug_port_create},
	{.name = "acpi pm", .size = sizeof(struct acpi_pm), .create = acpi_pm_create},
};
const unsigned fixed_device_count = ARRAY_SIZE(fixed_devices);

const struct device_row optional_devices[] = {
	{.name = "edu", .size = sizeof(struct edu), .create = edu_create, .pci = true, .words = edu_words},
	{.name = "testdev", .size = sizeof(struct testdev), .create = testdev_create},
};
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
