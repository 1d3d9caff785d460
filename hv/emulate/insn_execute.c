/* SPDX-License-Identifier: MIT */
/*
 * Carries out an instruction that insn_decode() understood, as the CPU would, with its memory
 * accesses replaced by calls. It checks segments; the accesses that it is given translate
 * addresses.
 */
#include "hv/emulate/insn_compute.h"

#include "lib/errno.h"
#include "lib/x86.h"

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

/*
 * Do [offset, offset + width) lie in the segment, and may they be read or written (SDM 3A 5.3,
 * 5.5)? Not for 64-bit mode, where segments have neither.
 */
static bool segment_allows(const struct insn_segment *segment, bool protected_mode, uint64_t offset, unsigned width,
			   bool write)
{
	uint64_t last = offset + width - 1, rights = segment->rights;
	bool code = rights & SEGMENT_TYPE_CODE;

	if (rights & SEGMENT_UNUSABLE) return false;
	if (protected_mode && (write || code) && ((write && code) || !(rights & SEGMENT_TYPE_WRITABLE))) return false;
	if (code || !(rights & SEGMENT_TYPE_CONFORMING)) return last <= segment->limit;
	return offset > segment->limit && last <= (rights & SEGMENT_DB ? 0xffffffff : 0xffff);
}

static int raise(struct insn_cpu *cpu, int vector)
{
	cpu->fault = vector;
	return -EFAULT;
}

/* Where SEGMENT:offset is, if that may be accessed. */
static int linear_address(const struct insn *insn, struct insn_cpu *cpu, unsigned segment, uint64_t offset, bool write,
			  uint64_t *linear)
{
	int vector = segment == SEG_SS ? VECTOR_SS : VECTOR_GP;

	offset = cut(offset, insn->address_width);
	*linear = cpu->segment_base[segment] + offset;
	if (cpu->mode == 64) return (int64_t)(*linear << 16) >> 16 == (int64_t)*linear ? 0 : raise(cpu, vector);
	*linear = (uint32_t)*linear;
	return segment_allows(&cpu->segment[segment], cpu->protected_mode, offset, insn->width, write)
		       ? 0
		       : raise(cpu, vector);
}

static uint64_t effective_address(const struct insn *insn, const struct insn_cpu *cpu)
{
	uint64_t offset = (uint64_t)insn->displacement;

	if (insn->rip_relative) offset += cpu->rip + insn->length;
	if (insn->base >= 0) offset += cpu->gpr[insn->base];
	if (insn->index >= 0) offset += cpu->gpr[insn->index] * insn->scale;
	return offset;
}

/* Behind the instruction; of 16-bit code too a jump alone cuts it to IP. */
static uint64_t next_rip(const struct insn *insn, const struct insn_cpu *cpu)
{
	return cpu->mode == 64 ? cpu->rip + insn->length : (uint32_t)(cpu->rip + insn->length);
}

/* Read SEGMENT:offset; on success *value has no more than the width. */
static int load(const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory, unsigned segment,
		uint64_t offset, uint64_t *value)
{
	uint64_t linear;
	int error = linear_address(insn, cpu, segment, offset, false, &linear);

	if (!error) error = memory->read(memory->ctx, linear, insn->width, value);
	if (!error && insn->width < 8) *value = cut(*value, insn->width);
	return error;
}

static int store(const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory, unsigned segment,
		 uint64_t offset, uint64_t value)
{
	uint64_t linear;
	int error = linear_address(insn, cpu, segment, offset, true, &linear);

	value = cut(value, insn->width);
	return error ? error : memory->write(memory->ctx, linear, insn->width, &value);
}

/* Read what will be written: who may not write does not read either. */
static int load_to_modify(const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory,
			  uint64_t offset, uint64_t *linear, uint64_t *value)
{
	int error = linear_address(insn, cpu, insn->segment, offset, true, linear);

	if (!error && insn->width == 16 && *linear & 15) error = raise(cpu, VECTOR_GP); /* CMPXCHG16B */
	if (!error) error = memory->probe_write(memory->ctx, *linear, insn->width);
	if (!error) error = memory->read(memory->ctx, *linear, insn->width, value);
	if (!error && insn->width < 8) *value = cut(*value, insn->width);
	return error;
}

