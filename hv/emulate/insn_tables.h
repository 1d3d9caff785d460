/* SPDX-License-Identifier: MIT */
/*
 * What an opcode is, in three tables of opcodes and one of vectors (SDM 2D, appendix A). They
 * are the inside of hv/emulate/.
 */
#pragma once

#include "hv/emulate/insn.h"
#include "lib/bits.h"

/* What follows an opcode, and how wide its operands are. No flag at all: not ours. */
/* clang-format off */
enum {
	MODRM = 1 << 0,
	BYTE = 1 << 1,        /* 8-bit operands; else by operand size */
	TO_MEMORY = 1 << 2,   /* memory is the first operand */
	IMMEDIATE = 1 << 3,   /* as wide as the operand, 4 bytes at most */
	IMMEDIATE_8 = 1 << 4, /* one byte, sign-extended */
	OFFSET = 1 << 5,      /* the accumulator and an absolute address */
	STRING = 1 << 6,
	GROUP = 1 << 7,    /* ModRM bits 5:3 select in group[operation] */
	SOURCE_8 = 1 << 8, /* the memory operand has its own width */
	SOURCE_16 = 1 << 9,
	SOURCE_32 = 1 << 10,
	ONLY_64 = 1 << 11, /* 64-bit mode */
	NOT_64 = 1 << 12,
	WIDE = 1 << 13, /* none of 66, F2, F3; operands of 4 or 8 bytes */
	PREFIX = 1 << 14,
	ESCAPE = 1 << 15,	 /* two_byte[] has the next byte */
	ESCAPE_38 = 1 << 16, /* three_byte() has it: 0F 38 and 0F 3A */
	COUNT_1 = 1 << 17,	 /* the other operand is 1 */
	COUNT_CL = 1 << 18,	 /* ... is CL */
	CONDITION = 1 << 19, /* the opcode's low four bits */
	STACK = 1 << 20,	 /* in 64-bit mode operands have 8 bytes, or 2 */
	SEGMENT = 1 << 21,	 /* ModRM bits 5:3 name a segment register */
	PAIR = 1 << 22,		 /* 8 bytes, 16 with REX.W */
	VECTOR = 1 << 23,	 /* insn_vector[] has it */
	ONLY_F3 = 1 << 24,
	F3_IS_NEXT = 1 << 25, /* with F3 it is the operation behind it */
	LINE = 1 << 26,		 /* CLFLUSH and its kin */
	NO_REPEAT = 1 << 27,  /* neither F2 nor F3 */
	X87 = 1 << 28,		 /* the operation is the width in bytes */
};

enum {
	GROUP_1, GROUP_1A, GROUP_2, GROUP_3, GROUP_4, GROUP_5, GROUP_8, GROUP_9, GROUP_11, GROUP_15,
	GROUP_X87, /* and seven more: D8 to DF */
	GROUPS = GROUP_X87 + 8
};
/* clang-format on */

struct opcode {
	uint8_t operation;
	uint32_t flags;
};

/* [group][ModRM bits 5:3]; by the only byte; by the byte after 0F. */
extern const struct opcode insn_group[GROUPS][8];
extern const struct opcode insn_one_byte[256];
extern const struct opcode insn_two_byte[256];

/* Mandatory prefixes, as VEX numbers them; a set of them is a mask of BIT(n). */
enum { NONE, P66, PF3, PF2 };
#define NONE_OR_66 (BIT(NONE) | BIT(P66))

/* Instructions of MMX, SSE, AVX and BMI with memory, a row for those that differ in nothing else. */
struct vector {
	uint8_t map;         /* 1: behind 0F; 2: 0F 38; 3: 0F 3A */
	uint8_t first, last; /* opcodes */
	uint8_t prefixes;
	uint8_t width; /* of the memory operand: bytes, or one of those below */
	uint8_t flags;
};
/* clang-format off */
enum {
	STORE = 1,
	IMM = 2, /* besides map 3 */
	ONLY_LEGACY = 4,
	ONLY_VEX = 8,
	TO_GENERAL = 16, /* ModRM bits 5:3 name a general register */
	FROM_VVVV = 32, /* vvvv names one, a source ... */
	TO_VVVV = 64, /* ... or a destination */
	FOURTH = 128, /* the immediate's upper bits name a register */
};
/*
 * By W; by the prefix: floating point, MMX or SSE, a shift's count; by the opcode; MOVDDUP's; all of a
 * register, or a part.
 */
enum { BY_W = 64, FLOAT, INTEGER, COUNT, FMA, DUPLICATED, WHOLE, HALF, QUARTER, EIGHTH };
/* clang-format on */
extern const struct vector insn_vector[]; /* up to a row of zeroes */
