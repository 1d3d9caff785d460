/* SPDX-License-Identifier: MIT */
/*
 * Builds a guest's ACPI tables and its MP table, all as one structure. They go into a buffer that becomes the
 * guest's BIOS area. They describe the devices of hv/dev; none of these is touched.
 */
#include "hv/dev/acpi.h"

#include "hv/dev/ioapic.h"
#include "hv/dev/irq.h"
#include "hv/dev/lapic.h"
#include "lib/acpi_tables.h"
#include "lib/errno.h"
#include "lib/string.h"

#define RESET_PORT  0xcf9
#define RESET_VALUE 0x06
#define ALL_CPUS    0xff
#define LINT1       1
#define MP_REVISION 4 /* 1.4 */

/* As they lie in memory; the DSDT follows. */
struct tables {
	struct acpi_rsdp rsdp;
	_Alignas(16) struct acpi_rsdt rsdt;
	_Alignas(16) struct acpi_xsdt xsdt;
	_Alignas(16) struct acpi_fadt fadt;
	_Alignas(16) struct acpi_dmar dmar;
	_Alignas(16) struct acpi_madt madt;
	_Alignas(16) struct mp_pointer mp_pointer;
	_Alignas(16) struct mp_table mp;
};

#define ADDRESS_OF(table) (uint32_t)(ACPI_BASE + offsetof(struct tables, table))
#define DSDT              (uint32_t)(ACPI_BASE + sizeof(struct tables))

/* The header of a table that is complete but for it. */
static void finish(struct acpi_header *header, const char *signature, uint8_t revision, size_t length)
{
	*header = (struct acpi_header){
		.length = (uint32_t)length,
		.revision = revision,
		.oem_id = ACPI_OEM_ID,
		.oem_table_id = "LEAFCUTR",
		.oem_revision = 1,
		.creator_id = "LEAF",
		.creator_revision = 1,
	};
	memcpy(header->signature, signature, sizeof(header->signature));
	header->checksum = (uint8_t)-acpi_sum(header, length);
}

static struct acpi_address port(uint16_t number, uint8_t bytes)
{
	return (struct acpi_address){
		.space = 1,
		.bits = (uint8_t)(8 * bytes),
		.access = bytes == 4 ? 3 : bytes,
		.address = number,
	};
}

static void fill_fadt(struct acpi_fadt *fadt)
{
	*fadt = (struct acpi_fadt){
		.facs = ACPI_FACS,
		.x_facs = ACPI_FACS,
		.dsdt = DSDT,
		.x_dsdt = DSDT,
		.sci_interrupt = ACPI_PM_SCI,
		.pm1a_event = ACPI_PM_EVENT,
		.pm1_event_length = 4,
		.x_pm1a_event = port(ACPI_PM_EVENT, 4),
		.pm1a_control = ACPI_PM_CONTROL,
		.pm1_control_length = 2,
		.x_pm1a_control = port(ACPI_PM_CONTROL, 2),
		.pm_timer = ACPI_PM_TIMER,
		.pm_timer_length = 4,
		.x_pm_timer = port(ACPI_PM_TIMER, 4),
		.c2_latency = 101, /* above 100 and 1000: there is no C2, no C3 */
		.c3_latency = 1001,
		.century = RTC_CENTURY,
		.boot_architecture = BOOT_LEGACY | BOOT_NO_VGA, /* and no keyboard controller */
		.flags = FADT_WBINVD | FADT_C1 | FADT_POWER_BUTTON | FADT_SLEEP_BUTTON | FADT_RTC_NOT_FIXED |
			 FADT_TIMER_32_BIT | FADT_RESET,
		.reset = port(RESET_PORT, 1),
		.reset_value = RESET_VALUE,
	};
	finish(&fadt->header, "FACP", 3, sizeof(*fadt));
}

static struct acpi_madt_override override(uint8_t source, uint32_t interrupt, uint16_t flags)
{
	return (struct acpi_madt_override){2, sizeof(struct acpi_madt_override), 0, source, interrupt, flags};
}