/* What an instruction writes that does not read its memory operand. */
static uint64_t stored_value(const struct insn *insn, const struct insn_cpu *cpu)
{
	switch (insn->operation) {
	case INSN_SET: return insn_condition(insn->condition, cpu->rflags);
	case INSN_MOV_FROM_SEGMENT: return cpu->segment[insn->reg].selector;
	case INSN_MOVBE: return __builtin_bswap64(read_register(insn, cpu)) >> (64 - 8 * insn->width);
	default: return insn->has_immediate ? insn->immediate : read_register(insn, cpu);
	}
}

/* What an instruction makes of the value it has read. */
static int take_loaded(const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory, uint64_t value)
{
	switch (insn->operation) {
	case INSN_MOVSX: value = sign_extend(value, insn->width); break;
	case INSN_MOVBE: value = __builtin_bswap64(value) >> (64 - 8 * insn->width); break;
	case INSN_CMOV:
		if (!insn_condition(insn->condition, cpu->rflags)) value = read_register(insn, cpu);
		break;
	case INSN_MOV_TO_SEGMENT: return cpu->load_segment(memory->ctx, insn->reg, (uint16_t)value);
	default: break;
	}
	write_register(insn, cpu, value);
	return 0;
}

static int execute_move(const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory)
{
	uint64_t offset = effective_address(insn, cpu), value;
	int error;

	if (insn->to_memory) return store(insn, cpu, memory, insn->segment, offset, stored_value(insn, cpu));
	error = load(insn, cpu, memory, insn->segment, offset, &value);
	return error ? error : take_loaded(insn, cpu, memory, value);
}

static void set_flags(struct insn_cpu *cpu, struct outcome out)
{
	cpu->rflags = (cpu->rflags & ~out.changed) | (out.flags & out.changed);
}

/* What a string instruction touches: [SI], [DI], AX, a port. */
enum { FROM_SI = 1, FROM_DI = 2, TO_DI = 4, WITH_AX = 8, FROM_PORT = 16, TO_PORT = 32 };

static unsigned string_operands(const struct insn *insn)
{
	switch (insn->operation) {
	case INSN_STOS: return TO_DI;
	case INSN_LODS: return FROM_SI | WITH_AX;
	case INSN_MOVS: return FROM_SI | TO_DI;
	case INSN_CMPS: return FROM_SI | FROM_DI;
	case INSN_INS: return FROM_PORT | TO_DI;
	case INSN_OUTS: return FROM_SI | TO_PORT;
	default: /* SCAS */ return FROM_DI;
	}
}

/* INS: the memory must be writable before the port is read. */
static int read_port(const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory, uint64_t *value)
{
	uint64_t linear;
	int error = linear_address(insn, cpu, SEG_ES, cpu->gpr[RDI], true, &linear);

	if (!error) error = memory->probe_write(memory->ctx, linear, insn->width);
	return error ? error : cpu->port(memory->ctx, insn->width, false, value);
}

/* One iteration of a string instruction; nothing has changed where it fails. */
static int string_step(const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory)
{
	uint64_t *gpr = cpu->gpr;
	uint64_t step = cpu->rflags & RFLAGS_DF ? -(uint64_t)insn->width : insn->width;
	unsigned operands = string_operands(insn);
	uint64_t value = cut(gpr[RAX], insn->width), other;
	int error = 0;

	if (operands & FROM_SI) error = load(insn, cpu, memory, insn->segment, gpr[RSI], &value);
	if (!error && operands & FROM_DI) error = load(insn, cpu, memory, SEG_ES, gpr[RDI], &other);
	if (!error && operands & FROM_PORT) error = read_port(insn, cpu, memory, &value);
	if (!error && operands & TO_DI) error = store(insn, cpu, memory, SEG_ES, gpr[RDI], value);
	if (!error && operands & TO_PORT) error = cpu->port(memory->ctx, insn->width, true, &value);
	if (error) return error;
	if (operands & WITH_AX) write_gpr(&gpr[RAX], insn->width, value);
	if (operands & FROM_DI) set_flags(cpu, insn_difference(value, other, insn->width));
	if (operands & FROM_SI) write_gpr(&gpr[RSI], insn->address_width, gpr[RSI] + step);
	if (operands & (FROM_DI | TO_DI)) write_gpr(&gpr[RDI], insn->address_width, gpr[RDI] + step);
	return 0;
}

