/* SPDX-License-Identifier: MIT */
/*
 * hv/dev/acpi.c: found and summed up as an operating system does it, read and built again by
 * ACPICA's iasl, executed by its acpiexec; and the ports of hv/dev/acpi_pm.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/test.h"
#include "hv/dev/acpi.h"
#include "lib/acpi_tables.h"
#include "hv/dev/ioapic.h"
#include "hv/dev/irq.h"
#include "hv/dev/pci.h"
#include "hv/dev/uart.h"
#include "lib/bits.h"
#include "lib/contract.h"
#include "lib/errno.h"
#include "tests/lib/device.h"

static uint8_t area[ACPI_SIZE];
#define CPUS      3
#define IOMMU     0xfed90000
#define SIGNATURE 0x50654
#define FEATURES  0x178bfbff
#define MACHINE(iommu)                                                                                                 \
	(&(const struct acpi_machine){                                                                                 \
		.cpus = CPUS, .signature = SIGNATURE, .features = FEATURES, .iommu_base = iommu, .iommu_width = 48})

static uint8_t sum(const void *table, size_t size)
{
	const uint8_t *bytes = table;
	uint8_t total = 0;

	while (size--) total += *bytes++;
	return total;
}

/* What the guest has at a physical address. */
static void *at(uint64_t address)
{
	assert_in_range(address, ACPI_BASE, ACPI_BASE + sizeof(area) - 8);
	return area + (address - ACPI_BASE);
}

static const struct acpi_rsdp *build(uint64_t iommu)
{
	const struct acpi_rsdp *rsdp = (const struct acpi_rsdp *)area;

	memset(area, 0xa5, sizeof(area));
	assert_in_range(acpi_build(area, sizeof(area), MACHINE(iommu)), 500, 4096);
	assert_memory_equal(rsdp->signature, "RSD PTR ", 8);
	assert_int_equal(sum(rsdp, 20), 0);
	assert_int_equal(sum(rsdp, rsdp->length), 0);
	return rsdp;
}

/* The table of that signature, through the XSDT (width 8) or the RSDT (4). */
static struct acpi_header *find(const struct acpi_rsdp *rsdp, const char *signature, size_t width)
{
	const struct acpi_header *root = at(width == 8 ? rsdp->xsdt : rsdp->rsdt);
	const uint8_t *entries = (const uint8_t *)root + sizeof(*root);

	assert_memory_equal(root->signature, width == 8 ? "XSDT" : "RSDT", 4);
	assert_int_equal(sum(root, root->length), 0);
	for (size_t i = 0; i < (root->length - sizeof(*root)) / width; i++) {
		uint64_t address = 0;
		struct acpi_header *table;

		memcpy(&address, entries + i * width, width);
		table = at(address);
		assert_int_equal(sum(table, table->length), 0);
		if (!memcmp(table->signature, signature, 4)) return table;
	}
	return NULL;
}

TEST(every_table_is_found_both_ways_and_sums_to_zero)
{
	const struct acpi_rsdp *rsdp = build(IOMMU);
	static const char *const tables[] = {"FACP", "APIC", "DMAR"};

	for (unsigned i = 0; i < 3; i++) {
		assert_non_null(find(rsdp, tables[i], 8));
		assert_ptr_equal(find(rsdp, tables[i], 8), find(rsdp, tables[i], 4));
	}
}

TEST(fadt_leads_to_facs_and_dsdt)
{
	const struct acpi_rsdp *rsdp = build(IOMMU);
	const struct acpi_fadt *fadt = (const void *)find(rsdp, "FACP", 8);
	const struct acpi_header *dsdt = at(fadt->x_dsdt);

	assert_int_equal(fadt->x_dsdt, fadt->dsdt);
	assert_int_equal(fadt->x_facs, fadt->facs);
	assert_memory_equal(dsdt->signature, "DSDT", 4);
	assert_int_equal(sum(dsdt, dsdt->length), 0);
	assert_int_equal(fadt->facs, ACPI_FACS); /* tests/unit/test_firmware.c has it */
}

TEST(without_an_iommu_there_is_no_dmar)
{
	assert_null(find(build(0), "DMAR", 8));
	assert_null(find(build(0), "DMAR", 4));
}

TEST(dmar_says_what_the_unit_is)
{
	const struct acpi_dmar *dmar = (const void *)find(build(IOMMU), "DMAR", 8);
	const struct acpi_drhd *drhd = &dmar->unit;

	assert_int_equal(dmar->host_address_width, 47);
	assert_int_equal(dmar->flags, 1);
	assert_int_equal(dmar->header.length, 48 + 24);
	assert_int_equal(drhd->base, IOMMU);
	assert_int_equal(drhd->flags, 1);
	assert_int_equal(drhd->scope_type, 3);
	assert_int_equal(drhd->enumeration_id, IOAPIC_ID);
	assert_int_equal(drhd->start_bus, 0xff);
}

