// SPDX-License-Identifier: MIT
/*
 * The test device from inside a guest: its ports and its MMIO at every width, the port that
 * unmaps a page, and interrupt lines through the IOAPIC and through the 8259s. Runs under QEMU as
 * well, with "-device pc-testdev"; with the word "absent" nothing may answer.
 */
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/ioapic.h"
#include "guest/lib/lapic.h"
#include "guest/lib/start.h"
#include "guest/lib/vmcall.h"

#define PORT       0xe0
#define FLUSH_PORT 0xe4
#define LINE_PORT  0x2000
#define MMIO_BASE  0xff000000UL
#define MMIO_END   0xff010000UL
#define PATTERN    0x8877665544332211UL
#define ONES       (~0UL)

#define FAR_PAGE 0x800000UL /* in a large page of its own: nothing else of the image is there */

#define LINE          5 /* of the ISA: neither the timer's nor the uart's */
#define IOAPIC_VECTOR 0x51
#define PIC_VECTORS   0x30
#define PIC_EOI       0x20

static volatile unsigned interrupts, lower_at;

static void set_line(bool level) { outb(LINE_PORT + LINE, level); }

static void ports(void)
{
	heading("Ports that remember");
	outl(PORT, 0x44332211);
	check_is(0x44332211, inl(PORT), "4 bytes");
	check_is(0x2211, inw(PORT), "2 bytes of them");
	check_is(0x4433, inw(PORT + 2), "... and the upper 2");
	for (unsigned i = 0; i < 4; i++) check_is(0x11 * (i + 1), inb((uint16_t)(PORT + i)), "byte %u", i);
	outw(PORT + 2, 0xbbaa);
	check_is(0xbbaa2211, inl(PORT), "2 bytes written");
	outb(PORT + 3, 0xee);
	check_is(0xeeaa2211, inl(PORT), "1 byte written");
}

/* Each width, written over ones at 'address', an offset that 8 bytes fit behind. */
static void widths_at(uint64_t address)
{
	mmio_write64(address, ONES);
	mmio_write8(address, (uint8_t)PATTERN);
	check_is(0xffffffffffffff11, mmio_read64(address), "1 byte at 0x%lx", address);
	check_is(0x11, mmio_read8(address), "... read alone");
	mmio_write64(address, ONES);
	mmio_write16(address, (uint16_t)PATTERN);
	check_is(0xffffffffffff2211, mmio_read64(address), "2 bytes");
	check_is(0x2211, mmio_read16(address), "... read alone");
	mmio_write64(address, ONES);
	mmio_write32(address, (uint32_t)PATTERN);
	check_is(0xffffffff44332211, mmio_read64(address), "4 bytes");
	check_is(0x44332211, mmio_read32(address), "... read alone");
	mmio_write64(address, PATTERN);
	check_is(PATTERN, mmio_read64(address), "8 bytes");
	check_is(0x88776655, mmio_read32(address + 4), "... the upper 4 of them");
}

static void mmio(void)
{
	unsigned wrong = 0;

	heading("MMIO that remembers");
	widths_at(MMIO_BASE);
	widths_at(MMIO_END - 8);
	for (uint64_t at = MMIO_BASE; at < MMIO_END; at += 0x200) mmio_write64(at, at * 3);
	for (uint64_t at = MMIO_BASE; at < MMIO_END; at += 0x200) wrong += mmio_read64(at) != at * 3;
	check_count(0, wrong, "of 128 words lost", "all of the 64 KiB are kept, each byte for itself");
}

