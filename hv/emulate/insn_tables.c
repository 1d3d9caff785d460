/* SPDX-License-Identifier: MIT */
/* The tables of insn_tables.h: a row per opcode, and nothing that acts. */
#include "hv/emulate/insn_tables.h"

/* clang-format off */
const struct opcode insn_group[GROUPS][8] = {
	[GROUP_1] = {
		{ INSN_ADD, TO_MEMORY }, { INSN_OR,  TO_MEMORY },
		{ INSN_ADC, TO_MEMORY }, { INSN_SBB, TO_MEMORY },
		{ INSN_AND, TO_MEMORY }, { INSN_SUB, TO_MEMORY },
		{ INSN_XOR, TO_MEMORY }, { INSN_CMP, TO_MEMORY },
	},
	[GROUP_1A] = { { INSN_POP, TO_MEMORY | STACK } },
	[GROUP_2] = {
		{ INSN_ROL, TO_MEMORY }, { INSN_ROR, TO_MEMORY },
		{ INSN_RCL, TO_MEMORY }, { INSN_RCR, TO_MEMORY },
		{ INSN_SHL, TO_MEMORY }, { INSN_SHR, TO_MEMORY },
		{ INSN_SHL, TO_MEMORY }, { INSN_SAR, TO_MEMORY },
	},
	[GROUP_3] = {
		{ INSN_TEST, TO_MEMORY | IMMEDIATE }, { INSN_TEST, TO_MEMORY | IMMEDIATE },
		{ INSN_NOT,  TO_MEMORY },	      { INSN_NEG,  TO_MEMORY },
		{ INSN_MUL,  TO_MEMORY },	      { INSN_IMUL_WIDE, TO_MEMORY },
		{ INSN_DIV,  TO_MEMORY },	      { INSN_IDIV, TO_MEMORY },
	},
	[GROUP_4] = { { INSN_INC, TO_MEMORY }, { INSN_DEC, TO_MEMORY } },
	[GROUP_5] = {
		{ INSN_INC, TO_MEMORY }, { INSN_DEC, TO_MEMORY },
		{ INSN_CALL, STACK | TO_MEMORY },
		[4] = { INSN_JMP, STACK | TO_MEMORY },
		[6] = { INSN_PUSH, STACK | TO_MEMORY },
	},
	[GROUP_8] = {
		[4] = { INSN_BT,  TO_MEMORY }, { INSN_BTS, TO_MEMORY },
		      { INSN_BTR, TO_MEMORY }, { INSN_BTC, TO_MEMORY },
	},
	[GROUP_9] = { [1] = { INSN_CMPXCHG_PAIR, TO_MEMORY | PAIR } },
	[GROUP_11] = { { INSN_MOV, TO_MEMORY } },
	[GROUP_15] = { [6] = { INSN_FLUSH, TO_MEMORY | LINE }, { INSN_FLUSH, TO_MEMORY | LINE } },
	/* All but the environment's and the state's */
	[GROUP_X87] = { [0 ... 7] = { 4, X87 } },
	{ { 4, X87 }, [2 ... 3] = { 4, X87 | TO_MEMORY }, [5] = { 2, X87 }, [7] = { 2, X87 | TO_MEMORY } },
	{ [0 ... 7] = { 4, X87 } },
	{ { 4, X87 }, [1 ... 3] = { 4, X87 | TO_MEMORY }, [5] = { 10, X87 }, [7] = { 10, X87 | TO_MEMORY } },
	{ [0 ... 7] = { 8, X87 } },
	{ { 8, X87 }, [1 ... 3] = { 8, X87 | TO_MEMORY }, [7] = { 2, X87 | TO_MEMORY } },
	{ [0 ... 7] = { 2, X87 } },
	{ { 2, X87 }, [1 ... 3] = { 2, X87 | TO_MEMORY },
	  { 10, X87 }, { 8, X87 }, { 10, X87 | TO_MEMORY }, { 8, X87 | TO_MEMORY } },
};

/* An instruction for bytes, and behind it the same by operand size. */
#define BOTH(first, operation, flags)            \
	[(first)]     = { operation, (flags) | BYTE }, \
	[(first) + 1] = { operation, flags }

#define X87_ROWS(n) \
	[0xd8 + (n)] = { GROUP_X87 + (n), MODRM | GROUP }, [0xd9 + (n)] = { GROUP_X87 + 1 + (n), MODRM | GROUP }

/* The four forms of an arithmetic instruction: r/m8,r8  r/m,r  r8,r/m8  r,r/m. */
#define ARITHMETIC(first, operation)                       \
	BOTH(first, operation, MODRM | TO_MEMORY), BOTH((first) + 2, operation, MODRM)