/* As a kernel looks that knows no ACPI: in the BIOS, on 16 bytes (MP 1.4 4). */
static const struct mp_table *find_mp(void)
{
	const struct mp_pointer *pointer = NULL;

	for (size_t n = 0; n + 16 <= sizeof(area) && !pointer; n += 16)
		if (!memcmp(area + n, "_MP_", 4)) pointer = (const void *)(area + n);
	assert_non_null(pointer);
	assert_int_equal(sum(pointer, 16 * pointer->paragraphs), 0);
	assert_int_equal(pointer->feature[0], 0); /* there is a table */
	return at(pointer->table);
}

static void check_mp_cpu(const struct mp_cpu *cpu, const struct acpi_madt *madt, unsigned n)
{
	assert_int_equal(cpu->apic_id, madt->lapic[n].apic_id);
	assert_int_equal(cpu->flags, n ? MP_ENABLED : MP_ENABLED | MP_BOOTS);
	assert_int_equal(cpu->signature, SIGNATURE);
	assert_int_equal(cpu->features, FEATURES);
}

static void check_mp_wire(const struct mp_interrupt *wire, const struct acpi_madt *madt, bool isa)
{
	bool level = !isa || wire->irq == ACPI_PM_SCI || wire->irq == irq_pci_line(0) || wire->irq == irq_pci_line(1);
	unsigned line = wire->irq ? wire->irq : madt->timer.interrupt;

	assert_int_equal(wire->flags, level ? MADT_LEVEL_HIGH : MADT_AS_BUS);
	assert_int_equal(wire->pin, isa ? line : irq_pci_pin(wire->irq >> 2));
	assert_int_equal(wire->apic_id, madt->ioapic.id);
	assert_false(isa && wire->irq == IRQ_CASCADE);
}

TEST(the_mp_table_has_the_madts_cpus_and_wiring_in_the_order_of_types)
{
	const struct acpi_madt *madt = (const void *)find(build(IOMMU), "APIC", 8);
	const struct mp_table *mp = find_mp();
	const uint8_t *at = (const uint8_t *)mp->cpu, *end = (const uint8_t *)mp + mp->length;
	unsigned count[MP_TO_LAPIC + 1] = {0}, entries = 0, isa = 0;

	assert_memory_equal(mp->signature, "PCMP", 4);
	assert_int_equal(sum(mp, mp->length), 0);
	assert_int_equal(mp->lapic_address, madt->lapic_address);
	for (unsigned type = MP_CPU; at < end;
	     type = *at, at += type == MP_CPU ? sizeof(struct mp_cpu) : 8, entries++) {
		assert_in_range(*at, type, MP_TO_LAPIC);
		if (*at == MP_CPU) check_mp_cpu((const void *)at, madt, count[MP_CPU]);
		if (*at == MP_BUS && !memcmp(at + 2, "ISA", 3)) isa = at[1];
		if (*at == MP_IOAPIC) assert_int_equal(((const struct mp_ioapic *)at)->address, madt->ioapic.address);
		if (*at == MP_TO_IOAPIC) check_mp_wire((const void *)at, madt, at[4] == isa);
		count[*at]++;
	}
	assert_ptr_equal(at, end);
	assert_int_equal(entries, mp->entries);
	assert_int_equal(count[MP_CPU], CPUS);
	assert_int_equal(count[MP_IOAPIC], 1);
	assert_int_equal(count[MP_TO_IOAPIC], 15 + 32);
	assert_int_equal(count[MP_TO_LAPIC], 2);
}

TEST(a_buffer_too_small_is_refused_and_not_overrun)
{
	long needed = acpi_build(area, sizeof(area), MACHINE(IOMMU));

	for (long size = 0; size <= needed; size++) {
		uint8_t *buffer = malloc((size_t)size); /* the sanitizer guards its end */

		assert_int_equal(acpi_build(buffer, (size_t)size, MACHINE(IOMMU)), size < needed ? -ENOSPC : needed);
		free(buffer);
	}
}

/* A command in a directory of its own; its output goes to "log" there. */
static char directory[32];

static int make_directory(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/test_acpi.XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", directory);
	return system(command);
}

static void run(const char *what)
{
	char command[256];

	snprintf(command, sizeof(command), "cd %s && { %s; } >log 2>&1", directory, what);
	if (system(command)) fail_msg("%s", command);
}

