/* SPDX-License-Identifier: MIT */
/*
 * The door of the playground: words in, JSON out. The page calls it across the border of the
 * WebAssembly, where only numbers and one memory are shared; the host's driver calls it directly.
 */
#pragma once

#include <stdint.h>

#define PLAY_INPUT_SIZE 256

/* Where a step's words go, with a NUL behind them. */
char *play_input(void);
/* What the last call answered. */
const char *play_output(void);

/* Carry out the step: {"error":..., "lines":[...], "lost":n}; 0, or -EINVAL and nothing is changed.
 */
int play_step(void);
/* Everything that can be seen. */
void play_state(void);
/* The numbers of a trace's records, for the timeline. */
void play_trace_format(void);
/* The record that lies in the input, in words. */
void play_trace_text(void);
/* Why the address has its memory type for this vCPU: lines of text. */
void play_explain(uint32_t cpu, uint64_t gpa);
