/* SPDX-License-Identifier: MIT */
/*
 * RSDP, RSDT or XSDT, MADT, and its entries for local APICs.
 */
#include "boot/madt.h"

#include <stdbool.h>

#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/string.h"

/* Tables lie at any address: packed, they are read byte by byte. */
struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length; /* from here on: revision 2 and later */
	uint64_t xsdt;
	uint32_t more;
} __attribute__((packed));
#define RSDP_SIZE_1 20

struct table {
	char signature[4];
	uint32_t length;
	uint8_t rest[28];
} __attribute__((packed));
#define TABLE_MOST   65536 /* a longer one is broken */
#define MADT_ENTRIES 44    /* where a MADT's begin */

struct entry_lapic {
	uint8_t type, length, processor, apic_id;
	uint32_t flags;
} __attribute__((packed));
#define ENTRY_LAPIC   0
#define LAPIC_ENABLED BIT(0)

_Static_assert(sizeof(struct rsdp) == 36, "ACPI 6.4 table 5-27");
_Static_assert(sizeof(struct table) == 36, "ACPI 6.4 table 5-28");
_Static_assert(sizeof(struct entry_lapic) == 8, "ACPI 6.4 table 5-46");

typedef const void *(*memory_at)(uint64_t address, uint64_t size);

static bool sums_to_zero(const uint8_t *bytes, uint64_t size)
{
	uint8_t sum = 0;

	for (uint64_t i = 0; i < size; i++) sum = (uint8_t)(sum + bytes[i]);
	return !sum;
}

/* The whole table at 'address', checked, or NULL. */
static const struct table *table_at(uint64_t address, memory_at at)
{
	const struct table *table = at(address, sizeof(*table));

	if (!table || table->length < sizeof(*table) || table->length > TABLE_MOST) return NULL;
	table = at(address, table->length);
	return table && sums_to_zero((const uint8_t *)table, table->length) ? table : NULL;
}

/* The MADT among the 'width'-byte addresses behind the header of an RSDT or XSDT, or NULL. */
static const struct table *find_madt(const struct table *root, unsigned width, memory_at at)
{
	for (uint32_t i = sizeof(*root); i + width <= root->length; i += width) {
		const struct table *table;
		uint64_t address = 0;

		memcpy(&address, (const uint8_t *)root + i, width);
		table = table_at(address, at);
		if (table && !memcmp(table->signature, "APIC", 4)) return table;
	}
	return NULL;
}

static void read_entries(const struct table *table, struct madt *madt)
{
	const uint8_t *entry = (const uint8_t *)table + MADT_ENTRIES, *end = (const uint8_t *)table + table->length;

	for (; end - entry >= 2 && entry[1] >= 2 && entry[1] <= end - entry; entry += entry[1]) {
		const struct entry_lapic *lapic = (const struct entry_lapic *)entry;

		if (entry[0] != ENTRY_LAPIC || entry[1] < sizeof(*lapic) || !(lapic->flags & LAPIC_ENABLED)) continue;
		if (madt->listed++ < MADT_CPUS) madt->apic_id[madt->cpus++] = lapic->apic_id;
	}
}

int madt_read(const void *rsdp, uint32_t size, memory_at at, struct madt *madt, const char **what)
{
	const struct rsdp *root = rsdp;
	const struct table *table;
	bool has_xsdt;

	*madt = (struct madt){.cpus = 0};
	*what = "RSDP";
	if (!rsdp || size < RSDP_SIZE_1) return -ENOENT;
	if (memcmp(root->signature, "RSD PTR ", 8) || !sums_to_zero(rsdp, RSDP_SIZE_1)) return -EINVAL;
	has_xsdt = root->revision >= 2 && size >= sizeof(*root) && root->xsdt;
	*what = has_xsdt ? "XSDT" : "RSDT";
	table = table_at(has_xsdt ? root->xsdt : root->rsdt, at);
	if (!table) return -EINVAL;
	*what = "MADT";
	table = find_madt(table, has_xsdt ? sizeof(root->xsdt) : sizeof(root->rsdt), at);
	if (!table) return -ENOENT;
	read_entries(table, madt);
	return 0;
}
