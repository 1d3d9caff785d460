/* SPDX-License-Identifier: MIT */
/*
 * Carries out an instruction that insn_decode() understood, as the CPU would, with its memory
 * accesses replaced by calls. Called by the exit handler for MMIO. It never translates an address
 * or checks a segment: those are its caller's.
 */
#include "hv/emulate/insn.h"
#include "lib/bits.h"

#define FLAG_CF          BIT(0)
#define FLAG_PF          BIT(2)
#define FLAG_AF          BIT(4)
#define FLAG_ZF          BIT(6)
#define FLAG_SF          BIT(7)
#define FLAG_DF          BIT(10)
#define FLAG_OF          BIT(11)
#define FLAGS_ARITHMETIC (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

/* The low 'width' bytes. A table: this is done five times for each access. */
static uint64_t cut(uint64_t value, unsigned width)
{
	static const uint64_t mask[] = {
		[1] = BITS(7, 0), [2] = BITS(15, 0), [4] = BITS(31, 0), [8] = BITS(63, 0)};

	return value & mask[width];
}

static uint64_t sign_extend(uint64_t value, unsigned width)
{
	unsigned shift = 64 - 8 * width;

	return (uint64_t)((int64_t)(value << shift) >> shift);
}

static uint64_t read_register(const struct insn *insn, const struct insn_cpu *cpu)
{
	uint64_t value = cpu->gpr[insn->reg];

	return cut(insn->high_byte ? value >> 8 : value, insn->register_width);
}

/* Narrow writes keep the rest of the register, 4-byte writes clear it (SDM 1 3.4.1.1). */
static void write_gpr(uint64_t *gpr, unsigned width, uint64_t value)
{
	if (width >= 4)
		*gpr = cut(value, width);
	else
		*gpr = (*gpr & ~cut(~0ULL, width)) | cut(value, width);
}

static void write_register(const struct insn *insn, struct insn_cpu *cpu, uint64_t value)
{
	uint64_t *gpr = &cpu->gpr[insn->reg];

	if (insn->high_byte)
		*gpr = (*gpr & ~0xff00ULL) | cut(value, 1) << 8;
	else
		write_gpr(gpr, insn->register_width, value);
}

static uint64_t linear_address(const struct insn *insn, const struct insn_cpu *cpu,
			       unsigned segment, uint64_t offset)
{
	uint64_t linear = cpu->segment_base[segment] + cut(offset, insn->address_width);

	return cpu->mode == 64 ? linear : cut(linear, 4);
}

static uint64_t effective_address(const struct insn *insn, const struct insn_cpu *cpu)
{
	uint64_t offset = (uint64_t)insn->displacement;

	if (insn->rip_relative)
		offset += cpu->rip + insn->length;
	if (insn->base >= 0)
		offset += cpu->gpr[insn->base];
	if (insn->index >= 0)
		offset += cpu->gpr[insn->index] * insn->scale;
	return offset;
}

static void advance(const struct insn *insn, struct insn_cpu *cpu)
{
	cpu->rip += insn->length;
	if (cpu->mode != 64)
		cpu->rip = cut(cpu->rip, cpu->mode / 8);
}

static int load(const struct insn *insn, const struct insn_memory *memory, uint64_t linear,
		uint64_t *value)
{
	int error = memory->read(memory->ctx, linear, insn->width, value);

	*value = cut(*value, insn->width);
	return error;
}

static int store(const struct insn *insn, const struct insn_memory *memory, uint64_t linear,
		 uint64_t value)
{
	return memory->write(memory->ctx, linear, insn->width, cut(value, insn->width));
}

