/* SPDX-License-Identifier: MIT */
/*
 * What instructions compute: results and flags (SDM 1 3.4.3.1) of arithmetic, shifts, bit searches
 * and conditions, and where XMM, YMM and MMX registers lie in an XSAVE area. No memory, no state.
 */
#include "hv/emulate/insn_compute.h"

#include "lib/string.h"
#include "lib/x86.h"

static struct outcome logical(uint64_t result, unsigned width)
{
	struct outcome out = {.result = result, .changed = RFLAGS_STATUS, .writes = true};

	if (!result) out.flags |= RFLAGS_ZF;
	if (result & BIT(8 * width - 1)) out.flags |= RFLAGS_SF;
	if (!__builtin_parity((unsigned)result & 0xff)) out.flags |= RFLAGS_PF;
	return out;
}

/* The flags of a sum or difference: 'carries' has a carry (or borrow) out of each bit. */
static struct outcome arithmetic(uint64_t result, uint64_t carries, uint64_t overflow, unsigned width)
{
	struct outcome out = logical(result, width);
	uint64_t sign = BIT(8 * width - 1);

	if (carries & sign) out.flags |= RFLAGS_CF;
	if (carries & BIT(3)) out.flags |= RFLAGS_AF;
	if (overflow & sign) out.flags |= RFLAGS_OF;
	return out;
}

static struct outcome sum(uint64_t a, uint64_t b, uint64_t carry, unsigned width)
{
	uint64_t result = cut(a + b + carry, width);

	return arithmetic(result, (a & b) | ((a | b) & ~result), (a ^ result) & (b ^ result), width);
}

static struct outcome difference(uint64_t a, uint64_t b, uint64_t borrow, unsigned width)
{
	uint64_t result = cut(a - b - borrow, width);

	return arithmetic(result, (~a & b) | ((~a | b) & result), (a ^ b) & (a ^ result), width);
}

/* BT and its kin: the bit goes to CF, the others stay. */
static struct outcome bit_operation(enum insn_operation operation, uint64_t value, unsigned number)
{
	struct outcome out = {.result = value, .flags = value >> number & 1 ? RFLAGS_CF : 0, .changed = RFLAGS_CF};

	if (operation == INSN_BTS)
		out.result |= BIT(number);
	else if (operation == INSN_BTR)
		out.result &= ~BIT(number);
	else if (operation == INSN_BTC)
		out.result ^= BIT(number);
	return out;
}

struct outcome insn_difference(uint64_t a, uint64_t b, unsigned width) { return difference(a, b, 0, width); }

bool insn_condition(unsigned condition, uint64_t rflags)
{
	bool less = !(rflags & RFLAGS_SF) != !(rflags & RFLAGS_OF);
	const bool holds[8] = {
		rflags & RFLAGS_OF,
		rflags & RFLAGS_CF,
		rflags & RFLAGS_ZF,
		rflags & (RFLAGS_CF | RFLAGS_ZF),
		rflags & RFLAGS_SF,
		rflags & RFLAGS_PF,
		less,
		less || rflags & RFLAGS_ZF,
	};

	return holds[condition >> 1] != (condition & 1);
}

static bool top_bit(uint64_t value, unsigned bits) { return value >> (bits - 1) & 1; }

/*
 * All that shift and rotate, bit by bit, so that CF, OF and counts beyond the width come out as the CPU has
 * them. SHLD and SHRD shift in the bits of the register 'b'; where a word goes further than that reaches, CPUs
 * shift its own bits in behind.
 */
