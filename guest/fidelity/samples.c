// SPDX-License-Identifier: MIT
/*
 * Makes up an instruction of those that compilers use on devices, with prefixes, registers, flags
 * and memory, and an operand that is where it is wanted.
 */
#include "guest/fidelity/forms.h"
#include "guest/fidelity/samples.h"
#include "lib/string.h"
#include "lib/x86.h"

uint8_t code_page[PAGE_SIZE] __attribute__((aligned(4096)));
static uint64_t seed;

#define THREE_BYTE_VEX 0xc40000

void sample_seed(uint64_t number) { seed = number; }

uint64_t sample_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

unsigned sample_below(unsigned limit) { return (unsigned)((sample_random() >> 16) % limit); }

static uint64_t interesting(void)
{
	static const uint64_t edges[] = {0,      1,          0x7f,       ~0UL,    0x80,      0xff,
					 0x8000, 0x7fffffff, 0x80000000, BIT(63), USER_DATA, USER_CODE};

	return sample_below(4) ? sample_random() : edges[sample_below(ARRAY_SIZE(edges))];
}

static void put(struct sample *s, uint64_t value, unsigned width)
{
	for (; width && s->size < INSN_MOST; width--, value >>= 8) s->bytes[s->size++] = (uint8_t)value;
}

/* Where the operand will be: nearly always inside, now and then over a border. */
static uint64_t choose_target(unsigned kind)
{
	uint64_t target = WINDOW + PAGE_SIZE + 512 + sample_below(PAGE_SIZE - 1024);

	if (!sample_below(8) && !(kind & INSIDE))
		target = WINDOW + PAGE_SIZE * (1 + sample_below(3)) - sample_below(34);
	if (sample_below(4) || kind & JUMPS) target &= ~7UL;
	if (kind & ALIGNED && sample_below(8)) target &= ~31UL;
	return target;
}

/* The operand's offset in the segment that the instruction will use. */
static uint64_t offset_in(const struct sample *s, unsigned segment)
{
	bool own_base = segment == SEGMENT_FS || segment == SEGMENT_GS;

	if (segment == SEGMENT_SS && s->state.ss == STACKED) return s->target - WINDOW;
	if (s->bits == 64) return s->target - (own_base ? s->base : 0);
	if (own_base) return s->target - (s->address == 2 ? WINDOW : 0);
	if (segment == SEGMENT_SS || segment == SEGMENT_CS) return s->target;
	return s->target - (s->state.data_segment == LIMITED ? s->base : 0);
}

/* The segment where none is named, or where its name says nothing: in 64-bit mode. */
static unsigned actual_segment(const struct sample *s, bool stack)
{
	if (s->segment >= SEGMENT_FS || (s->segment && s->bits != 64)) return s->segment;
	return stack && s->bits != 64 ? SEGMENT_SS : SEGMENT_DS;
}

/* 16-bit addresses: SDM 2A table 2-1. What is above is not looked at. */
static void put_operand_16(struct sample *s, unsigned reg)
{
	static const uint8_t base[8] = {3, 3, 5, 5, 6, 7, 5, 3}, index[8] = {6, 7, 6, 7, 0, 0, 0, 0};
	unsigned rm = sample_below(8), form = sample_below(3);
	uint64_t *gpr = s->state.gpr, offset = offset_in(s, actual_segment(s, base[rm] == 5));
	uint64_t displacement = form ? sample_random() & 0xffff : (uint64_t)(sample_below(256) - 128);

	if (!sample_below(6) || (s->form->kind & BITS_REG && (base[rm] == reg || index[rm] == reg))) {
		s->bytes[s->size++] = (uint8_t)(reg << 3 | 6);
		put(s, offset_in(s, actual_segment(s, false)), 2);
		return;
	}
	s->bytes[s->size++] = (uint8_t)((form ? 0x80 : 0x40) | reg << 3 | rm);
	put(s, displacement, form ? 2 : 1);
	offset -= displacement + (index[rm] ? gpr[index[rm]] : 0);
	gpr[base[rm]] = (offset & 0xffff) | (sample_random() & ~0xffffUL);
}

