/* SPDX-License-Identifier: MIT */
/*
 * The instructions a guest may use on a device's memory, and the string ones on ports: decode one from its bytes, and
 * carry it out with the memory accesses replaced by calls. Pure: knows neither VMX nor the VM.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSN_MAX  15 /* bytes (SDM 2A 2.3.11) */
#define INSN_CODE 16 /* of INSN_NATIVE */

/* General registers in encoding order; RSP is here too. */
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };
/* Segment registers in encoding order. */
enum { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS };

struct insn;

/* What a CPU that carries out an instruction gets beside its code, and leaves. */
struct insn_native {
	uint64_t operand[4] __attribute__((aligned(32))); /* INSN_WORDS: the memory's */
	uint64_t rax, rdx;                                /* general registers, where it has some */
	uint64_t rip, offset; /* where the guest has the instruction and the operand: x87 keeps both */
	unsigned unmasked;    /* x87's exceptions that wait now, a bit each */
};

/* The guest state an instruction reads and writes. */
struct insn_cpu {
	uint64_t *gpr; /* [16], encoding order */
	uint64_t rip;
	uint64_t rflags;
	uint64_t segment_base[6]; /* in 64-bit mode 0 for all but FS and GS */
	unsigned mode;            /* 16, 32 or 64: the code segment's default size */
	/* What only some instructions need. */
	struct insn_segment {
		uint32_t limit, rights; /* as in a VMCS; not looked at in 64-bit mode */
		uint16_t selector;
	} segment[6];
	uint64_t stack_mask;        /* how much of RSP the stack uses: 16, 32 or 64 bits */
	struct insn_native *native; /* of INSN_NATIVE */
	bool task_switched;         /* CR0.TS: x87, SSE and AVX registers may be another program's */
	bool has_bmi, has_lzcnt;    /* else TZCNT and LZCNT are BSF and BSR */
	bool protected_mode;        /* CR0.PE, and not virtual-8086 mode */
	int fault;                  /* the exception of an instruction that failed; -1: of memory */
	/* Load a segment register as MOV does. 0, or negative with the exception raised. */
	int (*load_segment)(void *ctx, unsigned segment, uint16_t selector);
	/* INS and OUTS: access the port in DX. 0, or negative: stop, change nothing. */
	int (*port)(void *ctx, unsigned width, bool write, uint64_t *value);
	/*
	 * INSN_NATIVE: run insn->code on native.operand, the flags, and the guest's x87, SSE and AVX.
	 * -1, or the vector of its fault.
	 */
	int (*run)(void *ctx, const struct insn *insn, struct insn_cpu *cpu);
};

/*
 * Memory as the instruction names it: a linear address, 1, 2, 4, 8, 10, 16 or 32 bytes in as many words
 * as they fill; write() may change the words. 0, or negative: stop, change nothing. probe_write()
 * says what write() would, and changes nothing.
 */
struct insn_memory {
	void *ctx;
	int (*read)(void *ctx, uint64_t linear, unsigned width, uint64_t *value);
	int (*write)(void *ctx, uint64_t linear, unsigned width, uint64_t *value);
	int (*probe_write)(void *ctx, uint64_t linear, unsigned width);
};
#define INSN_WORDS 4 /* the most */

