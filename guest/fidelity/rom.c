// SPDX-License-Identifier: MIT
/*
 * Writes to ROM by instructions of every kind, those among them that no emulator of memory accesses
 * knows: each does all it does but for the write. The address is in firmware, which the bare machine
 * has at the same place.
 */
#include "guest/fidelity/fidelity.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/lapic.h"
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
/* Events with RSP in ROM: the handler takes the old stack again, as if the code went on there; then 'behind'. */
#define EVENT_CASE(function, code, behind)                                                                             \
	CASE(function, "mov %%rsp, %%r12; lea 1f(%%rip), %%rdx; mov %%rdx, rom_handler_goes_on(%%rip)\n\t"             \
		       "mov %%rdi, %%rsp\n\t" code "\n\tnop; ud2\n\t"                                                  \
		       "1: mov %%rsp, %%rax; sub %%rdi, %%rax; mov %%r12, %%rsp\n\t" behind)
#define IRET                                                                                                           \
	"mov %%ss, %%ecx; mov %%rsp, %%rdx; push %%rcx; push %%rdx; pushfq; mov %%cs, %%ecx; push %%rcx\n\t"           \
	"lea 2f(%%rip), %%rcx; push %%rcx; iretq; 2:"
EVENT_CASE(interrupt, "int %[vector]", "")
EVENT_CASE(undefined, "ud2", "")
EVENT_CASE(breakpoint, "int3", "")
EVENT_CASE(icebp, ".byte 0xf1", "")
EVENT_CASE(ipi, "mov $0xfee00300, %%esi; movl $0x40000 + %c[vector], (%%rsi); sti; nop", "")
EVENT_CASE(nmi, "mov $0xfee00300, %%esi; movl $0x400, (%%rsi)", IRET)
CASE(misaligned, "fxsave 8(%%rdi)")
/* The first four bytes of it are in ROM, the others in RAM: those of the multiboot header, which is done with. */
CASE(straddling, "mov 4(%%rdi), %%rbx; fninit; fld1; fstpt (%%rdi); mov 4(%%rdi), %%rax; mov %%rbx, 4(%%rdi)")
CASE(user, "fnstenv (%%rdi); fnsave (%%rdi); int3")

extern uint8_t rom_handler[];
uint64_t rom_handler_goes_on;

__asm__(".globl rom_handler\n"
	"rom_handler: jmp *rom_handler_goes_on(%rip)\n");

struct table {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

/* The event in front of us, its gate straight to the handler; what was there comes back. */
static int try_event(void (*event)(void *), unsigned vector)
{
	uint64_t *gate, before, to = (uint64_t)rom_handler;
	struct table idt;
	int result;

	__asm__ volatile("sidt %0" : "=m"(idt));
	gate = (uint64_t *)(idt.base + 16UL * vector);
	before = gate[0];
	gate[0] = (to & 0xffff) | (uint64_t)CODE << 16 | 0x8e00UL << 32 | (to & 0xffff0000) << 32;
	result = try_call(event, (void *)ROM);
	gate[0] = before;
	if (vector == VECTOR) lapic_write(LAPIC_EOI, 0);
	return result;
}

/* FS from the second descriptor of a table in ROM; 'got' is the selector, and whether LAR finds it accessed. */
#define DESCRIPTOR_CASE(function, load)                                                                                \
	static void function(void *at)                                                                                 \
	{                                                                                                              \
		struct table old, table = {15, (uint64_t)at - 8};                                                      \
		uint64_t rights, fs, selector = 8, pointer[2] = {8UL << 32, 0};                                        \
                                                                                                                       \
		__asm__ volatile("sgdt %[old]; lgdt %[table]; mov $8, %%ecx\n\t" load "\n\t"                           \
				 "lar %%ecx, %%eax; mov %%fs, %%ebx; lgdt %[old]; xor %%ecx, %%ecx; mov %%ecx, %%fs"   \
				 : "=a"(rights), "=b"(fs), [old] "=m"(old)                                             \
				 : [table] "m"(table), [pointer] "m"(pointer), [selector] "m"(selector)                \
				 : "rcx", "memory", "cc");                                                             \
		got = fs | (rights & 0x100) << 16;                                                                     \
	}

DESCRIPTOR_CASE(mov_fs, "mov %%ecx, %%fs")
DESCRIPTOR_CASE(mov_fs_memory, "movw %[selector], %%fs")
DESCRIPTOR_CASE(pop_fs, "push %%rcx; pop %%fs")
DESCRIPTOR_CASE(lfs, "lfs %[pointer], %%ecx; mov $8, %%ecx")

/* Bytes in ROM that are one of a data segment, present, not yet accessed; NULL if there are none. */
static void *find_descriptor(void)
{
	for (uint64_t at = 0xf0000; at < ROM_END - 8; at++)
		if ((mmio_read8(at + 5) & 0x99) == 0x90) return (void *)at;
	return NULL;
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
	{"FXSAVE, misaligned", misaligned},
};

void fidelity_rom(void)
{
	uint64_t before = sum();
	void *descriptor = find_descriptor();

	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE);
	__asm__ volatile("xsetbv" : : "c"(0), "a"(7), "d"(0));
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		show(cases[i].name, try_call(cases[i].run, (void *)ROM), before);
	show("INT", try_event(interrupt, VECTOR), before);
	show("UD2", try_event(undefined, VECTOR_UD), before);
	show("INT3", try_event(breakpoint, VECTOR_BP), before);
	show("INT1", try_event(icebp, VECTOR_DB), before);
	show("An interrupt", try_event(ipi, VECTOR), before);
	show("An NMI", try_event(nmi, VECTOR_NMI), before);
	show("... and another", try_event(nmi, VECTOR_NMI), before);
	printf("a descriptor in ROM: %s\n", descriptor ? "there is one" : "NONE");
	show("The accessed flag by MOV FS", try_call(mov_fs, descriptor), before);
	show("... from memory", try_call(mov_fs_memory, descriptor), before);
	show("... POP FS", try_call(pop_fs, descriptor), before);
	show("... LFS", try_call(lfs, descriptor), before);
	show("FSTP m80 to ROM and RAM", try_call(straddling, (void *)(ROM_END - 4)), before);
	show("FNSTENV and FNSAVE at CPL 3", try_user(user, (void *)ROM), before);
}