/* ModRM, SIB and displacement so that the operand is at the target. */
static void put_operand(struct sample *s, unsigned reg)
{
	unsigned base = sample_below(8), index = sample_below(8), form = sample_below(4);
	uint64_t *gpr = s->state.gpr, offset;
	int32_t displacement = (int32_t)sample_below(256) - 128;

	if (s->address == 2) {
		put_operand_16(s, reg);
		return;
	}
	if (s->form->kind & BITS_REG && base == reg) base = reg == 3 ? 2 : 3;
	offset = offset_in(s, actual_segment(s, base == 5 && form != 3));
	if (form == 3 || base == 4 || (s->form->kind & STACK && base == 5)) {
		/* No base: an address of 32 bits, and DS. */
		offset = offset_in(s, actual_segment(s, false));
		s->bytes[s->size++] = (uint8_t)(reg << 3 | (s->bits == 64 ? 4 : 5));
		if (s->bits == 64) s->bytes[s->size++] = 0x25;
		put(s, offset, 4);
		return;
	}
	if (form == 2 && index != 4 && index != base) {
		s->bytes[s->size++] = (uint8_t)(0x40 | reg << 3 | 4);
		s->bytes[s->size++] = (uint8_t)(index << 3 | base);
		s->bytes[s->size++] = (uint8_t)displacement;
		gpr[base] = offset - (uint64_t)displacement - gpr[index];
	} else {
		s->bytes[s->size++] = (uint8_t)((form ? 0x80 : 0x40) | reg << 3 | base);
		displacement = form ? (int32_t)(sample_random() & 0xffff) : displacement;
		put(s, (uint64_t)displacement, form ? 4 : 1);
		gpr[base] = offset - (uint64_t)(int64_t)displacement;
	}
	if (s->address == 4) gpr[base] = (uint32_t)gpr[base] | sample_random() << 32;
}

/* A segment, mostly none; CS has no base here that 16 bits could reach the target with. */
static void put_segment(struct sample *s)
{
	static const uint8_t prefix[] = {0, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};

	s->segment = sample_below(4) ? SEGMENT_NONE : 1 + sample_below(SEGMENT_GS);
	if (s->segment == SEGMENT_CS && s->address == 2) s->segment = SEGMENT_ES;
	if (s->segment) s->bytes[s->size++] = prefix[s->segment];
}

static void put_prefixes(struct sample *s, uint8_t *rex)
{
	if (s->address != s->bits / 8) s->bytes[s->size++] = 0x67;
	if (!sample_below(6) && !(s->form->kind & JUMPS)) /* which would cut the target */
		s->bytes[s->size++] = 0x66;
	put_segment(s);
	if (!sample_below(8)) s->bytes[s->size++] = 0xf0;
	/* With another opcode they would make another instruction. */
	if (s->form->opcode <= 0xff && !sample_below(s->form->kind & STRING ? 2 : 16))
		s->bytes[s->size++] = sample_below(2) ? 0xf2 : 0xf3;
	*rex = s->bits == 64 && sample_below(2) ? (uint8_t)(0x40 | (sample_random() & 0x0c)) : 0;
}

/* Any register, length and prefix, and often no third operand. */
static uint8_t second_of_vex(const struct sample *s)
{
	bool mostly_66 = s->form->kind & MOSTLY_66;
	bool other = mostly_66 ? sample_below(2) : sample_below(8) && s->form->opcode < THREE_BYTE_VEX;
	uint64_t byte = sample_random() | (other ? 0x78 : 0) | (s->bits == 64 ? 0 : 0xc0);

	return (uint8_t)(mostly_66 && sample_below(8) ? (byte & ~3UL) | 1 : byte);
}

static void put_opcode(struct sample *s, uint8_t rex)
{
	uint32_t opcode = s->form->opcode;
	bool three = s->form->kind & VEX && opcode >= THREE_BYTE_VEX;
	int shift = 24;

	while (shift && !(opcode >> shift)) shift -= 8;
	for (; shift >= 0; shift -= 8) {
		uint8_t byte = (uint8_t)(opcode >> shift);
		bool prefix = opcode > 0xffff && (byte == 0x66 || byte == 0xf2 || byte == 0xf3);

		if (!prefix && rex) {
			s->bytes[s->size++] = rex;
			rex = 0;
		}
		if (three && shift == 8) /* the map: its other bits say which half of the registers */
			byte |= s->bits == 64 && sample_below(2) ? 0x60 : 0xe0;
		s->bytes[s->size++] = byte;
		if (three && shift == 8) s->bytes[s->size++] = second_of_vex(s);
		if (byte == 0xc5 && s->form->kind & VEX) s->bytes[s->size++] = second_of_vex(s);
	}
}

static unsigned choose_reg(const struct sample *s)
{
	unsigned reg = sample_below(8);

	while (s->form->kind & GROUP && !(s->form->group >> reg & 1)) reg = (reg + 1) & 7;
	return reg;
}

static bool has_prefix(const struct sample *s, uint8_t prefix)
{
	for (unsigned i = 0; i < s->size && i < 4; i++)
		if (s->bytes[i] == prefix) return true;
	return false;
}

