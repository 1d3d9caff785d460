// SPDX-License-Identifier: MIT
/*
 * The same random instruction, once on RAM and once on the test device's memory, at the same linear
 * address and from the same state, at CPL 3: what it leaves must be the same - registers, flags,
 * x87, SSE and AVX, memory, the exception with its error code, RIP, CR2 and DR6. On RAM the CPU
 * carries it out, on the device the hypervisor does.
 */
#include "guest/fidelity/fidelity.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/paging.h"
#include "guest/lib/start.h"
#include "lib/string.h"

/* Page 0 is RAM, 1 and 2 are what is tested, 3 is not there. */
#define WINDOW      0x40000000UL
#define DEVICE      0xff000000UL
#define SLACK       64  /* bytes before the operand that are compared */
#define COMPARED    128 /* and all in all */
#define INSN_MOST   15
#define XSAVE_SIZE  832
#define USER_DATA   0x1b
#define USER_CODE   0x23
#define USER_CODE32 0x43
#define LIMITED     0x4b /* a data segment with a random limit */
#define GDT_ENTRIES 10
#define MSR_GS      0xc0000101
#define DR6_RESET   0xffff0ff0UL
#define DR7_RESET   0x400UL
#define ARITHMETIC  (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

/* In the order in which load_state loads it. */
struct state {
	uint64_t gpr[16];
	uint64_t rip, cs, rflags, rsp, ss;
	uint64_t data_segment;
};

/* What an instruction left. */
struct result {
	uint64_t gpr[16];
	uint64_t vector, error, rip, cs, rflags, ss, cr2, dr6;
	uint8_t memory[COMPARED];
	uint8_t fpu[XSAVE_SIZE] __attribute__((aligned(64)));
};

void load_state(void *state);

__asm__(".text\n"
	"load_state:\n"
	"	mov 168(%rdi), %eax\n"
	"	mov %eax, %ds\n"
	"	mov %eax, %es\n"
	"	mov 0(%rdi), %rax\n"
	"	mov 8(%rdi), %rcx\n"
	"	mov 16(%rdi), %rdx\n"
	"	mov 24(%rdi), %rbx\n"
	"	mov 40(%rdi), %rbp\n"
	"	mov 48(%rdi), %rsi\n"
	"	mov 64(%rdi), %r8\n"
	"	mov 72(%rdi), %r9\n"
	"	mov 80(%rdi), %r10\n"
	"	mov 88(%rdi), %r11\n"
	"	mov 96(%rdi), %r12\n"
	"	mov 104(%rdi), %r13\n"
	"	mov 112(%rdi), %r14\n"
	"	mov 120(%rdi), %r15\n"
	"	lea 128(%rdi), %rsp\n"
	"	mov 56(%rdi), %rdi\n"
	"	iretq\n");

enum {
	MODRM = 1,
	IMM8 = 2,
	IMM = 4,       /* of the operand's size */
	STRING = 8,    /* RSI, RDI */
	BITS_REG = 16, /* the register is a bit number */
	STACK = 32,
	GROUP = 64, /* ModRM bits 5:3 from 'group' */
	VEX = 128,
	ALIGNED = 256, /* a #GP where the operand is not */
	OFFSET = 512,
	COUNTS = 1024, /* CL, or the immediate, is a shift's count */
	JUMPS = 2048,
};

struct form {
	uint32_t opcode; /* its bytes, the first one highest */
	uint16_t kind;
	uint8_t group; /* a mask of what ModRM bits 5:3 may be */
	uint16_t undefined;
};

#define ALL_BUT(flags) (ARITHMETIC & ~(uint64_t)(flags))
#define SHIFTED        (RFLAGS_AF | RFLAGS_OF | RFLAGS_CF)

