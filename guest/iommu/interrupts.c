// SPDX-License-Identifier: MIT
/*
 * Messages of a device, of the unit itself, and interrupt remapping (VT-d 5.1, 7.4). Where there
 * is no local APIC yet, only what is recorded as a fault can be seen.
 */
#include "guest/iommu/cases.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/lapic.h"
#include "guest/lib/start.h"
#include "lib/string.h"

#define CAP_ID_MSI  0x05
#define MSI_CONTROL 2
#define MSI_ADDRESS 4
#define MSI_DATA    12 /* behind a 64-bit address */
#define MSI_ENABLE  1
#define REMAPPABLE  BIT(4)
#define SHV         BIT(3)

#define IRTE_PRESENT BIT(0)
#define NOTHING      0xb0000000UL
#define IRTA_256     7 /* 2^(7 + 1) entries */
#define HANDLE       5

#define VECTOR_DIRECT   0x41
#define VECTOR_REMAPPED 0x42
#define VECTOR_EVENT    0x43
#define VECTOR_NEW      0x44

struct irte {
	uint64_t low, high;
};
static struct irte *irtes;
static bool lapic;
static volatile unsigned got[256];
static unsigned msi;

#define HANDLER(vector)                                                                                                \
	static void on_##vector(void)                                                                                  \
	{                                                                                                              \
		got[vector]++;                                                                                         \
		lapic_eoi();                                                                                           \
	}
HANDLER(VECTOR_DIRECT)
HANDLER(VECTOR_REMAPPED)
HANDLER(VECTOR_EVENT)
HANDLER(VECTOR_NEW)

/* Let what is pending in, and forget what came before. */
static bool came(unsigned vector)
{
	bool yes;

	interrupts_on();
	for (unsigned i = 0; i < 1000 && !got[vector]; i++) cpu_pause();
	interrupts_off();
	yes = got[vector];
	memset((void *)got, 0, sizeof(got));
	return yes;
}

static void send(uint64_t address, uint32_t data)
{
	uint16_t id = edu[0].source_id;

	pci_write32(id, msi + MSI_ADDRESS, (uint32_t)address);
	pci_write32(id, msi + MSI_ADDRESS + 4, 0);
	pci_write16(id, msi + MSI_DATA, (uint16_t)data);
	pci_write16(id, msi + MSI_CONTROL, pci_read16(id, msi + MSI_CONTROL) | MSI_ENABLE);
	mmio_write32(edu[0].bar + EDU_INTERRUPT_RAISE, 1);
	mmio_write32(edu[0].bar + EDU_INTERRUPT_ACK, 1);
}

static uint64_t remappable(unsigned handle)
{
	return MESSAGE_BASE | (handle & 0x7fffUL) << 5 | REMAPPABLE | (handle & 0x8000 ? BIT(2) : 0);
}

static void arrives(uint64_t address, uint32_t data, unsigned vector, const char *text)
{
	send(address, data);
	if (lapic)
		check_whether(true, came(vector), "an interrupt", "none", "%s", text);
	else
		check(!(vtd_read32(VTD_FSTS) & FSTS_PPF), "%s (no fault)", text);
}

static void is_blocked(uint64_t address, uint32_t data, uint8_t reason, unsigned index, const char *text)
{
	struct vtd_fault f = {0};

	send(address, data);
	if (lapic) check(!came(VECTOR_REMAPPED) && !came(VECTOR_DIRECT), "%s: blocked", text);
	if (native) return; /* QEMU 7.2 reports it on its own standard error */
	if (!check_whether(true, vtd_fault_next(&f), "a record", "none", "%s: recorded", text)) return;
	check_words(f.reason == reason && f.source_id == edu[0].source_id && f.address >> 48 == index,
		    words("%s, index %lu of 0x%04x", vtd_reason_words(f.reason).text, f.address >> 48, f.source_id),
		    words("%s, index %u of 0x%04x", vtd_reason_words(reason).text, index, edu[0].source_id),
		    "... as reason 0x%x, %s, with the index", reason, vtd_reason(reason));
}

static void set_irte(unsigned index, unsigned vector, uint64_t high)
{
	irtes[index] = (struct irte){IRTE_PRESENT | (uint64_t)vector << 16 | (uint64_t)lapic_id() << 40, high};
}

static bool flush_entries(void)
{
	vtd_put(DESC_INTERRUPT, 0);
	return vtd_wait();
}

static void sources(void)
{
	uint64_t verify = TO_FIELD(1, BITS(19, 18));

	set_irte(HANDLE, VECTOR_REMAPPED, verify | edu[0].source_id);
	flush_entries();
	arrives(remappable(HANDLE), 0, VECTOR_REMAPPED, "the source-id is verified");
	set_irte(HANDLE, VECTOR_REMAPPED, verify | edu[1].source_id);
	flush_entries();
	is_blocked(remappable(HANDLE), 0, 0x26, HANDLE, "another device's entry");
	set_irte(HANDLE, VECTOR_REMAPPED, TO_FIELD(1, BITS(17, 16)) | verify | edu[0].source_id | 4);
	flush_entries();
	arrives(remappable(HANDLE), 0, VECTOR_REMAPPED, "function bit 2 not verified (SQ = 1)");
	set_irte(HANDLE, VECTOR_REMAPPED, TO_FIELD(2, BITS(19, 18)));
	flush_entries();
	arrives(remappable(HANDLE), 0, VECTOR_REMAPPED, "the bus verified: 0 to 0");
	set_irte(HANDLE, VECTOR_REMAPPED, TO_FIELD(2, BITS(19, 18)) | 0x0201);
	flush_entries();
	is_blocked(remappable(HANDLE), 0, 0x26, HANDLE, "the bus verified: 1 to 2");
	set_irte(HANDLE, VECTOR_REMAPPED, 0);
}