/* A kind of instruction a line: each has its own way through insn_execute(). */
/* clang-format off */
enum insn_operation {
	INSN_MOV, INSN_MOVZX, INSN_MOVSX, INSN_MOVBE, INSN_SET, INSN_CMOV,
	INSN_STOS, INSN_LODS, INSN_MOVS, INSN_CMPS, INSN_SCAS, INSN_INS, INSN_OUTS,
	INSN_AND, INSN_OR, INSN_XOR, INSN_ADD, INSN_SUB, INSN_TEST, INSN_CMP, INSN_XCHG, INSN_ADC, INSN_SBB,
	INSN_INC, INSN_DEC, INSN_NOT, INSN_NEG,
	INSN_BT, INSN_BTS, INSN_BTR, INSN_BTC, /* of what follows some have more to know than registers and flags */
	INSN_ROL, INSN_ROR, INSN_RCL, INSN_RCR, INSN_SHL, INSN_SHR, INSN_SAR, INSN_SHLD, INSN_SHRD,
	INSN_CMPXCHG, INSN_XADD, INSN_IMUL /* into a register */,
	INSN_BSF, INSN_TZCNT, INSN_BSR, INSN_LZCNT, INSN_POPCNT,
	INSN_MUL, INSN_IMUL_WIDE, INSN_DIV, INSN_IDIV, /* by RAX, into RDX:RAX */
	INSN_CMPXCHG_PAIR, /* 8B and 16B */
	INSN_POP, INSN_PUSH, INSN_CALL, INSN_JMP,
	INSN_MOV_FROM_SEGMENT, INSN_MOV_TO_SEGMENT,
	INSN_FLUSH, /* CLFLUSH, CLFLUSHOPT, CLWB */
	INSN_XLAT,
	INSN_NATIVE, /* the CPU itself carries it out, with its operand elsewhere: x87, MMX, SSE, AVX, BMI */
	INSN_OPERATIONS
};
/* clang-format on */

/*
 * A decoded instruction. The string instructions name their source, or, when they have none in
 * memory, their destination.
 */
struct insn {
	uint64_t immediate;     /* sign-extended */
	int64_t displacement;   /* an absolute address where there is no base */
	uint8_t operation;      /* enum insn_operation */
	uint8_t length;         /* bytes */
	uint8_t width;          /* of the memory operand: 1, 2, 4, 8, 10, 16, 32 */
	uint8_t register_width; /* of the register operand */
	bool to_memory;         /* memory is the first operand: where the result goes */
	bool has_immediate;
	uint8_t reg;           /* register operand; meaningless with an immediate */
	bool high_byte;        /* bits 15:8 of it: AH, CH, DH, BH */
	bool rep, until_equal; /* REP or REPE; REPNE */
	bool locked;
	bool plain;            /* a MOV or MOVZX of 64-bit mode without a base of a segment and without RSP */
	bool general, to_vvvv; /* of INSN_NATIVE: RAX has a result for the register, RDX for vvvv */
	uint8_t vvvv;          /* with VEX: the register that may be another operand */
	uint8_t condition;
	uint8_t address_width; /* 2, 4 or 8 bytes */
	uint8_t segment;
	int8_t base, index; /* registers or -1 */
	uint8_t scale;      /* 1, 2, 4, 8 */
	bool rip_relative;
	/*
	 * Of INSN_NATIVE: the same as 64-bit code, its operand at [RDI], and RET. It is made of what
	 * the tables know, never of bytes that a guest has written.
	 */
	uint8_t code[INSN_CODE];
	uint16_t x87_opcode; /* opcode and ModRM, which FOP has; 0: of a control instruction, which leaves FOP */
};

/*
 * Decode bytes[0..size) in a code segment of 'mode' (16, 32, 64). 0; -EAGAIN: more bytes are
 * needed; -EINVAL: an instruction this decoder does not know or that has no memory operand.
 */
int insn_decode(const uint8_t *bytes, size_t size, unsigned mode, struct insn *insn);

/*
 * The same with a memory of what was decoded before, for guests access a device from the same few
 * places: *insn is good until the next call with this cache. One cache per virtual CPU; all zero
 * is an empty one. It is keyed by the bytes, so nothing ever has to invalidate it. It saves
 * an MMIO read 167 of 896 ticks, a write 242 of 984.
 */
#define INSN_CACHE      (1U << INSN_CACHE_BITS)
#define INSN_CACHE_BITS 6
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
 * REP form does one iteration and leaves RIP where it was until it is done, so that the caller
 * bounds storms. 0, or negative: then the iteration has not happened; cpu->fault is the exception's
 * vector (its error code is 0), or -1 for an error of 'memory' or load_segment().
 */
int insn_execute(const struct insn *insn, struct insn_cpu *cpu, const struct insn_memory *memory);
