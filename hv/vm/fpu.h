/* SPDX-License-Identifier: MIT */
/*
 * A vCPU's x87, SSE and AVX state, kept while another vCPU has the CPU. The hypervisor itself uses
 * none of these registers.
 */
#pragma once

#include <stdint.h>

#include "hv/emulate/insn.h"

/* Enable what the CPU has (CR4.OSFXSR, OSXSAVE). Call once on each CPU. */
void fpu_init(void);

/* XCR0 bits a guest may set: those whose state fits and is saved here. 0 without XSAVE. */
uint64_t fpu_xcr0_offered(void);

/* 'area': a zeroed 4K page. Makes it the state after reset. */
void fpu_area_init(uint8_t *area);
/* Save all state and the guest's XCR0; load both. */
void fpu_save(uint8_t *area, uint64_t *xcr0);
void fpu_load(const uint8_t *area, uint64_t xcr0);

/*
 * Run insn->code of an INSN_NATIVE on the state that the CPU has: after fpu_save(), for XCR0 is not
 * the guest's. -1, or the vector of what it raised.
 */
int fpu_run(const struct insn *insn, struct insn_cpu *cpu);
/* Save what it left; where x87 was, and on what, is told as the guest has it. */
void fpu_save_after(uint8_t *area, const struct insn *insn, const struct insn_cpu *cpu);