const struct opcode insn_one_byte[256] = {
	ARITHMETIC(0x00, INSN_ADD),
	ARITHMETIC(0x08, INSN_OR),
	ARITHMETIC(0x10, INSN_ADC),
	ARITHMETIC(0x18, INSN_SBB),
	ARITHMETIC(0x20, INSN_AND),
	ARITHMETIC(0x28, INSN_SUB),
	ARITHMETIC(0x30, INSN_XOR),
	ARITHMETIC(0x38, INSN_CMP),
	ARITHMETIC(0x88, INSN_MOV),
	[0x0f] = { 0, ESCAPE },
	[0x26] = { 0, PREFIX }, [0x2e] = { 0, PREFIX }, [0x36] = { 0, PREFIX }, [0x3e] = { 0, PREFIX }, /* ES CS SS DS */
	[0x40 ... 0x4f] = { 0, PREFIX | ONLY_64 }, /* REX */
	[0x63] = { INSN_MOVSX, MODRM | SOURCE_32 | ONLY_64 },
	[0x64 ... 0x67] = { 0, PREFIX },	  /* FS, GS, operand size, address size */
	[0x69] = { INSN_IMUL, MODRM | IMMEDIATE },
	[0x6b] = { INSN_IMUL, MODRM | IMMEDIATE_8 },
	BOTH(0x6c, INSN_INS, STRING | TO_MEMORY | SOURCE_32),
	BOTH(0x6e, INSN_OUTS, STRING | SOURCE_32),
	BOTH(0x80, GROUP_1, MODRM | GROUP | IMMEDIATE),
	[0x82] = { GROUP_1, MODRM | GROUP | BYTE | IMMEDIATE | NOT_64 },
	[0x83] = { GROUP_1, MODRM | GROUP | IMMEDIATE_8 },
	BOTH(0x84, INSN_TEST, MODRM | TO_MEMORY),
	BOTH(0x86, INSN_XCHG, MODRM | TO_MEMORY),
	[0x8c] = { INSN_MOV, MODRM | TO_MEMORY | SEGMENT },
	[0x8e] = { INSN_MOV, MODRM | SEGMENT },
	[0x8f] = { GROUP_1A, MODRM | GROUP },
	BOTH(0xa0, INSN_MOV, OFFSET),
	BOTH(0xa2, INSN_MOV, OFFSET | TO_MEMORY),
	BOTH(0xa4, INSN_MOVS, STRING | TO_MEMORY),
	BOTH(0xa6, INSN_CMPS, STRING),
	BOTH(0xaa, INSN_STOS, STRING | TO_MEMORY),
	BOTH(0xac, INSN_LODS, STRING),
	BOTH(0xae, INSN_SCAS, STRING),
	BOTH(0xc0, GROUP_2, MODRM | GROUP | IMMEDIATE_8),
	[0xc4 ... 0xc5] = { 0, VECTOR },	  /* VEX */
	BOTH(0xc6, GROUP_11, MODRM | GROUP | IMMEDIATE),
	BOTH(0xd0, GROUP_2, MODRM | GROUP | COUNT_1),
	BOTH(0xd2, GROUP_2, MODRM | GROUP | COUNT_CL),
	[0xd7] = { INSN_XLAT, BYTE },
	X87_ROWS(0), X87_ROWS(2), X87_ROWS(4), X87_ROWS(6),
	[0xf0] = { 0, PREFIX },			  /* LOCK */
	[0xf2 ... 0xf3] = { 0, PREFIX },	  /* REPNE, REP */
	BOTH(0xf6, GROUP_3, MODRM | GROUP),
	[0xfe] = { GROUP_4, MODRM | GROUP | BYTE },
	[0xff] = { GROUP_5, MODRM | GROUP },
};

/* After the byte 0F; what is not here may be a vector move. */
const struct opcode insn_two_byte[256] = {
	[0x38] = { 0, ESCAPE_38 },
	[0x40 ... 0x4f] = { INSN_CMOV, MODRM | CONDITION },
	[0x90 ... 0x9f] = { INSN_SET, MODRM | TO_MEMORY | BYTE | CONDITION },
	[0xa3] = { INSN_BT,  MODRM | TO_MEMORY },
	[0xa4] = { INSN_SHLD, MODRM | TO_MEMORY | IMMEDIATE_8 },
	[0xa5] = { INSN_SHLD, MODRM | TO_MEMORY },
	[0xab] = { INSN_BTS, MODRM | TO_MEMORY },
	[0xac] = { INSN_SHRD, MODRM | TO_MEMORY | IMMEDIATE_8 },
	[0xad] = { INSN_SHRD, MODRM | TO_MEMORY },
	[0xae] = { GROUP_15, MODRM | GROUP },
	[0xaf] = { INSN_IMUL, MODRM },
	BOTH(0xb0, INSN_CMPXCHG, MODRM | TO_MEMORY),
	[0xb3] = { INSN_BTR, MODRM | TO_MEMORY },
	[0xb6] = { INSN_MOVZX, MODRM | SOURCE_8 },
	[0xb7] = { INSN_MOVZX, MODRM | SOURCE_16 },
	[0xb8] = { INSN_POPCNT, MODRM | ONLY_F3 },
	[0xba] = { GROUP_8, MODRM | GROUP | IMMEDIATE_8 },
	[0xbb] = { INSN_BTC, MODRM | TO_MEMORY },
	[0xbc] = { INSN_BSF, MODRM | F3_IS_NEXT },
	[0xbd] = { INSN_BSR, MODRM | F3_IS_NEXT },
	[0xbe] = { INSN_MOVSX, MODRM | SOURCE_8 },
	[0xbf] = { INSN_MOVSX, MODRM | SOURCE_16 },
	BOTH(0xc0, INSN_XADD, MODRM | TO_MEMORY),
	[0xc3] = { INSN_MOV, MODRM | TO_MEMORY | WIDE }, /* MOVNTI */
	[0xc7] = { GROUP_9, MODRM | GROUP },
};

