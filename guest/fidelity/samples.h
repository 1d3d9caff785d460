/* SPDX-License-Identifier: MIT */
/*
 * A random instruction with the state it begins in, for guest/fidelity/random.c: samples.c makes
 * one, so that its operand lies in a window of four pages.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/bits.h"

/* Page 0 is RAM, 1 and 2 are what is tested, 3 is not there. */
#define WINDOW      0x40000000UL
#define SLACK       64  /* bytes before the operand that are compared */
#define COMPARED    128 /* and all in all */
#define INSN_MOST   15
#define USER_DATA   0x1b
#define USER_CODE   0x23
#define USER_CODE32 0x43
#define USER_CODE16 0x5b /* with offsets of 32 bits */
#define LIMITED     0x4b /* a data segment with a random limit */
#define STACKED     0x53 /* a stack of random limit and width, at the window; both may grow down */

/* As instructions name them. */
enum { SEGMENT_NONE, SEGMENT_ES, SEGMENT_CS, SEGMENT_SS, SEGMENT_DS, SEGMENT_FS, SEGMENT_GS };

/* In the order in which load_state loads it. */
struct state {
	uint64_t gpr[16];
	uint64_t rip, cs, rflags, rsp, ss;
	uint64_t data_segment;
};

struct form;

/* One instruction with the state it begins in. */
struct sample {
	const struct form *form;
	uint64_t undefined; /* flags */
	unsigned bits;      /* of the code segment: 16, 32, 64 */
	unsigned address;   /* bytes */
	unsigned segment;   /* that it names; in 64-bit mode it may name one in vain */
	unsigned size;
	uint8_t bytes[INSN_MOST];
	uint64_t target;      /* linear */
	uint64_t base, limit; /* of LIMITED; in 64-bit mode base is FS's and GS's too */
	uint64_t stack_limit; /* of the segment `STACKED` */
	bool down, stack_down, stack_big;
	struct state state;
	uint8_t memory[COMPARED];
};

/* Code of CPL 3 is here; behind the instruction is INT3. */
extern uint8_t code_page[PAGE_SIZE];

void sample_seed(uint64_t number);
uint64_t sample_random(void);
unsigned sample_below(unsigned limit);
void sample_choose(struct sample *s);