static void choose_registers(struct sample *s)
{
	uint64_t *gpr = s->state.gpr;

	for (unsigned i = 0; i < 16; i++) gpr[i] = interesting();
	if (s->form->kind & STRING) {
		uint64_t above = s->address == 8 ? 0 : sample_random() << 8 * s->address;

		gpr[6] = offset_in(s, actual_segment(s, false)) | above;
		gpr[7] = offset_in(s, SEGMENT_ES) | above;
		if (sample_below(2)) gpr[6] = gpr[7] + sample_below(32) - 16;
		gpr[1] = sample_below(9) | above;
	}
	if (s->form->kind & TABLE) gpr[3] = offset_in(s, actual_segment(s, false)) - (gpr[0] & 0xff);
	s->state.rsp = s->form->kind & STACK && sample_below(2) ? s->target + 8 * sample_below(4)
								: WINDOW + 256 + 8 * sample_below(64);
	if (s->state.ss != STACKED) return;
	s->state.rsp = s->state.rsp - WINDOW;
	if (!s->stack_big) s->state.rsp |= sample_random() & 0xffff0000;
}

/* A bit number reaches no further than what is compared. */
static void limit_bit_number(struct sample *s, unsigned reg, uint8_t rex)
{
	unsigned number = reg | (rex & 4 ? 8 : 0);

	if (s->form->kind & BITS_REG) s->state.gpr[number] = (uint64_t)((int64_t)sample_below(1024) - 512);
}

/*
 * Outside 64-bit code a stack of 16 or 32 bits, whose limit is near the target, near the top, or out of the way; of
 * 16-bit addresses the only one that is near.
 */
static void choose_stack(struct sample *s)
{
	bool own = s->bits != 64 && (s->address == 2 || s->bits == 16 || sample_below(2));

	s->state.ss = own ? STACKED : USER_DATA;
	s->stack_big = sample_below(2);
	s->stack_down = !sample_below(3);
	s->down = !sample_below(4);
	s->stack_limit = sample_below(2) && !(s->form->kind & INSIDE) ? s->target - WINDOW + sample_below(64) - 32
			 : s->stack_down                              ? 0
								      : 0xffff;
	if (s->down) s->limit -= sample_below(64) + 32;
}

/* The code's bits, the address's bytes, and data segments that such an address can reach the target in. */
static void choose_mode(struct sample *s)
{
	s->bits = s->form->opcode == 0x63 ? 64 /* else ARPL */ : sample_below(2) ? 64 : sample_below(2) ? 32 : 16;
	if (s->bits == 16 && s->form->kind & JUMPS) s->bits = 32;
	s->address = s->bits / 8;
	if (!sample_below(6)) s->address = s->address == 4 ? 2 : 4;
	s->base = s->address == 2 ? WINDOW : sample_below(2) ? 0x1000UL * sample_below(16) : 0;
	s->limit = s->target - s->base + sample_below(64) + (s->form->kind & INSIDE ? 16 : 0);
	s->state.data_segment = s->address == 2 || sample_below(2) ? LIMITED : USER_DATA;
}

void sample_choose(struct sample *s)
{
	const struct form *form = &forms[sample_below(forms_count)];
	unsigned reg;
	uint8_t rex;

	memset(s, 0, sizeof(*s));
	s->form = form;
	s->undefined = form->undefined;
	s->target = choose_target(form->kind);
	choose_mode(s);
	choose_stack(s);
	put_prefixes(s, &rex);
	if (form->kind & VEX) { /* which allows no other before it; of 16-bit addresses it would need one */
		s->size = 0;
		rex = 0;
		s->segment = SEGMENT_NONE;
		s->address = s->bits / 8;
	}
	choose_registers(s);
	put_opcode(s, rex);
	reg = choose_reg(s);
	limit_bit_number(s, reg, rex);
	if (form->kind & MODRM) put_operand(s, reg);
	if (form->kind & OFFSET) put(s, offset_in(s, actual_segment(s, false)), s->address);
	if (form->kind & IMM8) put(s, sample_random(), 1);
	if (form->kind & IMM) put(s, sample_random(), has_prefix(s, 0x66) == (s->bits == 16) || rex & 8 ? 4 : 2);
	for (unsigned i = 0; i < COMPARED; i += 8) {
		/* Where the target is no address Bochs has changed the stack already. */
		uint64_t word = form->kind & JUMPS ? (uint64_t)code_page + 64 + sample_below(128) : interesting();

		memcpy(s->memory + i, &word, 8);
	}
	s->state.rflags = 2 | (sample_random() & (RFLAGS_STATUS | RFLAGS_DF)) | (sample_below(4) ? 0 : RFLAGS_TF) |
			  (sample_below(4) ? 0 : RFLAGS_AC);
	if (form->opcode == 0x8e) /* Bochs raises #DB before what MOV to SS raises */
		s->state.rflags &= ~RFLAGS_TF;
	/* Bochs reads the last word of ten bytes of BCD before it looks at the alignment. */
	if (form->opcode == 0xdf && (reg & 7) == 4) s->state.rflags &= ~RFLAGS_AC;
}
