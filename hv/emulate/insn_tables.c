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

/* After the byte 0F; what is not here may be a vector's. */
const struct opcode insn_two_byte[256] = {
	[0x38] = { 0, ESCAPE_38 }, [0x3a] = { 0, ESCAPE_38 },
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

#define ANY	BITS(3, 0)
#define N66	NONE_OR_66
#define N66F3	(NONE_OR_66 | BIT(PF3))
#define P_66	BIT(P66)
#define F_3	BIT(PF3)
#define F_2	BIT(PF2)
#define F_66F2	(P_66 | F_2)
#define ONE(map, opcode) map, opcode, opcode

/* All but what masks its accesses, gathers, compares strings, or saves state. */
const struct vector insn_vector[] = {
	{ONE(1, 0x10), ANY, FLOAT, 0}, {ONE(1, 0x11), ANY, FLOAT, STORE}, {ONE(1, 0x12), N66, 8, 0},
	{ONE(1, 0x12), F_3, WHOLE, 0}, {ONE(1, 0x12), F_2, DUPLICATED, 0}, {ONE(1, 0x13), N66, 8, STORE},
	{1, 0x14, 0x15, N66, WHOLE, 0}, {ONE(1, 0x16), N66, 8, 0}, {ONE(1, 0x16), F_3, WHOLE, 0},
	{ONE(1, 0x17), N66, 8, STORE}, {ONE(1, 0x28), N66, WHOLE, 0}, {ONE(1, 0x29), N66, WHOLE, STORE},
	{ONE(1, 0x2a), N66, 8, ONLY_LEGACY}, {ONE(1, 0x2a), F_3 | F_2, BY_W, 0}, {ONE(1, 0x2b), N66, WHOLE, STORE},
	{1, 0x2c, 0x2d, BIT(NONE), 8, ONLY_LEGACY}, {1, 0x2c, 0x2d, P_66, 16, ONLY_LEGACY},
	{1, 0x2c, 0x2d, F_3 | F_2, FLOAT, TO_GENERAL}, {1, 0x2e, 0x2f, BIT(NONE), 4, 0}, {1, 0x2e, 0x2f, P_66, 8, 0},
	{ONE(1, 0x51), ANY, FLOAT, 0}, {1, 0x52, 0x53, BIT(NONE) | F_3, FLOAT, 0}, {1, 0x54, 0x57, N66, WHOLE, 0},
	{1, 0x58, 0x59, ANY, FLOAT, 0}, {ONE(1, 0x5a), BIT(NONE), HALF, 0}, {ONE(1, 0x5a), P_66 | F_3 | F_2, FLOAT, 0},
	{ONE(1, 0x5b), N66F3, WHOLE, 0}, {1, 0x5c, 0x5f, ANY, FLOAT, 0}, {1, 0x60, 0x62, BIT(NONE), 4, ONLY_LEGACY},
	{1, 0x60, 0x62, P_66, WHOLE, 0}, {1, 0x63, 0x6b, N66, INTEGER, 0}, {1, 0x6c, 0x6d, P_66, WHOLE, 0},
	{ONE(1, 0x6e), BIT(NONE), BY_W, ONLY_LEGACY}, {ONE(1, 0x6e), P_66, BY_W, 0}, {ONE(1, 0x6f), N66F3, INTEGER, 0},
	{ONE(1, 0x70), ANY, INTEGER, IMM}, {1, 0x74, 0x76, N66, INTEGER, 0}, {1, 0x7c, 0x7d, F_66F2, WHOLE, 0},
	{ONE(1, 0x7e), BIT(NONE), BY_W, STORE | ONLY_LEGACY}, {ONE(1, 0x7e), P_66, BY_W, STORE},
	{ONE(1, 0x7e), F_3, 8, 0}, {ONE(1, 0x7f), N66F3, INTEGER, STORE}, {ONE(1, 0xc2), ANY, FLOAT, IMM},
	{ONE(1, 0xc4), BIT(NONE), 2, IMM | ONLY_LEGACY}, {ONE(1, 0xc4), P_66, 2, IMM}, {ONE(1, 0xc6), N66, WHOLE, IMM},
	{ONE(1, 0xd0), F_66F2, WHOLE, 0}, {1, 0xd1, 0xd3, N66, COUNT, 0}, {1, 0xd4, 0xd5, N66, INTEGER, 0},
	{ONE(1, 0xd6), P_66, 8, STORE}, {1, 0xd8, 0xe0, N66, INTEGER, 0}, {1, 0xe1, 0xe2, N66, COUNT, 0},
	{1, 0xe3, 0xe5, N66, INTEGER, 0}, {ONE(1, 0xe6), F_66F2, WHOLE, 0}, {ONE(1, 0xe6), F_3, HALF, 0},
	{ONE(1, 0xe7), N66, INTEGER, STORE}, {1, 0xe8, 0xef, N66, INTEGER, 0}, {ONE(1, 0xf0), F_2, WHOLE, 0},
	{1, 0xf1, 0xf3, N66, COUNT, 0}, {1, 0xf4, 0xf6, N66, INTEGER, 0}, {1, 0xf8, 0xfe, N66, INTEGER, 0},
	{2, 0x00, 0x0b, N66, INTEGER, 0}, {2, 0x0c, 0x0f, P_66, WHOLE, ONLY_VEX}, {ONE(2, 0x10), P_66, WHOLE, ONLY_LEGACY},
	{ONE(2, 0x13), P_66, HALF, ONLY_VEX}, {2, 0x14, 0x15, P_66, WHOLE, ONLY_LEGACY},
	{ONE(2, 0x16), P_66, WHOLE, ONLY_VEX}, {ONE(2, 0x17), P_66, WHOLE, 0}, {ONE(2, 0x18), P_66, 4, ONLY_VEX},
	{ONE(2, 0x19), P_66, 8, ONLY_VEX}, {ONE(2, 0x1a), P_66, 16, ONLY_VEX}, {2, 0x1c, 0x1e, N66, INTEGER, 0},
	{ONE(2, 0x20), P_66, HALF, 0}, {ONE(2, 0x21), P_66, QUARTER, 0}, {ONE(2, 0x22), P_66, EIGHTH, 0},
	{ONE(2, 0x23), P_66, HALF, 0}, {ONE(2, 0x24), P_66, QUARTER, 0}, {ONE(2, 0x25), P_66, HALF, 0},
	{2, 0x28, 0x2b, P_66, WHOLE, 0}, {ONE(2, 0x30), P_66, HALF, 0}, {ONE(2, 0x31), P_66, QUARTER, 0},
	{ONE(2, 0x32), P_66, EIGHTH, 0}, {ONE(2, 0x33), P_66, HALF, 0}, {ONE(2, 0x34), P_66, QUARTER, 0},
	{ONE(2, 0x35), P_66, HALF, 0}, {ONE(2, 0x36), P_66, WHOLE, ONLY_VEX}, {2, 0x37, 0x40, P_66, WHOLE, 0},
	{ONE(2, 0x41), P_66, 16, 0}, {2, 0x45, 0x47, P_66, WHOLE, ONLY_VEX}, {ONE(2, 0x58), P_66, 4, ONLY_VEX},
	{ONE(2, 0x59), P_66, 8, ONLY_VEX}, {ONE(2, 0x5a), P_66, 16, ONLY_VEX}, {ONE(2, 0x78), P_66, 1, ONLY_VEX},
	{ONE(2, 0x79), P_66, 2, ONLY_VEX}, {2, 0x96, 0x9f, P_66, FMA, ONLY_VEX}, {2, 0xa6, 0xaf, P_66, FMA, ONLY_VEX},
	{2, 0xb6, 0xbf, P_66, FMA, ONLY_VEX}, {2, 0xdb, 0xdf, P_66, WHOLE, 0},
	{3, 0x00, 0x02, P_66, WHOLE, ONLY_VEX}, {3, 0x04, 0x06, P_66, WHOLE, ONLY_VEX}, {3, 0x08, 0x09, P_66, WHOLE, 0},
	{ONE(3, 0x0a), P_66, 4, 0}, {ONE(3, 0x0b), P_66, 8, 0}, {3, 0x0c, 0x0e, P_66, WHOLE, 0},
	{ONE(3, 0x0f), N66, INTEGER, 0}, {ONE(3, 0x14), P_66, 1, STORE}, {ONE(3, 0x15), P_66, 2, STORE},
	{ONE(3, 0x16), P_66, BY_W, STORE}, {ONE(3, 0x17), P_66, 4, STORE}, {ONE(3, 0x18), P_66, 16, ONLY_VEX},
	{ONE(3, 0x19), P_66, 16, STORE | ONLY_VEX}, {ONE(3, 0x1d), P_66, HALF, STORE | ONLY_VEX},
	{ONE(3, 0x20), P_66, 1, 0}, {ONE(3, 0x21), P_66, 4, 0}, {ONE(3, 0x22), P_66, BY_W, 0},
	{ONE(3, 0x38), P_66, 16, ONLY_VEX}, {ONE(3, 0x39), P_66, 16, STORE | ONLY_VEX}, {3, 0x40, 0x42, P_66, WHOLE, 0},
	{ONE(3, 0x44), P_66, WHOLE, 0}, {ONE(3, 0x46), P_66, WHOLE, ONLY_VEX}, {3, 0x4a, 0x4c, P_66, WHOLE, ONLY_VEX | FOURTH},
	{ONE(3, 0xdf), P_66, 16, 0},
	/* BMI1 and BMI2 */
	{ONE(2, 0xf2), BIT(NONE), BY_W, ONLY_VEX | TO_GENERAL | FROM_VVVV}, {ONE(2, 0xf3), BIT(NONE), BY_W, ONLY_VEX | TO_VVVV},
	{ONE(2, 0xf5), BIT(NONE) | F_3 | F_2, BY_W, ONLY_VEX | TO_GENERAL | FROM_VVVV},
	{ONE(2, 0xf6), F_2, BY_W, ONLY_VEX | TO_GENERAL | TO_VVVV}, {ONE(2, 0xf7), ANY, BY_W, ONLY_VEX | TO_GENERAL | FROM_VVVV},
	{ONE(3, 0xf0), F_2, BY_W, ONLY_VEX | TO_GENERAL}, {0},
};
/* clang-format on */
