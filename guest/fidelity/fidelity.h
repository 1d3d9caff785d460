/* SPDX-License-Identifier: MIT */
/*
 * The parts of guest/fidelity: cases whose lines are the same on the bare machine, and random
 * instructions that do to a device's memory what they do to RAM.
 */
#pragma once

#include <stdint.h>

void fidelity_cases(void);
void fidelity_cpuid(void);
void fidelity_chips(void);
void fidelity_hlt(void);
void fidelity_rom(void);
void fidelity_msrs(void);

/* 'rounds' instructions, from 'seed'. Returns how many differed. */
unsigned fidelity_random(uint64_t seed, uint64_t rounds);
