/* SPDX-License-Identifier: MIT */
/*
 * XSAVE and XRSTOR where the CPU has them, else FXSAVE and FXRSTOR, around one area per vCPU.
 */
#include "hv/vm/fpu.h"

#include "hv/machine/cpu.h"
#include "lib/asm.h"
#include "lib/string.h"
#include "lib/x86.h"

#define FCW_OFFSET   0 /* in the area, SDM 1 10.5.1 */
#define FOP_OFFSET   6
#define FIP_OFFSET   8
#define FDP_OFFSET   16
#define MXCSR_OFFSET 24
#define FCW_RESET    0x37f
#define MXCSR_RESET  0x1f80
#define FOP          BITS(10, 0)
#define EXCEPTIONS   BITS(5, 0) /* in FSW; in FCW masked where set */
#define OFFERABLE    (XCR0_X87 | XCR0_SSE | XCR0_AVX)

extern uint8_t native_begin[]; /* boot/interrupts.asm */

static uint64_t offered;

void fpu_init(void)
{
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);
	if (!(cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE)) return;
	write_cr4(read_cr4() | CR4_OSXSAVE);
	offered = cpuid(0xd, 0).eax & OFFERABLE;
}

uint64_t fpu_xcr0_offered(void) { return offered; }

void fpu_area_init(uint8_t *area)
{
	*(uint16_t *)(area + FCW_OFFSET) = FCW_RESET;
	*(uint32_t *)(area + MXCSR_OFFSET) = MXCSR_RESET;
}

void fpu_save(uint8_t *area, uint64_t *xcr0)
{
	if (!offered) {
		__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
		return;
	}
	*xcr0 = xgetbv(0);
	xsetbv(0, offered);
	__asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(~0U), "d"(~0U) : "memory");
}

void fpu_load(const uint8_t *area, uint64_t xcr0)
{
	if (!offered) {
		__asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
		return;
	}
	xsetbv(0, offered);
	__asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(~0U), "d"(~0U) : "memory");
	xsetbv(0, xcr0);
}

static uint8_t *native_code(void) { return native_begin + this_cpu()->index * INSN_CODE; }

/* The code is read-only: it is changed as long as CR0.WP is clear. */
static void put_code(const uint8_t *code)
{
	uint64_t cr0 = read_cr0();

	write_cr0(cr0 & ~CR0_WP);
	memcpy(native_code(), code, INSN_CODE);
	write_cr0(cr0);
}

int fpu_run(const struct insn *insn, struct insn_cpu *cpu)
{
	uint64_t vector = ~0UL, flags = (cpu->rflags & RFLAGS_STATUS) | RFLAGS_FIXED_ONE;
	uint16_t fcw, fsw;

	put_code(insn->code);
	__asm__ volatile("push %3\n\tpopfq\n\tcall *%6\n\tpushfq\n\tpop %3\n\tfnstcw %4\n\tfnstsw %5"
			 : "=a"(cpu->native->rax), "+d"(cpu->native->rdx), "+c"(vector), "+r"(flags), "=m"(fcw),
			   "=m"(fsw)
			 : "r"(native_code()), "D"(cpu->native->operand)
			 : "memory", "cc");
	cpu->rflags = (cpu->rflags & ~RFLAGS_STATUS) | (flags & RFLAGS_STATUS);
	cpu->native->unmasked = fsw & ~fcw & EXCEPTIONS;
	return (int)vector;
}

/* Put the guest's value where ours is: what an instruction left alone, or the CPU never tells, is not. */
static void replace(uint8_t *at, size_t size, uint64_t ours, uint64_t guests)
{
	if (!memcmp(at, &ours, size)) memcpy(at, &guests, size);
}

void fpu_save_after(uint8_t *area, const struct insn *insn, const struct insn_cpu *cpu)
{
	uint64_t xcr0;

	fpu_save(area, &xcr0);
	if (!insn->x87_opcode) return;
	replace(area + FOP_OFFSET, 2, (insn->code[0] << 8 | insn->code[1]) & FOP, insn->x87_opcode & FOP);
	replace(area + FIP_OFFSET, 8, (uintptr_t)native_code(), cpu->native->rip);
	replace(area + FDP_OFFSET, 8, (uintptr_t)cpu->native->operand, cpu->native->offset);
}
