// SPDX-License-Identifier: MIT
/* RAM: from 0 with a PC's hole, what exceeds 3 GiB above 4 GiB. */
#include "guest/contract/contract.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/paging.h"
#include "guest/lib/start.h"

#define PCI_HOLE   (3 * GiB)
#define HIGH_RAM   (4 * GiB)
#define PATTERN    0x4c6561666c656166UL
#define WINDOW     0xbfe00000UL /* where a page above 4 GiB is looked at: nothing else is there */
#define AVAILABLE  1
#define HIGH_RANGE 4
#define EBDA       0x9fc00UL /* of the BIOS: the last KiB below the hole */

static void check_range(unsigned n, uint64_t start, uint64_t end, const char *what)
{
	const struct memory_range *r = &guest.range[n];

	check_words(n < guest.ranges && r->start == start && r->start + r->size == end && r->type == AVAILABLE,
		    n < guest.ranges ? words("0x%lx to 0x%lx, type %u", r->start, r->start + r->size, r->type)
				     : words("no such range"),
		    words("0x%lx to 0x%lx, type %u", start, end, AVAILABLE), "memory map: %s", what);
}

/* The 8 bytes at 'at' keep what is written. */
static bool is_ram(uint64_t at)
{
	uint64_t old = mmio_read64(at);
	bool kept;

	mmio_write64(at, old ^ PATTERN);
	kept = mmio_read64(at) == (old ^ PATTERN);
	mmio_write64(at, old);
	return kept;
}

static bool is_nothing(uint64_t at)
{
	mmio_write64(at, PATTERN);
	return mmio_read64(at) == ~0UL;
}

static void check_high(uint64_t end)
{
	check_range(HIGH_RANGE, HIGH_RAM, end, "what 3 GiB exceeds, from 4 GiB");
	page_map(WINDOW, HIGH_RAM);
	tlb_flush();
	check_whether(true, is_ram(WINDOW), "it keeps what is written", "it does not", "RAM at 4 GiB");
	mmio_write64(WINDOW, PATTERN);
	check(mmio_read64(page_0()) != PATTERN && mmio_read64(PCI_HOLE - PAGE_SIZE) != PATTERN,
	      "... that is no other RAM again");
	page_map(WINDOW, end - PAGE_SIZE);
	tlb_flush();
	check_whether(true, is_ram(WINDOW + PAGE_SIZE - 8), "it keeps what is written", "it does not",
		      "RAM up to its end");
	page_map(WINDOW, end);
	tlb_flush();
	check_whether(true, is_nothing(WINDOW), "ones", "something else", "nothing behind it");
}

void check_memory(uint64_t size)
{
	uint64_t low_end = size < PCI_HOLE ? size : PCI_HOLE;

	heading("Memory");
	check_count(size > PCI_HOLE ? HIGH_RANGE + 1 : HIGH_RANGE, guest.ranges, "ranges", "ranges");
	check_range(0, 0, EBDA, "RAM below the extended BIOS data area");
	check_range(3, MiB, low_end, "RAM from 1 MiB");
	check_count(EBDA / KiB, guest.memory_lower, "KiB", "KiB below 640 K");
	check_count((low_end - MiB) / KiB, guest.memory_upper, "KiB", "KiB from 1 MiB");
	check_is(0, mmio_read64(page_0() + BIOS_DATA_END), "page 0 is zeroed behind firmware's data");
	check_whether(true, is_ram(page_0()), "it keeps what is written", "it does not", "page 0 is RAM");
	check_whether(true, is_ram(HOLE - 8), "it keeps what is written", "it does not", "RAM up to 640 K");
	check_whether(true, is_nothing(HOLE), "ones", "something else", "nothing from there");
	check_whether(true, is_ram(low_end - 8), "it keeps what is written", "it does not",
		      "RAM up to its end below 4 GiB");
	check_whether(true, is_nothing(low_end), "ones", "something else", "nothing behind it");
	if (size > PCI_HOLE) check_high(HIGH_RAM + (size - PCI_HOLE));
}
