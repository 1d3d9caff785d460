/* SPDX-License-Identifier: MIT */
/*
 * Builds a guest's ACPI tables. Called once per VM at creation, with a buffer that becomes the
 * guest's BIOS area; it describes the devices of hv/dev and touches none of them.
 */
#include "hv/dev/acpi.h"

#include "hv/dev/acpi_tables.h"
#include "hv/dev/ioapic.h"
#include "hv/dev/irq.h"
#include "hv/dev/lapic.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/string.h"

#define OEM_ID       "LEAFCT"
#define OEM_TABLE_ID "LEAFCUTR"
#define CREATOR_ID   "LEAF"

#define RESET_PORT  0xcf9
#define RESET_VALUE 0x06
#define ALL_CPUS    0xff
#define LINT1       1

/* The buffer as it fills. A table that does not fit makes the whole fail at the end. */
struct builder {
	uint8_t *buffer;
	size_t size;
	size_t at;
	const struct acpi_config *config;
};

/*
 * Room for 'size' bytes, zeroed, at a multiple of 'align'; NULL when there is none. The position
 * advances all the same, so that the end tells.
 */
static void *reserve(struct builder *b, size_t size, size_t align)
{
	size_t at = ALIGN_UP(b->at, align);

	b->at = at + size;
	if (b->at > b->size) return NULL;
	return memset(b->buffer + at, 0, size);
}

static uint32_t address_of(const struct builder *b, const void *table)
{
	return b->config->base + (uint32_t)((const uint8_t *)table - b->buffer);
}

/* The byte that makes all of them sum to 0. */
static uint8_t checksum(const void *table, size_t size)
{
	const uint8_t *bytes = table;
	uint8_t sum = 0;

	while (size--) sum += *bytes++;
	return (uint8_t)-sum;
}

/* Open a table: its header, and 'size' bytes in all to begin with. */
static void *begin(struct builder *b, const char *signature, uint8_t revision, size_t size)
{
	struct acpi_header *header = reserve(b, size, 16);

	if (!header) return NULL;
	memcpy(header->signature, signature, 4);
	header->revision = revision;
	memcpy(header->oem_id, OEM_ID, 6);
	memcpy(header->oem_table_id, OEM_TABLE_ID, 8);
	header->oem_revision = 1;
	memcpy(header->creator_id, CREATOR_ID, 4);
	header->creator_revision = 1;
	return header;
}

/* Close a table, which reaches to where the buffer is filled. */
static void *finish(struct builder *b, void *table)
{
	struct acpi_header *header = table;

	if (!table || b->at > b->size) return NULL;
	header->length = (uint32_t)(b->buffer + b->at - (uint8_t *)table);
	header->checksum = 0;
	header->checksum = checksum(header, header->length);
	return table;
}

static void *build_dsdt(struct builder *b)
{
	uint32_t length;
	void *dsdt;

	memcpy(&length, b->config->dsdt + offsetof(struct acpi_header, length), 4);
	dsdt = reserve(b, length, 16);
	return dsdt ? memcpy(dsdt, b->config->dsdt, length) : NULL;
}

static void *build_facs(struct builder *b)
{
	struct acpi_facs *facs = reserve(b, sizeof(*facs), 64);

	if (!facs) return NULL;
	memcpy(facs->signature, "FACS", 4);
	facs->length = sizeof(*facs);
	facs->version = 1;
	return facs;
}

static struct acpi_address port(uint16_t number, uint8_t bytes)
{
	return (struct acpi_address){
		.space = 1,
		.bits = (uint8_t)(8 * bytes),
		.access = bytes == 1   ? 1
			  : bytes == 2 ? 2
				       : 3,
		.address = number,
	};
}

static void describe_power_management(struct acpi_fadt *fadt)
{
	fadt->sci_interrupt = ACPI_PM_SCI;
	fadt->pm1a_event = ACPI_PM_EVENT;
	fadt->pm1_event_length = 4;
	fadt->x_pm1a_event = port(ACPI_PM_EVENT, 4);
	fadt->pm1a_control = ACPI_PM_CONTROL;
	fadt->pm1_control_length = 2;
	fadt->x_pm1a_control = port(ACPI_PM_CONTROL, 2);
	fadt->pm_timer = ACPI_PM_TIMER;
	fadt->pm_timer_length = 4;
	fadt->x_pm_timer = port(ACPI_PM_TIMER, 4);
	fadt->c2_latency = 101; /* above 100 and 1000: there is no C2, no C3 */
	fadt->c3_latency = 1001;
}

static void *build_fadt(struct builder *b, const void *facs, const void *dsdt)
{
	struct acpi_fadt *fadt = begin(b, "FACP", 3, sizeof(*fadt));

	if (!fadt || !facs || !dsdt) return NULL;
	fadt->facs = address_of(b, facs);
	fadt->x_facs = fadt->facs;
	fadt->dsdt = address_of(b, dsdt);
	fadt->x_dsdt = fadt->dsdt;
	describe_power_management(fadt);
	fadt->century = RTC_CENTURY;
	fadt->boot_architecture = BOOT_LEGACY | BOOT_NO_VGA; /* and no keyboard controller */
	fadt->flags = FADT_WBINVD | FADT_C1 | FADT_POWER_BUTTON | FADT_SLEEP_BUTTON | FADT_RTC_NOT_FIXED |
		      FADT_TIMER_32_BIT | FADT_RESET;
	fadt->reset = port(RESET_PORT, 1);
	fadt->reset_value = RESET_VALUE;
	return finish(b, fadt);
}

