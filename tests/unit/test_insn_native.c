/* SPDX-License-Identifier: MIT */
/*
 * hv/emulate/insn_execute.c against the CPU this test runs on: random instructions of every
 * supported opcode are executed natively, on memory of ours, and then by insn_execute() from the
 * same state; registers, flags and memory must come out alike.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <asm/prctl.h>
#include <cpuid.h>

#include "tests/lib/test.h"
#include "hv/emulate/insn.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/x86.h"

#ifndef ROUNDS
#define ROUNDS 200000
#endif
#define GS_BASE 0x12340ULL
#define DATA    4096 /* bytes of memory the instructions work on */
#define SLACK   1024 /* of it on each side, for strings and bit strings */

#define CF         0x001ULL
#define AF         0x010ULL
#define ZF         0x040ULL
#define OF         0x800ULL
#define DF         0x400ULL
#define ARITHMETIC 0x8d5ULL

/* CPUID.80000001H:ECX[5]. clang 14 does not know the word for __builtin_cpu_supports(). */
static bool has_lzcnt(void)
{
	unsigned eax, ebx, ecx, edx;

	return __get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) && ecx & bit_LZCNT;
}

static uint64_t seed = 0x4c430002;

static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

struct state {
	uint64_t gpr[16];
	uint64_t rflags;
	uint64_t host_rsp;
};

/* x87, SSE and AVX before, and after the CPU and we have had it. */
#define XSAVE_SIZE 832
static uint8_t fpu[3][XSAVE_SIZE] __attribute__((aligned(64)));
enum { BEFORE, NATIVE, OURS };

/* Below 2 GiB, so that 32-bit addresses and displacements reach them. */
static struct state *native;
static uint8_t *data;
static struct insn_native native_state;
static uint8_t *native_code; /* of INSN_NATIVE */
static uint8_t *slot;        /* where the instruction is put, in the middle of the stub */
static void (*stub)(void);

static uint8_t *emit(uint8_t *to, const char *bytes, size_t size)
{
	memcpy(to, bytes, size);
	return to + size;
}

/* REX.W 'opcode' with register 'reg' and the memory at 'address' (no base, no index). */
static uint8_t *emit_mov(uint8_t *to, uint8_t opcode, unsigned reg, const void *address)
{
	uint32_t low = (uint32_t)(uintptr_t)address;

	*to++ = (uint8_t)(0x48 | (reg >> 3) << 2);
	*to++ = opcode;
	*to++ = (uint8_t)(0x04 | (reg & 7) << 3);
	*to++ = 0x25;
	return emit(to, (const char *)&low, 4);
}

/* FF /6 (push) or 8F /0 (pop) of the memory at 'address'. */
static uint8_t *emit_push_pop(uint8_t *to, uint8_t opcode, uint8_t modrm, const void *address)
{
	uint32_t low = (uint32_t)(uintptr_t)address;

	*to++ = opcode;
	*to++ = modrm;
	*to++ = 0x25;
	return emit(to, (const char *)&low, 4);
}

/* Load the state, run what is in the slot, store the state. RSP is part of it. */
static void build_stub(uint8_t *to)
{
	stub = (void (*)(void))(uintptr_t)to;
	to = emit(to, "\x53\x55\x41\x54\x41\x55\x41\x56\x41\x57", 10);
	to = emit_mov(to, 0x89, RSP, &native->host_rsp);
	to = emit_push_pop(to, 0xff, 0x34, &native->rflags);
	*to++ = 0x9d; /* POPF */
	for (unsigned i = 0; i < 16; i++) to = emit_mov(to, 0x8b, i, &native->gpr[i]);
	slot = to;
	to += INSN_MAX;
	for (unsigned i = 0; i < 16; i++) to = emit_mov(to, 0x89, i, &native->gpr[i]);
	to = emit_mov(to, 0x8b, RSP, &native->host_rsp);
	*to++ = 0x9c; /* PUSHF */
	to = emit_push_pop(to, 0x8f, 0x04, &native->rflags);
	emit(to, "\xfc\x41\x5f\x41\x5e\x41\x5d\x41\x5c\x5d\x5b\xc3", 12);
}

