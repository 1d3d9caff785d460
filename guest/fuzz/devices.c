// SPDX-License-Identifier: MIT
/*
 * Operations on the devices: ports, MMIO by any instruction, interrupts, DMA, and the IOMMU with
 * its queue and tables. Whatever may write memory is given addresses in memory that nobody needs,
 * or where none is; whatever would end or reset the machine by right is left out.
 */
#include "guest/fuzz/fuzz.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/ioapic.h"
#include "guest/lib/lapic.h"
#include "guest/lib/pci.h"
#include "guest/lib/vtd.h"

#define PAGE          4096UL
#define NO_MEMORY     (1UL << 38) /* far above all RAM */
#define IOAPIC_WINDOW 0x10
#define TESTDEV       0xff000000UL
#define HOLE          0xc8000000UL
#define ROM           0xf0000UL
#define VGA           0xb8000UL
#define IOTLB         (VTD_BASE + 0xf0)

/* Delivery modes of a message that leave the CPU alone: not SMI, INIT, start-up. */
#define MODE_BITS 0x700UL
static const uint64_t modes[] = {0x000, 0x100, 0x400, 0x700};

/* What the unit is told: root, contexts, four levels, interrupt entries; a queue of any size. */
enum { ROOT, CONTEXTS, LEVEL4, LEVEL3, LEVEL2, LEVEL1, ENTRIES, TABLES };
static uint64_t tables[TABLES][512] __attribute__((aligned(4096)));
static uint64_t queue[65536] __attribute__((aligned(4096)));

static struct edu_device edu;
static bool has_edu, has_iommu, has_testdev;

void fuzz_devices_find(void)
{
	uint32_t version = mmio_read32(VTD_BASE + VTD_VER);

	has_edu = edu_find(0, &edu);
	has_iommu = version && version != ~0U;
	has_testdev = mmio_read32(TESTDEV) != ~0U;
	lapic_enable();
}

