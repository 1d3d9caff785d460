/* SPDX-License-Identifier: MIT */
/*
 * What instructions compute: results and flags (SDM 1 3.4.3.1) of arithmetic, shifts, bit searches
 * and conditions, and where XMM, YMM and MMX registers lie in an XSAVE area. No memory, no state.
 */
#include "hv/emulate/insn_compute.h"

#include "lib/string.h"
#include "lib/x86.h"

#define FLAGS_ARITHMETIC (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

static struct outcome logical(uint64_t result, unsigned width)
{
	struct outcome out = {.result = result, .changed = FLAGS_ARITHMETIC, .writes = true};

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
		.changed = counts ? RFLAGS_CF | RFLAGS_ZF : FLAGS_ARITHMETIC,
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
	struct outcome out = {.flags = value ? 0 : RFLAGS_ZF, .changed = FLAGS_ARITHMETIC, .writes = true};

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

/* The lowest bits of 'bits' go to where the mask has ones, or come from there. */
static uint64_t deposit_or_extract(bool deposit, uint64_t bits, uint64_t mask)
{
	uint64_t result = 0;

	for (uint64_t bit = 1; mask; bit <<= 1, mask &= mask - 1) {
		uint64_t place = mask & -mask;

		if (bits & (deposit ? bit : place)) result |= deposit ? place : bit;
	}
	return result;
}

/* The bits [0, count) of a value: all where there are no more. */
static uint64_t lowest(uint64_t value, unsigned count) { return count < 64 ? value & (BIT(count) - 1) : value; }

struct outcome insn_general(const struct insn *insn, uint64_t a, uint64_t b)
{
	unsigned width = insn->width, bits = 8 * width, n = (unsigned)b & (bits - 1), start = b & 0xff;
	bool carry = false;
	struct outcome out;

	switch (insn->operation) {
	case INSN_SHLX: return (struct outcome){.result = cut(a << n, width)};
	case INSN_SHRX: return (struct outcome){.result = a >> n};
	case INSN_SARX: return (struct outcome){.result = cut((uint64_t)(extend(a, width) >> n), width)};
	case INSN_RORX: return (struct outcome){.result = cut(a >> n | (n ? a << (bits - n) : 0), width)};
	case INSN_PDEP:
	case INSN_PEXT: return (struct outcome){.result = deposit_or_extract(insn->operation == INSN_PDEP, b, a)};
	case INSN_ANDN: a &= ~b; break;
	case INSN_BEXTR: a = start < bits ? lowest(a >> start, b >> 8 & 0xff) : 0; break;
	case INSN_BZHI:
		carry = start >= bits;
		a = lowest(a, start);
		break;
	default: /* INSN_BLS */
		carry = !a != (insn->condition == 3);
		a = insn->condition == 1 ? a & (a - 1) : insn->condition == 2 ? a ^ (a - 1) : a & -a;
	}
	out = logical(cut(a, width), width);
	if (carry) out.flags |= RFLAGS_CF;
	return out;
}

/* The XSAVE area, SDM 1 10.5.1, 13.4. */
#define XSAVE_FSW       2
#define XSAVE_FTW       4 /* abridged: a bit for each register that is not empty */
#define XSAVE_ST        32
#define XSAVE_XMM       160
#define XSAVE_XSTATE_BV 512
#define XSAVE_YMM_HIGH  576
#define REGISTER        16 /* bytes each */
#define FSW_TOP         BITS(13, 11)

static unsigned fpu_top(const uint8_t *fpu)
{
	uint16_t fsw;

	memcpy(&fsw, fpu + XSAVE_FSW, sizeof(fsw));
	return (unsigned)FIELD(fsw, FSW_TOP);
}

/* ST(0) lies first: with another TOP the registers lie elsewhere. */
void insn_vector_mmx(uint8_t *fpu)
{
	uint8_t copy[8 * REGISTER];
	unsigned top = fpu_top(fpu);

	memcpy(copy, fpu + XSAVE_ST, sizeof(copy));
	for (unsigned i = 0; i < 8; i++)
		memcpy(fpu + XSAVE_ST + REGISTER * ((i + top) & 7), copy + REGISTER * i, REGISTER);
	fpu[XSAVE_FSW + 1] &= (uint8_t) ~(FSW_TOP >> 8);
	fpu[XSAVE_FTW] = 0xff;
	fpu[XSAVE_XSTATE_BV] |= XCR0_X87;
}

void insn_vector_get(const struct insn *insn, const uint8_t *fpu, uint64_t *value)
{
	const uint8_t *from = fpu + XSAVE_XMM + REGISTER * insn->reg;

	if (insn->vector == VECTOR_MMX) from = fpu + XSAVE_ST + REGISTER * ((insn->reg - fpu_top(fpu)) & 7);
	if (insn->vector == VECTOR_HIGH) from += REGISTER / 2;
	if (insn->vector == VECTOR_LANE && insn->immediate) from = fpu + XSAVE_YMM_HIGH + REGISTER * insn->reg;
	memcpy(value, from, MIN(insn->width, REGISTER));
	if (insn->width > REGISTER) memcpy(value + 2, fpu + XSAVE_YMM_HIGH + REGISTER * insn->reg, REGISTER);
}

static void copy_register(uint8_t *fpu, unsigned to, unsigned from)
{
	if (to == from) return;
	memcpy(fpu + XSAVE_XMM + REGISTER * to, fpu + XSAVE_XMM + REGISTER * from, REGISTER);
	memcpy(fpu + XSAVE_YMM_HIGH + REGISTER * to, fpu + XSAVE_YMM_HIGH + REGISTER * from, REGISTER);
}

void insn_vector_set(const struct insn *insn, uint8_t *fpu, const uint64_t *value)
{
	uint8_t *to = fpu + XSAVE_XMM + REGISTER * insn->reg;
	uint8_t *high = fpu + XSAVE_YMM_HIGH + REGISTER * insn->reg;
	static const uint8_t ones[2] = {0xff, 0xff};

	if (insn->vector == VECTOR_MMX) {
		insn_vector_mmx(fpu);
		to = fpu + XSAVE_ST + REGISTER * insn->reg;
		memcpy(to, value, 8);
		memcpy(to + 8, ones, sizeof(ones));
		return;
	}
	fpu[XSAVE_XSTATE_BV] |= (uint8_t)(XCR0_SSE | (insn->vex ? XCR0_AVX : 0));
	if (insn->vex) /* what a part leaves comes from another register */
		copy_register(fpu, insn->reg, insn->vvvv);
	if (insn->vex && insn->vector != VECTOR_LANE) memcpy(high, value + 2, REGISTER);
	if (insn->vector == VECTOR_LOW || insn->vector == VECTOR_HIGH)
		memcpy(to + (insn->vector == VECTOR_HIGH ? REGISTER / 2 : 0), value, REGISTER / 2);
	else
		memcpy(insn->vector == VECTOR_LANE && insn->immediate ? high : to, value, REGISTER);
}