/* CMPS and SCAS end a REPE or REPNE by what they found. */
static bool has_found(const struct insn *insn, const struct insn_cpu *cpu)
{
	return string_operands(insn) & FROM_DI && !(cpu->rflags & RFLAGS_ZF) != insn->until_equal;
}

/* What a handler returns, beside 0 and an error: RIP is where it has to be. */
#define GOES_ON 1

static int execute_string(const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory)
{
	uint64_t *count = &cpu->gpr[RCX];
	bool done = !insn->rep;
	int error;

	if (!insn->rep || cut(*count, insn->address_width)) {
		error = string_step(insn, cpu, memory);
		if (error) return error;
		if (insn->rep) write_gpr(count, insn->address_width, *count - 1);
		done |= has_found(insn, cpu);
	}
	return done || !cut(*count, insn->address_width) ? 0 : GOES_ON;
}

static bool is_bit_operation(enum insn_operation operation) { return operation >= INSN_BT && operation <= INSN_BTC; }

/* A bit number in a register reaches beyond the operand: to which one (SDM 2A 3.1.1.9). */
static uint64_t bit_string_offset(const struct insn *insn, uint64_t number)
{
	int64_t operands = (int64_t)sign_extend(number, insn->width) >> __builtin_ctz(8 * insn->width);

	return (uint64_t)operands * insn->width;
}

/* The register that gets what was in memory. */
static void write_old(const struct insn *insn, struct insn_cpu *cpu, uint64_t value)
{
	if (insn->operation != INSN_CMPXCHG)
		write_register(insn, cpu, value);
	else if (!(cpu->rflags & RFLAGS_ZF))
		write_gpr(&cpu->gpr[RAX], insn->width, value);
}

/* Everything that writes a result of memory, a register or an immediate back to memory. */
static int modify(const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory, uint64_t offset,
		  uint64_t other)
{
	enum insn_operation operation = insn->operation;
	uint64_t linear, value;
	struct outcome out;
	int error = load_to_modify(insn, cpu, memory, offset, &linear, &value);

	if (error) return error;
	out = insn_compute(insn, cpu, value, other);
	error = memory->write(memory->ctx, linear, insn->width, &out.result);
	if (error) return error;
	set_flags(cpu, out);
	if (operation == INSN_XCHG || operation == INSN_XADD || operation == INSN_CMPXCHG) write_old(insn, cpu, value);
	return 0;
}

/* Everything that combines memory with a register or an immediate. */
static int execute_compute(const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory)
{
	const enum insn_operation operation = insn->operation;
	bool discard = operation == INSN_CMP || operation == INSN_TEST || operation == INSN_BT;
	uint64_t other = insn->has_immediate && operation != INSN_SHLD && operation != INSN_SHRD
				 ? cut(insn->immediate, insn->width)
				 : read_register(insn, cpu);
	uint64_t offset = effective_address(insn, cpu), value;
	struct outcome out;
	int error;

	if (is_bit_operation(operation) && !insn->has_immediate) offset += bit_string_offset(insn, other);
	if (insn->to_memory && !discard) return modify(insn, cpu, memory, offset, other);
	error = load(insn, cpu, memory, insn->segment, offset, &value);
	if (error) return error;
	out = insn->to_memory ? insn_compute(insn, cpu, value, other) : insn_compute(insn, cpu, other, value);
	if (!discard && out.writes) write_register(insn, cpu, out.result);
	set_flags(cpu, out);
	return 0;
}

