/* SPDX-License-Identifier: MIT */
/*
 * hv/emulate/insn.c against the Zydis disassembler: whatever our decoder accepts, Zydis must read
 * as the same instruction on the same operands; and whatever Zydis reads as one of ours with an
 * operand in memory, our decoder must accept. All opcodes with all ModRM bytes behind a set of
 * prefixes, then random bytes; of these every length too, and what is accepted is executed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <Zydis/Zydis.h>

#include "tests/lib/test.h"
#include "hv/emulate/insn.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/x86.h"
#include "tests/unit/zydis_names.h"

#define RANDOM_ROUNDS 2000000

static uint64_t seed = 0x4c430001;

static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static const unsigned modes[] = {16, 32, 64};
static ZydisDecoder decoders[3];

static int set_up(void **state)
{
	(void)state;
	ZydisDecoderInit(&decoders[0], ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
	ZydisDecoderInit(&decoders[1], ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
	ZydisDecoderInit(&decoders[2], ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	return 0;
}

static bool is_string(int operation) { return operation >= INSN_STOS && operation <= INSN_OUTS; }

/* The operand that struct insn describes, or NULL. */
static const ZydisDecodedOperand *memory_operand(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *operand)
{
	bool string = is_string(operation_of(z)) || z->mnemonic == ZYDIS_MNEMONIC_XLAT,
	     last = operation_of(z) == INSN_MOVS;
	const ZydisDecodedOperand *found = NULL;

	for (unsigned i = 0; i < (string ? z->operand_count : z->operand_count_visible); i++)
		if (operand[i].type == ZYDIS_OPERAND_TYPE_MEMORY && (!found || last))
			found = &operand[i]; /* of MOVS the second, its source; of CMPS the first */
	return found;
}

static const ZydisDecodedOperand *other_operand(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *operand)
{
	for (unsigned i = 0; i < z->operand_count_visible; i++)
		if (operand[i].type != ZYDIS_OPERAND_TYPE_MEMORY) return &operand[i];
	return NULL;
}

/* One of ours: known mnemonic, memory, and else only general registers and immediates. */
static bool is_ours(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *operand)
{
	const ZydisDecodedOperand *other = other_operand(z, operand);
	int operation = operation_of(z);

	if (operation == NOT_OURS || z->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR ||
	    (z->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY && z->encoding != ZYDIS_INSTRUCTION_ENCODING_VEX) ||
	    !memory_operand(z, operand))
		return false;
	if (is_string(operation))
		return z->meta.category == ZYDIS_CATEGORY_STRINGOP || z->meta.category == ZYDIS_CATEGORY_IOSTRINGOP;
	if (!other || other->type != ZYDIS_OPERAND_TYPE_REGISTER) return true;
	switch (ZydisRegisterGetClass(other->reg.value)) {
	case ZYDIS_REGCLASS_GPR8:
	case ZYDIS_REGCLASS_GPR16:
	case ZYDIS_REGCLASS_GPR32:
	case ZYDIS_REGCLASS_GPR64:
	case ZYDIS_REGCLASS_SEGMENT:
	case ZYDIS_REGCLASS_X87:
	case ZYDIS_REGCLASS_MMX:
	case ZYDIS_REGCLASS_XMM:
	case ZYDIS_REGCLASS_YMM: return true;
	default: return false;
	}
}

static ZydisRegister gpr(unsigned number, unsigned width, bool high_byte)
{
	if (high_byte) return ZYDIS_REGISTER_AH + number;
	if (width == 1) /* AL-BL, AH-BH, SPL-DIL, R8B-R15B follow each other */
		return number < 4 ? ZYDIS_REGISTER_AL + number : ZYDIS_REGISTER_SPL + number - 4;
	if (width == 2) return ZYDIS_REGISTER_AX + number;
	return (width == 4 ? ZYDIS_REGISTER_EAX : ZYDIS_REGISTER_RAX) + number;
}

static uint64_t cut(uint64_t value, unsigned width) { return value & (~0ULL >> (64 - 8 * width)); }

#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition)) return #condition;                                                                   \
	} while (0)

