/* SPDX-License-Identifier: MIT */
/*
 * Decoder for the instructions with a memory operand that compilers emit. insn_decode() gets the
 * bytes at the guest's RIP; insn_execute() carries out what it made of them. What an opcode is
 * stands in three tables (SDM 2D, appendix A). Nothing is fetched here.
 */
#include "hv/emulate/insn_tables.h"

#include "lib/errno.h"
#include "lib/string.h"

/* Those that LOCK may precede, when their destination is memory (SDM 2A, LOCK). */
#define LOCKABLE                                                                                                       \
	(BIT(INSN_ADD) | BIT(INSN_ADC) | BIT(INSN_AND) | BIT(INSN_BTC) | BIT(INSN_BTR) | BIT(INSN_BTS) |               \
	 BIT(INSN_DEC) | BIT(INSN_INC) | BIT(INSN_NEG) | BIT(INSN_NOT) | BIT(INSN_OR) | BIT(INSN_SBB) |                \
	 BIT(INSN_SUB) | BIT(INSN_XOR) | BIT(INSN_XCHG) | BIT(INSN_XADD) | BIT(INSN_CMPXCHG) | BIT(INSN_CMPXCHG_PAIR))

#define REX_W 8
#define REX_R 4
#define REX_X 2
#define REX_B 1

#define RET 0xc3

struct decoder {
	const uint8_t *bytes;
	unsigned size; /* at most INSN_MAX */
	unsigned at;   /* beyond size once a byte was missing */
	unsigned mode;
	uint8_t rex;
	int segment;    /* override, or -1 */
	uint8_t repeat; /* F2 or F3, the last of them; or 0 */
	bool operand_size, address_size, lock;
	bool vex, vex_l;
	uint8_t map, opcode, vex_prefix, vvvv, modrm;
};

/* The next byte; 0 once there is none. */
static uint8_t take_byte(struct decoder *d)
{
	unsigned at = d->at++;

	return at < d->size ? d->bytes[at] : 0;
}

/* The next 'width' bytes, sign-extended; 0 once they are not all there. */
static uint64_t take(struct decoder *d, unsigned width)
{
	const uint8_t *from = d->bytes + d->at;
	int16_t word;
	int32_t dword;
	int64_t qword;

	d->at += width;
	if (d->at > d->size) return 0;
	switch (width) {
	case 1: return (uint64_t)(int8_t)*from;
	case 2: memcpy(&word, from, sizeof(word)); return (uint64_t)word;
	case 4: memcpy(&dword, from, sizeof(dword)); return (uint64_t)dword;
	default: memcpy(&qword, from, sizeof(qword)); return (uint64_t)qword;
	}
}

static void take_prefix(struct decoder *d, uint8_t byte)
{
	/* A REX prefix counts only where the opcode follows it (SDM 2A 2.2.1). */
	d->rex = 0;
	switch (byte) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
		if (d->mode != 64) /* where they are ignored (SDM 1 3.4.2.1) */
			d->segment = SEG_ES + (byte >> 3 & 3);
		break;
	case 0x64:
	case 0x65: d->segment = SEG_FS + (byte & 1); break;
	case 0x66: d->operand_size = true; break;
	case 0x67: d->address_size = true; break;
	case 0xf0: d->lock = true; break;
	case 0xf2:
	case 0xf3: d->repeat = byte; break;
	default: d->rex = byte; break;
	}
}

/*
 * C5 and C4: REX, map, prefix and length in two or three bytes (SDM 2A 2.3.5). Outside 64-bit mode
 * they are LDS and LES, unless bits 7:6 of the next byte are set; other prefixes forbid them.
 */
static struct opcode take_vex(struct decoder *d, uint8_t byte)
{
	bool three = byte == 0xc4;
	unsigned first = take_byte(d), last = three ? take_byte(d) : first;

	if ((d->mode != 64 && first >> 6 != 3) || d->rex || d->repeat || d->operand_size || d->lock)
		return (struct opcode){0};
	d->vex = true;
	d->rex = (uint8_t)(three ? (~first >> 5 & 7) | (last & 0x80) >> 4 : (~first >> 5 & REX_R));
	if (d->mode != 64) d->rex &= REX_W;
	d->map = three ? first & 0x1f : 1;
	d->vvvv = ~last >> 3 & 15;
	d->vex_l = last & 4;
	d->vex_prefix = last & 3;
	d->opcode = take_byte(d);
	return (struct opcode){0, MODRM | VECTOR};
}