static void add_lapic(struct builder *b, uint8_t id)
{
	struct acpi_madt_lapic *lapic = reserve(b, sizeof(*lapic), 1);

	if (lapic) *lapic = (struct acpi_madt_lapic){0, sizeof(*lapic), id, id, 1};
}

static void add_ioapic(struct builder *b)
{
	struct acpi_madt_ioapic *ioapic = reserve(b, sizeof(*ioapic), 1);

	if (!ioapic) return;
	*ioapic = (struct acpi_madt_ioapic){
		.type = 1,
		.length = sizeof(*ioapic),
		.id = b->config->ioapic_id,
		.address = (uint32_t)IOAPIC_BASE,
	};
}

static void add_override(struct builder *b, uint8_t source, uint32_t interrupt, uint16_t flags)
{
	struct acpi_madt_override *override = reserve(b, sizeof(*override), 1);

	if (override) *override = (struct acpi_madt_override){2, sizeof(*override), 0, source, interrupt, flags};
}

/* The wiring of irq.c: the timer on pin 2, and the lines that are levels though they are ISA's. */
static void *build_madt(struct builder *b)
{
	struct acpi_madt *madt = begin(b, "APIC", 3, sizeof(*madt));
	struct acpi_madt_nmi *nmi;

	for (unsigned cpu = 0; cpu < b->config->cpus; cpu++) add_lapic(b, (uint8_t)cpu);
	add_ioapic(b);
	add_override(b, 0, 2, MADT_AS_BUS);
	add_override(b, ACPI_PM_SCI, ACPI_PM_SCI, MADT_LEVEL_HIGH);
	for (unsigned slot = 0; slot < 2; slot++)
		add_override(b, irq_pci_line(slot), irq_pci_line(slot), MADT_LEVEL_HIGH);
	nmi = reserve(b, sizeof(*nmi), 1);
	if (!madt || !nmi) return NULL;
	*nmi = (struct acpi_madt_nmi){4, sizeof(*nmi), ALL_CPUS, MADT_AS_BUS, LINT1};
	madt->lapic_address = (uint32_t)LAPIC_BASE;
	madt->flags = 1;
	return finish(b, madt);
}

/* One unit for every device, and for the IOAPIC. */
static void *build_dmar(struct builder *b)
{
	const struct acpi_config *config = b->config;
	struct acpi_dmar *dmar = begin(b, "DMAR", 1, sizeof(*dmar));
	struct acpi_dmar_drhd *drhd = reserve(b, sizeof(*drhd), 1);

	if (!dmar || !drhd) return NULL;
	dmar->host_address_width = (uint8_t)(config->host_address_width - 1);
	dmar->flags = config->interrupt_remapping;
	*drhd = (struct acpi_dmar_drhd){
		.length = sizeof(*drhd),
		.flags = 1,
		.base = config->iommu_base,
		.scope_type = 3,
		.scope_length = 8,
		.enumeration_id = config->ioapic_id,
		.start_bus = (uint8_t)(config->ioapic_source_id >> 8),
		.path_device = config->ioapic_source_id >> 3 & 0x1f,
		.path_function = config->ioapic_source_id & 7,
	};
	return finish(b, dmar);
}

/* RSDT (entries of 4 bytes) or XSDT (8): the addresses of the tables there are. */
static void *build_root(struct builder *b, const char *signature, size_t width, void *const *tables, unsigned count)
{
	void *root = begin(b, signature, 1, sizeof(struct acpi_header));

	for (unsigned i = 0; i < count; i++) {
		uint64_t address = tables[i] ? address_of(b, tables[i]) : 0;
		void *entry = address ? reserve(b, width, 1) : NULL;

		if (entry) memcpy(entry, &address, width);
	}
	return finish(b, root);
}

static void fill_rsdp(const struct builder *b, struct acpi_rsdp *rsdp, const void *rsdt, const void *xsdt)
{
	memcpy(rsdp->signature, "RSD PTR ", 8);
	memcpy(rsdp->oem_id, OEM_ID, 6);
	rsdp->revision = 2;
	rsdp->rsdt = address_of(b, rsdt);
	rsdp->length = sizeof(*rsdp);
	rsdp->xsdt = address_of(b, xsdt);
	rsdp->checksum = checksum(rsdp, 20);
	rsdp->extended_checksum = checksum(rsdp, sizeof(*rsdp));
}

long acpi_build(void *buffer, size_t size, const struct acpi_config *config)
{
	struct builder b = {.buffer = buffer, .size = size, .config = config};
	struct acpi_rsdp *rsdp = reserve(&b, sizeof(*rsdp), 16);
	void *facs = build_facs(&b);
	void *dsdt = build_dsdt(&b);
	void *tables[3] = {build_fadt(&b, facs, dsdt), build_madt(&b)};
	void *rsdt, *xsdt;

	if (config->iommu) tables[2] = build_dmar(&b);
	rsdt = build_root(&b, "RSDT", 4, tables, ARRAY_SIZE(tables));
	xsdt = build_root(&b, "XSDT", 8, tables, ARRAY_SIZE(tables));
	if (b.at > b.size) return -ENOSPC;
	fill_rsdp(&b, rsdp, rsdt, xsdt);
	return (long)b.at;
}