static void save(const char *name, const void *table, size_t size)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(table, 1, size, file), size);
	fclose(file);
}

static size_t load(const char *name, char *to, size_t room)
{
	char path[64];
	FILE *file;
	size_t size;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "rb");
	assert_non_null(file);
	size = fread(to, 1, room, file);
	fclose(file);
	return size;
}

/*
 * iasl disassembles the table without complaint, and what it compiles from that is the table
 * again, but for the checksum and the creator, which are iasl's own then.
 */
static void check_with_iasl(const struct acpi_header *table)
{
	static char again[4096];
	struct acpi_header *header = (struct acpi_header *)again;

	save("table.dat", table, table->length);
	run("iasl -d table.dat && ! grep -iE 'error|warning|invalid|unknown|incorrect' log && "
	    "iasl -p again table.dsl && ! grep -E '[1-9][0-9]* (Errors|Warnings)' log");
	assert_int_equal(load("again.aml", again, sizeof(again)), table->length);
	header->checksum = table->checksum;
	memcpy(header->creator_id, table->creator_id, 4);
	header->creator_revision = table->creator_revision;
	assert_memory_equal(again, table, table->length);
}

TEST_WITH(iasl_reads_each_table_and_builds_it_again, make_directory, remove_directory)
{
	const struct acpi_rsdp *rsdp = build(IOMMU);
	const struct acpi_fadt *fadt = (const void *)find(rsdp, "FACP", 8);

	check_with_iasl(at(rsdp->rsdt));
	check_with_iasl(at(rsdp->xsdt));
	check_with_iasl(&fadt->header);
	check_with_iasl(find(rsdp, "APIC", 8));
	check_with_iasl(find(rsdp, "DMAR", 8));
	check_with_iasl(at(fadt->dsdt));
}

/* Read the next integer that acpiexec prints, in hexadecimal. */
static unsigned long next_integer(char **text)
{
	static const char label[] = "[Integer] = ";

	*text = strstr(*text, label);
	assert_non_null(*text);
	*text += sizeof(label) - 1;
	return strtoul(*text, text, 16);
}

static void check_routing(const char *command, bool apic)
{
	static char output[65536];
	char *text = output;

	run(command);
	output[load("log", output, sizeof(output) - 1)] = '\0';
	for (unsigned slot = 1; slot < 32; slot++) {
		unsigned pin = apic ? irq_pci_pin(slot) : irq_pci_line(slot);

		assert_int_equal(next_integer(&text), slot << 16 | 0xffff);
		assert_int_equal(next_integer(&text), 0);
		assert_int_equal(next_integer(&text), 0);
		assert_int_equal(next_integer(&text), pin);
	}
}

TEST_WITH(aml_routes_interrupts_as_they_are_wired, make_directory, remove_directory)
{
	save("dsdt.aml", dsdt_aml_code, ((const struct acpi_header *)dsdt_aml_code)->length);
	check_routing("acpiexec -b 'execute \\_SB.PCI0._PRT' dsdt.aml", false);
	check_routing("acpiexec -b 'execute \\_PIC 1; execute \\_SB.PCI0._PRT' dsdt.aml", true);
}

static bool dsdt_has(const void *bytes, size_t size)
{
	const uint8_t *end = dsdt_aml_code + ((const struct acpi_header *)dsdt_aml_code)->length - size;

	for (const uint8_t *at = dsdt_aml_code; at <= end; at++)
		if (!memcmp(at, bytes, size)) return true;
	return false;
}

/* A descriptor of these ports, 16 bits decoded (ACPI 6.5 6.4.2.5). */
static bool dsdt_decodes(uint16_t port, uint8_t size)
{
	const uint8_t low = (uint8_t)port, high = (uint8_t)(port >> 8);

	return dsdt_has((const uint8_t[]){0x47, 1, low, high, low, high, 1, size}, 8);
}

/* Of PCI's window the granularity, first, last, translation and length (ACPI 6.5 6.4.3.5.2). */
TEST(aml_has_the_addresses_of_the_c)
{
	const uint32_t window[] = {0, PCI_WINDOW, IOAPIC_BASE - 1, 0, IOAPIC_BASE - PCI_WINDOW};

	assert_true(dsdt_has(window, sizeof(window)));
	assert_true(dsdt_decodes(COM1, 8));
	assert_true(dsdt_decodes(ACPI_PM_EVENT, 16));
	assert_true(dsdt_decodes(EXIT_PORT, 4));
}

struct machine {
	unsigned offs;
	uint64_t clock;
};