/* Behind 0F 38 and 0F 3A. */
static struct opcode take_three_byte(struct decoder *d)
{
	d->map = d->opcode == 0x38 ? 2 : 3;
	d->opcode = take_byte(d);
	if (d->map == 2 && d->opcode == 0xf0) return (struct opcode){INSN_MOVBE, MODRM | NO_REPEAT};
	if (d->map == 2 && d->opcode == 0xf1) return (struct opcode){INSN_MOVBE, MODRM | NO_REPEAT | TO_MEMORY};
	return (struct opcode){0, MODRM | VECTOR};
}

static struct opcode take_two_byte(struct decoder *d)
{
	struct opcode opcode;

	d->map = 1;
	d->opcode = take_byte(d);
	opcode = insn_two_byte[d->opcode];
	if (opcode.flags & ESCAPE_38) return take_three_byte(d);
	return opcode.flags ? opcode : (struct opcode){0, MODRM | VECTOR};
}

/* Prefixes and opcode. The loop ends: what is missing is taken as 0, which is no prefix. */
static struct opcode take_opcode(struct decoder *d)
{
	for (;;) {
		uint8_t byte = take_byte(d);
		struct opcode opcode = insn_one_byte[byte];

		d->opcode = byte;
		if (!(opcode.flags & (PREFIX | ESCAPE | ONLY_64 | NOT_64 | VECTOR))) return opcode;
		if (opcode.flags & (d->mode == 64 ? NOT_64 : ONLY_64)) return (struct opcode){0};
		if (opcode.flags & VECTOR) return take_vex(d, byte);
		if (opcode.flags & ESCAPE) return take_two_byte(d);
		if (!(opcode.flags & PREFIX)) return opcode;
		take_prefix(d, byte);
	}
}

/* 16-bit addressing (SDM 2A table 2-1). */
static void take_address_16(struct decoder *d, struct insn *insn, unsigned mod, unsigned rm)
{
	static const int8_t base[8] = {RBX, RBX, RBP, RBP, RSI, RDI, RBP, RBX};
	static const int8_t index[8] = {RSI, RDI, RSI, RDI, -1, -1, -1, -1};

	if (mod == 0 && rm == 6) {
		insn->displacement = (int64_t)take(d, 2);
		return;
	}
	insn->base = base[rm];
	insn->index = index[rm];
	if (mod) insn->displacement = (int64_t)take(d, mod);
}

/* 32- and 64-bit addressing (SDM 2A tables 2-2, 2-3, 2.2.1.6 for RIP-relative). */
static void take_address(struct decoder *d, struct insn *insn, unsigned mod, unsigned rm)
{
	unsigned base = rm;

	if (rm == 4) {
		unsigned sib = take_byte(d);
		unsigned index = (sib >> 3 & 7) | (d->rex & REX_X ? 8 : 0);

		base = sib & 7;
		insn->scale = (uint8_t)(1U << (sib >> 6));
		insn->index = index == RSP ? -1 : (int8_t)index;
	}
	if (mod == 0 && base == 5) {
		insn->rip_relative = rm == 5 && d->mode == 64;
		insn->displacement = (int64_t)take(d, 4);
		return;
	}
	insn->base = (int8_t)(base | (d->rex & REX_B ? 8 : 0));
	if (mod) insn->displacement = (int64_t)take(d, mod == 1 ? 1 : 4);
}

static void take_memory_operand(struct decoder *d, struct insn *insn, unsigned modrm)
{
	if (insn->address_width == 2)
		take_address_16(d, insn, modrm >> 6, modrm & 7);
	else
		take_address(d, insn, modrm >> 6, modrm & 7);
	if (insn->base == RSP || insn->base == RBP) insn->segment = SEG_SS;
}

static uint8_t operand_width(const struct decoder *d)
{
	if (d->rex & REX_W) return 8;
	return d->operand_size == (d->mode != 16) ? 2 : 4;
}

