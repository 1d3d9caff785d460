// SPDX-License-Identifier: MIT
/*
 * Finds the machine the way an operating system does: RSDP, XSDT and the tables behind it
 * (ACPI 6.5 chapter 5, VT-d 8), and checks what they say against what is there. The word "reset"
 * ends the VM by the FADT's reset register, "off" by its PM1 control register.
 */
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/ioapic.h"
#include "guest/lib/lapic.h"
#include "guest/lib/start.h"
#include "guest/lib/vtd.h"
#include "lib/acpi_tables.h"
#include "lib/string.h"

#define BIOS_START       0xe0000UL
#define BIOS_END         0x100000UL
#define TABLES           16
#define MADT_LAPIC       0
#define MADT_IOAPIC      1
#define SCOPE_IOAPIC     3
#define HOST_WIDTH       48U     /* bits of an address, VT-d 8.1 */
#define IOAPIC_SOURCE_ID 0xff00U /* as QEMU has it */
#define SLEEP_TYPE(type) ((type) << 10)
#define SLEEP_ENABLE     (1U << 13)
#define S5               5 /* what the DSDT's \_S5 names */
#define SPACE_IO         1

static const struct acpi_header *tables[TABLES];
static unsigned count;

static bool sums_to_zero(const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint8_t sum = 0;

	while (size--) sum = (uint8_t)(sum + *bytes++);
	return !sum;
}

static const struct acpi_rsdp *find_rsdp(void)
{
	for (uint64_t at = BIOS_START; at < BIOS_END; at += 16)
		if (!memcmp((const void *)at, "RSD PTR ", 8) && sums_to_zero((const void *)at, 20))
			return (const void *)at;
	return NULL;
}

static const void *find_table(const char *signature)
{
	for (unsigned i = 0; i < count; i++)
		if (!memcmp(tables[i]->signature, signature, 4)) return tables[i];
	return NULL;
}

static void check_table(const struct acpi_header *table)
{
	check(sums_to_zero(table, table->length), "%.4s at 0x%lx, %u bytes: its sum is 0", table->signature,
	      (uint64_t)table, table->length);
}

static bool roots(void)
{
	const struct acpi_rsdp *rsdp = find_rsdp();
	const struct acpi_header *xsdt, *rsdt;
	unsigned same = 0;

	heading("Roots");
	if (!check(rsdp, "RSDP on a 16-byte boundary below 1 MiB, its first 20 bytes sum to 0")) return false;
	check(rsdp->revision >= 2 && sums_to_zero(rsdp, rsdp->length), "... and all of it");
	xsdt = (const void *)rsdp->xsdt;
	rsdt = (const void *)(uint64_t)rsdp->rsdt;
	if (!check(!memcmp(xsdt->signature, "XSDT", 4) && !memcmp(rsdt->signature, "RSDT", 4), "XSDT and RSDT"))
		return false;
	check_table(xsdt);
	check_table(rsdt);
	count = MIN((xsdt->length - (unsigned)sizeof(*xsdt)) / 8, (unsigned)TABLES);
	for (unsigned i = 0; i < count; i++) {
		uint64_t wide;
		uint32_t narrow;

		memcpy(&wide, (const char *)(xsdt + 1) + 8 * i, sizeof(wide));
		memcpy(&narrow, (const char *)(rsdt + 1) + 4 * i, sizeof(narrow));
		same += wide == narrow;
		tables[i] = (const void *)wide;
	}
	check_count(count, same, "tables", "both name the same %u tables", count);
	for (unsigned i = 0; i < count; i++) check_table(tables[i]);
	return true;
}

#define GLOBAL_LOCK_OWNED 2U

