/* SPDX-License-Identifier: MIT */
/*
 * RSDP, RSDT or XSDT, MADT, and its entries for local APICs.
 */
#include "boot/madt.h"

#include <stdbool.h>

#include "lib/acpi_tables.h"
#include "lib/string.h"

/* Tables lie at any address: packed, they are read byte by byte. */
#define TABLE_MOST   65536                              /* a longer one is broken */
#define MADT_ENTRIES offsetof(struct acpi_madt, ioapic) /* where a MADT's begin */

typedef const void *(*memory_at)(uint64_t address, uint64_t size);

/* The whole table at 'address', checked, or NULL. */
static const struct acpi_header *table_at(uint64_t address, memory_at at)
{
	const struct acpi_header *table = at(address, sizeof(*table));

	if (!table || table->length < sizeof(*table) || table->length > TABLE_MOST) return NULL;
	table = at(address, table->length);
	return table && !acpi_sum(table, table->length) ? table : NULL;
}

/* The MADT among the 'width'-byte addresses behind the header of an RSDT or XSDT, or NULL. */
static const struct acpi_header *find_madt(const struct acpi_header *root, unsigned width, memory_at at)
{
	for (uint32_t i = sizeof(*root); i + width <= root->length; i += width) {
		const struct acpi_header *table;
		uint64_t address = 0;

		memcpy(&address, (const uint8_t *)root + i, width);
		table = table_at(address, at);
		if (table && !memcmp(table->signature, "APIC", 4)) return table;
	}
	return NULL;
}

static void read_entries(const struct acpi_header *table, struct madt *madt)
{
	const uint8_t *entry = (const uint8_t *)table + MADT_ENTRIES, *end = (const uint8_t *)table + table->length;

	for (; end - entry >= 2 && entry[1] >= 2 && entry[1] <= end - entry; entry += entry[1]) {
		const struct acpi_madt_lapic *lapic = (const struct acpi_madt_lapic *)entry;

		if (entry[0] != ACPI_MADT_LAPIC || entry[1] < sizeof(*lapic) || !(lapic->flags & ACPI_LAPIC_ENABLED))
			continue;
		if (madt->listed++ < MADT_CPUS) madt->apic_id[madt->cpus++] = lapic->apic_id;
	}
}

const char *madt_read(const void *rsdp, uint32_t size, memory_at at, struct madt *madt)
{
	const struct acpi_rsdp *root = rsdp;
	const struct acpi_header *table;
	bool has_xsdt;

	*madt = (struct madt){.cpus = 0};
	if (!rsdp || size < ACPI_RSDP_SIZE_1) return "RSDP";
	if (memcmp(root->signature, "RSD PTR ", 8) || acpi_sum(rsdp, ACPI_RSDP_SIZE_1)) return "RSDP";
	has_xsdt = root->revision >= 2 && size >= sizeof(*root) && root->xsdt;
	table = table_at(has_xsdt ? root->xsdt : root->rsdt, at);
	if (!table) return has_xsdt ? "XSDT" : "RSDT";
	table = find_madt(table, has_xsdt ? sizeof(root->xsdt) : sizeof(root->rsdt), at);
	if (!table) return "MADT";
	read_entries(table, madt);
	return NULL;
}
