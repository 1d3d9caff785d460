// SPDX-License-Identifier: MIT
/*
 * What a guest does to be ended. A function that returns has not been ended: it fails a check.
 */
#include "guest/faults/faults.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/paging.h"
#include "guest/lib/pci.h"
#include "guest/lib/start.h"
#include "guest/lib/vmcall.h"
#include "guest/lib/vtd.h"

/* In the PCI window, with no device there. */
#define NOTHING 0xc8000000UL

extern uint64_t pml4[];

static void survived(void) { check(false, "the VM was ended before this line"); }

static uint64_t device_address(void)
{
	struct edu_device edu;

	if (edu_find(0, &edu)) return edu.bar;
	printf("this case needs dev=edu\n");
	guest_exit(2);
}

static void load_idt(uint64_t base, uint16_t limit)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) pointer = {limit, base};

	__asm__ volatile("lidt %0" : : "m"(pointer));
}

void triple_fault(void)
{
	load_idt(0, 0);
	__asm__ volatile("int3");
	survived();
}

void wild_write(void)
{
	*(volatile uint64_t *)(NOTHING + 8) = 1; /* goes nowhere; what it broke shows later */
	triple_fault();
}

void double_fault(void)
{
	page_map(NOTHING, 0);
	page_set_present(NOTHING, false);
	load_idt(NOTHING, 0xfff);
	__asm__ volatile("mov %0, %%rsp; push %%rax" : : "r"(NOTHING + 0x800) : "memory");
	survived();
}

void reset_by_cf9(void)
{
	outb(0xcf9, 0x06);
	survived();
}

void reset_by_keyboard(void)
{
	outb(0x64, 0xfe);
	survived();
}

void halt_for_ever(void)
{
	__asm__ volatile("cli; hlt");
	survived();
}

void spin_for_ever(void)
{
	__asm__ volatile("cli; 1: jmp 1b");
	survived();
}

/* Long enough for a guest beside it to come and go, if it gets the CPU at all. */
#define LONG_SPIN 150000000UL

static void spin(bool interrupts)
{
	uint64_t end = rdtsc() + LONG_SPIN;

	if (interrupts) __asm__ volatile("sti");
	while (rdtsc() < end)
		;
	__asm__ volatile("cli");
	check(true, "%lu M ticks later the loop is left", LONG_SPIN / 1000000);
}

void spin_long(void) { spin(false); }

void spin_long_enabled(void) { spin(true); }

static void jump(uint64_t address)
{
	void (*code)(void) = (void (*)(void))address;

	code();
	survived();
}

void execute_mmio(void) { jump(device_address()); }

void execute_nothing(void) { jump(NOTHING); }

void tables_in_nothing(void)
{
	write_cr3(NOTHING);
	survived();
}

void tables_in_mmio(void)
{
	write_cr3(device_address());
	survived();
}

void idt_in_mmio(void)
{
	load_idt(device_address(), 0xfff);
	__asm__ volatile("int3");
	survived();
}

/* No compiler's access to a device. */
static void fxsave(void *address) { __asm__ volatile("fxsave (%0)" : : "r"(address) : "memory"); }

void unknown_instruction_on_mmio(void)
{
	void *address = (void *)device_address();

	write_cr4(read_cr4() | CR4_OSFXSR);
	check_is(VECTOR_UD, (uint32_t)try_user(fxsave, address), "at CPL 3 it is #UD");
	fxsave(address);
	survived();
}

void endless_string(void)
{
	uint64_t address = device_address();

	__asm__ volatile("cli\n"
			 "1: mov %0, %%rdi\n\t"
			 "mov %1, %%rcx\n\t"
			 "rep stosb\n\t"
			 "jmp 1b"
			 :
			 : "r"(address), "i"(EDU_REGISTERS), "a"(0)
			 : "rcx", "rdi", "memory");
	survived();
}

void exit_by_byte(void)
{
	outb(EXIT_PORT, 0x1f);
	survived();
}

void exit_by_word(void)
{
	outw(EXIT_PORT, 0x1234);
	survived();
}

void exit_by_string(void)
{
	static const uint32_t status[] = {0x12345678, 1};
	const uint32_t *from = status;
	uint64_t count = ARRAY_SIZE(status);

	__asm__ volatile("rep outsl" : "+S"(from), "+c"(count) : "d"(EXIT_PORT) : "memory");
	survived();
}

/* Past printf(), which sends whole lines. */
static void put(const char *text)
{
	while (*text) outb(COM1, (uint8_t)*text++);
}

#define LONG_LINE 490

void odd_lines(void)
{
	put("\rone\r line\r\n");
	put("\r\n");
	for (unsigned i = 0; i < LONG_LINE; i++) put("x");
	put("\nno newline behind this");
	outl(EXIT_PORT, 0);
	survived();
}

#define TRAIL_MARK   4242
#define TRAIL_DOMAIN 7

/* The hypervisor shows a killed VM's last events: these are known. */
void leave_a_trail(void)
{
	struct edu_device edu;

	if (!edu_find(0, &edu) || !vtd_init() || !vtd_set_root() || !vtd_queue_on() || !vtd_command(GCMD_TE, true))
		guest_exit(2);
	check(vtd_attach(edu.source_id, TRAIL_DOMAIN, vtd_table()), "attached");
	check(vtd_detach(edu.source_id, TRAIL_DOMAIN), "detached");
	vmcall_mark(TRAIL_MARK);
	triple_fault();
}