/* The moves between memory and an MMX, XMM or YMM register: most have a load and a store. */
#define BOTH_WAYS(map, load, store, prefixes, part, width) \
	{map, load, prefixes, part, width, false}, {map, store, prefixes, part, width, true}

/* BMI1 and BMI2 (SDM 2A 2.3): VEX too, but with general registers. */
#define GENERAL(map, opcode, prefix, operation) {map, opcode, BIT(prefix), VECTOR_GENERAL, operation, false}

const struct vector_move insn_vector_move[VECTOR_MOVES] = {
	BOTH_WAYS(1, 0x10, 0x11, NONE_OR_66, VECTOR_WHOLE, 0),
	BOTH_WAYS(1, 0x10, 0x11, BIT(PF3), VECTOR_SCALAR, 4), /* MOVSS */
	BOTH_WAYS(1, 0x10, 0x11, BIT(PF2), VECTOR_SCALAR, 8), /* MOVSD */
	BOTH_WAYS(1, 0x12, 0x13, NONE_OR_66, VECTOR_LOW, 8),
	BOTH_WAYS(1, 0x16, 0x17, NONE_OR_66, VECTOR_HIGH, 8),
	BOTH_WAYS(1, 0x28, 0x29, NONE_OR_66, VECTOR_WHOLE, 0),
	{1, 0x2b, NONE_OR_66, VECTOR_WHOLE, 0, true}, /* MOVNTPS */
	BOTH_WAYS(1, 0x6e, 0x7e, BIT(NONE), VECTOR_MMX, VECTOR_W),
	BOTH_WAYS(1, 0x6e, 0x7e, BIT(P66), VECTOR_SCALAR, VECTOR_W),
	{1, 0x7e, BIT(PF3), VECTOR_SCALAR, 8, false},
	BOTH_WAYS(1, 0x6f, 0x7f, BIT(NONE), VECTOR_MMX, 8),
	BOTH_WAYS(1, 0x6f, 0x7f, BIT(P66) | BIT(PF3), VECTOR_WHOLE, 0), /* MOVDQA, MOVDQU */
	{1, 0xd6, BIT(P66), VECTOR_SCALAR, 8, true},
	{1, 0xe7, BIT(NONE), VECTOR_MMX, 8, true},
	{1, 0xe7, BIT(P66), VECTOR_WHOLE, 0, true}, /* MOVNTDQ */
	{1, 0xf0, BIT(PF2), VECTOR_WHOLE, 0, false}, /* LDDQU */
	{2, 0x2a, BIT(P66), VECTOR_WHOLE, 0, false}, /* MOVNTDQA */
	BOTH_WAYS(3, 0x18, 0x19, BIT(P66), VECTOR_LANE, 16), /* VINSERTF128, VEXTRACTF128 */
	BOTH_WAYS(3, 0x38, 0x39, BIT(P66), VECTOR_LANE, 16), /* VINSERTI128, VEXTRACTI128 */
	GENERAL(2, 0xf2, NONE, INSN_ANDN), GENERAL(2, 0xf3, NONE, INSN_BLS),
	GENERAL(2, 0xf5, NONE, INSN_BZHI), GENERAL(2, 0xf5, PF3, INSN_PEXT), GENERAL(2, 0xf5, PF2, INSN_PDEP),
	GENERAL(2, 0xf6, PF2, INSN_MULX), GENERAL(3, 0xf0, PF2, INSN_RORX),
	GENERAL(2, 0xf7, NONE, INSN_BEXTR), GENERAL(2, 0xf7, P66, INSN_SHLX),
	GENERAL(2, 0xf7, PF3, INSN_SARX), GENERAL(2, 0xf7, PF2, INSN_SHRX),
};
/* clang-format on */