static int execute_move(const struct insn *insn, struct insn_cpu *cpu,
			const struct insn_memory *memory)
{
	uint64_t linear = linear_address(insn, cpu, insn->segment, effective_address(insn, cpu));
	uint64_t value;
	int error;

	if (insn->to_memory) {
		value = insn->has_immediate ? insn->immediate : read_register(insn, cpu);
		error = store(insn, memory, linear, value);
	} else {
		error = load(insn, memory, linear, &value);
	}
	if (error)
		return error;
	if (!insn->to_memory)
		write_register(insn, cpu,
			       insn->operation == INSN_MOVSX ? sign_extend(value, insn->width)
							     : value);
	advance(insn, cpu);
	return 0;
}

/* One iteration of a string instruction; nothing has changed where it fails. */
static int string_step(const struct insn *insn, struct insn_cpu *cpu,
		       const struct insn_memory *memory)
{
	uint64_t *gpr = cpu->gpr;
	uint64_t step = cpu->rflags & FLAG_DF ? -(uint64_t)insn->width : insn->width;
	uint64_t value = gpr[RAX];
	int error = 0;

	if (insn->operation != INSN_STOS)
		error = load(insn, memory, linear_address(insn, cpu, insn->segment, gpr[RSI]),
			     &value);
	if (!error && insn->operation != INSN_LODS)
		error = store(insn, memory, linear_address(insn, cpu, SEG_ES, gpr[RDI]), value);
	if (error)
		return error;
	if (insn->operation == INSN_LODS)
		write_gpr(&gpr[RAX], insn->width, value);
	if (insn->operation != INSN_STOS)
		write_gpr(&gpr[RSI], insn->address_width, gpr[RSI] + step);
	if (insn->operation != INSN_LODS)
		write_gpr(&gpr[RDI], insn->address_width, gpr[RDI] + step);
	return 0;
}

static int execute_string(const struct insn *insn, struct insn_cpu *cpu,
			  const struct insn_memory *memory)
{
	uint64_t *count = &cpu->gpr[RCX];
	int error;

	if (!insn->rep || cut(*count, insn->address_width)) {
		error = string_step(insn, cpu, memory);
		if (error)
			return error;
		if (insn->rep)
			write_gpr(count, insn->address_width, *count - 1);
	}
	if (!insn->rep || !cut(*count, insn->address_width))
		advance(insn, cpu);
	return 0;
}

/* What an instruction computes, and the flags it leaves (SDM 1 3.4.3.1). */
struct outcome {
	uint64_t result;
	uint64_t flags;
	uint64_t changed; /* the flags it changes */
};

static struct outcome logical(uint64_t result, unsigned width)
{
	struct outcome out = {.result = result, .changed = FLAGS_ARITHMETIC};

	if (!result)
		out.flags |= FLAG_ZF;
	if (result & BIT(8 * width - 1))
		out.flags |= FLAG_SF;
	if (!__builtin_parity((unsigned)result & 0xff))
		out.flags |= FLAG_PF;
	return out;
}

/* The flags of a sum or difference: 'carries' has a carry (or borrow) out of each bit. */
static struct outcome arithmetic(uint64_t result, uint64_t carries, uint64_t overflow,
				 unsigned width)
{
	struct outcome out = logical(result, width);
	uint64_t sign = BIT(8 * width - 1);

	if (carries & sign)
		out.flags |= FLAG_CF;
	if (carries & BIT(3))
		out.flags |= FLAG_AF;
	if (overflow & sign)
		out.flags |= FLAG_OF;
	return out;
}

static struct outcome sum(uint64_t a, uint64_t b, uint64_t carry, unsigned width)
{
	uint64_t result = cut(a + b + carry, width);

	return arithmetic(result, (a & b) | ((a | b) & ~result), (a ^ result) & (b ^ result),
			  width);
}

static struct outcome difference(uint64_t a, uint64_t b, uint64_t borrow, unsigned width)
{
	uint64_t result = cut(a - b - borrow, width);

	return arithmetic(result, (~a & b) | ((~a | b) & result), (a ^ b) & (a ^ result), width);
}

/* BT and its kin: the bit goes to CF, the others stay. */
static struct outcome bit_operation(enum insn_operation operation, uint64_t value, unsigned number)
{
	struct outcome out = {.result = value, .changed = FLAG_CF};

