// SPDX-License-Identifier: MIT
/*
 * Writes to ROM by instructions of every kind, those among them that no emulator of memory accesses
 * knows: each does all it does but for the write. The address is in firmware, which the bare machine
 * has at the same place.
 */
#include "guest/fidelity/fidelity.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/paging.h"
#include "guest/lib/start.h"
#include "lib/string.h"

#define ROM_BEGIN 0xfc000UL
#define ROM       0xfd000UL
#define ROM_END   0x100000UL
#define VECTOR    0x51 /* of INT */
#define CODE      0x08

static uint64_t got; /* what an instruction left in a register, or how far it moved RSP */
static uint8_t pattern[16] __attribute__((aligned(16)));

/* RDI is the address; 'got' gets RAX, which is 0 before. */
#define CASE(function, code)                                                                                           \
	static void function(void *at)                                                                                 \
	{                                                                                                              \
		__asm__ volatile("xor %%eax, %%eax\n\t" code "\n\tmov %%rax, %1"                                       \
				 : "+D"(at), "=m"(got)                                                                 \
				 : [pattern] "m"(pattern), [vector] "i"(VECTOR), [cs] "i"(CODE)                        \
				 : "rax", "rbx", "rcx", "rdx", "rsi", "r8", "r12", "memory", "cc");                    \
	}

/* The same with RSP in ROM; 'got' is how far it moved. */
#define STACK_CASE(function, code)                                                                                     \
	CASE(function,                                                                                                 \
	     "mov %%rsp, %%r12; mov %%rdi, %%rsp\n\t" code "\n\tmov %%rsp, %%rax; sub %%rdi, %%rax; mov %%r12, %%rsp")

CASE(fxsave, "fxsave (%%rdi)")
CASE(xsave, "mov $7, %%eax; xor %%edx, %%edx; xsave (%%rdi)")
CASE(fnsave, "fld1; fnsave (%%rdi); fnstsw %%ax")
CASE(fnstenv, "fnstenv (%%rdi)")
CASE(fstp_m80, "fninit; fldpi; fstpt (%%rdi); fnstsw %%ax")
CASE(fstp_m64, "fninit; fldpi; fld1; fstpl (%%rdi); fnstsw %%ax")
CASE(fistp, "fninit; fldpi; fistpll (%%rdi); fnstsw %%ax")
CASE(fbstp, "fninit; fldpi; fbstp (%%rdi); fnstsw %%ax")
CASE(fnstcw, "fnstcw (%%rdi)")
CASE(fnstsw, "fnstsw (%%rdi)")
CASE(stmxcsr, "stmxcsr (%%rdi)")
CASE(sgdt, "sgdt (%%rdi)")
CASE(sidt, "sidt (%%rdi)")
CASE(sldt, "sldtw (%%rdi)")
CASE(str, "strw (%%rdi)")
CASE(smsw, "smsww (%%rdi)")
CASE(extractps, "movdqa %[pattern], %%xmm1; extractps $1, %%xmm1, (%%rdi)")
CASE(pextrb, "pextrb $3, %%xmm1, (%%rdi)")
CASE(maskmovdqu, "pcmpeqb %%xmm2, %%xmm2; maskmovdqu %%xmm2, %%xmm1")
CASE(cvt, "vcvtps2ph $0, %%xmm1, (%%rdi)")
CASE(vmaskmov, "vpcmpeqb %%xmm2, %%xmm2, %%xmm2; vmaskmovps %%xmm1, %%xmm2, (%%rdi)")
CASE(movups, "movups %%xmm1, (%%rdi)")
CASE(add, "mov (%%rdi), %%rbx; mov $1, %%ecx; lock xadd %%rcx, (%%rdi); cmp %%rbx, %%rcx; sete %%al")
CASE(rep_stos, "mov $100, %%ecx; mov $-1, %%eax; rep stosb; mov %%ecx, %%eax")
CASE(rep_movs, "mov %%rdi, %%rsi; mov $5, %%ecx; rep movsq; mov %%rdi, %%rax; sub %%rsi, %%rax")
CASE(insb, "mov $0x71, %%edx; mov %%rdi, %%rbx; insb; mov %%rdi, %%rax; sub %%rbx, %%rax")
STACK_CASE(push, "push %%rax")
STACK_CASE(pushf, "pushfq")
STACK_CASE(push_word, "pushw $5")
STACK_CASE(push_segment, "push %%fs")
STACK_CASE(call, "call 1f; 1:")
STACK_CASE(enter, "mov %%rbp, %%rbx; enter $32, $0; mov %%rbx, %%rbp")
STACK_CASE(far_call,
	   "push %%rax; lea 1f(%%rip), %%rax; lea 2f(%%rip), %%rcx; mov %%rax, (%%rcx); rex.W lcall *(%%rcx)\n"
	   ".pushsection .data; 2: .quad 0; .word %c[cs]; .popsection; 1:")
