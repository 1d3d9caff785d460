// SPDX-License-Identifier: MIT
/*
 * The second image to read: every width and direction of access to a device, by MMIO and by
 * port, with each instruction form that compilers emit. Needs one edu; the word "native" skips
 * what only Leafcutter defines.
 */
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/paging.h"
#include "guest/lib/pci.h"
#include "guest/lib/start.h"
#include "lib/string.h"

#define NOTHING   0xc8000000UL /* in the PCI window, with no device there */
#define NO_PORT   0x1234
#define ELSEWHERE (1UL << 40) /* virtual addresses beside the identity map */
#define SCRATCH   (COM1 + 7)  /* a byte the uart keeps and does not use */

static struct edu_device edu;
static uint64_t liveness, dma_source; /* addresses of two registers */

static void widths(void)
{
	heading("Widths: 4 bytes for registers below 0x80, 4 or 8 from there");
	check_is(EDU_IDENTIFIED, mmio_read32(edu.bar + EDU_IDENTIFICATION), "mov r32: edu id");
	mmio_write32(liveness, 0x12345678);
	check_is(~0x12345678U, mmio_read32(liveness), "mov to memory: liveness inverts");
	check_is(3628800, edu_factorial(&edu, 10), "10! computed by the device");
	mmio_write64(dma_source, 0x1122334455667788);
	check_is(0x1122334455667788, mmio_read64(dma_source), "mov r64: DMA source register");
	__asm__ volatile("movl $0x7654321, (%0)" : : "r"(liveness) : "memory");
	check_is(~0x7654321U, mmio_read32(liveness), "mov imm32");
	__asm__ volatile("movq $-2, (%0)" : : "r"(dma_source) : "memory");
	check_is(~1UL, mmio_read64(dma_source), "mov imm32 sign-extended to 64 bits");
}

/* As QEMU's edu: no register is that narrow, so they read as 0 and writes are lost. */
static void narrow(void)
{
	uint32_t zero_extended, sign_extended;

	heading("One and two bytes: no registers of this device; where nothing is, ones");
	mmio_write32(liveness, 0);
	mmio_write8(liveness, 0x55);
	mmio_write16(liveness, 0x5555);
	check_is(~0U, mmio_read32(liveness), "mov r8 and r16 to memory change nothing");
	check_is(0, mmio_read8(liveness), "mov r8 from a register reads 0");
	check_is(0, mmio_read16(liveness), "mov r16 from a register reads 0");
	check_is(0xff, mmio_read8(NOTHING), "mov r8");
	check_is(0xffff, mmio_read16(NOTHING), "mov r16");
	__asm__ volatile("movzbl (%1), %0" : "=r"(zero_extended) : "r"(NOTHING));
	__asm__ volatile("movsbl (%1), %0" : "=r"(sign_extended) : "r"(NOTHING));
	check_is(0xff, zero_extended, "movzx r32, m8");
	check_is(~0U, sign_extended, "movsx r32, m8");
	__asm__ volatile("movzwl (%1), %0" : "=r"(zero_extended) : "r"(NOTHING));
	__asm__ volatile("movswl (%1), %0" : "=r"(sign_extended) : "r"(NOTHING));
	check_is(0xffff, zero_extended, "movzx r32, m16");
	check_is(~0U, sign_extended, "movsx r32, m16");
}

/* 'instruction' with a register on the DMA source register, which held 0xff00ff00ff00. */
#define MODIFY(instruction, operand, expected)                                                                         \
	do {                                                                                                           \
		mmio_write64(dma_source, 0xff00ff00ff00);                                                              \
		__asm__ volatile(instruction " %1, (%0)"                                                               \
				 :                                                                                     \
				 : "r"(dma_source), "r"((uint64_t)(operand))                                           \
				 : "memory", "cc");                                                                    \
		check_is(expected, mmio_read64(dma_source), instruction " r64 to memory");                             \
	} while (0)