static const char *compare_memory(const struct insn *insn, const ZydisDecodedOperandMem *mem, unsigned mode)
{
	static const ZydisRegister rip[] = {ZYDIS_REGISTER_EIP, ZYDIS_REGISTER_RIP};
	ZydisRegister base = ZYDIS_REGISTER_NONE, index = ZYDIS_REGISTER_NONE;

	if (insn->base >= 0) base = gpr((unsigned)insn->base, insn->address_width, false);
	if (insn->rip_relative) base = rip[insn->address_width == 8];
	if (insn->index >= 0) index = gpr((unsigned)insn->index, insn->address_width, false);
	CHECK(insn->rip_relative ? mode == 64 && insn->base < 0 : true);
	CHECK(mem->base == base);
	CHECK(mem->index == index);
	CHECK(index == ZYDIS_REGISTER_NONE || mem->scale == insn->scale);
	CHECK(cut((uint64_t)mem->disp.value, insn->address_width) ==
	      cut((uint64_t)insn->displacement, insn->address_width));
	CHECK(mem->segment == (ZydisRegister)(ZYDIS_REGISTER_ES + insn->segment));
	return NULL;
}

/* General registers are RAX and RDX there, and their values are brought and fetched. */
static const char *compare_register(const struct insn *insn, const ZydisDecodedOperand *ours,
				    const ZydisDecodedOperand *guests)
{
	ZydisRegisterClass class = ZydisRegisterGetClass(ours->reg.value);
	unsigned width = insn->register_width;
	bool written = guests->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;

	if (class != ZYDIS_REGCLASS_GPR32 && class != ZYDIS_REGCLASS_GPR64) {
		CHECK(ours->reg.value == guests->reg.value);
	} else if (ours->reg.value == gpr(RAX, width, false)) {
		CHECK(insn->general && written && guests->reg.value == gpr(insn->reg, width, false));
	} else {
		CHECK(ours->reg.value == gpr(RDX, width, false));
		CHECK(insn->to_vvvv == written && guests->reg.value == gpr(insn->vvvv, width, false));
	}
	return NULL;
}

/* What the CPU will be given is the same, with its operand at [RDI], and RET. */
static const char *compare_native(const struct insn *insn, const ZydisDecodedInstruction *z,
				  const ZydisDecodedOperand *operand)
{
	ZydisDecodedOperand ours[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction n;
	const char *difference;

	CHECK(ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoders[2], insn->code, INSN_CODE, &n, ours)));
	CHECK(n.length < INSN_CODE && insn->code[n.length] == 0xc3);
	CHECK(n.mnemonic == z->mnemonic);
	CHECK(n.operand_count_visible == z->operand_count_visible);
	for (unsigned i = 0; i < n.operand_count_visible; i++) {
		CHECK(ours[i].type == operand[i].type);
		CHECK(ours[i].size == operand[i].size);
		if (ours[i].type == ZYDIS_OPERAND_TYPE_MEMORY) {
			CHECK(ours[i].mem.base == ZYDIS_REGISTER_RDI && ours[i].mem.index == ZYDIS_REGISTER_NONE);
			CHECK(ours[i].mem.segment == ZYDIS_REGISTER_DS && !ours[i].mem.disp.value);
			CHECK(insn->to_memory == !!(operand[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE));
		} else if (ours[i].type == ZYDIS_OPERAND_TYPE_REGISTER) {
			difference = compare_register(insn, &ours[i], &operand[i]);
			if (difference) return difference;
		} else {
			CHECK(ours[i].imm.value.u == operand[i].imm.value.u);
		}
	}
	return NULL;
}

