/* SPDX-License-Identifier: MIT */
/*
 * The layouts of the ACPI tables that a guest finds, and of those that we look for on the host,
 * field by field as ACPI 6.5 chapter 5 and VT-d chapter 8 print them, and of the MP table, which was
 * before them (MP 1.4 chapter 4). Everything is little-endian and packed.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define PACKED __attribute__((packed))

#define ACPI_OEM_ID   "LEAFCT"
#define ACPI_CPUS_MAX 16

/* The sum of a table's bytes: 0 of a whole one. */
static inline uint8_t acpi_sum(const void *table, size_t size)
{
	const uint8_t *bytes = table;
	uint8_t sum = 0;

	while (size--) sum = (uint8_t)(sum + *bytes++);
	return sum;
}

/* ACPI 6.5 5.2.5.3. */
struct acpi_rsdp {
	char signature[8];
	uint8_t checksum; /* of the first ACPI_RSDP_SIZE_1 bytes */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} PACKED;
_Static_assert(sizeof(struct acpi_rsdp) == 36, "ACPI 6.5 table 5.3");
#define ACPI_RSDP_SIZE_1 offsetof(struct acpi_rsdp, length) /* all of it below revision 2 */

/* ACPI 6.5 5.2.6. */
struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} PACKED;
_Static_assert(sizeof(struct acpi_header) == 36, "ACPI 6.5 table 5.4");

/* ACPI 6.5 5.2.7, 5.2.8; as many entries as there are. */
struct acpi_rsdt {
	struct acpi_header header;
	uint32_t entry[3];
} PACKED;
struct acpi_xsdt {
	struct acpi_header header;
	uint64_t entry[3];
} PACKED;

/* ACPI 6.5 5.2.3.2. */
struct acpi_address {
	uint8_t space; /* 0 memory, 1 I/O */
	uint8_t bits;
	uint8_t offset;
	uint8_t access; /* 1 byte, 2 word, 3 dword */
	uint64_t address;
} PACKED;

/* ACPI 6.5 5.2.9, as far as its revision 3 goes. */
struct acpi_fadt {
	struct acpi_header header;
	uint32_t facs, dsdt;
	uint8_t reserved_44, profile;
	uint16_t sci_interrupt;
	uint32_t smi_command;
	uint8_t acpi_enable, acpi_disable, s4_request, pstate_control;
	uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer;
	uint32_t gpe0, gpe1;
	uint8_t pm1_event_length, pm1_control_length, pm2_control_length, pm_timer_length;
	uint8_t gpe0_length, gpe1_length, gpe1_base, cstate_control;
	uint16_t c2_latency, c3_latency, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
	uint16_t boot_architecture;
	uint8_t reserved_111;
	uint32_t flags;
	struct acpi_address reset;
	uint8_t reset_value;
	uint16_t arm_boot_architecture;
	uint8_t minor_version;
	uint64_t x_facs, x_dsdt;
	struct acpi_address x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control;
	struct acpi_address x_pm2_control, x_pm_timer, x_gpe0, x_gpe1;
} PACKED;
_Static_assert(sizeof(struct acpi_fadt) == 244, "revision 3");

#define FADT_WBINVD        (1U << 0)
#define FADT_C1            (1U << 2)
#define FADT_POWER_BUTTON  (1U << 4) /* set: there is no fixed one */
#define FADT_SLEEP_BUTTON  (1U << 5)
#define FADT_RTC_NOT_FIXED (1U << 6)
#define FADT_TIMER_32_BIT  (1U << 8)
#define FADT_RESET         (1U << 10)
#define BOOT_LEGACY        (1U << 0) /* there are ISA devices */
#define BOOT_NO_VGA        (1U << 2)

/* ACPI 6.5 5.2.10. */
struct acpi_facs {
	char signature[4];
	uint32_t length;
	uint32_t hardware_signature, waking_vector, global_lock, flags;
	uint64_t x_waking_vector;
	uint8_t version;
	uint8_t reserved[31];
} PACKED;
_Static_assert(sizeof(struct acpi_facs) == 64, "ACPI 6.5 table 5.12");

/* ACPI 6.5 5.2.12, as irq.c wires it. */
struct acpi_madt_lapic {
	uint8_t type, length; /* ACPI_MADT_LAPIC */
	uint8_t processor_id, apic_id;
	uint32_t flags;
} PACKED;
#define ACPI_MADT_LAPIC    0
#define ACPI_LAPIC_ENABLED 1U