static void fixed(void)
{
	const struct acpi_fadt *fadt = find_table("FACP");
	const struct acpi_header *dsdt;
	struct acpi_facs *facs;
	uint32_t first, now, free;

	heading("Fixed hardware");
	if (!check(fadt, "FADT")) return;
	dsdt = (const void *)(uint64_t)fadt->dsdt;
	check(!memcmp(dsdt->signature, "DSDT", 4), "it names the DSDT");
	check_table(dsdt);
	facs = (void *)(uint64_t)fadt->facs;
	check(!memcmp(facs->signature, "FACS", 4) && !((uint64_t)facs & 63),
	      "it names the FACS, on a 64-byte boundary");
	free = facs->global_lock;
	check(__sync_bool_compare_and_swap(&facs->global_lock, free, GLOBAL_LOCK_OWNED) &&
		      facs->global_lock == GLOBAL_LOCK_OWNED,
	      "the Global Lock keeps its owner");
	facs->global_lock = free;
	first = now = inl((uint16_t)fadt->pm_timer);
	for (unsigned i = 0; i < 10000 && now == first; i++) now = inl((uint16_t)fadt->pm_timer);
	printf("The PM timer %s.\n", now != first ? "runs" : "stands");
}

static void interrupts(void)
{
	const struct acpi_madt *madt = find_table("APIC");
	const uint8_t *at, *end;
	unsigned cpus = 0, ioapics = 0;

	heading("Interrupt controllers");
	if (!check(madt, "MADT")) return;
	end = (const uint8_t *)madt + madt->header.length;
	for (at = (const uint8_t *)&madt->ioapic; at + 2 <= end && at[1] >= 2; at += at[1]) {
		if (at[0] == MADT_LAPIC) cpus += ((const struct acpi_madt_lapic *)at)->flags & 1;
		if (at[0] == MADT_IOAPIC) ioapics += ((const struct acpi_madt_ioapic *)at)->address == IOAPIC_BASE;
	}
	check(at == end, "its entries fill it exactly");
	check_is(LAPIC_BASE, madt->lapic_address, "the local APIC's address");
	check_count(1, cpus, "CPUs", "one enabled CPU");
	check_count(1, ioapics, "IOAPICs", "one IOAPIC at 0x%x", IOAPIC_BASE);
	check(lapic_enable() && ioapic_present(), "both are there");
}

/* The id and first pin of the one at IOAPIC_BASE, as MADT has it; NULL without. */
static const struct acpi_madt_ioapic *find_ioapic(void)
{
	const struct acpi_madt *madt = find_table("APIC");
	const uint8_t *end = (const uint8_t *)madt + (madt ? madt->header.length : 0);

	for (const uint8_t *at = (const uint8_t *)&madt->ioapic; madt && at + 2 <= end && at[1] >= 2; at += at[1])
		if (at[0] == MADT_IOAPIC) return (const void *)at;
	return NULL;
}

static void iommu(void)
{
	const struct acpi_madt_ioapic *ioapic = find_ioapic();
	const struct acpi_dmar *dmar = find_table("DMAR");
	const struct acpi_drhd *drhd = &dmar->unit;
	bool unit = vtd_init();

	heading("IOMMU");
	check(!dmar == !unit, "a DMAR table if there is a unit, and none otherwise");
	if (!dmar) return;
	check_is(VTD_BASE, drhd->base, "DRHD: the unit's address");
	check(!drhd->type && drhd->flags & 1, "... which all devices are behind");
	check_is(!!(vtd_read64(VTD_ECAP) & ECAP_IR), dmar->flags & 1, "interrupt remapping as ECAP.IR says");
	check_count(HOST_WIDTH, dmar->host_address_width + 1, "bits", "... a host's addresses have %u bits",
		    HOST_WIDTH);
	check(drhd->scope_type == SCOPE_IOAPIC && ioapic && drhd->enumeration_id == ioapic->id,
	      "... with the IOAPIC, by the id it has in MADT");
	check_is(IOAPIC_SOURCE_ID, drhd->start_bus << 8 | drhd->path_device << 3 | drhd->path_function,
		 "... which asks as ff:00.0");
	check_is(dmar->header.length, offsetof(struct acpi_dmar, unit) + drhd->length, "... and nothing else");
}

static void end_by(const struct acpi_fadt *fadt)
{
	if (guest_word("reset") && fadt->reset.space == SPACE_IO)
		outb((uint16_t)fadt->reset.address, fadt->reset_value);
	if (guest_word("off")) outw((uint16_t)fadt->pm1a_control, SLEEP_TYPE(S5) | SLEEP_ENABLE);
}

int guest_main(void)
{
	if (!roots()) return check_status();
	fixed();
	interrupts();
	iommu();
	end_by(find_table("FACP"));
	return check_status();
}