static const char *compare_other(const struct insn *insn, const ZydisDecodedOperand *other)
{
	bool in_bits = insn->operation >= INSN_BT && insn->operation <= INSN_SHRD;
	unsigned width = in_bits ? 1 : insn->width;

	if (insn->operation == INSN_MOV_TO_SEGMENT || insn->operation == INSN_MOV_FROM_SEGMENT) {
		CHECK(other->reg.value == (ZydisRegister)(ZYDIS_REGISTER_ES + insn->reg));
		return NULL;
	}
	if (other->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
		CHECK(insn->has_immediate);
		CHECK(cut(other->imm.value.u, width) == cut(insn->immediate, width));
		return NULL;
	}
	if (insn->has_immediate) { /* SHLD, SHRD and IMUL have a register before it */
		CHECK(other[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE || other[2].type == ZYDIS_OPERAND_TYPE_IMMEDIATE);
		CHECK(insn->operation == INSN_IMUL || insn->operation == INSN_SHLD || insn->operation == INSN_SHRD);
	}
	CHECK(other->type == ZYDIS_OPERAND_TYPE_REGISTER);
	CHECK(other->reg.value == gpr(insn->reg, insn->register_width, insn->high_byte));
	return NULL;
}

/*
 * Zydis 4.0 reads a SIB byte without base (mod 00, base 101) as one with base R13 when REX.B and a
 * 32-bit address size meet. SDM 2A table 2-5: there REX.B is not decoded.
 */
static bool zydis_errs(const ZydisDecodedInstruction *z)
{
	if (z->attributes & ZYDIS_ATTRIB_HAS_NOTRACK) /* it is DS all the same */
		return true;
	return z->machine_mode == ZYDIS_MACHINE_MODE_LONG_64 && z->address_width == 32 && z->raw.modrm.mod == 0 &&
	       z->raw.modrm.rm == 4 && z->raw.sib.base == 5 && z->raw.rex.B;
}

/* What differs between our reading and Zydis's; NULL when nothing does. */
static const char *compare(const struct insn *insn, const ZydisDecodedInstruction *z,
			   const ZydisDecodedOperand *operand, unsigned mode)
{
	const ZydisDecodedOperand *memory = memory_operand(z, operand);
	const ZydisDecodedOperand *other = other_operand(z, operand);
	const char *difference;

	CHECK(is_ours(z, operand));
	CHECK((int)insn->operation == operation_of(z) ||
	      ((insn->operation == INSN_MOV_TO_SEGMENT || insn->operation == INSN_MOV_FROM_SEGMENT) &&
	       z->mnemonic == ZYDIS_MNEMONIC_MOV));
	CHECK(insn->length == z->length);
	/* MOVSXD r16 reads 16 bits (SDM 2B, MOVSX/MOVSXD); Zydis has AMD's 32. */
	if (insn->operation != INSN_FLUSH && /* a line, for Zydis */
	    (z->mnemonic != ZYDIS_MNEMONIC_MOVSXD || insn->register_width != 2))
		CHECK(insn->width * 8 == memory->size);
	CHECK(insn->address_width * 8 == z->address_width);
	difference = compare_memory(insn, &memory->mem, mode);
	if (difference && !zydis_errs(z)) return difference;
	if (is_string((int)insn->operation)) {
		CHECK(insn->rep || !(z->attributes & ZYDIS_ATTRIB_HAS_REP));
		return NULL;
	}
	CHECK(!insn->rep);
	if (insn->operation == INSN_XLAT) return NULL;
	if (insn->operation == INSN_NATIVE) return compare_native(insn, z, operand);
	CHECK(insn->to_memory == (memory == &operand[0]));
	return other ? compare_other(insn, other) : NULL;
}

static void complain(const uint8_t *bytes, unsigned mode, const char *what)
{
	char hex[3 * INSN_MAX + 1] = "";

	for (unsigned i = 0; i < INSN_MAX; i++) sprintf(hex + 3 * i, "%02x ", bytes[i]);
	fail_msg("mode %u: %s: %s", mode, hex, what);
}

/* The tables leave VEX.L, W and vvvv to the CPU: Zydis must know the instruction with others. */
static bool known_but_for_vex(const struct insn *insn)
{
	for (unsigned i = 0; insn->code[0] == 0xc4 && i < 8; i++) {
		ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
		uint8_t code[INSN_CODE];
		ZydisDecodedInstruction z;

		memcpy(code, insn->code, INSN_CODE);
		code[2] = (uint8_t)((code[2] & 0x7b) | (i & 1) << 2 | (i & 2) << 6 | (i & 4 ? 0x78 : 0));
		if (ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoders[2], code, INSN_CODE, &z, operand))) return true;
	}
	return false;
}

