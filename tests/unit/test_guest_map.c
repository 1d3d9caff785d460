/* SPDX-License-Identifier: MIT */
/* hv/load/guest_map.c: no engine has the memory for a VM above 3 GiB, so its rule is proved here.
 */

#include "tests/lib/test.h"
#include "hv/load/guest_map.h"
#include "lib/bits.h"

#define RAM (32 * GiB)

static struct guest_map map;

static void assert_slot(unsigned n, uint64_t gpa, uint64_t end, uint64_t offset, enum ept_slot_kind kind)
{
	assert_true(n < map.slots);
	assert_int_equal(map.slot[n].gpa, gpa);
	assert_int_equal(map.slot[n].gpa + map.slot[n].size, end);
	assert_int_equal(map.slot[n].hpa, RAM + offset);
	assert_int_equal(map.slot[n].kind, kind);
}

TEST(ram_begins_at_0_and_has_a_pcs_hole)
{
	guest_map_make(&map, 64 * MiB, RAM);
	assert_int_equal(map.slots, 3);
	assert_slot(0, 0, 0xa0000, 0, EPT_SLOT_RAM);
	assert_slot(1, 0xc0000, MiB, 0xc0000, EPT_SLOT_ROM);
	assert_slot(2, MiB, 64 * MiB, MiB, EPT_SLOT_RAM);
	assert_int_equal(map.low_end, 64 * MiB);
	assert_int_equal(map.high_end, 0);
}

TEST(ram_of_3_gib_ends_where_the_pci_window_begins)
{
	guest_map_make(&map, 3 * GiB, RAM);
	assert_int_equal(map.slots, 3);
	assert_slot(2, MiB, 0xc0000000, MiB, EPT_SLOT_RAM);
	assert_int_equal(map.high_end, 0);
}

TEST(what_exceeds_3_gib_moves_above_4_gib)
{
	guest_map_make(&map, 3 * GiB + MiB, RAM);
	assert_int_equal(map.slots, 4);
	assert_slot(2, MiB, 0xc0000000, MiB, EPT_SLOT_RAM);
	assert_slot(3, 4 * GiB, 4 * GiB + MiB, 3 * GiB, EPT_SLOT_RAM);
	assert_int_equal(map.low_end, 3 * GiB);
	assert_int_equal(map.high_end, 4 * GiB + MiB);

	guest_map_make(&map, 1024 * GiB, RAM);
	assert_slot(3, 4 * GiB, 1025 * GiB, 3 * GiB, EPT_SLOT_RAM);
}