/* Opcodes with prefixes where they belong to them. A form may stand for those beside it. */
static const struct form forms[] = {
	/* ADD to CMP, TEST, XCHG, MOV */
	{0x00, MODRM, 0, RFLAGS_AF},
	{0x01, MODRM, 0, RFLAGS_AF},
	{0x03, MODRM, 0, RFLAGS_AF},
	{0x09, MODRM, 0, RFLAGS_AF},
	{0x0a, MODRM, 0, RFLAGS_AF},
	{0x11, MODRM, 0, 0},
	{0x13, MODRM, 0, 0},
	{0x18, MODRM, 0, 0},
	{0x1b, MODRM, 0, 0},
	{0x21, MODRM, 0, RFLAGS_AF},
	{0x29, MODRM, 0, 0},
	{0x2a, MODRM, 0, 0},
	{0x33, MODRM, 0, RFLAGS_AF},
	{0x38, MODRM, 0, 0},
	{0x3b, MODRM, 0, 0},
	{0x84, MODRM, 0, RFLAGS_AF},
	{0x85, MODRM, 0, RFLAGS_AF},
	{0x86, MODRM, 0, 0},
	{0x87, MODRM, 0, 0},
	{0x88, MODRM, 0, 0},
	{0x89, MODRM, 0, 0},
	{0x8a, MODRM, 0, 0},
	{0x8b, MODRM, 0, 0},
	{0x80, MODRM | GROUP | IMM8, 0xff, RFLAGS_AF},
	{0x81, MODRM | GROUP | IMM, 0xff, RFLAGS_AF},
	{0x83, MODRM | GROUP | IMM8, 0xff, RFLAGS_AF},
	{0xc6, MODRM | GROUP | IMM8, 1, 0},
	{0xc7, MODRM | GROUP | IMM, 1, 0},
	{0xf6, MODRM | GROUP, 0x0c, 0},
	{0xf7, MODRM | GROUP, 0x0c, 0},
	{0xf6, MODRM | GROUP | IMM8, 1, RFLAGS_AF},
	{0xf7, MODRM | GROUP | IMM, 1, RFLAGS_AF},
	{0xfe, MODRM | GROUP, 3, 0},
	{0xff, MODRM | GROUP, 3, 0},
	{0x63, MODRM, 0, 0},
	{0xa1, OFFSET, 0, 0},
	{0xa2, OFFSET, 0, 0},
	/* MUL, IMUL, DIV, IDIV */
	{0xf6, MODRM | GROUP, 0x30, ALL_BUT(RFLAGS_CF | RFLAGS_OF)},
	{0xf7, MODRM | GROUP, 0x30, ALL_BUT(RFLAGS_CF | RFLAGS_OF)},
	{0xf6, MODRM | GROUP, 0xc0, ARITHMETIC},
	{0xf7, MODRM | GROUP, 0xc0, ARITHMETIC},
	{0x0faf, MODRM, 0, ALL_BUT(RFLAGS_CF | RFLAGS_OF)},
	{0x69, MODRM | IMM, 0, ALL_BUT(RFLAGS_CF | RFLAGS_OF)},
	{0x6b, MODRM | IMM8, 0, ALL_BUT(RFLAGS_CF | RFLAGS_OF)},
	/* shifts */
	{0xc0, MODRM | GROUP | IMM8, 0xff, SHIFTED},
	{0xc1, MODRM | GROUP | IMM8, 0xff, SHIFTED},
	{0xd0, MODRM | GROUP, 0xff, RFLAGS_AF},
	{0xd1, MODRM | GROUP, 0xff, RFLAGS_AF},
	{0xd2, MODRM | GROUP, 0xff, SHIFTED},
	{0xd3, MODRM | GROUP, 0xff, SHIFTED},
	{0x0fa4, MODRM | IMM8, 0, ARITHMETIC},
	{0x0fa5, MODRM, 0, ARITHMETIC},
	{0x0fac, MODRM | IMM8, 0, ARITHMETIC},
	{0x0fad, MODRM, 0, ARITHMETIC},
	/* bits */
	{0x0fa3, MODRM | BITS_REG, 0, ALL_BUT(RFLAGS_CF)},
	{0x0fab, MODRM | BITS_REG, 0, ALL_BUT(RFLAGS_CF)},
	{0x0fb3, MODRM | BITS_REG, 0, ALL_BUT(RFLAGS_CF)},
	{0x0fbb, MODRM | BITS_REG, 0, ALL_BUT(RFLAGS_CF)},
	{0x0fba, MODRM | GROUP | IMM8, 0xf0, ALL_BUT(RFLAGS_CF)},
	{0x0fbc, MODRM, 0, ALL_BUT(RFLAGS_ZF)},
	{0x0fbd, MODRM, 0, ALL_BUT(RFLAGS_ZF)},
	{0xf30fbc, MODRM, 0, ALL_BUT(RFLAGS_ZF | RFLAGS_CF)},
	{0xf30fbd, MODRM, 0, ALL_BUT(RFLAGS_ZF | RFLAGS_CF)},
	{0xf30fb8, MODRM, 0, 0},
	/* SETcc, CMOVcc, MOVZX, MOVSX, MOVBE, MOVNTI */
	{0x0f92, MODRM, 0, 0},
	{0x0f9e, MODRM, 0, 0},
	{0x0f95, MODRM, 0, 0},
	{0x0f46, MODRM, 0, 0},
	{0x0f4b, MODRM, 0, 0},
	{0x0f4d, MODRM, 0, 0},
	{0x0fb6, MODRM, 0, 0},
	{0x0fb7, MODRM, 0, 0},
	{0x0fbe, MODRM, 0, 0},
	{0x0fbf, MODRM, 0, 0},
	{0x0f38f0, MODRM, 0, 0},
	{0x0f38f1, MODRM, 0, 0},
	{0x0fc3, MODRM, 0, 0},
	/* CMPXCHG, XADD */
	{0x0fb0, MODRM, 0, 0},
	{0x0fb1, MODRM, 0, 0},
	{0x0fc0, MODRM, 0, 0},
	{0x0fc1, MODRM, 0, 0},
	{0x0fc7, MODRM | GROUP | ALIGNED, 2, 0},
	/* strings */
	{0xa4, STRING, 0, 0},
	{0xa5, STRING, 0, 0},
	{0xa6, STRING, 0, 0},
	{0xa7, STRING, 0, 0},
	{0xaa, STRING, 0, 0},
	{0xab, STRING, 0, 0},
	{0xac, STRING, 0, 0},
	{0xad, STRING, 0, 0},
	{0xae, STRING, 0, 0},
	{0xaf, STRING, 0, 0},
	/* the stack, and where it leads */
	{0xff, MODRM | GROUP | STACK, 0x40, 0},
	{0x8f, MODRM | GROUP | STACK, 1, 0},
	{0xff, MODRM | GROUP | STACK | JUMPS, 0x14, 0},
	/* segment registers, cache lines */
	{0x8c, MODRM | GROUP, 0x3f, 0},
	{0x8e, MODRM | GROUP, 0x3d, 0},
	{0x0fae, MODRM | GROUP, 0x80, 0},
	{0x660fae, MODRM | GROUP, 0xc0, 0},
	/* MMX, SSE */
	{0x0f10, MODRM, 0, 0},
	{0x0f11, MODRM, 0, 0},
	{0x660f10, MODRM, 0, 0},
	{0x660f11, MODRM, 0, 0},
	{0xf30f10, MODRM, 0, 0},
	{0xf30f11, MODRM, 0, 0},
	{0xf20f10, MODRM, 0, 0},
	{0xf20f11, MODRM, 0, 0},
	{0x0f12, MODRM, 0, 0},
	{0x660f13, MODRM, 0, 0},
	{0x0f16, MODRM, 0, 0},
	{0x660f17, MODRM, 0, 0},
	{0x0f28, MODRM | ALIGNED, 0, 0},
	{0x660f29, MODRM | ALIGNED, 0, 0},
	{0x0f2b, MODRM | ALIGNED, 0, 0},
	{0x0f6e, MODRM, 0, 0},
	{0x660f6e, MODRM, 0, 0},
	{0x0f7e, MODRM, 0, 0},
	{0x660f7e, MODRM, 0, 0},
	{0xf30f7e, MODRM, 0, 0},
	{0x0f6f, MODRM, 0, 0},
	{0x660f6f, MODRM | ALIGNED, 0, 0},
	{0xf30f6f, MODRM, 0, 0},
	{0x0f7f, MODRM, 0, 0},
	{0x660f7f, MODRM | ALIGNED, 0, 0},
	{0xf30f7f, MODRM, 0, 0},
	{0x660fd6, MODRM, 0, 0},
	{0x0fe7, MODRM, 0, 0},
	{0x660fe7, MODRM | ALIGNED, 0, 0},
	{0xf20ff0, MODRM, 0, 0},
	{0x660f382a, MODRM | ALIGNED, 0, 0},
	/* AVX: the second byte of C5 is made up */
	{0xc510, MODRM | VEX, 0, 0},
	{0xc511, MODRM | VEX, 0, 0},
	{0xc512, MODRM | VEX, 0, 0},
	{0xc516, MODRM | VEX, 0, 0},
	{0xc517, MODRM | VEX, 0, 0},
	{0xc528, MODRM | VEX | ALIGNED, 0, 0},
	{0xc529, MODRM | VEX | ALIGNED, 0, 0},
	{0xc56e, MODRM | VEX, 0, 0},
	{0xc57e, MODRM | VEX, 0, 0},
	{0xc56f, MODRM | VEX, 0, 0},
	{0xc57f, MODRM | VEX, 0, 0},
	{0xc5d6, MODRM | VEX, 0, 0},
	{0xc5e7, MODRM | VEX | ALIGNED, 0, 0},
	{0xc5f0, MODRM | VEX, 0, 0},
};

