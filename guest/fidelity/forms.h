// SPDX-License-Identifier: MIT
/*
 * The instructions that compilers use on devices, a row for those that differ in nothing that matters here: forms.c has
 * them, samples.c makes one up of a row.
 */
#pragma once

#include <stdint.h>

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
	TABLE = 4096,      /* at RBX */
	MOSTLY_66 = 16384, /* as VEX has prefixes */
	INSIDE = 8192,     /* over no border: of ten bytes Bochs writes eight before it faults on the rest */
};

struct form {
	uint32_t opcode; /* its bytes, the first one highest */
	uint16_t kind;
	uint8_t group; /* a mask of what ModRM bits 5:3 may be */
	uint16_t undefined;
};

extern const struct form forms[];
extern const unsigned forms_count;