/* The edu where it was at first, whatever has been written to its configuration since. */
static void edu_as_found(void)
{
	pci_write32(edu.source_id, PCI_BAR0, (uint32_t)edu.bar);
	pci_write16(edu.source_id, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

void fuzz_apic_as_found(void)
{
	if (rdmsr(MSR_IA32_APIC_BASE) & APIC_BASE_EXTD) wrmsr(MSR_IA32_APIC_BASE, LAPIC_BASE);
	wrmsr(MSR_IA32_APIC_BASE, LAPIC_BASE | APIC_BASE_EN | APIC_BASE_BSP);
}

void fuzz_devices_quiet(void)
{
	fuzz_apic_as_found();
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	for (unsigned pin = 0; pin < 24; pin++) ioapic_write_entry(pin, RTE_MASKED);
	lapic_write(LAPIC_LVT_TIMER, LAPIC_LVT_MASKED);
	lapic_write(LAPIC_TIMER_INITIAL, 0);
	for (unsigned line = 0; has_testdev && line < 16; line++) outb((uint16_t)(0x2000 + line), 0);
	console_init();
}

static uint64_t message_command(void) { return (fuzz_value() & 0xc8ff) | modes[fuzz_below(ARRAY_SIZE(modes))]; }

/* Ports. */

static const uint16_t ports[] = {
	0x20,  0x21,  0xa0,  0xa1,  0x40,  0x43,  0x60,  0x61,  0x64,  0x70,   0x71,   0x80,   0x92,   0xe0,  0xe1,
	0xe4,  0x2f8, 0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x3fd, 0x3fe, 0x3ff,  0x402,  0x4d0,  0x4d1,  0x600, 0x602,
	0x608, 0xcf8, 0xcf8, 0xcfc, 0xcfc, 0xcfc, 0xcfd, 0xcfe, 0xcff, 0x2000, 0x2005, 0x200f, 0xffff,
};

static uint16_t some_port(void)
{
	return fuzz_below(4) ? ports[fuzz_below(ARRAY_SIZE(ports))] : (uint16_t)fuzz_random();
}

/* Where a write of any width may end or reset the machine. */
static bool ends_machine(uint16_t port)
{
	static const uint16_t bad[] = {0x64, 0x92, 0xf4, 0x604, 0x605, 0xcf9, 0x8900};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		if (port <= bad[i] && bad[i] <= port + 3) return true;
	return false;
}

/* A device's interrupt message as its configuration has it: no INIT either. */
static uint32_t port_value(uint16_t port)
{
	uint32_t value = (uint32_t)fuzz_value();

	if (port == 0xcf8)
		return fuzz_below(8) ? 0x80000000 | (uint32_t)fuzz_below(8) << 11 | (uint32_t)fuzz_below(64) << 2
				     : value;
	if (port >= 0xcfc && port <= 0xcff) return value & ~0x07070707U;
	return value;
}

void fuzz_port(void *nothing)
{
	uint16_t port = some_port();
	uint64_t how = fuzz_below(6);
	uint32_t value = port_value(port);

	(void)nothing;
	if (how >= 3 && ends_machine(port)) how -= 3;
	if (how == 0)
		inb(port);
	else if (how == 1)
		inw(port);
	else if (how == 2)
		inl(port);
	else if (how == 3)
		outb(port, (uint8_t)value);
	else if (how == 4)
		outw(port, (uint16_t)value);
	else
		outl(port, value);
	if (has_edu && !fuzz_below(64)) edu_as_found();
}

void fuzz_string_port(void *nothing)
{
	uint16_t port = some_port();
	uint64_t count = fuzz_below(fuzz_below(16) ? 16 : 300);
	uint8_t *from = fuzz_scratch + fuzz_below(PAGE), *to = fuzz_scratch + fuzz_below(PAGE);
	bool in = fuzz_below(2) || ends_machine(port) || (port & 0xfff8) == 0xcf8;

	(void)nothing;
	switch (fuzz_below(3) + (in ? 3 : 0)) {
	case 0: __asm__ volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(port) : "memory"); break;
	case 1: __asm__ volatile("rep outsw" : "+S"(from), "+c"(count) : "d"(port) : "memory"); break;
	case 2: __asm__ volatile("std; rep outsl; cld" : "+S"(from), "+c"(count) : "d"(port) : "memory"); break;
	case 3: __asm__ volatile("rep insb" : "+D"(to), "+c"(count) : "d"(port) : "memory"); break;
	case 4: __asm__ volatile("rep insw" : "+D"(to), "+c"(count) : "d"(port) : "memory"); break;
	case 5: __asm__ volatile("insl; insb" : "+D"(to) : "d"(port) : "memory"); break;
	}
}

/* MMIO. */

/* Memory that a device may write: nobody needs it, or it is none. */
static uint64_t target(void)
{
	uint64_t address = (uint64_t)fuzz_scratch + fuzz_below(PAGE);

	return fuzz_below(8) ? address : NO_MEMORY + fuzz_below(1UL << 30);
}

static uint64_t table(void) { return fuzz_below(16) ? (uint64_t)tables[fuzz_below(TABLES)] : NO_MEMORY; }

/* A value for a register of the unit: its own tables, or anything where it can do no harm. */
static uint64_t unit_value(uint64_t offset)
{
	uint64_t value = fuzz_value();

	switch (offset & ~7UL) {
	case VTD_RTADDR: return fuzz_below(4) ? (uint64_t)tables[ROOT] : table() | (value & 0xfff);
	case VTD_IQA: return (fuzz_below(16) ? (uint64_t)queue : NO_MEMORY) | (value & 0xfff);
	case VTD_IRTA: return (fuzz_below(16) ? (uint64_t)tables[ENTRIES] : NO_MEMORY) | fuzz_below(9);
	case VTD_FEDATA & ~7:
	case VTD_FEADDR & ~7:
	case VTD_IEDATA & ~7:
	case VTD_IEADDR & ~7: return (value & ~MODE_BITS) | (fuzz_below(2) ? MESSAGE_BASE : 0);
	case VTD_GCMD & ~7: return value & 0xff800000;
	default: return value;
	}
}

static uint64_t some_address(void)
{
	switch (fuzz_below(has_edu ? 9 : 8)) {
	case 0: return LAPIC_BASE + (fuzz_below(4) ? 16 * fuzz_below(64) : fuzz_below(PAGE));
	case 1: return IOAPIC_BASE + (fuzz_below(2) ? 16 * fuzz_below(5) : fuzz_below(PAGE - 8));
	case 2:
	case 3: return VTD_BASE + (fuzz_below(4) ? 4 * fuzz_below(72) : fuzz_below(PAGE - 8));
	case 4: return TESTDEV + fuzz_below(65536 - 8);
	case 5: return HOLE + fuzz_below(PAGE);
	case 6: return ROM + fuzz_below(PAGE);
	case 7: return VGA + fuzz_below(PAGE);
	default: return edu.bar + (fuzz_below(2) ? 4 * fuzz_below(64) : fuzz_below(EDU_REGISTERS - 8));
	}
}

static uint64_t value_for(uint64_t address)
{
	uint64_t value = fuzz_value();

	if (address - VTD_BASE < PAGE) return unit_value(address - VTD_BASE);
	if (address - LAPIC_BASE < PAGE || address - IOAPIC_BASE < PAGE)
		return (value & ~MODE_BITS) | modes[fuzz_below(ARRAY_SIZE(modes))];
	if (has_edu && address - edu.bar - 0x78 < 0x20) return target();
	return value;
}

void fuzz_mmio(void *nothing)
{
	uint64_t address = some_address(), value = value_for(address);

	(void)nothing;
	switch (fuzz_below(8)) {
	case 0: mmio_read8(address); break;
	case 1: mmio_read16(address); break;
	case 2: mmio_read32(address); break;
	case 3: mmio_read64(address); break;
	case 4: mmio_write8(address, (uint8_t)value); break;
	case 5: mmio_write64(address, value); break;
	default: mmio_write32(address & ~3UL, (uint32_t)value); break;
	}
}

/*
 * An instruction made of prefixes, an opcode and its ModRM byte, with the address in RDI. None has
 * RSP as its register, and those of groups that would jump are left out.
 */
static const struct {
	uint8_t bytes[2];  /* the opcode; two when it begins with 0x0f */
	uint8_t immediate; /* bytes of it */
	uint8_t groups;    /* of ModRM.reg, those that are meant; 0: it is a register */
} forms[] = {
	{{0x00}, 0, 0},       {{0x01}, 0, 0},          {{0x08}, 0, 0},       {{0x11}, 0, 0},       {{0x19}, 0, 0},
	{{0x21}, 0, 0},       {{0x22}, 0, 0},          {{0x29}, 0, 0},       {{0x2b}, 0, 0},       {{0x31}, 0, 0},
	{{0x33}, 0, 0},       {{0x38}, 0, 0},          {{0x3b}, 0, 0},       {{0x84}, 0, 0},       {{0x85}, 0, 0},
	{{0x86}, 0, 0},       {{0x87}, 0, 0},          {{0x88}, 0, 0},       {{0x89}, 0, 0},       {{0x8a}, 0, 0},
	{{0x8b}, 0, 0},       {{0xa4}, 0, 0},          {{0xa5}, 0, 0},       {{0xaa}, 0, 0},       {{0xab}, 0, 0},
	{{0xac}, 0, 0},       {{0x80}, 1, 0xff},       {{0x83}, 1, 0xff},    {{0xc6}, 1, 0x01},    {{0xf6}, 0, 0x0c},
	{{0xf7}, 0, 0x0c},    {{0xfe}, 0, 0x03},       {{0xff}, 0, 0x03},    {{0x0f, 0xa3}, 0, 0}, {{0x0f, 0xab}, 0, 0},
	{{0x0f, 0xb3}, 0, 0}, {{0x0f, 0xbb}, 0, 0},    {{0x0f, 0xb6}, 0, 0}, {{0x0f, 0xb7}, 0, 0}, {{0x0f, 0xbe}, 0, 0},
	{{0x0f, 0xbf}, 0, 0}, {{0x0f, 0xba}, 1, 0xf0}, {{0x0f, 0xc3}, 0, 0},
};

#define RSP_REG   4
#define MODRM_RDI 7
#define RET       0xc3

static uint8_t group_of(uint8_t groups)
{
	uint8_t reg;

	do reg = (uint8_t)fuzz_below(8);
	while (groups ? !(groups >> reg & 1) : reg == RSP_REG);
	return reg;
}

/* A bit string (0F A3, AB, B3, BB): a bit number in a register, which reaches beyond the operand. */
static bool is_bit_string(const uint8_t *opcode) { return opcode[0] == 0x0f && (opcode[1] & 0xe7) == 0xa3; }

/* Returns whether it reaches further than its address says. */
static bool make_instruction(uint8_t *code)
{
	static const uint8_t prefixes[] = {0x66, 0xf0, 0xf2, 0xf3, 0x2e, 0x64};
	unsigned n = (unsigned)fuzz_below(ARRAY_SIZE(forms));

	for (unsigned i = 0; i < 3; i++)
		if (!fuzz_below(4)) *code++ = prefixes[fuzz_below(ARRAY_SIZE(prefixes))];
	if (!fuzz_below(2)) *code++ = (uint8_t)(0x40 | (fuzz_below(2) ? 8 : 0)); /* REX, REX.W */
	*code++ = forms[n].bytes[0];
	if (forms[n].bytes[0] == 0x0f) *code++ = forms[n].bytes[1];
	if (forms[n].bytes[0] < 0xa4 || forms[n].bytes[0] > 0xac)
		*code++ = (uint8_t)(group_of(forms[n].groups) << 3 | MODRM_RDI);
	for (unsigned i = 0; i < forms[n].immediate; i++) *code++ = (uint8_t)fuzz_value();
	*code = RET;
	return is_bit_string(forms[n].bytes);
}

/* Where no arithmetic can make an address or a command of it that does harm. */
static uint64_t harmless_address(void)
{
	switch (fuzz_below(6)) {
	case 0: return LAPIC_BASE + 0x380 + fuzz_below(0x60); /* its timer */
	case 1: return VTD_BASE + VTD_CCMD + fuzz_below(0x20);
	case 2: return TESTDEV + 64 + fuzz_below(65536 - 128);
	case 3: return HOLE + 64 + fuzz_below(2 * PAGE);
	case 4: return ROM + 64 + fuzz_below(PAGE);
	default: return has_edu ? edu.bar + fuzz_below(0x40) : HOLE;
	}
}

void fuzz_any_mmio(void *nothing)
{
	static uint8_t code[32];
	uint64_t rax = fuzz_value(), rcx = fuzz_below(5), rdi = harmless_address();
	uint64_t rdx = fuzz_below(64), rsi = (uint64_t)fuzz_scratch + 128;
	register void *at __asm__("r8");

	(void)nothing;
	wrmsr(MSR_IA32_FS_BASE,
	      rax & 63); /* not what an operation left there: from the ROM it may lead into this image */
	if (make_instruction(code) && rdi < MiB) rdi = HOLE; /* so may a bit string */
	at = code;
	__asm__ volatile("push %%rbx; push %%rbp; mov %%rax, %%rbx; mov %%rdx, %%rbp\n"
			 "call *%[at]; cld; pop %%rbp; pop %%rbx"
			 : "+a"(rax), "+c"(rcx), "+d"(rdx), "+S"(rsi), "+D"(rdi), [at] "+r"(at)
			 :
			 : "memory", "cc", "r9", "r10", "r11", "r12", "r13", "r14", "r15");
}

/* Interrupts: controllers set up in any way, requests of every kind, a moment with IF on. */

static void open_window(void) { __asm__ volatile("sti; nop; nop; nop; nop; cli" : : : "memory"); }

void fuzz_interrupt(void *nothing)
{
	(void)nothing;
	switch (fuzz_below(9)) {
	case 0:
		lapic_write(LAPIC_LVT_TIMER + (unsigned)fuzz_below(6),
			    (uint32_t)message_command() | (uint32_t)fuzz_below(4) << 16);
		break;
	case 1:
		lapic_write(LAPIC_TIMER_DIVIDE, (uint32_t)fuzz_below(16));
		lapic_write(LAPIC_TIMER_INITIAL, (uint32_t)fuzz_value());
		break;
	case 2:
		lapic_write(LAPIC_ICR_HIGH, (uint32_t)fuzz_value());
		lapic_write(LAPIC_ICR_LOW, (uint32_t)message_command() | (uint32_t)fuzz_below(4) << 18);
		break;
	case 3: lapic_write(LAPIC_SVR, (uint32_t)(fuzz_below(4) ? 0x1ff : fuzz_value())); break;
	case 4:
		ioapic_write_entry((unsigned)fuzz_below(24),
				   message_command() | (fuzz_below(4) ? 0 : RTE_MASKED) | fuzz_below(256) << 56);
		break;
	case 5:
		if (has_testdev) outb((uint16_t)(0x2000 + fuzz_below(24)), (uint8_t)fuzz_below(2));
		break;
	case 6:
		outb(fuzz_below(2) ? 0x21 : 0xa1, (uint8_t)fuzz_value());
		outb(fuzz_below(2) ? 0x20 : 0xa0, (uint8_t)(fuzz_below(4) ? 0x20 : fuzz_value()));
		break;
	case 7: fuzz_write_cr8(fuzz_below(16)); break;
	case 8:
		for (unsigned i = 0; i < 8; i++) lapic_eoi();
		break;
	}
	open_window();
}

/* DMA and the unit it goes through. */

/* Nobody waits for its end: it may never come. */
static void start_dma(uint64_t source, uint64_t destination, uint64_t count, uint64_t command)
{
	mmio_write64(edu.bar + EDU_DMA_SOURCE, source);
	mmio_write64(edu.bar + EDU_DMA_DESTINATION, destination);
	mmio_write64(edu.bar + EDU_DMA_COUNT, count);
	mmio_write64(edu.bar + EDU_DMA_COMMAND, EDU_DMA_RUN | command);
}

void fuzz_dma(void *nothing)
{
	uint64_t count = fuzz_below(fuzz_below(4) ? 64 : 4097);
	uint64_t command = fuzz_below(2) ? EDU_DMA_IRQ : 0;

	(void)nothing;
	if (!has_edu) return;
	if (!fuzz_below(8)) edu_as_found();
	if (!fuzz_below(8)) { /* a message: four bytes that are one */
		*(uint32_t *)fuzz_scratch = (uint32_t)message_command();
		start_dma((uint64_t)fuzz_scratch, EDU_DMA_BUFFER, 4, 0);
		start_dma(EDU_DMA_BUFFER, MESSAGE_BASE + (fuzz_below(1 << 18) << 2), 4, EDU_DMA_TO_MEMORY);
	} else if (fuzz_below(2)) {
		start_dma(EDU_DMA_BUFFER + fuzz_below(64), target(), count, EDU_DMA_TO_MEMORY | command);
	} else {
		start_dma(target(), EDU_DMA_BUFFER + fuzz_below(64), count, command);
	}
	if (command) mmio_write32(edu.bar + EDU_INTERRUPT_ACK, ~0U);
	open_window();
}

/* An entry of a table that the unit reads, right or nearly so. */
static void change_entry(void)
{
	uint64_t n = fuzz_below(TABLES), *entry;
	uint64_t index = fuzz_below(4) ? edu.source_id & 0xff : fuzz_below(256);

	switch (n) {
	case ROOT: tables[ROOT][0] = (uint64_t)tables[CONTEXTS] | fuzz_below(16) / 15 | 1; return;
	case CONTEXTS:
		entry = &tables[CONTEXTS][2 * index];
		entry[1] = fuzz_below(4) << 8 | fuzz_below(4);
		entry[0] = (fuzz_below(8) ? (uint64_t)tables[LEVEL4 + fuzz_below(2)] : table()) | fuzz_below(16) |
			   (fuzz_below(4) ? 1 : 0);
		return;
	case ENTRIES:
		tables[ENTRIES][2 * fuzz_below(256)] =
			(fuzz_value() & ~BITS(7, 5)) | fuzz_below(3) << 5 | fuzz_below(2);
		return;
	case LEVEL1:
		tables[LEVEL1][(uint64_t)fuzz_scratch >> 12 & 511] =
			((target() & ~(PAGE - 1)) | (fuzz_value() & 0xfff & ~SL_LARGE)) & ~SL_LARGE;
		return;
	default: /* a level above: the next table, or a large page of what is no memory */
		entry = &tables[n][fuzz_below(8) ? 0 : fuzz_below(512)];
		*entry = (uint64_t)tables[n + 1] | SL_RW;
		if (!fuzz_below(8)) *entry = NO_MEMORY | SL_LARGE | fuzz_below(4096);
	}
}

/* All as a driver would leave it, so that what follows begins in the middle of things. */
static void set_up_unit(void)
{
	for (unsigned i = 0; i < 64; i++) change_entry();
	mmio_write32(VTD_BASE + VTD_FSTS, ~0U);
	mmio_write64(VTD_BASE + VTD_RTADDR, (uint64_t)tables[ROOT]);
	mmio_write64(VTD_BASE + VTD_IQT, 0);
	mmio_write64(VTD_BASE + VTD_IQA, (uint64_t)queue);
	mmio_write64(VTD_BASE + VTD_IRTA, (uint64_t)tables[ENTRIES] | 7);
	mmio_write32(VTD_BASE + VTD_GCMD, GCMD_SRTP | GCMD_SIRTP);
	mmio_write32(VTD_BASE + VTD_GCMD, GCMD_TE | GCMD_QIE | (fuzz_below(2) ? GCMD_IRE : 0));
}

void fuzz_iommu(void *nothing)
{
	uint64_t offset = 4 * fuzz_below(72);

	(void)nothing;
	if (!has_iommu) return;
	if (!fuzz_below(32)) set_up_unit();
	switch (fuzz_below(4)) {
	case 0: mmio_write64(VTD_BASE + (offset & ~7UL), unit_value(offset & ~7UL)); break;
	case 1:
		mmio_write64(VTD_BASE + VTD_CCMD, CCMD_ICC | fuzz_below(4) << 61 | edu.source_id << 16 | fuzz_below(4));
		break;
	case 2: mmio_write64(IOTLB + 8, IOTLB_IVT | fuzz_below(4) << 60 | fuzz_below(4) << 32); break;
	default: change_entry(); break;
	}
}

/* Up to a whole queue of descriptors, by one write of the tail. */
void fuzz_queue(void *nothing)
{
	uint64_t tail, count = fuzz_below(fuzz_below(64) ? 8 : 32768), size;

	(void)nothing;
	if (!has_iommu) return;
	size = 256UL << (mmio_read64(VTD_BASE + VTD_IQA) & 7);
	tail = mmio_read64(VTD_BASE + VTD_IQT) / 16;
	for (uint64_t i = 0; i < count && i < size; i++, tail = (tail + 1) % size) {
		uint64_t *descriptor = &queue[2 * (tail % 32768)];

		descriptor[0] = fuzz_below(64) ? 1 + fuzz_below(5) : fuzz_value();
		descriptor[0] |= (1 + fuzz_below(3)) << 4;
		descriptor[0] |= fuzz_below(4) << 16 | (uint64_t)edu.source_id << 32;
		descriptor[1] = (descriptor[0] & 15) == DESC_WAIT ? target() & ~3UL : 0;
	}
	mmio_write64(VTD_BASE + VTD_IQT, tail * 16);
	if (!fuzz_below(4)) mmio_write32(VTD_BASE + VTD_FSTS, FSTS_IQE);
}