/* One instruction with the state it begins in. */
struct sample {
	const struct form *form;
	bool code64;
	unsigned size;
	uint8_t bytes[INSN_MOST];
	uint64_t target;      /* linear */
	uint64_t base, limit; /* of LIMITED; base is GS's too */
	struct state state;
	uint8_t memory[COMPARED];
};

extern uint64_t gdt[];
static uint64_t own_gdt[GDT_ENTRIES];
static uint64_t seed;
static uint8_t code_page[PAGE_SIZE] __attribute__((aligned(4096)));
static uint8_t user_fpu[XSAVE_SIZE] __attribute__((aligned(64)));
static uint64_t ram[2]; /* physical */
static struct result results[2];

static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static unsigned below(unsigned limit)
{
	return (unsigned)((next_random() >> 16) % limit);
}

static uint64_t interesting(void)
{
	static const uint64_t edges[] = {0,          1,       0x7f,      ~0UL,
					 0x80,       0xff,    0x8000,    0x7fffffff,
					 0x80000000, BIT(63), USER_DATA, USER_CODE};

	return below(4) ? next_random() : edges[below(ARRAY_SIZE(edges))];
}

static void put(struct sample *s, uint64_t value, unsigned width)
{
	for (; width && s->size < INSN_MOST; width--, value >>= 8)
		s->bytes[s->size++] = (uint8_t)value;
}