static struct outcome compute_shift(const struct insn *insn, const struct insn_cpu *cpu, uint64_t a, uint64_t b)
{
	enum insn_operation operation = insn->operation;
	unsigned bits = 8 * insn->width;
	bool twice = operation >= INSN_SHLD, rotates = operation <= INSN_RCR;
	bool left = operation == INSN_ROL || operation == INSN_RCL || operation == INSN_SHL || operation == INSN_SHLD;
	bool cf = cpu->rflags & RFLAGS_CF;
	uint64_t by = !twice ? b : insn->has_immediate ? insn->immediate : cpu->gpr[RCX];
	unsigned count = (unsigned)by & (insn->width == 8 ? 63 : 31);
	uint64_t in = operation == INSN_SAR && top_bit(a, bits) ? ~0ULL : 0;
	struct outcome out = {.result = a};

	if (!count) return out;
	if (twice && left)
		in = b << (64 - bits) | (bits == 16 ? a << 32 : 0);
	else if (twice)
		in = b | (bits == 16 ? a << 16 : 0);
	for (; count; count--) {
		bool leaves = left ? top_bit(a, bits) : a & 1;
		bool enters = left ? in >> 63 : in & 1;

		if (rotates) enters = operation <= INSN_ROR ? leaves : cf;
		a = left ? cut(a << 1 | enters, insn->width) : a >> 1 | (uint64_t)enters << (bits - 1);
		in = left ? in << 1 : in >> 1;
		cf = leaves;
	}
	out = logical(a, insn->width);
	if (rotates) out.changed = RFLAGS_CF | RFLAGS_OF;
	if (cf) out.flags |= RFLAGS_CF;
	if (top_bit(a, bits) != (left ? cf : top_bit(a << 1, bits))) out.flags |= RFLAGS_OF;
	return out;
}

/* BSF and BSR leave the register as it is where there is no bit; TZCNT and LZCNT do not. */
static struct outcome search(const struct insn *insn, const struct insn_cpu *cpu, uint64_t value)
{
	unsigned bits = 8 * insn->width;
	bool forward = insn->operation <= INSN_TZCNT;
	bool counts =
		(insn->operation == INSN_TZCNT && cpu->has_bmi) || (insn->operation == INSN_LZCNT && cpu->has_lzcnt);
	unsigned number = !value    ? bits
			  : forward ? (unsigned)__builtin_ctzll(value)
				    : 63 - (unsigned)__builtin_clzll(value);
	uint64_t none = counts ? RFLAGS_CF : RFLAGS_ZF; /* says that there is no bit */

	if (counts && !forward && value) number = bits - 1 - number;
	return (struct outcome){
		.result = number,
		.flags = (value ? 0 : none) | (counts && !number ? RFLAGS_ZF : 0),
		.changed = counts ? RFLAGS_CF | RFLAGS_ZF : RFLAGS_STATUS,
		.writes = value || counts,
	};
}

static int64_t extend(uint64_t value, unsigned width) { return (int64_t)sign_extend(value, width); }

/* IMUL into a register. */
static struct outcome multiply(uint64_t a, uint64_t b, unsigned width)
{
	__int128_t product = (__int128_t)extend(a, width) * extend(b, width);
	struct outcome out = logical(cut((uint64_t)product, width), width);

	if (product != extend((uint64_t)product, width)) out.flags |= RFLAGS_CF | RFLAGS_OF;
	return out;
}

static bool divide(__uint128_t dividend, uint64_t divisor, bool is_signed, unsigned width, struct wide *wide)
{
	__uint128_t quotient = 0;
	__uint128_t limit = (__uint128_t)1 << 8 * width;
	bool negative = is_signed && dividend >> 127, opposite = negative;
	uint64_t remainder = 0;

	if (negative) dividend = -dividend;
	if (is_signed && extend(divisor, width) < 0) {
		divisor = cut(-divisor, width);
		opposite = !negative;
	}
	if (!divisor) return false;
	/* Bit by bit: there is no libgcc here to divide 128 bits. */
	for (int i = 127; i >= 0; i--) {
		bool carry = remainder >> 63;

		remainder = remainder << 1 | (uint64_t)(dividend >> i & 1);
		if (carry || remainder >= divisor) {
			remainder -= divisor;
			quotient |= (__uint128_t)1 << i;
		}
	}
	if (is_signed) limit = limit / 2 + opposite;
	if (quotient >= limit) return false;
	wide->low = cut(opposite ? -(uint64_t)quotient : (uint64_t)quotient, width);
	wide->high = cut(negative ? -remainder : remainder, width);
	return true;
}

