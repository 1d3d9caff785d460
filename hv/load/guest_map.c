/* SPDX-License-Identifier: MIT */
/*
 * The slots of a VM, by the size of its memory.
 */
#include "hv/load/guest_map.h"

#include "hv/dev/firmware.h"
#include "hv/dev/pci.h"

static void add(struct guest_map *map, uint64_t gpa, uint64_t end, uint64_t hpa, enum ept_slot_kind kind)
{
	map->slot[map->slots++] = (struct ept_slot){.gpa = gpa, .size = end - gpa, .hpa = hpa, .kind = kind};
}

void guest_map_make(struct guest_map *map, uint64_t size, uint64_t ram)
{
	*map = (struct guest_map){.low_end = MIN(size, PCI_WINDOW)};
	add(map, 0, GUEST_HOLE_START, ram, EPT_SLOT_RAM);
	add(map, FIRMWARE_ROM, MiB, ram + FIRMWARE_ROM, EPT_SLOT_ROM);
	add(map, MiB, map->low_end, ram + MiB, EPT_SLOT_RAM);
	if (size <= PCI_WINDOW) return;
	map->high_end = HIGH_RAM + (size - PCI_WINDOW);
	add(map, HIGH_RAM, map->high_end, ram + PCI_WINDOW, EPT_SLOT_RAM);
}
