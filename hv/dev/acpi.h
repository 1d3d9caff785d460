/* SPDX-License-Identifier: MIT */
/*
 * The ACPI tables by which a guest's operating system finds the machine (ACPI 6.5 chapter 5;
 * VT-d 8 for DMAR): RSDP, RSDT and XSDT, FADT, MADT, DMAR, and a DSDT compiled by iasl
 * from dsdt.asl; and the MP table of kernels that know no ACPI. Built once, before the guest starts.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Where an operating system looks for the RSDP, and enough room for all tables. */
#define ACPI_BASE 0xf0000ULL
#define ACPI_SIZE 0x10000ULL
/* The FACS is in the extended BIOS data area (firmware.h), which is RAM: it has the Global Lock (ACPI 6.5 5.2.10). */
#define ACPI_FACS 0x9fc40ULL

/* The ports of acpi_pm.c. */
#define ACPI_PM_EVENT   0x600 /* status at +0, enable at +2 */
#define ACPI_PM_CONTROL 0x604
#define ACPI_PM_TIMER   0x608
#define ACPI_PM_SCI     9
#define ACPI_PM_HZ      3579545
#define ACPI_PM_S5      5 /* the sleep type that dsdt.asl gives for soft off */

#define ACPI_PM_OFF_STATUS 0 /* with which a machine ends that is switched off */

#define RTC_CENTURY 0x32 /* its register in the CMOS memory */

/* What iasl made of dsdt.asl. */
extern const uint8_t dsdt_aml_code[];

struct acpi_machine {
	unsigned cpus;                /* up to ACPI_CPUS_MAX */
	uint32_t signature, features; /* as CPUID.1 has them in EAX and EDX */
	uint64_t iommu_base;          /* 0: there is none */
	unsigned iommu_width;         /* bits of the addresses that it translates to */
};

/*
 * Write the tables of that machine into buffer[0..size), which the guest will see at ACPI_BASE; the RSDP comes first.
 * Returns the bytes used, or -ENOSPC.
 */
long acpi_build(void *buffer, size_t size, const struct acpi_machine *machine);
