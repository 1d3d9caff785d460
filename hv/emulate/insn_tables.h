/* SPDX-License-Identifier: MIT */
/*
 * What an opcode is, in three tables of opcodes and one of vector moves (SDM 2D, appendix A). They
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
	ESCAPE_38 = 1 << 16, /* three_byte() has it */
	COUNT_1 = 1 << 17,	 /* the other operand is 1 */
	COUNT_CL = 1 << 18,	 /* ... is CL */
	CONDITION = 1 << 19, /* the opcode's low four bits */
	STACK = 1 << 20,	 /* in 64-bit mode operands have 8 bytes, or 2 */
	SEGMENT = 1 << 21,	 /* ModRM bits 5:3 name a segment register */
	PAIR = 1 << 22,		 /* 8 bytes, 16 with REX.W */
	VECTOR = 1 << 23,	 /* vector_move[] has it */
	ONLY_F3 = 1 << 24,
	F3_IS_NEXT = 1 << 25, /* with F3 it is the operation behind it */
	LINE = 1 << 26,		 /* CLFLUSH and its kin */
	NO_REPEAT = 1 << 27,  /* neither F2 nor F3 */
	X87 = 1 << 28,		 /* the operation is the width in bytes */
};
/* clang-format on */

struct opcode {
	uint8_t operation;
	uint32_t flags;
};

enum {
	GROUP_1,
	GROUP_1A,
	GROUP_2,
	GROUP_3,
	GROUP_4,
	GROUP_5,
	GROUP_8,
	GROUP_9,
	GROUP_11,
	GROUP_15,
	GROUP_X87, /* and seven more: D8 to DF */
	GROUPS = GROUP_X87 + 8
};

/* [group][ModRM bits 5:3]; by the only byte; by the byte after 0F. */
extern const struct opcode insn_group[GROUPS][8];
extern const struct opcode insn_one_byte[256];
extern const struct opcode insn_two_byte[256];

/* Mandatory prefixes, as VEX numbers them; a set of them is a mask of BIT(n). */
enum { NONE, P66, PF3, PF2 };
#define NONE_OR_66 (BIT(NONE) | BIT(P66))

/* A move between memory and an MMX, XMM or YMM register. */
struct vector_move {
	uint8_t map; /* 1: behind 0F; 2: 0F 38; 3: 0F 3A, of VEX only */
	uint8_t opcode;
	uint8_t prefixes;
	uint8_t part;  /* enum insn_vector */
	uint8_t width; /* 0: the whole register; VECTOR_W: 4, or 8 with W; of VECTOR_GENERAL the operation */
	bool to_memory;
};
#define VECTOR_W     1
#define VECTOR_MOVES 42
extern const struct vector_move insn_vector_move[VECTOR_MOVES];