/* Where the operand will be: nearly always inside, now and then over a border. */
static uint64_t choose_target(unsigned kind)
{
	uint64_t target = WINDOW + PAGE_SIZE + 512 + below(PAGE_SIZE - 1024);

	if (!below(8))
		target = WINDOW + PAGE_SIZE * (1 + below(3)) - below(34);
	if (below(4) || kind & JUMPS)
		target &= ~7UL;
	if (kind & ALIGNED && below(8))
		target &= ~31UL;
	return target;
}

/* The operand's offset in the segment that the instruction will use. */
static uint64_t offset_in(const struct sample *s, bool gs)
{
	if (s->code64)
		return gs ? s->target - s->base : s->target;
	if (gs)
		return s->target;
	return s->state.data_segment == LIMITED ? s->target - s->base : s->target;
}

/* ModRM, SIB and displacement so that the operand is at the target. */
static void put_operand(struct sample *s, unsigned reg, bool gs)
{
	unsigned base = below(8), index = below(8), form = below(4);
	uint64_t *gpr = s->state.gpr, offset = offset_in(s, gs);
	int32_t displacement = (int8_t)next_random();

	if (form == 3 || base == 4 || (s->form->kind & STACK && base == 5)) {
		s->bytes[s->size++] = (uint8_t)(reg << 3 | 4); /* no base: an address of 32 bits */
		s->bytes[s->size++] = 0x25;
		put(s, offset, 4);
		return;
	}
	if (s->form->kind & BITS_REG && base == reg)
		base = reg == 3 ? 2 : 3;
	if (base == 5 && !s->code64) /* EBP would mean SS */
		base = 3;
	if (form == 2 && index != 4 && index != base) {
		s->bytes[s->size++] = (uint8_t)(0x40 | reg << 3 | 4);
		s->bytes[s->size++] = (uint8_t)(index << 3 | base);
		s->bytes[s->size++] = (uint8_t)displacement;
		gpr[base] = offset - (uint64_t)displacement - gpr[index];
		return;
	}
	s->bytes[s->size++] = (uint8_t)((form ? 0x80 : 0x40) | reg << 3 | base);
	displacement = form ? (int32_t)(next_random() & 0xffff) : displacement;
	put(s, (uint64_t)displacement, form ? 4 : 1);
	gpr[base] = offset - (uint64_t)(int64_t)displacement;
}