static uint8_t address_width(const struct decoder *d)
{
	if (!d->address_size) return (uint8_t)(d->mode / 8);
	return d->mode == 32 ? 2 : 4;
}

/* The ModRM byte with what it selects and brings; false where there is no memory operand. */
static bool take_modrm(struct decoder *d, struct insn *insn, struct opcode *opcode)
{
	unsigned modrm = d->modrm = take_byte(d);
	uint8_t reg = modrm >> 3 & 7;

	if (modrm >> 6 == 3) return false;
	if (opcode->flags & GROUP) {
		struct opcode selected = insn_group[opcode->operation][reg];

		if (!selected.flags) return false;
		opcode->operation = selected.operation;
		opcode->flags |= selected.flags;
	}
	insn->high_byte = opcode->flags & BYTE && reg >= 4 && !d->rex;
	insn->reg = insn->high_byte ? reg - 4 : reg | (d->rex & REX_R ? 8 : 0);
	take_memory_operand(d, insn, modrm);
	return true;
}

static const struct vector *find_vector(const struct decoder *d, unsigned prefix)
{
	for (const struct vector *v = insn_vector; v->map; v++)
		if (v->map == d->map && d->opcode >= v->first && d->opcode <= v->last && v->prefixes >> prefix & 1 &&
		    !(v->flags & (d->vex ? ONLY_LEGACY : ONLY_VEX)))
			return v;
	return NULL;
}

/* Of the memory operand; 0: VEX has no such instruction. */
static unsigned vector_width(const struct decoder *d, unsigned width, unsigned prefix)
{
	unsigned whole = d->vex_l ? 32 : 16, scalar = d->rex & REX_W ? 8 : 4, mmx = d->vex ? 0 : 8;

	switch (width) {
	case BY_W: return scalar;
	case FLOAT: return prefix == PF3 ? 4 : prefix == PF2 ? 8 : whole;
	case INTEGER: return prefix == NONE ? mmx : whole;
	case COUNT: return prefix == NONE ? mmx : 16;
	case FMA: return d->opcode & 1 && (d->opcode & 15) > 8 ? scalar : whole;
	case DUPLICATED: return d->vex_l ? 32 : 8;
	default: return width < BY_W ? width : whole >> (width - WHOLE);
	}
}

/*
 * insn->code of MMX, SSE, AVX or BMI. General registers are RAX and RDX there. What VEX.L, W and
 * vvvv allow the CPU itself will say.
 */
static void encode_vector(const struct decoder *d, struct insn *insn, unsigned prefix, unsigned vvvv)
{
	static const uint8_t mandatory[] = {[P66] = 0x66, [PF3] = 0xf3, [PF2] = 0xf2},
			     escape[] = {[2] = 0x38, [3] = 0x3a};
	unsigned reg = insn->general ? RAX : insn->reg;
	uint8_t *to = insn->code, w = d->rex & REX_W;

	if (d->vex) {
		*to++ = 0xc4;
		*to++ = (reg & 8 ? 0x60 : 0xe0) | d->map;
		*to++ = (uint8_t)(w << 4 | (~vvvv & 15) << 3 | d->vex_l << 2 | prefix);
	} else {
		if (prefix) *to++ = mandatory[prefix];
		*to++ = (uint8_t)(0x40 | w | (reg & 8) >> 1);
		*to++ = 0x0f;
		if (d->map > 1) *to++ = escape[d->map];
	}
	*to++ = d->opcode;
	*to++ = (uint8_t)((reg & 7) << 3 | RDI);
	if (insn->has_immediate) *to++ = (uint8_t)insn->immediate;
	*to = RET;
}

