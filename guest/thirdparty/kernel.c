// SPDX-License-Identifier: MIT
/*
 * A kernel as others write them for `qemu -kernel` with an intel-iommu and edu devices: it shares
 * nothing with guest/lib, looks into no ACPI table, takes what firmware leaves for granted (BAR,
 * memory enable, interrupt line and its routing to the 8259), accesses 64-bit registers whole, and
 * does not tell the unit what appeared since translation was switched on unless CAP.CM asks for
 * it. Such kernels must run unmodified; this one runs under QEMU too.
 */
#include "guest/thirdparty/kernel.h"

#define PAGE 4096UL

/* Fixed where every emulator of the unit has it. */
#define VTD          0xfed90000UL
#define VTD_VER      0x00
#define VTD_CAP      0x08
#define VTD_ECAP     0x10
#define VTD_GCMD     0x18
#define VTD_GSTS     0x1c
#define VTD_RTADDR   0x20
#define VTD_CCMD     0x28
#define VTD_FSTS     0x34
#define VTD_IQT      0x88
#define VTD_IQA      0x90
#define GCMD_TE      (1U << 31)
#define GCMD_SRTP    (1U << 30)
#define GCMD_QIE     (1U << 26)
#define CAP_CM       (1UL << 7)
#define GLOBAL_ICC   (1UL << 63 | 1UL << 61)
#define GLOBAL_IVT   (1UL << 63 | 1UL << 60)
#define FAULT        (1UL << 63)
#define MAPPED       3UL /* read, write */
#define PRESENT      1UL
#define WIDTH_39_BIT 1UL

#define EDU            0x11e81234U
#define EDU_LIVENESS   0x04
#define EDU_IRQ_STATUS 0x24
#define EDU_IRQ_RAISE  0x60
#define EDU_IRQ_ACK    0x64
#define EDU_DMA_SOURCE 0x80
#define EDU_DMA_TARGET 0x88
#define EDU_DMA_COUNT  0x90
#define EDU_DMA_CMD    0x98
#define EDU_BUFFER     0x40000UL
#define DMA_RUN        1UL
#define DMA_TO_MEMORY  2UL
#define COUNT          256UL

#define VECTORS 0x20 /* of the 8259s, where everyone puts them */

void kernel_main(void);
void kernel_interrupt(void);
void interrupt_stub(void);

static struct edu {
	unsigned slot;
	unsigned long bar;
	uint8_t line;
} edu[2];

static uint64_t root[512] __attribute__((aligned(4096)));
static uint64_t context[512] __attribute__((aligned(4096)));
static uint64_t tables[3][512] __attribute__((aligned(4096)));
static uint8_t pages[3][4096] __attribute__((aligned(4096)));
static uint64_t idt[512];
static volatile unsigned interrupts;
static volatile uint32_t cause;
static unsigned failed;
static void outl(uint16_t port, uint32_t value) { __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port)); }

