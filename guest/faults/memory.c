// SPDX-License-Identifier: MIT
/*
 * Accesses to where nothing is, and across the border between memory and nothing; and exits as
 * fast as they can be made.
 */
#include "guest/faults/faults.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/paging.h"
#include "guest/lib/pci.h"
#include "guest/lib/start.h"

#define HOLE     0xa0000UL /* the video hole: no video card */
#define STORM    20000
#define FAR_PAGE (64 * GiB) /* where in the guest's own space the far page is mapped */

static void read_ones(uint64_t address, const char *what)
{
	mmio_write64(address, 0);
	check(mmio_read8(address + 7) == 0xff && mmio_read16(address + 6) == 0xffff &&
		      mmio_read32(address + 4) == ~0U && mmio_read64(address) == ~0UL,
	      "%s: ones in every width", what);
}

/* RAM ends at 'border': the upper half of an access there is nothing's. */
static void across(uint64_t border, const char *what)
{
	mmio_write32(border - 4, 0x12345678);
	check_is(0xffffffff12345678, mmio_read64(border - 4), "read across %s", what);
	mmio_write64(border - 4, 0x1111111122222222);
	check_is(0x22222222, mmio_read32(border - 4), "write across %s: its half is written", what);
}

void nothing_there(void)
{
	unsigned width = cpuid(0x80000008, 0).eax & CPUID_80000008_EAX_MAXPHYADDR;
	uint64_t end = ram_end();
	struct edu_device edu;

	read_ones(HOLE, "the video hole");
	read_ones(end, "above the end of memory");
	read_ones(0xc8000000, "the PCI window");
	read_ones(0xfec80000, "beside the IOAPIC");
	read_ones(4 * GiB - 8, "the last bytes below 4 GiB");
	page_map(FAR_PAGE, BIT(width - 1));
	read_ones(FAR_PAGE, "the upper half of the physical space");
	across(HOLE, "the border of the video hole");
	across(end, "the end of memory");
	if (!edu_find(0, &edu)) return;
	check_is(~0U, mmio_read64(edu.bar + EDU_REGISTERS - 4) >> 32, "read across a BAR's end: ones behind it");
	mmio_write32(edu.bar + EDU_LIVENESS, 0x1234);
	check_is(0, mmio_read32(edu.bar + EDU_LIVENESS + 2), "a misaligned register: nothing");
	mmio_write64(edu.bar + EDU_REGISTERS - 4, 0);
}

static uint64_t edu_bar;

/* One instruction that reads a register of the device and writes the next. */
static void copy_identification(void *argument)
{
	uint64_t from = edu_bar, to = edu_bar + EDU_LIVENESS;

	(void)argument;
	__asm__ volatile("movsl" : "+S"(from), "+D"(to) : : "memory");
}

static void or_liveness(void *argument)
{
	(void)argument;
	__asm__ volatile("orl $1, (%0)" : : "r"(edu_bar + EDU_LIVENESS) : "memory");
}

static void expect_write_fault(void (*function)(void *), const char *what)
{
	check_vector(VECTOR_PF, try_call(function, NULL), "%s a read-only device page: #PF", what);
	check_is(PF_ERROR_PRESENT | PF_ERROR_WRITE, last_exception.error, "%s: a write", what);
	check_is(edu_bar + EDU_LIVENESS, last_cr2, "%s: to the register", what);
	check_is(~0x1234U, mmio_read32(edu_bar + EDU_LIVENESS), "%s: the register is as it was", what);
}

/* What a guest maps read-only its instructions cannot write, whoever carries them out. */
void read_only_device(void)
{
	struct edu_device edu;

	if (!edu_find(0, &edu)) {
		printf("this case needs dev=edu\n");
		guest_exit(2);
	}
	edu_bar = edu.bar;
	mmio_write32(edu_bar + EDU_LIVENESS, 0x1234);
	write_cr0(read_cr0() | CR0_WP);
	page_map(edu_bar, edu_bar);
	page_set_writable(edu_bar, false);
	expect_write_fault(copy_identification, "MOVS within");
	expect_write_fault(or_liveness, "OR to");
	page_set_writable(edu_bar, true);
	check_vector(-1, try_call(copy_identification, NULL), "writable: it passes");
	check_is(~mmio_read32(edu_bar), mmio_read32(edu_bar + EDU_LIVENESS), "and is written");
}

void exit_storm(void)
{
	static uint8_t bytes[4096];
	struct edu_device edu;
	void *source = bytes;
	uint64_t count = sizeof(bytes);
	bool found = edu_find(0, &edu);

	for (unsigned i = 0; i < STORM; i++) cpuid(0, 0);
	for (unsigned i = 0; i < STORM; i++) outb(0x80, (uint8_t)i);
	__asm__ volatile("rep outsb" : "+S"(source), "+c"(count) : "d"(0x80) : "memory");
	check_count(0, count, "bytes left", "rep outsb of a page to port 0x80 ends");
	for (unsigned i = 0; i < STORM; i++) wbinvd();
	for (unsigned i = 0; found && i < STORM; i++) mmio_write32(edu.bar + EDU_LIVENESS, i);
	check(true, "%u each of CPUID, OUT, WBINVD and MMIO writes are through", STORM);
}