static int set_up(void **state)
{
	uint8_t *area = mmap(NULL, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	(void)state;
	if (area == MAP_FAILED) return -1;
	native = (struct state *)area;
	native_code = area + PAGE_SIZE / 2;
	build_stub(area + PAGE_SIZE);
	data = area + 2 * PAGE_SIZE;
	return (int)syscall(SYS_arch_prctl, ARCH_SET_GS, GS_BASE);
}

/* An instruction with the place of its displacement, which is fitted to the data. */
struct sample {
	uint8_t bytes[INSN_MAX];
	unsigned displacement_at, displacement_size;
	struct insn insn;
};

static const uint8_t one_byte[] = {
	0x00, 0x01, 0x02, 0x03, 0x08, 0x09, 0x0a, 0x0b, 0x10, 0x11, 0x12, 0x13, 0x18, 0x19, 0x1a, 0x1b,
	0x20, 0x21, 0x22, 0x23, 0x28, 0x29, 0x2a, 0x2b, 0x30, 0x31, 0x32, 0x33, 0x38, 0x39, 0x3a, 0x3b,
	0x63, 0x69, 0x6b, 0x80, 0x81, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8f,
	0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf, 0xc0, 0xc1,
	0xc4, 0xc4, 0xc4, 0xc4, 0xc5, 0xc5, 0xc6, 0xc7, 0xd0, 0xd1, 0xd2, 0xd3, 0xd7, 0xd8, 0xd9, 0xda,
	0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xf6, 0xf6, 0xf7, 0xf7, 0xfe, 0xff,
};
static const uint8_t two_byte[] = {
	0x38, 0x38, 0x3a, 0x3a, 0x40, 0x43, 0x46, 0x4c, 0x4f, 0x92, 0x95, 0x97, 0x9d,
	0x9e, 0xa4, 0xa5, 0xac, 0xad, 0xae, 0xaf, 0xb0, 0xb1, 0xb8, 0xb8, 0xbc, 0xbd,
	0xc0, 0xc1, 0xc7, 0xa3, 0xab, 0xb3, 0xb6, 0xb7, 0xba, 0xbb, 0xbe, 0xbf, 0xc3,
};

static unsigned add_prefixes(uint8_t *bytes)
{
	static const uint8_t prefixes[] = {0x66, 0x67, 0x65, 0xf3, 0xf2, 0xf0, 0x2e, 0x3e};
	unsigned at = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (next_random() % 6 == 0) bytes[at++] = prefixes[i];
	if (next_random() % 2) bytes[at++] = (uint8_t)(0x40 | next_random() % 16);
	return at;
}

/* Random ModRM and SIB; notes where the displacement will be. */
static void add_modrm(struct sample *s, unsigned at)
{
	unsigned mod = (unsigned)(next_random() % 3), rm = (unsigned)(next_random() % 8);
	unsigned base = rm;

	s->bytes[at++] = (uint8_t)(mod << 6 | next_random() % 8 << 3 | rm);
	if (rm == 4) {
		s->bytes[at] = (uint8_t)next_random();
		base = s->bytes[at++] & 7;
	}
	s->displacement_at = at;
	s->displacement_size = mod == 1 ? 1 : mod == 2 || base == 5 ? 4 : 0;
}

/* What lies between C4, C5, 0F 38 or 0F 3A and ModRM. */
static unsigned add_rest_of_opcode(uint8_t *bytes, unsigned opcode)
{
	static const uint8_t general[][2] = {{0xf2, 0}, {0xf3, 0}, {0xf3, 0}, {0xf3, 0}, {0xf5, 0},
					     {0xf5, 2}, {0xf5, 3}, {0xf6, 3}, {0xf7, 0}, {0xf7, 1},
					     {0xf7, 2}, {0xf7, 3}, {0xf0, 3}};
	const uint8_t *bmi = general[next_random() % ARRAY_SIZE(general)];
	uint8_t last = (uint8_t)(next_random() | (next_random() % 4 ? 0x78 : 0));

	switch (opcode) {
	case 0x138: bytes[0] = next_random() % 8 ? (uint8_t)next_random() : 0xf0 | (next_random() & 1); return 1;
	case 0x13a: bytes[0] = (uint8_t)next_random(); return 1;
	case 0xc5:
		bytes[0] = last;
		bytes[1] = (uint8_t)next_random();
		return 2;
	case 0xc4:
		bytes[0] = (uint8_t)((next_random() & 0xe0) | (1 + next_random() % 3));
		bytes[1] = last;
		bytes[2] = (uint8_t)next_random();
		if (next_random() % 2) { /* BMI1 and BMI2 */
			bytes[0] = (uint8_t)((bytes[0] & 0xe0) | (bmi[0] == 0xf0 ? 3 : 2));
			bytes[1] = (uint8_t)((last & 0xf8) | bmi[1]);
			bytes[2] = bmi[0];
		}
		return 3;
	default: return 0;
	}
}

/* Ours by other tests: what leaves the slot. */
static bool is_jump(const struct insn *insn) { return insn->operation == INSN_CALL || insn->operation == INSN_JMP; }

/* A random instruction that insn_decode() takes. */
static void choose(struct sample *s)
{
	unsigned at, opcode;

	do {
		for (unsigned i = 0; i < INSN_MAX; i++) s->bytes[i] = (uint8_t)next_random();
		at = add_prefixes(s->bytes);
		opcode = (unsigned)(next_random() % (ARRAY_SIZE(one_byte) + ARRAY_SIZE(two_byte)));
		if (opcode < ARRAY_SIZE(one_byte)) {
			opcode = one_byte[opcode];
			if ((opcode | 1) == 0xc5 && next_random() % 4) at = 0; /* VEX allows few prefixes */
		} else {
			s->bytes[at++] = 0x0f;
			opcode = two_byte[opcode - ARRAY_SIZE(one_byte)] + 0x100U;
			if (next_random() % 4 == 0) opcode = 0x100 | (next_random() & 0xff); /* MMX and SSE */
		}
		s->bytes[at++] = (uint8_t)opcode;
		at += add_rest_of_opcode(s->bytes + at, opcode);
		s->displacement_at = at; /* of A0-A3 */
		s->displacement_size = 0;
		if ((opcode & ~3U) == 0xa0)
			s->displacement_size = memchr(s->bytes, 0x67, at) ? 4 : 8;
		else
			add_modrm(s, at);
	} while (insn_decode(s->bytes, INSN_MAX, 64, &s->insn) || is_jump(&s->insn));
}

static bool is_string(const struct insn *insn) { return insn->operation >= INSN_STOS && insn->operation <= INSN_SCAS; }

/* A #GP where the operand is not aligned: some of the moves, and CMPXCHG16B. */
static bool is_aligned(const struct insn *insn)
{
	return insn->operation == INSN_NATIVE || insn->operation == INSN_CMPXCHG_PAIR;
}

/* SHLD and SHRD of a word by more than its bits: CPUs differ in the result (SDM 2B "SHLD"). */
static bool is_undefined(const struct insn *insn, const uint64_t *gpr)
{
	uint64_t count = insn->has_immediate ? insn->immediate : gpr[RCX];

	return insn->width == 2 && (count & 31) > 16 && (insn->operation == INSN_SHLD || insn->operation == INSN_SHRD);
}

static bool is_on_stack(const struct insn *insn) { return insn->operation == INSN_PUSH || insn->operation == INSN_POP; }

static bool is_bit_string(const struct insn *insn)
{
	return insn->operation >= INSN_BT && insn->operation <= INSN_BTC && !insn->has_immediate;
}

/* An address in the middle of the data, 8-byte aligned so that LOCK is cheap. */
static uint64_t target(void) { return (uintptr_t)data + SLACK + (next_random() % (DATA - 2 * SLACK) & ~7ULL); }

static void fit_string(struct sample *s, struct state *state)
{
	uint64_t gs = s->insn.segment == SEG_GS ? GS_BASE : 0;

	state->gpr[RSI] = target() - gs + next_random() % 8;
	state->gpr[RDI] = target() + next_random() % 8;
	state->gpr[RCX] = next_random() % 33;
	if (s->insn.address_width == 4) /* what lies above must not matter, unless it is 0 */
		state->gpr[RCX] |= state->gpr[RCX] ? next_random() << 32 : 0;
}

/*
 * Fit displacement and registers so that the operand lies in the data. False when this
 * instruction cannot be fitted.
 */
static bool fit(struct sample *s, struct state *state)
{
	struct insn *insn = &s->insn;
	uint64_t *gpr = state->gpr;
	uint64_t address = (is_aligned(insn) ? target() & ~31ULL : target()) - (insn->segment == SEG_GS ? GS_BASE : 0);

	if (is_string(insn)) {
		fit_string(s, state);
		return true;
	}
	if (is_on_stack(insn)) {
		gpr[RSP] = target();
		if (insn->base == RSP) return false;
	}
	if (is_bit_string(insn)) {
		gpr[insn->reg] = (uint64_t)((int64_t)(next_random() % 4096) - 2048);
		if ((int)insn->reg == insn->base || (int)insn->reg == insn->index) return false;
	}
	if (insn->base < 0 && insn->index < 0) {
		if (insn->rip_relative) address -= (uintptr_t)slot + insn->length;
		memcpy(s->bytes + s->displacement_at, &address, s->displacement_size);
		return insn_decode(s->bytes, INSN_MAX, 64, insn) == 0;
	}
	address -= (uint64_t)insn->displacement;
	if (insn->operation == INSN_XLAT) address -= gpr[RAX] & 0xff;
	if (insn->index < 0)
		gpr[insn->base] = address;
	else if (insn->base < 0)
		gpr[insn->index] = address / insn->scale; /* a few bytes lower: SLACK */
	else if (insn->base != insn->index)
		gpr[insn->base] = address - gpr[insn->index] * insn->scale;
	else
		return false;
	/* With 32-bit addressing and a scaled index, wrapping at 2^64 and 2^32 differ. */
	return true;
}

static uint64_t effective(const struct insn *insn, const uint64_t *gpr)
{
	uint64_t address = (uint64_t)insn->displacement;

	if (insn->rip_relative) address += (uintptr_t)slot + insn->length;
	if (insn->base >= 0) address += gpr[insn->base];
	if (insn->operation == INSN_XLAT) address += gpr[RAX] & 0xff;
	if (insn->index >= 0) address += gpr[insn->index] * insn->scale;
	if (insn->address_width == 4) address = (uint32_t)address;
	return address + (insn->segment == SEG_GS ? GS_BASE : 0);
}

static bool in_data(uint64_t address) { return address - (uintptr_t)data - SLACK / 2 < DATA - SLACK; }

static uint8_t copy[DATA];

static int memory_read(void *ctx, uint64_t linear, unsigned width, uint64_t *value)
{
	uint64_t offset = linear - (uintptr_t)data;

	(void)ctx;
	if (offset > DATA - width) return -EFAULT;
	*value = 0;
	memcpy(value, copy + offset, width);
	return 0;
}

static int probe_write(void *ctx, uint64_t linear, unsigned width)
{
	(void)ctx;
	return linear - (uintptr_t)data > DATA - width ? -EFAULT : 0;
}

static int memory_write(void *ctx, uint64_t linear, unsigned width, uint64_t *value)
{
	if (probe_write(ctx, linear, width)) return -EFAULT;
	memcpy(copy + (linear - (uintptr_t)data), value, width);
	return 0;
}

static const struct insn_memory memory = {.read = memory_read, .write = memory_write, .probe_write = probe_write};

/* Flags that the SDM leaves undefined after this operation. */
static uint64_t undefined_flags(const struct insn *insn, const struct state *state)
{
	unsigned count =
		(unsigned)(insn->has_immediate ? insn->immediate : state->gpr[RCX]) & (insn->width == 8 ? 63 : 31);

	switch (insn->operation) {
	case INSN_AND:
	case INSN_OR:
	case INSN_XOR:
	case INSN_TEST: return AF;
	case INSN_IMUL:
	case INSN_MUL:
	case INSN_IMUL_WIDE: return ARITHMETIC & ~(CF | OF);
	case INSN_DIV:
	case INSN_IDIV: return ARITHMETIC;
	case INSN_BSF:
	case INSN_BSR: return ARITHMETIC & ~ZF;
	case INSN_TZCNT:
	case INSN_LZCNT: return ARITHMETIC & ~(ZF | CF);
	case INSN_SHL:
	case INSN_SHR:
	case INSN_SAR:
	case INSN_SHLD:
	case INSN_SHRD:
		return AF | (count == 1 ? 0 : OF) | (count > 8 * insn->width ? ARITHMETIC : 0) |
		       (count == 8 * insn->width && insn->operation != INSN_SAR ? CF : 0);
	case INSN_ROL:
	case INSN_ROR:
	case INSN_RCL:
	case INSN_RCR: return count == 1 ? 0 : OF;
	case INSN_BT:
	case INSN_BTS:
	case INSN_BTR:
	case INSN_BTC: return ARITHMETIC & ~(CF | 0x40); /* all but CF and ZF */
	default: return 0;
	}
}

static void complain(const struct sample *s, const struct state *ours, const char *what)
{
	char hex[3 * INSN_MAX + 1] = "";

	for (unsigned i = 0; i < s->insn.length; i++) sprintf(hex + 3 * i, "%02x ", s->bytes[i]);
	for (unsigned i = 0; i < 16; i++)
		if (ours->gpr[i] != native->gpr[i])
			print_error("r%u: %#lx, native %#lx\n", i, ours->gpr[i], native->gpr[i]);
	print_error("flags %#lx, native %#lx\n", ours->rflags, native->rflags);
	fail_msg("%s: %s", hex, what);
}

static void read_selectors(struct insn_cpu *cpu)
{
	__asm__("mov %%es, %0" : "=r"(cpu->segment[SEG_ES].selector));
	__asm__("mov %%cs, %0" : "=r"(cpu->segment[SEG_CS].selector));
	__asm__("mov %%ss, %0" : "=r"(cpu->segment[SEG_SS].selector));
	__asm__("mov %%ds, %0" : "=r"(cpu->segment[SEG_DS].selector));
	__asm__("mov %%fs, %0" : "=r"(cpu->segment[SEG_FS].selector));
	__asm__("mov %%gs, %0" : "=r"(cpu->segment[SEG_GS].selector));
}

/* The stub keeps what a call must keep, and uses none of these registers itself. */
static void run_native(void)
{
	__asm__ volatile("xrstor64 %1\n\t"
			 "call *%2\n\t"
			 "mov $7, %%eax\n\t"
			 "xor %%edx, %%edx\n\t"
			 "xsave64 %0\n\t"
			 "vzeroall\n\t"
			 "fninit"
			 : "+m"(fpu[NATIVE])
			 : "m"(fpu[BEFORE]), "b"(stub), "a"(7), "d"(0)
			 : "rcx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
}

static sigjmp_buf no_instruction;
static unsigned undefined;

static void take_sigill(int signal)
{
	(void)signal;
	siglongjmp(no_instruction, 1);
}

/* As fpu_run(), on fpu[OURS]. */
static int run_code(void *ctx, const struct insn *insn, struct insn_cpu *cpu)
{
	uint64_t flags = (cpu->rflags & ARITHMETIC) | RFLAGS_FIXED_ONE;
	uint16_t fcw, fsw;

	(void)ctx;
	memcpy(native_code, insn->code, INSN_CODE);
	undefined++;
	if (sigsetjmp(no_instruction, 1)) return VECTOR_UD;
	undefined--;
	__asm__ volatile("xrstor64 %0\n\t"
			 "push %1\n\t"
			 "popfq\n\t"
			 "call *%4\n\t"
			 "pushfq\n\t"
			 "pop %1\n\t"
			 "mov %%rax, %2\n\t"
			 "mov %%rdx, %3\n\t"
			 "mov $7, %%eax\n\t"
			 "xor %%edx, %%edx\n\t"
			 "xsave64 %0\n\t"
			 "vzeroall\n\t"
			 "fninit"
			 : "+m"(fpu[OURS]), "+r"(flags), "=m"(cpu->native->rax), "=m"(cpu->native->rdx)
			 : "b"(native_code), "D"(cpu->native->operand), "a"(7), "d"(cpu->native->rdx)
			 : "memory", "cc");
	cpu->rflags = (cpu->rflags & ~ARITHMETIC) | (flags & ARITHMETIC);
	memcpy(&fcw, fpu[OURS], 2);
	memcpy(&fsw, fpu[OURS] + 2, 2);
	cpu->native->unmasked = fsw & ~fcw & 0x3f;
	return -1;
}

/* Random registers; x87 with any TOP and no exception waiting. */
static void choose_fpu(void)
{
	uint8_t *area = fpu[BEFORE];
	const uint32_t mxcsr = (uint32_t)(0x1f80 | (next_random() & 0xe040)); /* rounding, FTZ, DAZ */
	/* Any condition codes, rounding and precision; now and then some exceptions are not masked. */
	const uint16_t fsw = (uint16_t)(next_random() & 0x7f00);
	const uint16_t fcw = (uint16_t)(0x340 | (next_random() & 0xc3f) | (next_random() % 4 ? 0x3f : 0));

	for (unsigned i = 32; i < XSAVE_SIZE; i++) area[i] = (uint8_t)(next_random() >> 20);
	memset(area, 0, 32);
	memcpy(area, &fcw, 2);
	memcpy(area + 2, &fsw, 2);
	area[4] = (uint8_t)next_random();
	memcpy(area + 24, &mxcsr, 4);
	for (unsigned i = 0; i < 8; i++) /* what FXSAVE leaves out */
		memset(area + 32 + 16 * i + 10, 0, 6);
	memset(area + 416, 0, 576 - 416);
	area[512] = 7;
}

/* FCW, FSW and the tags, MXCSR, ST or MMX with XMM, the upper halves of YMM. */
static bool same_fpu(void)
{
	const uint8_t *a = fpu[NATIVE], *b = fpu[OURS];

	return !memcmp(a, b, 5) && !memcmp(a + 24, b + 24, 4) && !memcmp(a + 32, b + 32, 416 - 32) &&
	       !memcmp(a + 576, b + 576, 256);
}

/* Both ways from the same state. */
static void compare(const struct sample *s, struct state *ours)
{
	struct insn_cpu cpu = {.gpr = ours->gpr, .rip = (uintptr_t)slot, .rflags = ours->rflags};
	uint64_t mask = (ARITHMETIC | DF) & ~undefined_flags(&s->insn, ours);
	int error = 0;

	cpu.mode = 64;
	cpu.segment_base[SEG_GS] = GS_BASE;
	memcpy(slot, s->bytes, s->insn.length);
	memset(slot + s->insn.length, 0x90, INSN_MAX - s->insn.length);
	memcpy(copy, data, DATA);
	*native = *ours;
	cpu.stack_mask = ~0ULL;
	cpu.run = run_code;
	cpu.native = &native_state;
	cpu.has_bmi = __builtin_cpu_supports("bmi");
	cpu.has_lzcnt = has_lzcnt();
	read_selectors(&cpu);
	memcpy(fpu[OURS], fpu[BEFORE], XSAVE_SIZE);
	for (unsigned most = 1000; !error && most && cpu.rip == (uintptr_t)slot; most--)
		error = insn_execute(&s->insn, &cpu, &memory);
	if (error) {
		/* The CPU would end the test: #DE, #GP for a misaligned CMPXCHG16B, #UD of VEX. */
		if (cpu.fault == VECTOR_UD && s->insn.code[0] != 0xc4) complain(s, ours, "no instruction");
		if (cpu.fault != VECTOR_DE && cpu.fault != VECTOR_GP && cpu.fault != VECTOR_UD)
			complain(s, ours, "not executed");
		return;
	}
	run_native();
	if (!same_fpu()) complain(s, ours, "x87, SSE or AVX");
	ours->rflags = cpu.rflags;
	if (cpu.rip != (uintptr_t)slot + s->insn.length) complain(s, ours, "RIP");
	if (memcmp(ours->gpr, native->gpr, sizeof(ours->gpr))) complain(s, ours, "registers");
	if ((ours->rflags ^ native->rflags) & mask) complain(s, ours, "flags");
	if (memcmp(copy, data, DATA)) complain(s, ours, "memory");
}

/* Often the values where carries and signs change. */
static uint64_t interesting(void)
{
	static const uint64_t edges[] = {0,      1,          0x7f,       ~0ULL,      0x80,    0xff,       0x7fff,
					 0x8000, 0x7fffffff, 0x80000000, 0xffffffff, BIT(63), BIT(63) - 1};

	return next_random() % 4 ? next_random() : edges[next_random() % ARRAY_SIZE(edges)];
}

TEST_WITH(random_instructions_do_what_the_cpu_does, set_up, NULL)
{
	unsigned seen[INSN_OPERATIONS] = {0};

	signal(SIGILL, take_sigill);

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct sample s;
		struct state ours;

		choose(&s);
		for (unsigned i = 0; i < 16; i++) ours.gpr[i] = interesting();
		for (unsigned i = 0; i < DATA; i += 8) {
			uint64_t word = interesting();

			memcpy(data + i, &word, 8);
		}
		choose_fpu();
		ours.rflags = (next_random() & (ARITHMETIC | DF)) | 0x202;
		if (!fit(&s, &ours)) continue;
		if (!is_string(&s.insn) && !in_data(effective(&s.insn, ours.gpr))) continue;
		if (is_undefined(&s.insn, ours.gpr)) continue;
		if (is_aligned(&s.insn) && effective(&s.insn, ours.gpr) % 32) continue;
		seen[s.insn.operation]++;
		compare(&s, &ours);
	}
	assert_in_range(undefined, 0, seen[INSN_NATIVE] / 4);
	for (unsigned i = 0; i < ARRAY_SIZE(seen); i++)
		if (seen[i] < ROUNDS / 2000 && i != INSN_CALL && i != INSN_JMP && i != INSN_MOV_TO_SEGMENT &&
		    i != INSN_INS && i != INSN_OUTS)
			fail_msg("operation %u was tried %u times only", i, seen[i]);
}
