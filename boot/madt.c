/* SPDX-License-Identifier: MIT */
/*
 * RSDP, RSDT or XSDT, MADT, and its entries for local APICs.
 */
#include "boot/madt.h"

#include <stdbool.h>

#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/string.h"

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
#define TABLE_MOST 65536 /* a longer one is broken */

struct madt_table {
	struct table header;
	uint32_t lapic;
	uint32_t flags;
} __attribute__((packed));

enum { ENTRY_LAPIC = 0, ENTRY_LAPIC_ADDRESS = 5 };
struct entry_lapic {
	uint8_t type, length, processor, apic_id;
	uint32_t flags;
} __attribute__((packed));
#define LAPIC_ENABLED BIT(0)
struct entry_lapic_address {
	uint8_t type, length;
	uint16_t reserved;
	uint64_t address;
} __attribute__((packed));

_Static_assert(sizeof(struct rsdp) == 36, "ACPI 6.4 table 5-27");
_Static_assert(sizeof(struct table) == 36, "ACPI 6.4 table 5-28");
_Static_assert(sizeof(struct madt_table) == 44, "ACPI 6.4 table 5-43");
_Static_assert(sizeof(struct entry_lapic) == 8, "ACPI 6.4 table 5-46");
_Static_assert(sizeof(struct entry_lapic_address) == 12, "ACPI 6.4 table 5-52");

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
	struct table header;

	if (!table) return NULL;
	memcpy(&header, table, sizeof(header));
	if (header.length < sizeof(header) || header.length > TABLE_MOST) return NULL;
	table = at(address, header.length);
	return table && sums_to_zero((const uint8_t *)table, header.length) ? table : NULL;
}

/* The MADT among the 'width'-byte addresses behind the header of an RSDT or XSDT, or NULL. */
static const struct table *find_madt(const struct table *root, unsigned width, memory_at at)
{
	const uint8_t *bytes = (const uint8_t *)root;

	for (uint32_t i = sizeof(*root); i + width <= root->length; i += width) {
		const struct table *table;
		uint64_t address = 0;

		memcpy(&address, bytes + i, width);
		table = table_at(address, at);
		if (table && !memcmp(table->signature, "APIC", 4)) return table;
	}
	return NULL;
}

static void read_entry(const uint8_t *entry, uint8_t length, struct madt *madt)
{
	struct entry_lapic lapic;
	struct entry_lapic_address address;

	if (entry[0] == ENTRY_LAPIC_ADDRESS && length >= sizeof(address)) {
		memcpy(&address, entry, sizeof(address));
		madt->lapic = address.address;
	}
	if (entry[0] != ENTRY_LAPIC || length < sizeof(lapic)) return;
	memcpy(&lapic, entry, sizeof(lapic));
	if (!(lapic.flags & LAPIC_ENABLED)) return;
	madt->listed++;
	if (madt->cpus < MADT_CPUS) madt->apic_id[madt->cpus++] = lapic.apic_id;
}

static void read_entries(const struct table *table, struct madt *madt)
{
	const uint8_t *bytes = (const uint8_t *)table;

	for (uint32_t i = sizeof(struct madt_table); i + 2 <= table->length;) {
		uint8_t length = bytes[i + 1];

		if (length < 2 || length > table->length - i) return;
		read_entry(bytes + i, length, madt);
		i += length;
	}
}

int madt_read(const void *rsdp, uint32_t size, memory_at at, struct madt *madt, const char **what)
{
	struct rsdp root = {.revision = 0};
	const struct table *table;
	unsigned width = 4;

	*madt = (struct madt){.cpus = 0};
	*what = "RSDP";
	if (!rsdp || size < RSDP_SIZE_1) return -ENOENT;
	memcpy(&root, rsdp, MIN(size, sizeof(root)));
	if (memcmp(root.signature, "RSD PTR ", 8) || !sums_to_zero(rsdp, RSDP_SIZE_1)) return -EINVAL;
	if (root.revision >= 2 && size >= sizeof(root) && root.xsdt) width = 8;
	*what = width == 8 ? "XSDT" : "RSDT";
	table = table_at(width == 8 ? root.xsdt : root.rsdt, at);
	if (!table) return -EINVAL;
	*what = "MADT";
	table = find_madt(table, width, at);
	if (!table || table->length < sizeof(struct madt_table)) return -ENOENT;
	madt->lapic = ((const struct madt_table *)table)->lapic;
	read_entries(table, madt);
	return 0;
}