/* Returns whether GS is meant. */
static bool put_prefixes(struct sample *s, uint8_t *rex)
{
	bool gs = !below(8);

	if (!below(6) && !(s->form->kind & JUMPS)) /* which would cut the target */
		s->bytes[s->size++] = 0x66;
	if (gs)
		s->bytes[s->size++] = 0x65;
	if (!below(8))
		s->bytes[s->size++] = 0xf0;
	/* With another opcode they would make another instruction. */
	if (s->form->opcode <= 0xff && !below(s->form->kind & STRING ? 2 : 16))
		s->bytes[s->size++] = below(2) ? 0xf2 : 0xf3;
	*rex = s->code64 && below(2) ? (uint8_t)(0x40 | (next_random() & 0x0c)) : 0;
	return gs;
}

/* Any register, length and prefix, and mostly no third operand. MOVDDUP and its kin are not ours.
 */
static uint8_t second_of_vex(const struct sample *s, uint32_t opcode)
{
	uint64_t byte = next_random() | (below(8) ? 0x78 : 0) | (s->code64 ? 0 : 0xc0);

	return (uint8_t)(opcode == 0x12 || opcode == 0x16 ? byte & ~2UL : byte);
}

static void put_opcode(struct sample *s, uint8_t rex)
{
	uint32_t opcode = s->form->opcode;
	int shift = 24;

	while (shift && !(opcode >> shift))
		shift -= 8;
	for (; shift >= 0; shift -= 8) {
		uint8_t byte = (uint8_t)(opcode >> shift);
		bool prefix = opcode > 0xffff && (byte == 0x66 || byte == 0xf2 || byte == 0xf3);

		if (!prefix && rex) {
			s->bytes[s->size++] = rex;
			rex = 0;
		}
		s->bytes[s->size++] = byte;
		if (byte == 0xc5 && s->form->kind & VEX)
			s->bytes[s->size++] = second_of_vex(s, opcode & 0xff);
	}
}