	out.flags = value >> number & 1 ? FLAG_CF : 0;
	if (operation == INSN_BTS)
		out.result |= BIT(number);
	else if (operation == INSN_BTR)
		out.result &= ~BIT(number);
	else if (operation == INSN_BTC)
		out.result ^= BIT(number);
	return out;
}

static struct outcome compute(const struct insn *insn, uint64_t rflags, uint64_t a, uint64_t b)
{
	unsigned width = insn->width;
	struct outcome out;

	switch (insn->operation) {
	case INSN_ADD:
		return sum(a, b, 0, width);
	case INSN_ADC:
		return sum(a, b, rflags & FLAG_CF, width);
	case INSN_SUB:
	case INSN_CMP:
		return difference(a, b, 0, width);
	case INSN_SBB:
		return difference(a, b, rflags & FLAG_CF, width);
	case INSN_NEG:
		return difference(0, a, 0, width);
	case INSN_AND:
	case INSN_TEST:
		return logical(a & b, width);
	case INSN_OR:
		return logical(a | b, width);
	case INSN_XOR:
		return logical(a ^ b, width);
	case INSN_INC:
	case INSN_DEC:
		out = insn->operation == INSN_INC ? sum(a, 1, 0, width)
						  : difference(a, 1, 0, width);
		out.changed &= ~FLAG_CF;
		return out;
	case INSN_NOT:
		return (struct outcome){.result = cut(~a, width)};
	case INSN_XCHG:
		return (struct outcome){.result = b};
	default:
		return bit_operation(insn->operation, a, (unsigned)b & (8 * width - 1));
	}
}

static bool is_bit_operation(enum insn_operation operation)
{
	return operation >= INSN_BT && operation <= INSN_BTC;
}

/* A bit number in a register reaches beyond the operand: to which one (SDM 2A 3.1.1.9). */
static uint64_t bit_string_offset(const struct insn *insn, uint64_t number)
{
	int64_t operands =
		(int64_t)sign_extend(number, insn->width) >> __builtin_ctz(8 * insn->width);

	return (uint64_t)operands * insn->width;
}

/* Everything that combines memory with a register or an immediate. */
static int execute_compute(const struct insn *insn, struct insn_cpu *cpu,
			   const struct insn_memory *memory)
{
	const enum insn_operation operation = insn->operation;
	bool discard = operation == INSN_CMP || operation == INSN_TEST || operation == INSN_BT;
	uint64_t other =
		insn->has_immediate ? cut(insn->immediate, insn->width) : read_register(insn, cpu);
	uint64_t linear = effective_address(insn, cpu);
	struct outcome out;
	uint64_t value;
	int error;

	if (is_bit_operation(operation) && !insn->has_immediate)
		linear += bit_string_offset(insn, other);
	linear = linear_address(insn, cpu, insn->segment, linear);
	error = load(insn, memory, linear, &value);
	if (error)
		return error;
	out = insn->to_memory ? compute(insn, cpu->rflags, value, other)
			      : compute(insn, cpu->rflags, other, value);
	if (insn->to_memory && !discard)
		error = store(insn, memory, linear, out.result);
	if (error)
		return error;
	if (operation == INSN_XCHG)
		write_register(insn, cpu, value);
	else if (!insn->to_memory && !discard)
		write_register(insn, cpu, out.result);
	cpu->rflags = (cpu->rflags & ~out.changed) | (out.flags & out.changed);
	advance(insn, cpu);
	return 0;
}

int insn_execute(const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory)
{
	switch (insn->operation) {
	case INSN_MOV:
	case INSN_MOVZX:
	case INSN_MOVSX:
		return execute_move(insn, cpu, memory);
	case INSN_STOS:
	case INSN_LODS:
	case INSN_MOVS:
		return execute_string(insn, cpu, memory);
	default:
		return execute_compute(insn, cpu, memory);
	}
}
