/* SPDX-License-Identifier: MIT */
/*
 * What happens when the hypervisor faults itself: a dump of registers and stack, then the end of
 * the machine. All CPUs share one IDT.
 */
#pragma once

#include <stdint.h>

/* Fill and load the IDT, which all CPUs share; every exception runs on the CPU's exception stack.
 */
void traps_init(void);
/* Load it on another CPU. */
void traps_load(void);

/* The IDT's linear address, for the VMCS host-state area. */
uint64_t traps_idt_base(void);