static uint16_t inw(uint16_t port)
{
	uint16_t value;

	__asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static uint32_t inl(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static volatile uint32_t *at32(unsigned long address) { return (volatile uint32_t *)address; }

static volatile uint64_t *at64(unsigned long address) { return (volatile uint64_t *)address; }

static void print(const char *s)
{
	for (; *s; s++) {
		while (!(inb(0x3fd) & 0x20))
			;
		outb(0x3f8, (uint8_t)*s);
	}
}

void expect(bool good, const char *text)
{
	print(good ? "good: " : "BAD: found otherwise, expected: ");
	print(text);
	print("\r\n");
	failed += !good;
}

/* The register's low bits go into 0xcf8 with the rest, and the access is always at 0xcfc. */
static void select(unsigned slot, unsigned offset) { outl(0xcf8, 0x80000000U | slot << 11 | offset); }

static bool wait32(unsigned offset, uint32_t mask, uint32_t wanted)
{
	for (unsigned long i = 0; i < TURNS; i++)
		if ((*at32(VTD + offset) & mask) == wanted) return true;
	return false;
}

static bool wait_clear64(unsigned long address, uint64_t mask)
{
	for (unsigned long i = 0; i < TURNS; i++)
		if (!(*at64(address) & mask)) return true;
	return false;
}

static unsigned find_devices(void)
{
	unsigned n = 0;

	for (unsigned slot = 0; slot < 32 && n < 2; slot++) {
		select(slot, 0);
		if (inl(0xcfc) != EDU) continue;
		edu[n].slot = slot;
		select(slot, 0x10);
		edu[n].bar = inl(0xcfc) & ~0xfU;
		select(slot, 0x3c);
		edu[n].line = inb(0xcfc);
		n++;
	}
	return n;
}

static void check_firmware(const struct edu *device)
{
	uint16_t command;

	select(device->slot, 0x02);
	expect(inw(0xcfc) == EDU >> 16, "the device id, by 0xcf8 with bit 1 set");
	select(device->slot, 0x3d);
	expect(inb(0xcfc) == 1, "INTA#, by 0xcf8 with bit 0 set");
	select(device->slot, 0x04);
	command = inw(0xcfc);
	expect(device->bar && command & 2, "BAR assigned, memory enabled");
	select(device->slot, 0x04);
	outw(0xcfc, command | 4);
	*at32(device->bar + EDU_LIVENESS) = 0x1234;
	expect(*at32(device->bar + EDU_LIVENESS) == ~0x1234U, "it lives");
}

static void dma(const struct edu *device, uint64_t from, uint64_t to, uint64_t command)
{
	*at64(device->bar + EDU_DMA_SOURCE) = from;
	*at64(device->bar + EDU_DMA_TARGET) = to;
	*at64(device->bar + EDU_DMA_COUNT) = COUNT;
	*at64(device->bar + EDU_DMA_CMD) = DMA_RUN | command;
	wait_clear64(device->bar + EDU_DMA_CMD, DMA_RUN);
}

/* From the page at one bus address through the device's buffer to the page at the other. */
static bool copies(const struct edu *device, unsigned from, unsigned to, uint64_t iova_from, uint64_t iova_to,
		   uint8_t seed)
{
	for (unsigned i = 0; i < COUNT; i++) {
		((volatile uint8_t *)pages[from])[i] = (uint8_t)(i * 7 + seed);
		((volatile uint8_t *)pages[to])[i] = 0;
	}
	dma(device, iova_from, EDU_BUFFER, 0);
	dma(device, EDU_BUFFER, iova_to, DMA_TO_MEMORY);
	for (unsigned i = 0; i < COUNT; i++)
		if (((volatile uint8_t *)pages[to])[i] != (uint8_t)(i * 7 + seed)) return false;
	return true;
}

static void set_context(const struct edu *device, uint64_t domain)
{
	context[device->slot * 16 + 1] = domain << 8 | WIDTH_39_BIT;
	context[device->slot * 16] = (uint64_t)tables[0] | PRESENT;
}

static void flush_contexts(void)
{
	*at64(VTD + VTD_CCMD) = GLOBAL_ICC;
	expect(wait_clear64(VTD + VTD_CCMD, FAULT), "context cache invalidated");
}

static void enable_unit(void)
{
	unsigned long iotlb = VTD + (*at64(VTD + VTD_ECAP) >> 8 & 0x3ff) * 16 + 8;

	root[0] = (uint64_t)context | PRESENT;
	tables[0][0] = (uint64_t)tables[1] | MAPPED;
	tables[1][0] = (uint64_t)tables[2] | MAPPED;
	*at64(VTD + VTD_RTADDR) = (uint64_t)root;
	*at32(VTD + VTD_GCMD) = GCMD_SRTP;
	expect(wait32(VTD_GSTS, GCMD_SRTP, GCMD_SRTP), "root table set");
	flush_contexts();
	*at64(iotlb) = GLOBAL_IVT;
	expect(wait_clear64(iotlb, FAULT), "IOTLB invalidated");
	*at64(VTD + VTD_IQT) = 0;
	*at64(VTD + VTD_IQA) = 0;
	*at32(VTD + VTD_GCMD) = GCMD_QIE;
	expect(wait32(VTD_GSTS, GCMD_QIE, GCMD_QIE), "queue on, at 0, never to be used");
	*at32(VTD + VTD_GCMD) = GCMD_QIE | GCMD_TE;
	expect(wait32(VTD_GSTS, GCMD_TE, GCMD_TE), "translation on");
}

/* Mappings, and a device, that appear while translation is on. */
static void translate(unsigned devices)
{
	tables[2][16] = (uint64_t)pages[0] | MAPPED;
	tables[2][17] = (uint64_t)pages[1] | MAPPED;
	expect(copies(&edu[0], 0, 1, 16 * PAGE, 17 * PAGE, 1), "two new mappings, DMA both ways");
	tables[2][18] = (uint64_t)pages[2] | MAPPED;
	expect(copies(&edu[0], 1, 2, 17 * PAGE, 18 * PAGE, 2), "a third one, added after DMA");
	if (devices < 2) return;
	set_context(&edu[1], 2);
	if (*at64(VTD + VTD_CAP) & CAP_CM) flush_contexts();
	expect(copies(&edu[1], 2, 0, 18 * PAGE, 16 * PAGE, 3), "the second device, added by now");
}

static void fault(void)
{
	unsigned long record = VTD + (*at64(VTD + VTD_CAP) >> 24 & 0x3ff) * 16;
	uint64_t high;

	dma(&edu[0], EDU_BUFFER, 99 * PAGE, DMA_TO_MEMORY);
	high = *at64(record + 8);
	expect(*at32(VTD + VTD_FSTS) & 2 && high & FAULT, "DMA to no mapping: a fault is pending");
	expect((high >> 32 & 0xff) == 5 && (high & 0xffff) == edu[0].slot << 3 && *at64(record) == 99 * PAGE,
	       "... reason 5, this device, this page");
	*at64(record + 8) = FAULT;
	expect(!(*at32(VTD + VTD_FSTS) & 2), "... and cleared");
	if (*at64(VTD + VTD_CAP) & CAP_CM) return;
	tables[2][99] = (uint64_t)pages[2] | MAPPED;
	expect(copies(&edu[0], 0, 2, 16 * PAGE, 99 * PAGE, 4), "... mapped by now: DMA arrives");
}

void kernel_interrupt(void)
{
	cause = *at32(edu[0].bar + EDU_IRQ_STATUS);
	*at32(edu[0].bar + EDU_IRQ_ACK) = cause;
	interrupts++;
	if (edu[0].line >= 8) outb(0xa0, 0x20);
	outb(0x20, 0x20);
}

static void init_8259s(unsigned line)
{
	outb(0x20, 0x11);
	outb(0xa0, 0x11);
	outb(0x21, VECTORS);
	outb(0xa1, VECTORS + 8);
	outb(0x21, 4);
	outb(0xa1, 2);
	outb(0x21, 1);
	outb(0xa1, 1);
	outb(0x21, (uint8_t) ~(line < 8 ? 1U << line : 4U));
	outb(0xa1, (uint8_t) ~(line < 8 ? 0U : 1U << (line - 8)));
}

void set_gate(unsigned vector, void (*stub)(void))
{
	uint64_t to = (uint64_t)stub;

	idt[vector * 2] = (to & 0xffff) | 8UL << 16 | 0x8eUL << 40 | (to >> 16 & 0xffff) << 48;
	idt[vector * 2 + 1] = to >> 32;
}

void load_idt(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) pointer = {sizeof(idt) - 1, (uint64_t)idt};

	__asm__ volatile("lidt %0" : : "m"(pointer));
}

static void interrupt(void)
{
	unsigned line = edu[0].line;

	expect(line && line < 16, "an interrupt line of the 8259s");
	set_gate(VECTORS + line % 16, interrupt_stub);
	load_idt();
	init_8259s(line % 16);
	for (uint32_t n = 1; n <= 2; n++) {
		*at32(edu[0].bar + EDU_IRQ_RAISE) = n;
		__asm__ volatile("sti" : : : "memory");
		for (unsigned long i = 0; i < TURNS && interrupts < n; i++) __asm__ volatile("pause");
		__asm__ volatile("cli" : : : "memory");
		expect(interrupts == n && cause == n, "INTx by the firmware's line, once");
	}
}

void kernel_main(void)
{
	unsigned devices = find_devices();
	bool unit = *at32(VTD + VTD_VER) != ~0U;

	expect(devices, "an edu device");
	for (unsigned i = 0; i < devices; i++) check_firmware(&edu[i]);
	if (unit) {
		set_context(&edu[0], 1);
		enable_unit();
		translate(devices);
		fault();
	} else {
		expect(copies(&edu[0], 0, 1, (uint64_t)pages[0], (uint64_t)pages[1], 1),
		       "no VT-d unit: DMA to where it says");
	}
	interrupt();
	cpus_main();
	print(failed ? "done, with errors\r\n" : "done\r\n");
	outl(0xf4, failed ? 1 : 0);
}