static unsigned choose_reg(const struct sample *s)
{
	unsigned reg = below(8);

	while (s->form->kind & GROUP && !(s->form->group >> reg & 1))
		reg = (reg + 1) & 7;
	return reg;
}

static bool has_prefix(const struct sample *s, uint8_t prefix)
{
	for (unsigned i = 0; i < s->size && i < 4; i++)
		if (s->bytes[i] == prefix)
			return true;
	return false;
}

static void choose_registers(struct sample *s)
{
	uint64_t *gpr = s->state.gpr;

	for (unsigned i = 0; i < 16; i++)
		gpr[i] = interesting();
	if (s->form->kind & STRING) {
		gpr[6] = offset_in(s, has_prefix(s, 0x65));
		gpr[7] = offset_in(s, false);
		if (below(2))
			gpr[6] = gpr[7] + below(32) - 16;
		gpr[1] = below(9);
	}
	s->state.rsp = s->form->kind & STACK && below(2) ? s->target + 8 * below(4)
							 : WINDOW + 256 + 8 * below(64);
}

/* A bit number reaches no further than what is compared. */
static void limit_bit_number(struct sample *s, unsigned reg, uint8_t rex)
{
	unsigned number = reg | (rex & 4 ? 8 : 0);

	if (s->form->kind & BITS_REG)
		s->state.gpr[number] = (uint64_t)((int64_t)below(1024) - 512);
}

static void choose(struct sample *s)
{
	const struct form *form = &forms[below(ARRAY_SIZE(forms))];
	unsigned reg;
	uint8_t rex;
	bool gs;

	memset(s, 0, sizeof(*s));
	s->form = form;
	s->code64 = below(3) || form->opcode == 0x63; /* else ARPL */
	s->target = choose_target(form->kind);
	s->base = below(2) ? 0x1000UL * below(16) : 0;
	s->limit = s->target - s->base + below(64);
	s->state.data_segment = below(2) ? LIMITED : USER_DATA;
	gs = put_prefixes(s, &rex);
	if (form->kind & VEX)
		s->size = 0, gs = false, rex = 0;
	choose_registers(s);
	put_opcode(s, rex);
	reg = choose_reg(s);
	limit_bit_number(s, reg, rex);
	if (form->kind & MODRM)
		put_operand(s, reg, gs);
	if (form->kind & OFFSET)
		put(s, offset_in(s, gs), s->code64 ? 8 : 4);
	if (form->kind & IMM8)
		put(s, next_random(), 1);
	if (form->kind & IMM)
		put(s, next_random(), has_prefix(s, 0x66) && !(rex & 8) ? 2 : 4);
	for (unsigned i = 0; i < COMPARED; i += 8) {
		/* Where the target is no address Bochs has changed the stack already. */
		uint64_t word =
			form->kind & JUMPS ? (uint64_t)code_page + 64 + below(128) : interesting();

		memcpy(s->memory + i, &word, 8);
	}
	s->state.rflags = 2 | (next_random() & (ARITHMETIC | RFLAGS_DF)) |
			  (below(4) ? 0 : RFLAGS_TF) | (below(4) ? 0 : RFLAGS_AC);
	if (form->opcode == 0x8e) /* Bochs raises #DB before what MOV to SS raises */
		s->state.rflags &= ~RFLAGS_TF;
}

/* The bytes around the operand, in the pages that are there and are what is tested. */
static uint64_t compared_from(const struct sample *s)
{
	uint64_t from = (s->target - SLACK) & ~7UL, last = WINDOW + 3 * PAGE_SIZE - COMPARED;

	return MIN(from, last);
}

static void set_limited(const struct sample *s)
{
	uint64_t limit = s->code64 ? 0xfffff : s->limit;

	/* A limit above 1 MiB is in pages. */
	limit = (limit >> 12) - (s->code64 ? 0xff : 0);
	own_gdt[LIMITED / 8] = 0x00c0f30000000000 | (limit & 0xffff) | (limit & 0xf0000) << 32 |
			       (s->base & 0xffffff) << 16;
}

