// SPDX-License-Identifier: MIT
/*
 * Exceptions that a debugger makes of a guest's instructions, and the alignment check: they reach
 * the guest's handler with what the CPU reports of them, also where a hypervisor looks at them
 * first.
 */
#include "guest/faults/faults.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/start.h"

#define DR6_RESET     0xffff0ff0UL
#define DR6_BD        BIT(13)
#define DR6_BS        BIT(14)
#define DR7_RESET     0x400UL
#define DR7_LOCAL_0   BIT(0)
#define DR7_GD        BIT(13)
#define DR7_0_WRITE_4 (1UL << 16 | 3UL << 18)

static uint64_t watched;

static void single_step(void *argument)
{
	(void)argument;
	__asm__ volatile("pushf; orl $0x100, (%rsp); popf; nop; nop");
}

/* CPUID exits and is skipped: the step ends behind it all the same. */
static void single_step_cpuid(void *argument)
{
	(void)argument;
	__asm__ volatile("pushf; orl $0x100, (%%rsp); popf; cpuid; nop" : : "a"(0), "c"(0) : "rbx", "rdx", "memory");
}

static void int1(void *argument)
{
	(void)argument;
	__asm__ volatile(".byte 0xf1");
}

static void write_watched(void *argument)
{
	(void)argument;
	__asm__ volatile("movl $1, %0" : "+m"(watched));
}

static void run_marked(void *argument)
{
	(void)argument;
	__asm__ volatile("nop");
}

static void touch_dr0(void *argument)
{
	(void)argument;
	write_dr7(DR7_RESET | DR7_GD);
	__asm__ volatile("mov %%db0, %%rax" : : : "rax");
}

static uint8_t misaligned[16] __attribute__((aligned(16)));

static void read_misaligned(void *argument)
{
	uint32_t value;

	__asm__ volatile("pushf; orl $0x40000, (%%rsp); popf; movl 1(%1), %0; pushf; "
			 "andl $~0x40000, (%%rsp); popf"
			 : "=r"(value)
			 : "r"(argument)
			 : "memory");
	user_return();
}

static void expect_debug(void (*function)(void *), uint64_t status, const char *what)
{
	int vector = try_call(function, NULL);

	check_vector(VECTOR_DB, vector, "%s: #DB", what);
	check_is(DR6_RESET | status, read_dr6(), "%s: DR6", what);
	write_dr6(DR6_RESET);
	write_dr7(DR7_RESET);
}

static void set_breakpoint(uint64_t address, uint64_t control)
{
	__asm__ volatile("mov %0, %%db0" : : "r"(address));
	write_dr7(DR7_RESET | DR7_LOCAL_0 | control);
}

void debug_exceptions(void)
{
	uint64_t dr7;

	write_dr6(DR6_RESET);
	expect_debug(single_step, DR6_BS, "single step");
	expect_debug(single_step_cpuid, DR6_BS, "single step over CPUID");
	expect_debug(int1, 0, "INT1");
	set_breakpoint((uint64_t)&watched, DR7_0_WRITE_4);
	expect_debug(write_watched, BIT(0), "a write to a watched address");
	check_is(1, watched, "and it was done before");
	set_breakpoint((uint64_t)run_marked, 0);
	expect_debug(run_marked, BIT(0), "an instruction with a breakpoint");
	check_is((uint64_t)run_marked, last_exception.rip, "and it was not yet done");
	check_vector(VECTOR_DB, try_call(touch_dr0, NULL), "MOV DR with DR7.GD: #DB");
	__asm__ volatile("mov %%db7, %0" : "=r"(dr7));
	check_is(0, dr7 & DR7_GD, "and GD is off for the handler");
	check_is(DR6_RESET | DR6_BD, read_dr6(), "and DR6 tells so");
	write_dr6(DR6_RESET);
	write_dr7(DR7_RESET);
	write_cr0(read_cr0() | CR0_AM);
	check_vector(VECTOR_AC, try_user(read_misaligned, misaligned),
		     "a misaligned read with CR0.AM and RFLAGS.AC at CPL 3: #AC");
	check_is(0, last_exception.error, "with error code 0");
	check_vector(VECTOR_BP, try_user(read_misaligned, misaligned + 3), "an aligned one passes");
	write_cr0(read_cr0() & ~CR0_AM);
}