#define FLAGS(instruction, operand, expected)                                                                          \
	do {                                                                                                           \
		uint64_t flags;                                                                                        \
                                                                                                                       \
		mmio_write64(dma_source, 0xff00ff00ff00);                                                              \
		__asm__ volatile(instruction " %2, (%1)\n\tpushfq\n\tpopq %0"                                          \
				 : "=r"(flags)                                                                         \
				 : "r"(dma_source), "r"((uint64_t)(operand))                                           \
				 : "memory", "cc");                                                                    \
		check_is(expected, flags &(RFLAGS_CF | RFLAGS_ZF | RFLAGS_SF), instruction " sets CF, ZF and SF");     \
		check_is(0xff00ff00ff00, mmio_read64(dma_source), instruction " writes nothing");                      \
	} while (0)

static void modify(void)
{
	uint64_t value = 0x1234;

	heading("Read, modify, write");
	MODIFY("andq", 0xf0f0f0f0f0f0, 0xf000f000f000);
	MODIFY("orq", 0x000000ff00ff, 0xff00ffffffff);
	MODIFY("xorq", 0xffffffffffff, 0x00ff00ff00ff);
	MODIFY("addq", 0x100, 0xff00ff010000);
	FLAGS("testq", 0x00ff00ff00ff, RFLAGS_ZF);
	FLAGS("cmpq", 0xff00ff00ff00, RFLAGS_ZF);
	FLAGS("cmpq", 0xff00ff00ff01, RFLAGS_CF | RFLAGS_SF);
	mmio_write64(dma_source, 7);
	__asm__ volatile("orl $0x70, (%0)" : : "r"(dma_source) : "memory", "cc");
	check_is(0x77, mmio_read64(dma_source), "or imm8 to m32");
	__asm__ volatile("addq (%1), %0" : "+r"(value) : "r"(dma_source) : "cc");
	check_is(0x1234 + 0x77, value, "add r64 from memory");
	__asm__ volatile("xchgq %0, (%1)" : "+r"(value) : "r"(dma_source) : "memory");
	check_is(0x77, value, "xchg reads");
	check_is(0x1234 + 0x77, mmio_read64(dma_source), "xchg writes");
}

static void strings(void)
{
	static const uint64_t from[2] = {0xa0a1a2a3a4a5a6a7, 0xb0b1b2b3b4b5b6b7};
	uint64_t to[2] = {0}, destination = dma_source, count = 2;
	const void *source = from;

	heading("String instructions: the two registers from 0x80 as memory");
	__asm__ volatile("rep movsq" : "+S"(source), "+D"(destination), "+c"(count) : : "memory");
	check_is(dma_source + 16, destination, "rep movsq to the device moves RDI on");
	check_is(0, count, "... and counts RCX down");
	source = (const void *)dma_source;
	destination = (uint64_t)to;
	count = 2;
	__asm__ volatile("rep movsq" : "+S"(source), "+D"(destination), "+c"(count) : : "memory");
	check(!memcmp(from, to, sizeof(to)), "rep movsq from the device brings 16 bytes back");
	destination = dma_source;
	count = 2;
	__asm__ volatile("rep stosq" : "+D"(destination), "+c"(count) : "a"(0x0123456789abcdefUL) : "memory");
	check_is(0x0123456789abcdef, mmio_read64(dma_source + 8), "rep stosq to the device");
}