struct acpi_madt_override {
	uint8_t type, length; /* 2 */
	uint8_t bus, source;
	uint32_t interrupt;
	uint16_t flags;
} PACKED;
#define MADT_AS_BUS     0x0
#define MADT_LEVEL_HIGH 0xd

struct acpi_madt {
	struct acpi_header header;
	uint32_t lapic_address;
	uint32_t flags; /* bit 0: there are 8259s too */
	struct acpi_madt_ioapic {
		uint8_t type, length; /* 1 */
		uint8_t id, reserved;
		uint32_t address, first_interrupt;
	} PACKED ioapic;
	struct acpi_madt_override timer, sci, pci[2];
	struct {
		uint8_t type, length; /* 4 */
		uint8_t processor_id; /* 0xff: all */
		uint16_t flags;
		uint8_t lint;
	} PACKED nmi;
	struct acpi_madt_lapic lapic[ACPI_CPUS_MAX]; /* as many as there are */
} PACKED;

/* VT-d 8.3, with one device scope (8.3.1) of one path element. */
struct acpi_drhd {
	uint16_t type, length; /* 0 */
	uint8_t flags;         /* bit 0: every device not named elsewhere */
	uint8_t size;
	uint16_t segment;
	uint64_t base;
	uint8_t scope_type, scope_length; /* 3: an IOAPIC */
	uint16_t scope_reserved;
	uint8_t enumeration_id, start_bus;
	uint8_t path_device, path_function;
} PACKED;
_Static_assert(sizeof(struct acpi_drhd) == 24, "VT-d 8.3");

/* VT-d 8.1. */
struct acpi_dmar {
	struct acpi_header header;
	uint8_t host_address_width; /* less one */
	uint8_t flags;              /* bit 0: interrupt remapping */
	uint8_t reserved[10];
	struct acpi_drhd unit;
} PACKED;
_Static_assert(sizeof(struct acpi_dmar) == 48 + sizeof(struct acpi_drhd), "VT-d 8.1");

/* MP 1.4 4.1. */
struct mp_pointer {
	char signature[4];
	uint32_t table;
	uint8_t paragraphs, revision, checksum, feature[5];
} PACKED;
_Static_assert(sizeof(struct mp_pointer) == 16, "MP 1.4 table 4-1");

/* MP 1.4 4.3.1 to 4.3.5: processor, bus, IOAPIC, and interrupts of a bus to an IOAPIC or a local APIC. */
struct mp_cpu {
	uint8_t type, apic_id, apic_version, flags;
	uint32_t signature, features, reserved[2];
} PACKED;
struct mp_bus {
	uint8_t type, id;
	char name[6];
} PACKED;
struct mp_ioapic {
	uint8_t type, id, version, flags;
	uint32_t address;
} PACKED;
struct mp_interrupt {
	uint8_t type, kind;
	uint16_t flags;
	uint8_t bus, irq, apic_id, pin;
} PACKED;
enum mp_entry { MP_CPU, MP_BUS, MP_IOAPIC, MP_TO_IOAPIC, MP_TO_LAPIC };
enum mp_kind { MP_INT, MP_NMI, MP_SMI, MP_EXTINT };
#define MP_ENABLED 1 /* of a processor and of an IOAPIC */
#define MP_BOOTS   2 /* the processor that booted */

/* MP 1.4 4.2, its entries in the order of their types: those behind the last CPU follow it at once. */
struct mp_table {
	char signature[4];
	uint16_t length;
	uint8_t revision, checksum;
	char oem_id[8], product_id[12];
	uint32_t oem_table;
	uint16_t oem_size, entries;
	uint32_t lapic_address, extended;
	struct mp_cpu cpu[ACPI_CPUS_MAX];
	struct mp_rest {
		struct mp_bus pci_bus, isa_bus;
		struct mp_ioapic ioapic;
		struct mp_interrupt isa[15], pci[32], lint[2];
	} PACKED rest;
} PACKED;
_Static_assert(offsetof(struct mp_table, cpu) == 44 && sizeof(struct mp_cpu) == 20 && sizeof(struct mp_rest) % 8 == 0,
	       "MP 1.4 chapter 4");
#define MP_REST_ENTRIES (sizeof(struct mp_rest) / 8)