/* Compare on one string of bytes. Returns whether it is one of ours. */
static bool check(const uint8_t *bytes, unsigned mode)
{
	ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;
	struct insn insn;
	int error = insn_decode(bytes, INSN_MAX, modes[mode], &insn);
	bool known = ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoders[mode], bytes, INSN_MAX, &z, operand));
	const char *difference = NULL;

	if (error == -EAGAIN)
		difference = "wants more than 15 bytes";
	else if (!error)
		difference = known                      ? compare(&insn, &z, operand, modes[mode])
			     : known_but_for_vex(&insn) ? NULL
							: "unknown to Zydis";
	else if (known && is_ours(&z, operand))
		difference = "known to Zydis only";
	if (difference) complain(bytes, modes[mode], difference);
	return !error;
}

/* Of fewer bytes: nothing behind their end is read (ASan), and a prefix of an accepted instruction is -EAGAIN. */
static void check_truncated(const uint8_t *bytes, unsigned mode)
{
	struct insn insn, whole = {0};
	int error = insn_decode(bytes, INSN_MAX, modes[mode], &whole);

	for (unsigned size = 0; size < INSN_MAX; size++) {
		uint8_t *copy = malloc(size);
		int shorter;

		memcpy(copy, bytes, size);
		shorter = insn_decode(copy, size, modes[mode], &insn);
		free(copy);
		if (!error)
			assert_int_equal(shorter, size < whole.length ? -EAGAIN : 0);
		else if (shorter != -EAGAIN)
			assert_int_equal(shorter, -EINVAL);
	}
}

/* Guest memory that holds anything, and fails here and there. */
static unsigned accesses;

static int read_anything(void *ctx, uint64_t linear, unsigned width, uint64_t *value)
{
	(void)ctx;
	assert_true(width == 10 || (width <= 32 && !(width & (width - 1))));
	accesses++;
	for (unsigned i = 0; i < (width + 7) / 8; i++) value[i] = next_random();
	return linear % 61 ? 0 : -EFAULT;
}

static int write_nowhere(void *ctx, uint64_t linear, unsigned width, uint64_t *value)
{
	(void)ctx;
	assert_true(width >= 8 || *value >> (8 * width) == 0);
	accesses++;
	return linear % 67 ? 0 : -EFAULT;
}

static int probe_anywhere(void *ctx, uint64_t linear, unsigned width)
{
	(void)ctx;
	(void)width;
	return linear % 67 ? 0 : -EFAULT;
}

static int load_segment(void *ctx, unsigned segment, uint16_t selector)
{
	(void)ctx;
	assert_true(segment < 6 && segment != SEG_CS);
	return selector % 3 ? 0 : -EFAULT;
}

static int port(void *ctx, unsigned width, bool write, uint64_t *value)
{
	(void)ctx;
	assert_true(width <= 4 && (!write || *value >> (8 * width) == 0));
	*value = next_random() >> (64 - 8 * width);
	return 0;
}

static int run(void *ctx, const struct insn *insn, struct insn_cpu *cpu)
{
	(void)ctx;
	for (unsigned i = 0; i < INSN_WORDS; i++) cpu->native->operand[i] = 0;
	cpu->native->unmasked = next_random() & 0x3f;
	return insn->code[0] & 1 && !(next_random() % 7) ? VECTOR_MF : -1;
}

/* Executed on any registers, REP or not, it makes no more than two accesses: MOVS reads and writes. */
static void execute(const uint8_t *bytes, unsigned mode)
{
	const struct insn_memory memory = {
		.read = read_anything, .write = write_nowhere, .probe_write = probe_anywhere};
	static struct insn_native native;
	uint64_t gpr[16];
	struct insn_cpu cpu = {.gpr = gpr,
			       .native = &native,
			       .rip = 0xfff0,
			       .rflags = 2,
			       .load_segment = load_segment,
			       .port = port,
			       .run = run,
			       .mode = modes[mode]};
	struct insn insn;

	cpu.stack_mask = next_random() & 4 ? 0xffff : ~0ULL;
	for (unsigned i = 0; i < 6; i++)
		cpu.segment[i] = (struct insn_segment){.limit = ~0U, .rights = next_random() & 0x3e};
	for (unsigned i = 0; i < 16; i++) gpr[i] = next_random();
	assert_int_equal(insn_decode(bytes, INSN_MAX, modes[mode], &insn), 0);
	accesses = 0;
	insn_execute(&insn, &cpu, &memory);
	assert_in_range(accesses, 0, 2);
}

