/* SPDX-License-Identifier: MIT */
/*
 * The items of fw_cfg, made once. An item reads as zeroes behind its end, and so does one that is
 * not there. Called through the VM's port bus.
 */
#include "hv/dev/fw_cfg.h"

#include "lib/string.h"

#define FW_CFG_PORT 0x510
enum { SELECTOR, DATA };

/* Items (QEMU include/standard-headers/linux/qemu_fw_cfg.h). */
enum {
	ITEM_SIGNATURE = 0x00,
	ITEM_INTERFACE = 0x01,
	ITEM_CPUS = 0x05,
	ITEM_MAX_CPUS = 0x0f,
	ITEM_DIRECTORY = 0x19,
	ITEM_E820 = 0x20, /* the first that a file may have */
};
#define INTERFACE_PORTS 1

/* Where the selected item is, and its bytes. */
static const void *item(const struct fw_cfg *f, unsigned *size)
{
	switch (f->selected) {
	case ITEM_SIGNATURE: *size = 4; return "QEMU";
	case ITEM_INTERFACE: *size = sizeof(f->interface); return &f->interface;
	case ITEM_CPUS:
	case ITEM_MAX_CPUS: *size = sizeof(f->cpus); return &f->cpus;
	case ITEM_DIRECTORY: *size = sizeof(f->directory); return &f->directory;
	case ITEM_E820: *size = f->e820_size; return f->e820;
	default: *size = 0; return "";
	}
}

static uint8_t next_byte(struct fw_cfg *f)
{
	unsigned size;
	const uint8_t *bytes = item(f, &size);

	return f->at < size ? bytes[f->at++] : 0;
}

/* The selector is a word, the data a byte: a wider read repeats it, low byte first. */
static void fw_cfg_access(void *device, uint64_t offset, unsigned width, bool write, uint64_t *value)
{
	struct fw_cfg *f = device;

	if (write && offset == SELECTOR && width == 2) {
		f->selected = (uint16_t)*value;
		f->at = 0;
	} else if (!write) {
		*value = offset == DATA ? next_byte(f) : 0;
	}
}

void fw_cfg_create(void *state, const struct board *board)
{
	struct fw_cfg *f = state;
	unsigned ranges = e820_make(f->e820, board->low_ram_end, board->high_ram_end);

	f->interface = INTERFACE_PORTS;
	f->cpus = (uint16_t)board->cpus;
	f->e820_size = ranges * (unsigned)sizeof(f->e820[0]);
	f->directory = (struct fw_cfg_directory){
		.count = __builtin_bswap32(1),
		.size = __builtin_bswap32(f->e820_size),
		.select = __builtin_bswap16(ITEM_E820),
		.name = "etc/e820",
	};
	bus_add(board->ports, FW_CFG_PORT, 2, fw_cfg_access, f, board->name);
}
