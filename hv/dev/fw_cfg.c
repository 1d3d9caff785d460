/* SPDX-License-Identifier: MIT */
/*
 * QEMU's firmware configuration device by its ports (QEMU docs/specs/fw_cfg): software selects an
 * item at 0x510 and reads it byte by byte at 0x511; behind its end it reads as zeroes, and so does one
 * that is not there. Here are the items by which small kernels recognise QEMU's machine and learn its
 * CPUs and its memory; there is no DMA interface.
 */
#include "hv/dev/devices.h"
#include "hv/dev/firmware.h"

/* The directory: a count, then an entry for each file, of which there is one. */
struct fw_cfg_directory {
	uint32_t count; /* big-endian, as all of it */
	uint32_t size;
	uint16_t select, reserved;
	char name[56];
} __attribute__((packed));
_Static_assert(sizeof(struct fw_cfg_directory) == 68, "QEMU docs/specs/fw_cfg");

struct fw_cfg {
	uint16_t selected;
	uint32_t at; /* of the next byte in the item */
	uint32_t interface;
	uint16_t cpus;
	uint64_t ram_size;
	struct fw_cfg_directory directory;
	struct e820_range e820[E820_RANGES];
	unsigned e820_size; /* bytes */
};

#define FW_CFG_PORT 0x510
enum { SELECTOR, DATA };

/* Items (QEMU include/standard-headers/linux/qemu_fw_cfg.h). */
enum { ITEM_SIGNATURE = 0x00, ITEM_INTERFACE = 0x01, ITEM_RAM_SIZE = 0x03, ITEM_CPUS = 0x05 };
enum { ITEM_MAX_CPUS = 0x0f, ITEM_DIRECTORY = 0x19, ITEM_E820 = 0x20 /* the first that a file may have */ };
#define INTERFACE_PORTS 1

/* Where the selected item is, and its bytes. */
static const void *item(const struct fw_cfg *f, unsigned *size)
{
	switch (f->selected) {
	case ITEM_SIGNATURE: *size = 4; return "QEMU";
	case ITEM_INTERFACE: *size = sizeof(f->interface); return &f->interface;
	case ITEM_RAM_SIZE: *size = sizeof(f->ram_size); return &f->ram_size;
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

static void create(void *state, const struct board *board)
{
	struct fw_cfg *f = state;
	unsigned ranges = e820_make(f->e820, board->low_ram_end, board->high_ram_end);

	f->interface = INTERFACE_PORTS;
	f->cpus = (uint16_t)board->cpus;
	f->ram_size = board->low_ram_end + (board->high_ram_end ? board->high_ram_end - HIGH_RAM : 0);
	f->e820_size = ranges * (unsigned)sizeof(f->e820[0]);
	f->directory = (struct fw_cfg_directory){
		.count = __builtin_bswap32(1),
		.size = __builtin_bswap32(f->e820_size),
		.select = __builtin_bswap16(ITEM_E820),
		.name = "etc/e820",
	};
	bus_add(board->ports, FW_CFG_PORT, 2, fw_cfg_access, f, board->name);
}

const struct device_row fw_cfg_device = {.name = "fw_cfg", .size = sizeof(struct fw_cfg), .create = create};