static void fill(uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)(next_random() >> 24);
}

/* Each test here has this fixture. */
#undef TEST
#define TEST(name) TEST_WITH(name, set_up, NULL)

TEST(every_opcode_and_modrm_behind_each_prefix_agrees_with_zydis)
{
	static const char *const prefixes[] = {
		"",
		"\x66",
		"\x67",
		"\xf0",
		"\xf2",
		"\xf3",
		"\x2e",
		"\x36",
		"\x64",
		"\x65\x26",
		"\x66\x67",
		"\x0f\x38",
		"\x66\x0f\x38",
		"\xf2\x0f\x38",
		"\xf3\x48\x0f\x38",
		"\xc5\xf8",
		"\xc5\x7d",
		"\xc5\xf0",
		"\x66\xc5\xf8",
		"\xc4\xe2\x7d",
		"\xc4\xe3\x7d",
		"\xc4\xe3\x65",
		"\xc4\xe3\xfd",
		"\xc4\x41\xfa",
		"\xc4\x01\x4b",
		"\x40",
		"\x41",
		"\x42",
		"\x44",
		"\x47",
		"\x48",
		"\x4f",
		"\x66\x48",
		"\x67\x4f",
		"\x48\x66",
		"\xf0\x66\x44",
		"\x64\x67\x4a",
	};
	unsigned accepted = 0;

	for (unsigned p = 0; p < ARRAY_SIZE(prefixes); p++) {
		for (unsigned code = 0; code < 3 * 512 * 256; code++) {
			uint8_t bytes[INSN_MAX];
			size_t at = strlen(prefixes[p]);

			fill(bytes, sizeof(bytes));
			memcpy(bytes, prefixes[p], at);
			if (code >> 16 & 1) bytes[at++] = 0x0f;
			bytes[at++] = (uint8_t)(code >> 8);
			bytes[at] = (uint8_t)code;
			accepted += check(bytes, code >> 17);
		}
	}
	assert_true(accepted > 100000);
}

TEST(random_bytes_agree_with_zydis)
{
	static const uint8_t prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x40, 0x41, 0x43, 0x44, 0x48,
					   0x4f, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3};
	unsigned accepted = 0;

	for (unsigned round = 0; round < RANDOM_ROUNDS; round++) {
		unsigned mode = (unsigned)(next_random() % 3);
		uint8_t bytes[INSN_MAX];
		unsigned at = 0;

		fill(bytes, sizeof(bytes));
		for (unsigned n = (unsigned)(next_random() >> 20) % 5; n; n--)
			bytes[at++] = prefixes[(next_random() >> 20) % sizeof(prefixes)];
		if (round % 16 == 0) check_truncated(bytes, mode);
		if (!check(bytes, mode)) continue;
		accepted++;
		execute(bytes, mode);
	}
	assert_true(accepted > RANDOM_ROUNDS / 20);
}

TEST(more_than_15_bytes_are_no_instruction)
{
	uint8_t bytes[32];
	struct insn insn;

	memset(bytes, 0x66, sizeof(bytes));
	assert_int_equal(insn_decode(bytes, sizeof(bytes), 64, &insn), -EINVAL);
	assert_int_equal(insn_decode(bytes, 14, 64, &insn), -EAGAIN);
	bytes[13] = 0x8b; /* 66 x 13, 8b 00: 15 bytes */
	bytes[14] = 0x00;
	assert_int_equal(insn_decode(bytes, sizeof(bytes), 64, &insn), 0);
	assert_int_equal(insn.length, 15);
	bytes[14] = 0x40; /* a displacement as 16th byte */
	assert_int_equal(insn_decode(bytes, sizeof(bytes), 64, &insn), -EINVAL);
}