bool insn_multiply_or_divide(const struct insn *insn, struct insn_cpu *cpu, struct wide *wide, uint64_t value)
{
	unsigned width = insn->width, bits = 8 * width;
	bool is_signed = insn->operation == INSN_IMUL_WIDE || insn->operation == INSN_IDIV;
	__uint128_t both = (__uint128_t)wide->high << bits | wide->low;
	struct outcome out;

	if (insn->operation == INSN_DIV || insn->operation == INSN_IDIV) {
		if (is_signed && top_bit(wide->high, bits)) both |= width == 8 ? 0 : ~(__uint128_t)0 << 2 * bits;
		return divide(both, value, is_signed, width, wide);
	}
	both = is_signed ? (__uint128_t)((__int128_t)extend(wide->low, width) * extend(value, width))
			 : (__uint128_t)wide->low * value;
	wide->low = cut((uint64_t)both, width);
	wide->high = cut((uint64_t)(both >> bits), width);
	out = logical(wide->low, width);
	if (is_signed ? (__int128_t)both != extend(wide->low, width) : wide->high != 0)
		out.flags |= RFLAGS_CF | RFLAGS_OF;
	cpu->rflags = (cpu->rflags & ~out.changed) | out.flags;
	return true;
}

/* CMPXCHG: the accumulator with memory; ZF says which of two goes there. */
static struct outcome compare_exchange(uint64_t accumulator, uint64_t old, uint64_t desired, unsigned width)
{
	struct outcome out = difference(cut(accumulator, width), old, 0, width);

	out.result = out.flags & RFLAGS_ZF ? desired : old;
	return out;
}

/* One by one: the compiler's own would be in libgcc. */
static struct outcome count_bits(uint64_t value)
{
	struct outcome out = {.flags = value ? 0 : RFLAGS_ZF, .changed = RFLAGS_STATUS, .writes = true};

	for (; value; value &= value - 1) out.result++;
	return out;
}

struct outcome insn_compute(const struct insn *insn, const struct insn_cpu *cpu, uint64_t a, uint64_t b)
{
	unsigned width = insn->width;
	struct outcome out;

	switch (insn->operation) {
	case INSN_ADD:
	case INSN_XADD: return sum(a, b, 0, width);
	case INSN_ADC: return sum(a, b, cpu->rflags & RFLAGS_CF, width);
	case INSN_SUB:
	case INSN_CMP: return difference(a, b, 0, width);
	case INSN_SBB: return difference(a, b, cpu->rflags & RFLAGS_CF, width);
	case INSN_NEG: return difference(0, a, 0, width);
	case INSN_AND:
	case INSN_TEST: return logical(a & b, width);
	case INSN_OR: return logical(a | b, width);
	case INSN_XOR: return logical(a ^ b, width);
	case INSN_INC:
	case INSN_DEC:
		out = insn->operation == INSN_INC ? sum(a, 1, 0, width) : difference(a, 1, 0, width);
		out.changed &= ~RFLAGS_CF;
		return out;
	case INSN_NOT: return (struct outcome){.result = cut(~a, width)};
	case INSN_XCHG: return (struct outcome){.result = b};
	case INSN_CMPXCHG: return compare_exchange(cpu->gpr[RAX], a, b, width);
	case INSN_IMUL: return multiply(a, b, width);
	default: break;
	}
	if (insn->operation <= INSN_BTC) return bit_operation(insn->operation, a, (unsigned)b & (8 * width - 1));
	if (insn->operation <= INSN_SHRD) return compute_shift(insn, cpu, a, b);
	if (insn->operation != INSN_POPCNT) return search(insn, cpu, b);
	return count_bits(b);
}
