/* SPDX-License-Identifier: MIT */
/*
 * QEMU's firmware configuration device by its ports (QEMU docs/specs/fw_cfg): software selects an
 * item at 0x510 and reads it byte by byte at 0x511. Here are the items by which small kernels
 * recognise QEMU's machine and learn its CPUs and its memory; there is no DMA interface.
 */
#ifndef HV_DEV_FW_CFG_H
#define HV_DEV_FW_CFG_H

#include <stdint.h>

#include "hv/dev/board.h"
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
	struct fw_cfg_directory directory;
	struct e820_range e820[E820_RANGES];
	unsigned e820_size; /* bytes */
};

void fw_cfg_create(void *state, const struct board *board);

#endif