static void ports(void)
{
	static const uint8_t out[4] = {1, 2, 3, 0x5a};
	uint8_t in[4] = {0};
	const void *source = out;
	void *destination = in;
	uint64_t count = 4;

	heading("Ports");
	outb(SCRATCH, 0xa5);
	check_is(0xa5, inb(SCRATCH), "out and in, 1 byte: the uart's scratch register");
	__asm__ volatile("rep outsb" : "+S"(source), "+c"(count) : "d"(SCRATCH) : "memory");
	check_is(0x5a, inb(SCRATCH), "rep outsb: the last byte stays");
	check_is((uint64_t)(out + 4), (uint64_t)source, "... and RSI moved on");
	count = 4;
	__asm__ volatile("rep insb" : "+D"(destination), "+c"(count) : "d"(SCRATCH) : "memory");
	check_is(0x5a5a5a5a, *(uint32_t *)in, "rep insb: four times the byte");
	outl(PCI_CONFIG_ADDRESS, 0x80000000U | (uint32_t)edu.source_id << 8);
	check_is(EDU_DEVICE << 16 | EDU_VENDOR, inl(PCI_CONFIG_DATA), "in, 4 bytes: PCI ids");
	check_is(EDU_DEVICE, inw(PCI_CONFIG_DATA + 2), "in, 2 bytes: the upper half of them");
	destination = in;
	__asm__ volatile("insl" : "+D"(destination) : "d"(PCI_CONFIG_DATA) : "memory");
	check_is(EDU_DEVICE << 16 | EDU_VENDOR, *(uint32_t *)in, "insd");
}

static void from_user(void *argument)
{
	*(uint32_t *)argument = mmio_read32(edu.bar + EDU_IDENTIFICATION);
	user_return();
}

/*
 * The instruction is MOV EAX, [RDI]; RET, its first byte the last one of a page, and the page
 * behind it is another one physically: to read it, the guest's tables are followed twice.
 */
static uint32_t run_across_pages(uint64_t address)
{
	static const uint8_t code[] = {0x8b, 0x07, 0xc3};
	uint8_t *first = page_alloc(), *second;
	uint64_t value;

	page_alloc();
	second = page_alloc();
	first[PAGE_SIZE - 1] = code[0];
	memcpy(second, code + 1, sizeof(code) - 1);
	page_map(ELSEWHERE, (uint64_t)first);
	page_map(ELSEWHERE + PAGE_SIZE, (uint64_t)second);
	__asm__ volatile("call *%1" : "=a"(value) : "r"(ELSEWHERE + PAGE_SIZE - 1), "D"(address) : "memory");
	return (uint32_t)value;
}

static void elsewhere(void)
{
	uint64_t alias = ELSEWHERE + 16 * PAGE_SIZE;
	uint32_t id = 0;

	heading("From other addresses and from CPL 3");
	page_map(alias, edu.bar);
	check_is(EDU_IDENTIFIED, mmio_read32(alias), "the device mapped at 0x%lx", alias);
	mmio_write32(alias + EDU_LIVENESS, 0x77);
	check_is(~0x77U, mmio_read32(liveness), "... written there, read at its own address");
	check_is(EDU_IDENTIFIED, run_across_pages(alias), "an instruction across two pages");
	check_vector(VECTOR_BP, try_user(from_user, &id), "user code");
	check_is(EDU_IDENTIFIED, id, "... reads the device");
}

static void nothing(bool native)
{
	heading("Where nothing is: ones");
	check_is(0xff, inb(NO_PORT), "in, 1 byte");
	check_is(0xffff, inw(NO_PORT), "in, 2 bytes");
	check_is(~0U, inl(NO_PORT), "in, 4 bytes");
	outl(NO_PORT, 0);
	if (native) return;
	mmio_write64(NOTHING, 0);
	check_is(0xff, mmio_read8(NOTHING), "mov r8");
	check_is(0xffff, mmio_read16(NOTHING), "mov r16");
	check_is(~0U, mmio_read32(NOTHING), "mov r32");
	check_is(~0UL, mmio_read64(NOTHING), "mov r64");
}

int guest_main(void)
{
	bool native = guest_word("native");

	if (!check_whether(true, edu_find(0, &edu), "a device", "none", "an edu device is on PCI bus 0"))
		return check_status();
	liveness = edu.bar + EDU_LIVENESS;
	dma_source = edu.bar + EDU_DMA_SOURCE;
	widths();
	if (!native) narrow();
	modify();
	strings();
	elsewhere();
	ports();
	nothing(native);
	return check_status();
}