static bool take_vector(struct decoder *d, struct insn *insn)
{
	unsigned prefix = d->vex            ? d->vex_prefix
			  : d->repeat       ? (d->repeat == 0xf3 ? PF3 : PF2)
			  : d->operand_size ? P66
					    : NONE;
	const struct vector *v = find_vector(d, prefix);

	if (!v) return false;
	insn->vvvv = d->vvvv & (d->mode == 64 ? 15 : 7);
	insn->operation = INSN_NATIVE;
	insn->to_memory = v->flags & STORE;
	insn->general = v->flags & TO_GENERAL;
	insn->to_vvvv = v->flags & TO_VVVV;
	if (insn->to_vvvv && !insn->general && (unsigned)(insn->reg & 7) - 1 > 2) return false; /* BLSR BLSMSK BLSI */
	if (d->mode != 64 && (insn->general || v->width == BY_W)) d->rex = 0;
	insn->width = (uint8_t)vector_width(d, v->width, prefix);
	insn->register_width = d->rex & REX_W ? 8 : 4;
	insn->has_immediate = d->map == 3 || v->flags & IMM;
	if (insn->has_immediate) insn->immediate = take(d, 1) & (v->flags & FOURTH && d->mode != 64 ? 0x7f : 0xff);
	encode_vector(d, insn, prefix, v->flags & (FROM_VVVV | TO_VVVV) ? RDX : insn->vvvv);
	return insn->width;
}

/*
 * With a displacement of 0, as nobody writes it: so that what FOP has after it tells whether it was
 * set (fpu_save_after()).
 */
static bool take_x87(const struct decoder *d, struct insn *insn)
{
	const uint8_t code[] = {d->opcode, 0x47 | (d->modrm & 0x38), 0, RET};
	bool control = (insn->reg & 7) >= 5 && (d->opcode == 0xd9 || d->opcode == 0xdd); /* FLDCW FNSTCW FNSTSW */

	memcpy(insn->code, code, sizeof(code));
	insn->width = insn->operation;
	insn->operation = INSN_NATIVE;
	insn->x87_opcode = (uint16_t)(control ? 0 : d->opcode << 8 | d->modrm);
	return true;
}

/* ModRM bits 5:3 name a segment register; CS is none to load. */
static bool take_segment(struct insn *insn, unsigned reg)
{
	insn->operation = insn->to_memory ? INSN_MOV_FROM_SEGMENT : INSN_MOV_TO_SEGMENT;
	insn->width = 2;
	insn->reg = (uint8_t)reg;
	return reg <= SEG_GS && (insn->to_memory || reg != SEG_CS);
}

/* What an instruction has beside its memory operand when it is no register of its width. */
static bool take_specials(struct decoder *d, struct insn *insn, unsigned flags)
{
	if (flags & (COUNT_1 | COUNT_CL)) {
		insn->has_immediate = flags & COUNT_1;
		insn->immediate = 1;
		insn->reg = RCX;
		insn->register_width = 1;
		insn->high_byte = false;
	}
	if (flags & CONDITION) insn->condition = d->opcode & 15;
	if (flags & STACK && d->mode == 64)
		insn->width = insn->width == 2 && insn->operation != INSN_CALL && insn->operation != INSN_JMP ? 2 : 8;
	if (flags & LINE) insn->width = 1;
	if (flags & PAIR) insn->width = d->rex & REX_W ? 16 : 8;
	if (flags & F3_IS_NEXT && d->repeat == 0xf3) insn->operation++;
	if (flags & X87) return take_x87(d, insn);
	if (flags & SEGMENT) return take_segment(insn, insn->reg & 7);
	return !(flags & VECTOR) || take_vector(d, insn);
}
#define SPECIALS (COUNT_1 | COUNT_CL | CONDITION | STACK | LINE | PAIR | F3_IS_NEXT | SEGMENT | X87 | VECTOR)

/* A string instruction with nothing at SI. */
static bool only_destination(const struct insn *insn)
{
	return insn->operation == INSN_STOS || insn->operation == INSN_SCAS || insn->operation == INSN_INS;
}

/* What only some opcodes have: operands not in ModRM, or not of the operand size. */
static void take_particulars(struct decoder *d, struct insn *insn, unsigned flags)
{
	if (flags & WIDE) insn->register_width = insn->width = MAX(insn->width, 4);
	if (flags & SOURCE_8) insn->width = 1;
	if (flags & SOURCE_16) insn->width = 2;
	if (flags & SOURCE_32) insn->width = MIN(insn->width, 4);
	if (flags & OFFSET) insn->displacement = (int64_t)take(d, insn->address_width);
	if (flags & STRING) {
		insn->rep = d->repeat;
		insn->until_equal = d->repeat == 0xf2;
		insn->base = only_destination(insn) ? RDI : RSI;
	}
	if (flags & (IMMEDIATE | IMMEDIATE_8)) {
		insn->has_immediate = true;
		insn->immediate = take(d, flags & IMMEDIATE_8 ? 1 : MIN(insn->width, 4));
	}
}
#define PARTICULARS (WIDE | SOURCE_8 | SOURCE_16 | SOURCE_32 | OFFSET | STRING | IMMEDIATE | IMMEDIATE_8)

