/* SPDX-License-Identifier: MIT */
/*
 * hv/emulate/insn.c knows every instruction with which gcc and clang access a device: the Zydis
 * disassembler finds them in what both make of tests/zoo/, at several levels of
 * optimization and for several CPUs.
 */
#include <stdio.h>

#include <Zydis/Zydis.h>

#include "tests/lib/test.h"
#include "hv/emulate/insn.h"

/* The code of all variants: tests/dev.mk puts it in a section of this name, in no order. */
extern const uint8_t __start_zoo[], __stop_zoo[], __start_zoo32[], __stop_zoo32[];

/* Through a pointer: neither the stack's frame nor the image's own data. */
static bool is_through_pointer(const ZydisDecodedOperand *o)
{
	return o->type == ZYDIS_OPERAND_TYPE_MEMORY && o->mem.type == ZYDIS_MEMOP_TYPE_MEM &&
	       o->mem.base != ZYDIS_REGISTER_RSP && o->mem.base != ZYDIS_REGISTER_RBP &&
	       o->mem.base != ZYDIS_REGISTER_ESP && o->mem.base != ZYDIS_REGISTER_EBP &&
	       o->mem.base != ZYDIS_REGISTER_RIP && o->mem.base != ZYDIS_REGISTER_NONE;
}

static bool accesses_a_device(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *operand)
{
	if (z->mnemonic == ZYDIS_MNEMONIC_NOP) return false;
	for (unsigned i = 0; i < z->operand_count_visible; i++)
		if (is_through_pointer(&operand[i])) return true;
	return false;
}

static void complain(const uint8_t *bytes, const ZydisDecodedInstruction *z)
{
	char hex[3 * ZYDIS_MAX_INSTRUCTION_LENGTH + 1] = "";

	for (unsigned i = 0; i < z->length; i++) sprintf(hex + 3 * i, "%02x ", bytes[i]);
	print_error("%s: %s\n", hex, ZydisMnemonicGetString(z->mnemonic));
}

static void look_through(const uint8_t *start, const uint8_t *stop, unsigned mode, const ZydisDecoder *decoder)
{
	unsigned found = 0, missing = 0;

	for (const uint8_t *at = start; at < stop;) {
		ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
		size_t left = (size_t)(stop - at);
		ZydisDecodedInstruction z;
		struct insn insn;

		if (ZYAN_FAILED(ZydisDecoderDecodeFull(decoder, at, left, &z, operand)))
			fail_msg("what is no instruction at +%zu", (size_t)(at - start));
		if (accesses_a_device(&z, operand)) {
			found++;
			if (insn_decode(at, z.length, mode, &insn) || insn.length != z.length) {
				complain(at, &z);
				missing++;
			}
		}
		at += z.length;
	}
	assert_in_range(found, 2000, 100000);
	assert_int_equal(missing, 0);
}

TEST(what_compilers_make_of_accessors_is_known)
{
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	look_through(__start_zoo, __stop_zoo, 64, &decoder);
}

TEST(what_compilers_make_of_them_in_32_bit_code_is_known)
{
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
	look_through(__start_zoo32, __stop_zoo32, 32, &decoder);
}