/* The wiring of irq.c: the timer on pin 2, and the lines that are levels though they are ISA's. */
static void fill_madt(struct acpi_madt *madt, unsigned cpus)
{
	*madt = (struct acpi_madt){
		.lapic_address = (uint32_t)LAPIC_BASE,
		.flags = 1,
		.ioapic = {1, sizeof(madt->ioapic), .id = IOAPIC_ID, .address = (uint32_t)IOAPIC_BASE},
		.timer = override(0, 2, MADT_AS_BUS),
		.sci = override(ACPI_PM_SCI, ACPI_PM_SCI, MADT_LEVEL_HIGH),
		.nmi = {4, sizeof(madt->nmi), ALL_CPUS, MADT_AS_BUS, LINT1},
	};
	for (unsigned slot = 0; slot < ARRAY_SIZE(madt->pci); slot++)
		madt->pci[slot] = override(irq_pci_line(slot), irq_pci_line(slot), MADT_LEVEL_HIGH);
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		madt->lapic[cpu] = (struct acpi_madt_lapic){ACPI_MADT_LAPIC, sizeof(madt->lapic[0]), (uint8_t)cpu,
							    (uint8_t)cpu, ACPI_LAPIC_ENABLED};
	finish(&madt->header, "APIC", 3, offsetof(struct acpi_madt, lapic[cpus]));
}

/* One unit for every device, and for the IOAPIC. */
static void fill_dmar(struct acpi_dmar *dmar, const struct acpi_machine *machine)
{
	*dmar = (struct acpi_dmar){
		.host_address_width = (uint8_t)(machine->iommu_width - 1),
		.flags = 1,
		.unit.length = sizeof(dmar->unit),
		.unit.flags = 1,
		.unit.base = machine->iommu_base,
		.unit.scope_type = 3,
		.unit.scope_length = 8,
		.unit.enumeration_id = IOAPIC_ID,
		.unit.start_bus = IOAPIC_SOURCE_ID >> 8,
		.unit.path_device = IOAPIC_SOURCE_ID >> 3 & 0x1f,
		.unit.path_function = IOAPIC_SOURCE_ID & 7,
	};
	finish(&dmar->header, "DMAR", 1, sizeof(*dmar));
}

enum { MP_BUS_PCI, MP_BUS_ISA };

static struct mp_interrupt mp_interrupt(uint16_t flags, uint8_t bus, unsigned irq, unsigned pin)
{
	return (struct mp_interrupt){MP_TO_IOAPIC, MP_INT, flags, bus, (uint8_t)irq, IOAPIC_ID, (uint8_t)pin};
}

/* The MADT's wiring, line by line: none is the cascade's. PCI names a slot's INTA# by slot << 2. */
static void fill_mp_rest(struct mp_rest *rest)
{
	*rest = (struct mp_rest){
		.pci_bus = {MP_BUS, MP_BUS_PCI, "PCI   "},
		.isa_bus = {MP_BUS, MP_BUS_ISA, "ISA   "},
		.ioapic = {MP_IOAPIC, IOAPIC_ID, IOAPIC_VERSION, MP_ENABLED, (uint32_t)IOAPIC_BASE},
		.lint = {{MP_TO_LAPIC, MP_EXTINT, MADT_AS_BUS, MP_BUS_ISA, 0, 0, 0},
			 {MP_TO_LAPIC, MP_NMI, MADT_AS_BUS, MP_BUS_ISA, 0, ALL_CPUS, LINT1}},
	};
	for (unsigned n = 0; n < ARRAY_SIZE(rest->isa); n++) {
		unsigned line = n < IRQ_CASCADE ? n : n + 1;
		bool level = line == ACPI_PM_SCI || line == irq_pci_line(0) || line == irq_pci_line(1);

		rest->isa[n] = mp_interrupt(level ? MADT_LEVEL_HIGH : MADT_AS_BUS, MP_BUS_ISA, line,
					    line ? line : IRQ_TIMER_PIN);
	}
	for (unsigned slot = 0; slot < ARRAY_SIZE(rest->pci); slot++)
		rest->pci[slot] = mp_interrupt(MADT_LEVEL_HIGH, MP_BUS_PCI, slot << 2, irq_pci_pin(slot));
}