/* What was written stays; only how the page is mapped is forgotten. */
static void flush(void)
{
	unsigned level = 0;
	uint64_t leaf;

	heading("The flush port");
	mmio_write32(FAR_PAGE, 0x1234);
	if (vmcall_present()) {
		vmcall_ept_walk(FAR_PAGE, &level);
		check_words(level, leaf_words(0, 0), words("a leaf"), "a page that was touched has a leaf, of level %u",
			    level);
	}
	outl(FLUSH_PORT, FAR_PAGE + 0x123);
	if (vmcall_present()) {
		leaf = vmcall_ept_walk(FAR_PAGE, &level);
		check_words(!level, leaf_words(leaf, level), leaf_words(0, 0),
			    "written to the flush port, it has none");
	}
	check_is(0x1234, mmio_read32(FAR_PAGE), "... its bytes are there");
	if (vmcall_present()) {
		vmcall_ept_walk(FAR_PAGE, &level);
		check_words(level, leaf_words(0, 0), words("a leaf"), "... and it has a leaf again");
	}
}

/* A level-triggered line stays up until this lowers it. */
static void on_ioapic(void)
{
	interrupts++;
	if (interrupts == lower_at) set_line(false);
	lapic_eoi();
}

static void on_pic(void)
{
	interrupts++;
	outb(PIC_MASTER, PIC_EOI);
}

/* How many come in a window that is long enough for a few. */
static unsigned taken(void)
{
	unsigned count;

	interrupts_on();
	for (unsigned i = 0; i < 1000; i++) cpu_pause();
	interrupts_off();
	count = interrupts;
	interrupts = 0;
	return count;
}

static void by_ioapic(void)
{
	const uint64_t entry = RTE_DESTINATION(lapic_id()) | IOAPIC_VECTOR;

	heading("Line %u by the IOAPIC", LINE);
	interrupt_handler(IOAPIC_VECTOR, on_ioapic);
	ioapic_write_entry(LINE, entry);
	check_count(0, taken(), "interrupts", "nothing comes by itself");
	set_line(true);
	check_count(1, taken(), "interrupts", "an edge is one interrupt");
	set_line(false);
	check_count(0, taken(), "interrupts", "the other edge is none");
	set_line(true);
	set_line(false);
	check_count(1, taken(), "interrupts", "up and down again is one");
	ioapic_write_entry(LINE, entry | RTE_LEVEL);
	lower_at = 3;
	set_line(true);
	check_count(3, taken(), "interrupts", "a level interrupts until it is lowered");
	ioapic_write_entry(LINE, RTE_MASKED);
}

static void by_pic(void)
{
	heading("Line %u by the 8259", LINE);
	interrupt_handler(PIC_VECTORS + LINE, on_pic);
	outb(PIC_MASTER, ICW1 | ICW1_ICW4);
	outb(PIC_MASTER + 1, PIC_VECTORS);
	outb(PIC_MASTER + 1, 1 << PIC_CASCADE);
	outb(PIC_MASTER + 1, ICW4_8086);
	outb(PIC_MASTER + 1, (uint8_t)~BIT(LINE));
	check_count(0, taken(), "interrupts", "nothing comes by itself");
	set_line(true);
	check_count(1, taken(), "interrupts", "an edge is one interrupt");
	set_line(false);
	check_count(0, taken(), "interrupts", "the other edge is none");
	outb(PIC_MASTER + 1, 0xff);
}

static void absent(void)
{
	heading("No test device: nothing answers");
	outl(PORT, 0);
	check_is(0xffffffff, inl(PORT), "port 0x%x", PORT);
	check_is(0xffffffff, inl(FLUSH_PORT), "port 0x%x", FLUSH_PORT);
	check_is(0xff, inb(LINE_PORT), "port 0x%x", LINE_PORT);
	mmio_write64(MMIO_BASE, 0);
	check_is(ONES, mmio_read64(MMIO_BASE), "0x%lx", MMIO_BASE);
}

int guest_main(void)
{
	if (guest_word("absent")) {
		absent();
		return check_status();
	}
	ports();
	mmio();
	flush();
	if (check(lapic_enable() && ioapic_present(), "a local APIC and an IOAPIC")) {
		by_ioapic();
		by_pic();
	}
	return check_status();
}
