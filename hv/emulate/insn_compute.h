/* SPDX-License-Identifier: MIT */
/*
 * The arithmetic behind insn_execute(): what an instruction makes of its operands, wherever they
 * are. It is the inside of hv/emulate/.
 */
#pragma once

#include "hv/emulate/insn.h"
#include "lib/bits.h"

/* What an instruction computes, and the flags it leaves. */
struct outcome {
	uint64_t result;
	uint64_t flags;
	uint64_t changed; /* the flags it changes */
	bool writes;      /* it has a result; not looked at where that goes to memory */
};

/* x87's exceptions that come before the result: invalid operation, overflow, underflow (SDM 1 8.5). */
#define X87_BEFORE_RESULT (BIT(0) | BIT(3) | BIT(4))

/* RDX:RAX and the like: two halves of an operand's width. */
struct wide {
	uint64_t low, high;
};

/* The low 'width' bytes. A table: this is done five times for each access. */
static inline uint64_t cut(uint64_t value, unsigned width)
{
	static const uint64_t mask[] = {[1] = BITS(7, 0), [2] = BITS(15, 0), [4] = BITS(31, 0), [8] = BITS(63, 0)};

	return value & mask[width];
}

static inline uint64_t sign_extend(uint64_t value, unsigned width)
{
	unsigned shift = 64 - 8 * width;

	return (uint64_t)((int64_t)(value << shift) >> shift);
}

/* 'a' is the first operand, 'b' the second, both no wider than the instruction's. */
struct outcome insn_compute(const struct insn *insn, const struct insn_cpu *cpu, uint64_t a, uint64_t b);
struct outcome insn_difference(uint64_t a, uint64_t b, unsigned width);
/* Does the condition of SETcc, CMOVcc hold (SDM 1 B.1)? */
bool insn_condition(unsigned condition, uint64_t rflags);
/* *wide times or by 'value', and the flags; false: a quotient that does not fit, #DE. */
bool insn_multiply_or_divide(const struct insn *insn, struct insn_cpu *cpu, struct wide *wide, uint64_t value);