/* Its handler takes the old stack again. */
CASE(interrupt, "mov %%rsp, %%r12; mov %%rdi, %%rsp; int %[vector]; ud2\n\t"
		".globl rom_handler; rom_handler: mov %%rsp, %%rax; sub %%rdi, %%rax; mov %%r12, %%rsp")
CASE(misaligned, "fxsave 8(%%rdi)")
/* The first four bytes of it are in ROM, the others in RAM: those of the multiboot header, which is done with. */
CASE(straddling, "mov 4(%%rdi), %%rbx; fninit; fld1; fstpt (%%rdi); mov 4(%%rdi), %%rax; mov %%rbx, 4(%%rdi)")
CASE(user, "fnstenv (%%rdi); fnsave (%%rdi); int3")

extern uint8_t rom_handler[];

/* A gate of a vector that nobody else uses, straight to the handler. */
static void set_gate(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) idt;
	uint64_t *gate, to = (uint64_t)rom_handler;

	__asm__ volatile("sidt %0" : "=m"(idt));
	gate = (uint64_t *)(idt.base + 16 * VECTOR);
	gate[0] = (to & 0xffff) | (uint64_t)CODE << 16 | 0x8e00UL << 32 | (to & 0xffff0000) << 32;
	gate[1] = to >> 32;
}

static uint64_t sum(void)
{
	uint64_t sum = 0;

	for (uint64_t at = ROM_BEGIN; at < ROM_END; at += 8) sum = sum * 31 + mmio_read64(at);
	return sum;
}

static void show(const char *name, int vector, uint64_t before)
{
	printf("%s to ROM: vector %d, left 0x%lx, ROM %s\n", name, vector, got,
	       sum() == before ? "as it was" : "CHANGED");
	if (vector >= 0)
		printf("  error 0x%lx%s%s\n", last_exception.error, last_exception.rflags & RFLAGS_RF ? " RF" : "",
		       last_exception.rflags & RFLAGS_TF ? " TF" : "");
}

static const struct {
	const char *name;
	void (*run)(void *at);
} cases[] = {
	{"FXSAVE", fxsave},
	{"XSAVE", xsave},
	{"FNSAVE", fnsave},
	{"FNSTENV", fnstenv},
	{"FSTP m80", fstp_m80},
	{"FSTP m64", fstp_m64},
	{"FISTP", fistp},
	{"FBSTP", fbstp},
	{"FNSTCW", fnstcw},
	{"FNSTSW", fnstsw},
	{"STMXCSR", stmxcsr},
	{"SGDT", sgdt},
	{"SIDT", sidt},
	{"SLDT", sldt},
	{"STR", str},
	{"SMSW", smsw},
	{"EXTRACTPS", extractps},
	{"PEXTRB", pextrb},
	{"MASKMOVDQU", maskmovdqu},
	{"VCVTPS2PH", cvt},
	{"VMASKMOVPS", vmaskmov},
	{"MOVUPS", movups},
	{"LOCK XADD", add},
	{"REP STOSB", rep_stos},
	{"REP MOVSQ", rep_movs},
	{"INSB", insb},
	{"PUSH", push},
	{"PUSHF", pushf},
	{"PUSH imm16", push_word},
	{"PUSH FS", push_segment},
	{"CALL", call},
	{"ENTER", enter},
	{"CALL far", far_call},
	{"INT", interrupt},
	{"FXSAVE, misaligned", misaligned},
};

void fidelity_rom(void)
{
	uint64_t before = sum();

	set_gate();
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE);
	__asm__ volatile("xsetbv" : : "c"(0), "a"(7), "d"(0));
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		show(cases[i].name, try_call(cases[i].run, (void *)ROM), before);
	show("FSTP m80 to ROM and RAM", try_call(straddling, (void *)(ROM_END - 4)), before);
	show("FNSTENV and FNSAVE at CPL 3", try_user(user, (void *)ROM), before);
}