static void fill_mp(struct mp_pointer *pointer, struct mp_table *mp, const struct acpi_machine *machine)
{
	size_t length = offsetof(struct mp_table, cpu[machine->cpus]) + sizeof(mp->rest);

	*mp = (struct mp_table){
		.signature = {'P', 'C', 'M', 'P'},
		.length = (uint16_t)length,
		.revision = MP_REVISION,
		.oem_id = ACPI_OEM_ID "  ",
		.product_id = "LEAFCUTTER  ",
		.entries = (uint16_t)(machine->cpus + MP_REST_ENTRIES),
		.lapic_address = (uint32_t)LAPIC_BASE,
	};
	for (unsigned cpu = 0; cpu < machine->cpus; cpu++)
		mp->cpu[cpu] = (struct mp_cpu){.type = MP_CPU,
					       .apic_id = (uint8_t)cpu,
					       .apic_version = LAPIC_VERSION_NUMBER,
					       .flags = cpu ? MP_ENABLED : MP_ENABLED | MP_BOOTS,
					       .signature = machine->signature,
					       .features = machine->features};
	fill_mp_rest((struct mp_rest *)&mp->cpu[machine->cpus]);
	mp->checksum = (uint8_t)-acpi_sum(mp, length);
	*pointer =
		(struct mp_pointer){{'_', 'M', 'P', '_'}, ADDRESS_OF(mp), sizeof(*pointer) / 16, MP_REVISION, 0, {0}};
	pointer->checksum = (uint8_t)-acpi_sum(pointer, sizeof(*pointer));
}

/* RSDT and XSDT list the same tables; that of the IOMMU is the last. */
static void fill_roots(struct tables *t, unsigned count)
{
	const uint32_t address[] = {ADDRESS_OF(fadt), ADDRESS_OF(madt), ADDRESS_OF(dmar)};

	for (unsigned i = 0; i < count; i++) t->xsdt.entry[i] = t->rsdt.entry[i] = address[i];
	finish(&t->rsdt.header, "RSDT", 1, offsetof(struct acpi_rsdt, entry[count]));
	finish(&t->xsdt.header, "XSDT", 1, offsetof(struct acpi_xsdt, entry[count]));
}

long acpi_build(void *buffer, size_t size, const struct acpi_machine *machine)
{
	const struct acpi_header *dsdt = (const struct acpi_header *)dsdt_aml_code;
	struct tables t = {
		.rsdp = {"RSD PTR ", .oem_id = ACPI_OEM_ID, .revision = 2, .rsdt = ADDRESS_OF(rsdt),
			 .length = sizeof(t.rsdp), .xsdt = ADDRESS_OF(xsdt)},
	};

	if (sizeof(t) + dsdt->length > size) return -ENOSPC;
	t.rsdp.checksum = (uint8_t)-acpi_sum(&t.rsdp, ACPI_RSDP_SIZE_1);
	t.rsdp.extended_checksum = (uint8_t)-acpi_sum(&t.rsdp, sizeof(t.rsdp));
	fill_fadt(&t.fadt);
	fill_madt(&t.madt, machine->cpus);
	fill_mp(&t.mp_pointer, &t.mp, machine);
	fill_dmar(&t.dmar, machine);
	fill_roots(&t, machine->iommu_base ? ARRAY_SIZE(t.rsdt.entry) : ARRAY_SIZE(t.rsdt.entry) - 1);
	memcpy(buffer, &t, sizeof(t));
	memcpy((char *)buffer + sizeof(t), dsdt, dsdt->length);
	return (long)(sizeof(t) + dsdt->length);
}
