/* SPDX-License-Identifier: MIT */
/*
 * The instructions a guest may use on a device's memory: decode one from its bytes, and carry it
 * out with the memory accesses replaced by calls. Pure: knows neither VMX nor the VM.
 */
#ifndef HV_EMULATE_INSN_H
#define HV_EMULATE_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSN_MAX 15 /* bytes (SDM 2A 2.3.11) */

/* General registers in encoding order; RSP is here too. */
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };
/* Segment registers in encoding order. */
enum { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS };

/* The guest state an instruction reads and writes. */
struct insn_cpu {
	uint64_t *gpr; /* [16], encoding order */
	uint64_t rip;
	uint64_t rflags;
	uint64_t segment_base[6]; /* in 64-bit mode 0 for all but FS and GS */
	unsigned mode;            /* 16, 32 or 64: the code segment's default size */
};

/* Memory as the instruction names it: a linear address. 0, or negative: stop, change nothing. */
struct insn_memory {
	void *ctx;
	int (*read)(void *ctx, uint64_t linear, unsigned width, uint64_t *value);
	int (*write)(void *ctx, uint64_t linear, unsigned width, uint64_t value);
};

enum insn_operation {
	INSN_MOV,
	INSN_MOVZX,
	INSN_MOVSX,
	INSN_STOS,
	INSN_LODS,
	INSN_MOVS,
	INSN_AND,
	INSN_OR,
	INSN_XOR,
	INSN_ADD,
	INSN_SUB,
	INSN_TEST,
	INSN_CMP,
	INSN_XCHG,
	INSN_ADC,
	INSN_SBB,
	INSN_INC,
	INSN_DEC,
	INSN_NOT,
	INSN_NEG,
	INSN_BT,
	INSN_BTS,
	INSN_BTR,
	INSN_BTC,
};

/*
 * A decoded instruction. The string instructions name their source, or, when they have none in
 * memory, their destination.
 */
struct insn {
	uint64_t immediate;     /* sign-extended */
	int64_t displacement;   /* an absolute address where there is no base */
	uint8_t operation;      /* enum insn_operation */
	uint8_t length;         /* bytes */
	uint8_t width;          /* of the memory operand: 1, 2, 4, 8 */
	uint8_t register_width; /* of the register operand */
	bool to_memory;         /* memory is the first operand: where the result goes */
	bool has_immediate;
	uint8_t reg;    /* register operand; meaningless with an immediate */
	bool high_byte; /* bits 15:8 of it: AH, CH, DH, BH */
	bool rep;
	uint8_t address_width; /* 2, 4 or 8 bytes */
	uint8_t segment;
	int8_t base, index; /* registers or -1 */
	uint8_t scale;      /* 1, 2, 4, 8 */
	bool rip_relative;
};

/*
 * Decode bytes[0..size) in a code segment of 'mode' (16, 32, 64). 0; -EAGAIN: more bytes are
 * needed; -EINVAL: an instruction this decoder does not know or that has no memory operand.
 */
int insn_decode(const uint8_t *bytes, size_t size, unsigned mode, struct insn *insn);

/*
 * The same with a memory of what was decoded before, for guests access a device from the same few
 * places: *insn is good until the next call with this cache. One cache per virtual CPU; all zero
 * is an empty one. It is keyed by the bytes, so nothing ever has to invalidate it.
 */
#define INSN_CACHE 8
struct insn_cache {
	struct insn_cached {
		uint64_t head, tail; /* bytes 0-7 and 7-14 */
		unsigned mode;
		struct insn insn;
	} entry[INSN_CACHE];
};
int insn_decode_cached(struct insn_cache *cache, const uint8_t *bytes, size_t size, unsigned mode,
		       const struct insn **insn);

/*
 * Carry it out: registers, flags (SDM 1 3.4.3.1) and RIP change as the CPU would change them. A
 * REP form does one iteration and leaves RIP where it was until RCX is 0, so that the caller bounds
 * storms. 0, or the first error of 'memory': then the iteration has not happened.
 */
int insn_execute(const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory);

#endif
