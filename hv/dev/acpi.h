/* SPDX-License-Identifier: MIT */
/*
 * The ACPI tables by which a guest's operating system finds the machine (ACPI 6.5 chapter 5;
 * VT-d 8 for DMAR): RSDP, RSDT and XSDT, FADT, FACS, MADT, DMAR, and a DSDT compiled by iasl
 * from dsdt.asl. Built once, before the guest starts.
 */
#ifndef HV_DEV_ACPI_H
#define HV_DEV_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where an operating system looks for the RSDP, and enough room for all tables. */
#define ACPI_BASE 0xf0000ULL
#define ACPI_SIZE 0x10000ULL

/* The ports of acpi_pm.c. */
#define ACPI_PM_EVENT   0x600 /* status at +0, enable at +2 */
#define ACPI_PM_CONTROL 0x604
#define ACPI_PM_TIMER   0x608
#define ACPI_PM_SCI     9
#define ACPI_PM_HZ      3579545
#define ACPI_PM_S5      5 /* the sleep type that dsdt.asl gives for soft off */

#define ACPI_PM_OFF_STATUS 0 /* with which a machine ends that is switched off */

#define RTC_CENTURY 0x32 /* its register in the CMOS memory */

struct acpi_config {
	uint32_t base; /* guest-physical address of the buffer, 64-byte aligned */
	unsigned cpus; /* local APIC ids 0 to cpus - 1 */
	uint8_t ioapic_id;
	const uint8_t *dsdt; /* AML with its header: dsdt_aml_code */
	bool iommu;          /* build a DMAR table: */
	bool interrupt_remapping;
	unsigned host_address_width; /* bits of a DMA address, 39 or 48 */
	uint64_t iommu_base;
	uint16_t ioapic_source_id; /* requester id of the IOAPIC's messages */
};

/* What iasl made of dsdt.asl. */
extern const uint8_t dsdt_aml_code[];

/*
 * Write the tables into buffer[0..size), which the guest will see at config->base; the RSDP comes
 * first. Returns the bytes used, or -ENOSPC.
 */
long acpi_build(void *buffer, size_t size, const struct acpi_config *config);

#endif