/* Whether the prefixes are allowed here. */
static bool prefixes_allowed(const struct decoder *d, const struct insn *insn, unsigned flags)
{
	if (d->lock && !(insn->to_memory && BIT(insn->operation) & LOCKABLE)) return false;
	if (flags & ONLY_F3 && d->repeat != 0xf3) return false;
	if (flags & LINE) /* CLFLUSH has no prefix, CLFLUSHOPT and CLWB have 66 */
		return !d->repeat && ((insn->reg & 7) == 7 || d->operand_size);
	if (flags & NO_REPEAT && d->repeat) return false;
	return !(flags & WIDE && (d->operand_size || d->repeat));
}

/* What most accesses to devices are: insn_execute() has a short way for them. */
static bool is_plain(const struct decoder *d, const struct insn *insn)
{
	return d->mode == 64 && insn->operation <= INSN_MOVZX && insn->segment == SEG_DS && insn->base != RSP &&
	       insn->reg != RSP;
}

static int refuse(const struct decoder *d) { return d->at > d->size && d->size < INSN_MAX ? -EAGAIN : -EINVAL; }

int insn_decode(const uint8_t *bytes, size_t size, unsigned mode, struct insn *insn)
{
	struct decoder d = {.bytes = bytes, .mode = mode, .segment = -1};
	struct opcode opcode;

	d.size = (unsigned)MIN(size, INSN_MAX);
	opcode = take_opcode(&d);
	if (!opcode.flags) return refuse(&d);
	*insn = (struct insn){.base = -1, .index = -1, .scale = 1, .segment = SEG_DS};
	insn->address_width = address_width(&d);
	insn->width = opcode.flags & BYTE ? 1 : operand_width(&d);
	insn->register_width = insn->width;
	if (opcode.flags & MODRM && !take_modrm(&d, insn, &opcode)) return refuse(&d);
	insn->operation = opcode.operation;
	if (insn->operation == INSN_XLAT) insn->base = RBX;
	insn->to_memory = opcode.flags & TO_MEMORY;
	if (opcode.flags & PARTICULARS) take_particulars(&d, insn, opcode.flags);
	if (opcode.flags & SPECIALS && !take_specials(&d, insn, opcode.flags)) return refuse(&d);
	if (opcode.flags & STRING && only_destination(insn))
		insn->segment = SEG_ES; /* which no prefix changes */
	else if (d.segment >= 0)
		insn->segment = (uint8_t)d.segment;
	insn->length = (uint8_t)d.at;
	insn->plain = is_plain(&d, insn);
	insn->locked = d.lock || insn->operation == INSN_XCHG;
	if (d.at > d.size || !prefixes_allowed(&d, insn, opcode.flags)) return refuse(&d);
	return 0;
}

int insn_decode_cached(struct insn_cache *cache, const uint8_t *bytes, size_t size, unsigned mode,
		       const struct insn **insn)
{
	struct insn_cached *entry = &cache->entry[0];
	uint64_t head, tail;
	int error;

	if (size >= INSN_MAX) {
		memcpy(&head, bytes, 8);
		memcpy(&tail, bytes + INSN_MAX - 8, 8);
		/* The top bits of a product depend on all bits below (Fibonacci hashing). */
		entry = &cache->entry[head * 0x9e3779b97f4a7c15 >> (64 - INSN_CACHE_BITS)];
		*insn = &entry->insn;
		if (entry->head == head && entry->tail == tail && entry->mode == mode) return 0;
		entry->head = head;
		entry->tail = tail;
	}
	*insn = &entry->insn;
	error = insn_decode(bytes, size, mode, &entry->insn);
	entry->mode = error || size < INSN_MAX ? 0 : mode;
	return error;
}