static void entries(void)
{
	set_irte(HANDLE, VECTOR_REMAPPED, 0);
	flush_entries();
	arrives(remappable(HANDLE), 0, VECTOR_REMAPPED, "an entry's vector, not the message's");
	arrives(remappable(HANDLE - 1) | SHV, 1, VECTOR_REMAPPED, "handle plus subhandle");
	if (!native && lapic) {
		set_irte(HANDLE, VECTOR_NEW, 0);
		send(remappable(HANDLE), 0);
		check_whether(true, came(VECTOR_REMAPPED), "an interrupt", "none",
			      "a changed entry: the old one is still used");
		vtd_put(DESC_INTERRUPT | DESC_IEC_INDEX | (uint64_t)HANDLE << 32, 0);
		vtd_wait();
		send(remappable(HANDLE), 0);
		check_whether(true, came(VECTOR_NEW), "an interrupt", "none", "... its index invalidated: the new one");
	}
	is_blocked(remappable(HANDLE + 1), 0, 0x22, HANDLE + 1, "an entry that is not present");
	is_blocked(remappable(256), 0, 0x21, 256, "an index beyond the table");
	set_irte(HANDLE + 2, VECTOR_REMAPPED, BIT(63));
	is_blocked(remappable(HANDLE + 2), 0, 0x24, HANDLE + 2, "an entry with a reserved bit");
	if (native) return; /* other things are there */
	vtd_write64(VTD_IRTA, NOTHING | IRTA_256);
	vtd_command(GCMD_SIRTP, true);
	is_blocked(remappable(HANDLE), 0, 0x23, HANDLE, "a table where no memory is");
	vtd_write64(VTD_IRTA, (uint64_t)irtes | IRTA_256);
	vtd_command(GCMD_SIRTP, true);
}

static void compatibility(void)
{
	if (native) return; /* QEMU lets it through whatever CFIS says */
	is_blocked(MESSAGE_BASE, VECTOR_DIRECT, 0x25, 0, "compatibility format");
	check_whether(true, vtd_command(GCMD_CFI, true), "the status follows", "it never does",
		      "CFI set: CFIS follows");
	arrives(MESSAGE_BASE, VECTOR_DIRECT, VECTOR_DIRECT, "compatibility format now passes");
	vtd_command(GCMD_CFI, false);
}

static void remapping(void)
{
	if (!(vtd_read64(VTD_ECAP) & ECAP_IR)) {
		printf("ECAP.IR is 0: no interrupt remapping\n");
		return;
	}
	irtes = page_alloc();
	vtd_write64(VTD_IRTA, (uint64_t)irtes | IRTA_256);
	check(vtd_command(GCMD_SIRTP, true) && flush_entries() && vtd_command(GCMD_IRE, true),
	      "interrupt remapping on");
	entries();
	sources();
	compatibility();
	check_whether(true, vtd_command(GCMD_IRE, false), "the status follows", "it never does",
		      "interrupt remapping off");
}

/* The unit's own messages: never remapped. */
static void events(void)
{
	vtd_write32(VTD_FEADDR, (uint32_t)(MESSAGE_BASE | lapic_id() << 12));
	vtd_write32(VTD_FEDATA, VECTOR_EVENT);
	vtd_write32(VTD_FECTL, 0);
	set_context(&edu[0], 0, 0);
	write_arrives(&edu[0], IOVA, pages[0]);
	check_whether(true, came(VECTOR_EVENT), "an interrupt", "none", "a fault interrupts");
	vtd_write32(VTD_FECTL, BIT(31));
	restore();
	vtd_write32(VTD_IEADDR, (uint32_t)(MESSAGE_BASE | lapic_id() << 12));
	vtd_write32(VTD_IEDATA, VECTOR_EVENT);
	vtd_write32(VTD_IECTL, 0);
	vtd_put(DESC_WAIT | DESC_WAIT_IRQ, 0);
	vtd_wait();
	check_whether(true, came(VECTOR_EVENT), "an interrupt", "none", "a wait that asks for it interrupts");
	vtd_write32(VTD_ICS, 1);
	vtd_write32(VTD_IECTL, BIT(31));
}

void interrupt_cases(void)
{
	heading("Interrupts");
	lapic = lapic_enable();
	msi = pci_capability(edu[0].source_id, CAP_ID_MSI);
	if (!check(msi, "edu has an MSI capability")) return;
	interrupt_handler(VECTOR_DIRECT, on_VECTOR_DIRECT);
	interrupt_handler(VECTOR_REMAPPED, on_VECTOR_REMAPPED);
	interrupt_handler(VECTOR_EVENT, on_VECTOR_EVENT);
	interrupt_handler(VECTOR_NEW, on_VECTOR_NEW);
	arrives(MESSAGE_BASE, VECTOR_DIRECT, VECTOR_DIRECT, "an MSI, not remapped");
	remapping();
	if (lapic) events();
	pci_write16(edu[0].source_id, msi + MSI_CONTROL, 0);
}