static void note_off(void *ctx, uint32_t status)
{
	struct machine *machine = ctx;

	assert_int_equal(status, 0);
	machine->offs++;
}

static uint64_t clock_now(void *ctx)
{
	const struct machine *machine = ctx;

	return machine->clock;
}

static uint64_t in(struct bus *ports, uint64_t port, unsigned width)
{
	uint64_t value = 0;

	assert_true(bus_do(ports, port, width, false, &value));
	return value;
}

static void out(struct bus *ports, uint64_t port, unsigned width, uint64_t value)
{
	assert_true(bus_do(ports, port, width, true, &value));
}

TEST(soft_off_is_sleep_type_5_with_sleep_enable)
{
	struct bus ports = {0};
	struct machine machine = {0};
	const struct board board = {.ports = &ports, .ctx = &machine, .exit = note_off};

	make_device(&acpi_pm_device, &board);
	assert_int_equal(in(&ports, ACPI_PM_CONTROL, 2), 1);
	out(&ports, ACPI_PM_CONTROL, 2, 5 << 10);
	assert_int_equal(in(&ports, ACPI_PM_CONTROL, 2), 5 << 10 | 1);
	out(&ports, ACPI_PM_CONTROL, 2, 1 << 13 | 3 << 10);
	assert_int_equal(machine.offs, 0);
	out(&ports, ACPI_PM_CONTROL, 2, 1 << 13 | 5 << 10);
	assert_int_equal(machine.offs, 1);
}

/* ACPI 6.5 4.8.3: an operating system may access these registers by bytes too. */
TEST(the_registers_may_be_accessed_by_bytes)
{
	struct bus ports = {0};
	struct machine machine = {0};
	const struct board board = {.ports = &ports, .ctx = &machine, .exit = note_off};

	make_device(&acpi_pm_device, &board);
	out(&ports, ACPI_PM_EVENT + 3, 1, 0x07);
	out(&ports, ACPI_PM_EVENT + 2, 1, 0x20);
	out(&ports, ACPI_PM_EVENT, 1, 0xff);
	assert_int_equal(in(&ports, ACPI_PM_EVENT + 3, 1), 0x07);
	assert_int_equal(in(&ports, ACPI_PM_EVENT, 4), 0x7200000);
	out(&ports, ACPI_PM_CONTROL + 1, 1, 5 << 2);
	out(&ports, ACPI_PM_CONTROL, 1, 0);
	assert_int_equal(in(&ports, ACPI_PM_CONTROL, 2), 5 << 10 | 1);
	assert_int_equal(in(&ports, ACPI_PM_CONTROL + 1, 1), 5 << 2);
	assert_int_equal(machine.offs, 0);
	out(&ports, ACPI_PM_CONTROL + 1, 1, 1 << 5 | 5 << 2);
	assert_int_equal(machine.offs, 1);
}

TEST(the_timer_runs_at_its_own_rate_whatever_the_clock)
{
	static const uint64_t rates[] = {1000000, ACPI_PM_HZ, 4000000000};
	struct bus ports = {0};
	struct machine machine;
	struct board board = {.ports = &ports, .ctx = &machine, .now = clock_now};

	make_device(&acpi_pm_device, &board);
	for (unsigned i = 0; i < ARRAY_SIZE(rates); i++) {
		board.clock_hz = rates[i];
		machine.clock = rates[i] / 2;
		assert_int_equal(in(&ports, ACPI_PM_TIMER, 4), ACPI_PM_HZ / 2);
		machine.clock = 1000000 * rates[i]; /* eleven days: it has wrapped */
		assert_int_equal(in(&ports, ACPI_PM_TIMER, 4), (uint32_t)(1000000ULL * ACPI_PM_HZ));
	}
}

TEST(no_event_ever_stands_and_enables_are_kept)
{
	struct bus ports = {0};
	const struct board board = {.ports = &ports};

	make_device(&acpi_pm_device, &board);
	out(&ports, ACPI_PM_EVENT + 2, 2, 0xffff);
	out(&ports, ACPI_PM_EVENT, 2, 0xffff);
	assert_int_equal(in(&ports, ACPI_PM_EVENT, 2), 0);
	assert_int_equal(in(&ports, ACPI_PM_EVENT + 2, 2), 0x721);
	assert_int_equal(in(&ports, ACPI_PM_EVENT, 4), 0x7210000);
	out(&ports, ACPI_PM_EVENT, 4, 0x1200000);
	assert_int_equal(in(&ports, ACPI_PM_EVENT + 2, 2), 0x120);
	assert_int_equal(in(&ports, ACPI_PM_TIMER, 4), 0);
}