/* MUL, IMUL, DIV and IDIV of RDX:RAX, or AX, by memory. */
static int execute_wide(const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory)
{
	uint64_t value;
	int error = load(insn, cpu, memory, insn->segment, effective_address(insn, cpu), &value);
	uint64_t *gpr = cpu->gpr;
	struct wide wide;

	if (error) return error;
	if (insn->width == 1)
		wide = (struct wide){gpr[RAX] & 0xff, gpr[RAX] >> 8 & 0xff};
	else
		wide = (struct wide){cut(gpr[RAX], insn->width), cut(gpr[RDX], insn->width)};
	if (!insn_multiply_or_divide(insn, cpu, &wide, value)) return raise(cpu, VECTOR_DE);
	if (insn->width == 1) {
		write_gpr(&gpr[RAX], 2, cut(wide.low, 1) | cut(wide.high, 1) << 8);
	} else {
		write_gpr(&gpr[RAX], insn->width, wide.low);
		write_gpr(&gpr[RDX], insn->width, wide.high);
	}
	return 0;
}

/* CMPXCHG8B and 16B: with RDX:RAX, to RCX:RBX. */
static int execute_pair(const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory)
{
	unsigned half = insn->width / 2;
	uint64_t *gpr = cpu->gpr;
	uint64_t linear, value[INSN_WORDS], old[2];
	int error = load_to_modify(insn, cpu, memory, effective_address(insn, cpu), &linear, value);

	if (error) return error;
	old[0] = cut(value[0], half);
	old[1] = half == 4 ? value[0] >> 32 : value[1];
	cpu->rflags &= ~RFLAGS_ZF;
	if (old[0] == cut(gpr[RAX], half) && old[1] == cut(gpr[RDX], half)) {
		cpu->rflags |= RFLAGS_ZF;
		value[0] = half == 4 ? cut(gpr[RBX], 4) | gpr[RCX] << 32 : gpr[RBX];
		value[1] = gpr[RCX];
	} else {
		gpr[RAX] = old[0];
		gpr[RDX] = old[1];
	}
	return memory->write(memory->ctx, linear, insn->width, value);
}

/* Push or pop a value of the instruction's width. RSP moves only if that worked. */
static int push(const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory, uint64_t value)
{
	struct insn stack = {.width = insn->width, .address_width = 8};
	uint64_t *rsp = &cpu->gpr[RSP], top = (*rsp - insn->width) & cpu->stack_mask;
	int error = store(&stack, cpu, memory, SEG_SS, top, value);

	if (!error) *rsp = (*rsp & ~cpu->stack_mask) | top;
	return error;
}

/* SDM 2B "POP": an address with RSP is that after the increment. */
static int execute_pop(const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory)
{
	struct insn stack = {.width = insn->width, .address_width = 8};
	uint64_t *rsp = &cpu->gpr[RSP], old = *rsp, value;
	int error = load(&stack, cpu, memory, SEG_SS, old & cpu->stack_mask, &value);

	if (error) return error;
	*rsp = (old & ~cpu->stack_mask) | ((old + insn->width) & cpu->stack_mask);
	error = store(insn, cpu, memory, insn->segment, effective_address(insn, cpu), value);
	if (error) *rsp = old;
	return error;
}

/* A near CALL or JMP goes to 'target'; beyond the code segment's limit, or to no address: #GP. */
static bool is_target(const struct insn_cpu *cpu, uint64_t target)
{
	return cpu->mode == 64 ? (int64_t)(target << 16) >> 16 == (int64_t)target
			       : target <= cpu->segment[SEG_CS].limit;
}

/* PUSH, CALL and JMP of what is in memory. */
static int execute_stack(const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory)
{
	uint64_t value;
	int error = load(insn, cpu, memory, insn->segment, effective_address(insn, cpu), &value);

	if (error) return error;
	if (insn->operation == INSN_PUSH) return push(insn, cpu, memory, value);
	if (!is_target(cpu, value)) return raise(cpu, VECTOR_GP);
	if (insn->operation == INSN_CALL) error = push(insn, cpu, memory, next_rip(insn, cpu));
	if (error) return error;
	cpu->rip = value;
	return GOES_ON;
}