static void load_fpu(const uint8_t *area)
{
	__asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(7), "d"(0) : "memory");
}

static void save_fpu(uint8_t *area)
{
	__asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(7), "d"(0) : "memory");
}

static void choose_fpu(void)
{
	const uint32_t mxcsr = 0x1f80;
	const uint16_t fcw = 0x37f, fsw = (uint16_t)(next_random() & 0x3800);

	for (unsigned i = 0; i < XSAVE_SIZE; i += 8) {
		uint64_t word = next_random();

		memcpy(user_fpu + i, &word, 8);
	}
	memset(user_fpu, 0, 32);
	memcpy(user_fpu, &fcw, 2);
	memcpy(user_fpu + 2, &fsw, 2);
	memcpy(user_fpu + 24, &mxcsr, 4);
	user_fpu[4] = (uint8_t)next_random();
	for (unsigned i = 0; i < 8; i++)
		memset(user_fpu + 32 + 16 * i + 10, 0, 6);
	memset(user_fpu + 416, 0, 160);
	user_fpu[512] = 7;
}

/* By words: on the device each is an exit's work. */
static void copy_words(void *to, const void *from)
{
	uint64_t count = COMPARED / 8;

	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

static void run(const struct sample *s, const uint64_t *pages, struct result *r)
{
	static struct state state;
	void *window = (void *)compared_from(s);

	page_map(WINDOW + PAGE_SIZE, pages[0]);
	page_map(WINDOW + 2 * PAGE_SIZE, pages[1]);
	copy_words(window, s->memory);
	if (s->target & 1)
		page_set_writable(WINDOW + 2 * PAGE_SIZE, false);
	state = s->state;
	__asm__ volatile("mov %0, %%db6" : : "r"(DR6_RESET));
	load_fpu(user_fpu);
	r->vector = (uint64_t)(uint32_t)try_user(load_state, &state);
	save_fpu(r->fpu);
	memcpy(r->gpr, &last_exception.r15, 15 * 8);
	r->gpr[15] = last_exception.rsp;
	r->error = last_exception.error;
	r->rip = last_exception.rip - (uint64_t)code_page;
	r->cs = last_exception.cs;
	r->rflags = last_exception.rflags & ~(uint64_t)s->form->undefined;
	/* Between iterations the CPU pushes RF = 1 (SDM 3B 18.3.1.1), Bochs 0. */
	if (r->vector == VECTOR_DB && !r->rip)
		r->rflags &= ~RFLAGS_RF;
	r->ss = last_exception.ss;
	r->cr2 = r->vector == VECTOR_PF ? last_cr2 : 0;
	__asm__ volatile("mov %%db6, %0" : "=r"(r->dr6));
	page_set_writable(WINDOW + 2 * PAGE_SIZE, true);
	copy_words(r->memory, window);
}

/* FSW, tags and registers: what XSAVE leaves as it was says nothing. */
static bool same_fpu(const uint8_t *a, const uint8_t *b)
{
	return !memcmp(a + 2, b + 2, 3) && !memcmp(a + 32, b + 32, 416 - 32) &&
	       !memcmp(a + 576, b + 576, 256);
}

static bool same(const struct result *a, const struct result *b)
{
	return !memcmp(a, b, offsetof(struct result, memory)) &&
	       !memcmp(a->memory, b->memory, COMPARED) && same_fpu(a->fpu, b->fpu);
}

static void show_result(const struct result *r, const char *where)
{
	printf("  %s: vector %ld error 0x%lx rip +%ld cs 0x%lx ss 0x%lx rflags 0x%lx cr2 0x%lx dr6 "
	       "0x%lx\n",
	       where, (long)(int32_t)r->vector, r->error, (long)r->rip, r->cs, r->ss, r->rflags,
	       r->cr2, r->dr6);
}

static void show_sample(const struct sample *s, uint64_t round)
{
	printf("round %lu, %s:", round, s->code64 ? "64-bit" : "32-bit");
	for (unsigned i = 0; i < s->size; i++)
		printf(" %02x", s->bytes[i]);
	printf(" on 0x%lx, limit 0x%lx, rflags 0x%lx\n", s->target, s->limit, s->state.rflags);
}

static void complain(const struct sample *s, uint64_t round)
{
	static const char *const names[] = {"r15", "r14", "r13", "r12", "r11", "r10", "r9",  "r8",
					    "rdi", "rsi", "rbp", "rbx", "rdx", "rcx", "rax", "rsp"};
	const struct result *a = &results[0], *b = &results[1];

	printf("DIFFERENT: ");
	show_sample(s, round);
	show_result(a, "RAM   ");
	show_result(b, "device");
	for (unsigned i = 0; i < 16; i++)
		if (a->gpr[i] != b->gpr[i])
			printf("  %s: 0x%lx, on the device 0x%lx\n", names[i], a->gpr[i],
			       b->gpr[i]);
	for (unsigned i = 0; i < COMPARED; i++)
		if (a->memory[i] != b->memory[i])
			printf("  memory %d: 0x%02x, on the device 0x%02x\n",
			       (int)(i + compared_from(s) - s->target), a->memory[i], b->memory[i]);
	if (!same_fpu(a->fpu, b->fpu))
		printf("  x87, SSE or AVX\n");
}

static void set_up(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) pointer = {sizeof(own_gdt) - 1, (uint64_t)own_gdt};

	memcpy(own_gdt, gdt, 8 * 8);
	own_gdt[USER_CODE32 / 8] = 0x00cffb000000ffff;
	__asm__ volatile("lgdt %0" : : "m"(pointer));
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE);
	__asm__ volatile("xsetbv" : : "c"(0), "a"(7), "d"(0));
	write_cr0(read_cr0() | CR0_AM);
	page_map(WINDOW, (uint64_t)page_alloc());
	page_map(WINDOW + 3 * PAGE_SIZE, 0);
	page_set_present(WINDOW + 3 * PAGE_SIZE, false);
	ram[0] = (uint64_t)page_alloc();
	ram[1] = (uint64_t)page_alloc();
}

