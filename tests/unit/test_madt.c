/* SPDX-License-Identifier: MIT */
/* boot/madt.c: which CPUs the firmware lists, and firmware that lies. */
#include <string.h>

#include "tests/lib/test.h"
#include "boot/madt.h"

#define RSDT 0x1000
#define XSDT 0x1100
#define FADT 0x1200
#define MADT 0x1400
#define SIZE 0x3000

static uint8_t memory[SIZE];
static uint8_t rsdp[36];
static struct madt madt;

static const void *at(uint64_t address, uint64_t size)
{
	return address < SIZE && size <= SIZE - address ? memory + address : NULL;
}

static void put(uint8_t *to, unsigned width, uint64_t value) { memcpy(to, &value, width); }

/* Make the bytes sum to 0 by the one at 'checksum'. */
static void seal(uint8_t *bytes, uint32_t size, unsigned checksum)
{
	uint8_t sum = 0;

	bytes[checksum] = 0;
	for (uint32_t i = 0; i < size; i++) sum = (uint8_t)(sum + bytes[i]);
	bytes[checksum] = (uint8_t)-sum;
}

static void table(uint32_t address, const char *signature, uint32_t length)
{
	memcpy(memory + address, signature, 4);
	put(memory + address + 4, 4, length);
	seal(memory + address, length, 9);
}

static uint32_t madt_end;

static void add_lapic(uint8_t id, uint32_t flags)
{
	const uint8_t entry[8] = {0, 8, id, id, (uint8_t)flags};

	memcpy(memory + madt_end, entry, 8);
	madt_end += 8;
	table(MADT, "APIC", madt_end - MADT);
}

/* Two CPUs and a disabled one, found through an RSDT. */
static void set_up(void)
{
	memset(memory, 0, sizeof(memory));
	memset(rsdp, 0, sizeof(rsdp));
	for (unsigned i = 0; i < 8; i++) rsdp[i] = (uint8_t) "RSD PTR "[i];
	put(rsdp + 16, 4, RSDT);
	seal(rsdp, 20, 8);
	put(memory + RSDT + 36, 4, FADT);
	put(memory + RSDT + 40, 4, MADT);
	table(RSDT, "RSDT", 44);
	table(FADT, "FACP", 116);
	put(memory + MADT + 36, 4, 0xfee00000);
	madt_end = MADT + 44;
	add_lapic(0, 1);
	add_lapic(2, 1);
	add_lapic(3, 0);
}

static const char *read(void) { return madt_read(rsdp, sizeof(rsdp), at, &madt); }

static void assert_refused(const char *name)
{
	assert_string_equal(read(), name);
	assert_int_equal(madt.cpus, 0);
}

TEST(enabled_cpus_are_listed_by_their_apic_ids)
{
	set_up();
	assert_null(read());
	assert_int_equal(madt.cpus, 2);
	assert_int_equal(madt.listed, 2);
	assert_int_equal(madt.apic_id[0], 0);
	assert_int_equal(madt.apic_id[1], 2);
}

TEST(revision_2_leads_through_the_xsdt)
{
	set_up();
	put(memory + RSDT + 40, 4, 0);
	table(RSDT, "RSDT", 44);
	rsdp[15] = 2;
	put(rsdp + 24, 8, XSDT);
	seal(rsdp, 20, 8);
	put(memory + XSDT + 36, 8, MADT);
	table(XSDT, "XSDT", 44);
	assert_null(read());
	assert_int_equal(madt.cpus, 2);
}

TEST(cpus_beyond_the_most_are_counted_only)
{
	set_up();
	for (uint8_t id = 4; id < 24; id++) add_lapic(id, 1);
	assert_null(read());
	assert_int_equal(madt.cpus, MADT_CPUS);
	assert_int_equal(madt.listed, 22);
}

TEST(what_is_not_there_is_named)
{
	set_up();
	assert_string_equal(madt_read(NULL, 0, at, &madt), "RSDP");
	assert_string_equal(madt_read(rsdp, 19, at, &madt), "RSDP");
	put(memory + RSDT + 40, 4, 0);
	table(RSDT, "RSDT", 44);
	assert_refused("MADT");
}

TEST(what_is_broken_is_named)
{
	set_up();
	rsdp[10]++;
	assert_refused("RSDP");
	set_up();
	memory[RSDT + 20]++;
	assert_refused("RSDT");
	set_up();
	put(rsdp + 16, 4, SIZE - 8);
	seal(rsdp, 20, 8);
	assert_refused("RSDT");
	set_up();
	put(memory + RSDT + 4, 4, SIZE);
	assert_refused("RSDT");
	set_up();
	put(memory + RSDT + 4, 4, 8);
	assert_refused("RSDT");
	set_up();
	put(memory + RSDT + 4, 4, 0x20000);
	assert_refused("RSDT");
	set_up();
	memory[MADT + 20]++;
	assert_refused("MADT");
}

TEST(an_entry_of_no_length_or_beyond_the_end_ends_the_list)
{
	set_up();
	memory[MADT + 44 + 8 + 1] = 0;
	table(MADT, "APIC", madt_end - MADT);
	assert_null(read());
	assert_int_equal(madt.cpus, 1);
	set_up();
	memory[MADT + 44 + 8 + 1] = 200;
	table(MADT, "APIC", madt_end - MADT);
	assert_null(read());
	assert_int_equal(madt.cpus, 1);
	set_up();
	memory[MADT + 44 + 8 + 1] = 4; /* too short for what it says to be */
	table(MADT, "APIC", madt_end - MADT);
	assert_null(read());
	assert_int_equal(madt.apic_id[0], 0);
}