/* A byte of a table at RBX. */
static int execute_xlat(const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory)
{
	uint64_t offset = effective_address(insn, cpu) + cut(cpu->gpr[RAX], 1), value;
	int error = load(insn, cpu, memory, insn->segment, offset, &value);

	if (!error) write_register(insn, cpu, value);
	return error;
}

/*
 * What x87, SSE and AVX make of their operand only they know. x87 stores nothing where an exception
 * comes before its result: one of those that is not masked (SDM 1 8.5). The CPU has looked at CR0.TS; but whoever
 * changes the code behind the exit must not read registers by it. Those with a general register have none of these.
 */
static int execute_native(const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory)
{
	struct insn_native *n = cpu->native;
	uint64_t linear;
	int error;

	if (cpu->task_switched && !insn->general && !insn->to_vvvv) return raise(cpu, VECTOR_NM);
	*n = (struct insn_native){.rip = cpu->rip, .offset = cut(effective_address(insn, cpu), insn->address_width)};
	n->rdx = cpu->gpr[insn->to_vvvv ? RDX : insn->vvvv]; /* MULX takes RDX */
	error = linear_address(insn, cpu, insn->segment, n->offset, insn->to_memory, &linear);
	if (error) return error;
	error = insn->to_memory ? memory->probe_write(memory->ctx, linear, insn->width)
				: memory->read(memory->ctx, linear, insn->width, n->operand);
	if (error) return error;
	cpu->fault = cpu->run(memory->ctx, insn, cpu);
	if (cpu->fault >= 0) return -EFAULT;
	if (insn->to_vvvv) write_gpr(&cpu->gpr[insn->vvvv], insn->width, n->rdx);
	if (insn->general) write_register(insn, cpu, n->rax);
	if (!insn->to_memory || (insn->x87_opcode && n->unmasked & X87_BEFORE_RESULT)) return 0;
	return memory->write(memory->ctx, linear, insn->width, n->operand);
}

/* Of insn->plain: 60 ticks less an access than the long way. */
static int execute_plain(const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory)
{
	uint64_t linear = cut(effective_address(insn, cpu), insn->address_width);
	uint64_t value;
	int error;

	if (insn->to_memory) {
		value = insn->has_immediate ? insn->immediate : read_register(insn, cpu);
		value = cut(value, insn->width);
		error = memory->write(memory->ctx, linear, insn->width, &value);
	} else {
		error = memory->read(memory->ctx, linear, insn->width, &value);
		if (!error) write_register(insn, cpu, cut(value, insn->width));
	}
	if (!error) cpu->rip += insn->length;
	return error;
}

/* A device's memory is in no cache. */
static int execute_flush(const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory)
{
	(void)insn, (void)cpu, (void)memory;
	return 0;
}

static int (*const execute[INSN_OPERATIONS])(const struct insn *, struct insn_cpu *, const struct insn_memory *) = {
	[INSN_MOV... INSN_CMOV] = execute_move,
	[INSN_STOS... INSN_OUTS] = execute_string,
	[INSN_AND... INSN_POPCNT] = execute_compute,
	[INSN_MUL... INSN_IDIV] = execute_wide,
	[INSN_CMPXCHG_PAIR] = execute_pair,
	[INSN_POP] = execute_pop,
	[INSN_PUSH... INSN_JMP] = execute_stack,
	[INSN_MOV_FROM_SEGMENT... INSN_MOV_TO_SEGMENT] = execute_move,
	[INSN_FLUSH] = execute_flush,
	[INSN_XLAT] = execute_xlat,
	[INSN_NATIVE] = execute_native,
};

static int execute_rest(const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory)
{
	int error = execute[insn->operation](insn, cpu, memory);

	if (!error) cpu->rip = next_rip(insn, cpu);
	return MIN(error, 0);
}

int insn_execute(const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory)
{
	cpu->fault = -1;
	return insn->plain ? execute_plain(insn, cpu, memory) : execute_rest(insn, cpu, memory);
}