static void prepare(struct sample *s)
{
	memset(code_page, 0xcc, sizeof(s->bytes) + 16);
	memcpy(code_page, s->bytes, s->size);
	s->state.rip = (uint64_t)code_page;
	s->state.cs = s->code64 ? USER_CODE : USER_CODE32;
	s->state.ss = USER_DATA;
	set_limited(s);
	wrmsr(MSR_GS, s->code64 ? s->base : 0);
	if (!below(8))
		choose_fpu();
}

unsigned fidelity_random(uint64_t first_seed, uint64_t rounds)
{
	static const uint64_t device[2] = {DEVICE, DEVICE + PAGE_SIZE};
	static struct sample s;
	uint64_t faults = 0, show = guest_number("show", ~0UL);
	unsigned different = 0;

	set_up();
	memset(code_page, 0xcc, sizeof(code_page));
	seed = first_seed;
	choose_fpu();
	for (uint64_t round = 0; round < rounds && different < 10; round++) {
		choose(&s);
		prepare(&s);
		if (round >= show)
			show_sample(&s, round);
		run(&s, ram, &results[0]);
		run(&s, device, &results[1]);
		faults += results[0].vector != VECTOR_BP && results[0].vector != VECTOR_DB;
		if (same(&results[0], &results[1]))
			continue;
		different++;
		complain(&s, round);
	}
	printf("%lu random instructions of seed 0x%lx on RAM and on a device, %lu of them faults: "
	       "%u differed\n",
	       rounds, first_seed, faults, different);
	return different;
}
