// SPDX-License-Identifier: MIT
/*
 * Who the CPUs are, by the tables: the MP table (MP 1.4 chapter 4), found as kernels without ACPI find it, the MADT
 * and CPUID say the same.
 */
#include "guest/lib/check.h"
#include "guest/lib/cpu.h"
#include "guest/smp/smp.h"
#include "lib/acpi_tables.h"
#include "lib/apic.h"
#include "lib/string.h"

#define EBDA_SEGMENT 0x40eUL
#define BIOS_START   0xf0000UL
#define BIOS_END     0x100000UL

/* In [from, to), on 16 bytes, with a sum of 0 over 'size'. */
static const void *scan(uint64_t from, uint64_t to, const char *signature, size_t length, size_t size)
{
	for (; from + size <= to; from += 16)
		if (!memcmp((const void *)from, signature, length) && !acpi_sum((const void *)from, size))
			return (const void *)from;
	return NULL;
}

static const struct mp_table *find_mp(void)
{
	const volatile uint16_t *segment = (const volatile uint16_t *)EBDA_SEGMENT;
	const struct mp_pointer *pointer;
	const struct mp_table *mp;
	uint64_t ebda;

	__asm__("" : "+r"(segment)); /* a pointer below a page is one like others */
	ebda = (uint64_t)*segment << 4;
	pointer = scan(ebda, ebda + 1024, "_MP_", 4, sizeof(*pointer));
	if (!pointer) pointer = scan(BIOS_START, BIOS_END, "_MP_", 4, sizeof(*pointer));
	if (!pointer) return NULL;
	mp = (const struct mp_table *)(uint64_t)pointer->table;
	return !memcmp(mp->signature, "PCMP", 4) && !acpi_sum(mp, mp->length) ? mp : NULL;
}

static const struct acpi_madt *find_madt(void)
{
	const struct acpi_rsdp *rsdp = scan(BIOS_START, BIOS_END, "RSD PTR ", 8, ACPI_RSDP_SIZE_1);
	const struct acpi_rsdt *rsdt = rsdp ? (const struct acpi_rsdt *)(uint64_t)rsdp->rsdt : NULL;

	for (unsigned n = 0; rsdt && n < (rsdt->header.length - sizeof(rsdt->header)) / 4; n++) {
		const struct acpi_madt *madt = (const struct acpi_madt *)(uint64_t)rsdt->entry[n];

		if (!memcmp(madt->header.signature, "APIC", 4)) return madt;
	}
	return NULL;
}

/* The APIC ids of enabled CPUs, a bit each. */
static uint32_t ids_of_madt(const struct acpi_madt *madt)
{
	const uint8_t *at = (const uint8_t *)&madt->ioapic, *end = (const uint8_t *)madt + madt->header.length;
	uint32_t ids = 0;

	for (; at < end; at += at[1]) {
		const struct acpi_madt_lapic *lapic = (const void *)at;

		if (at[0] == ACPI_MADT_LAPIC && lapic->flags & ACPI_LAPIC_ENABLED) ids |= 1U << lapic->apic_id;
	}
	return ids;
}

static uint32_t ids_of_mp(const struct mp_table *mp, bool *same)
{
	const uint8_t *at = (const uint8_t *)mp->cpu;
	struct cpuid_result one = cpuid(1, 0);
	uint32_t ids = 0;

	for (unsigned n = 0; n < mp->entries; n++, at += at[0] == MP_CPU ? sizeof(struct mp_cpu) : 8) {
		const struct mp_cpu *cpu = (const void *)at;

		if (at[0] != MP_CPU) break;
		if (cpu->flags & MP_ENABLED) ids |= 1U << cpu->apic_id;
		*same &= cpu->signature == one.eax && cpu->features == one.edx &&
			 !(cpu->flags & MP_BOOTS) == !!cpu->apic_id;
	}
	return ids;
}

void test_tables(void)
{
	const struct mp_table *mp = find_mp();
	const struct acpi_madt *madt = find_madt();
	bool same = true;

	if (!check(mp, "an MP table in the EBDA or the BIOS, whole") || !check(madt, "a MADT")) return;
	check_is((1U << cpus) - 1, ids_of_madt(madt), "the MADT lists the CPUs that came, a bit each");
	check_is((1U << cpus) - 1, ids_of_mp(mp, &same), "the MP table lists the same");
	check(same, "of each it says what CPUID.1 says, and that the first booted");
	check_is(LAPIC_BASE, mp->lapic_address, "and where their local APICs are");
}
