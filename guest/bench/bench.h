/* SPDX-License-Identifier: MIT */
/*
 * What the files of guest/bench share: how a figure is taken and printed.
 */
#pragma once

#include <stdint.h>

/* One line: the figure in TSC ticks. */
void report(const char *name, uint64_t ticks);
/* The least ticks one call of 'operation' took, without what an empty one takes. */
uint64_t measure(void (*operation)(void));

void bench_instructions(void); /* instructions.c */
void bench_interrupts(void);   /* interrupts.c */
void bench_memory(void);       /* memory.c */
void bench_transitions(void);  /* transitions.c */
