/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's descriptor tables and what happens when it faults itself: a dump of registers
 * and stack, then the end of the machine.
 */
#ifndef HV_MACHINE_TRAPS_H
#define HV_MACHINE_TRAPS_H

#include <stdint.h>

/* Selectors of the GDT, also the VMCS host-state area's. */
enum { SELECTOR_CODE = 0x08, SELECTOR_DATA = 0x10, SELECTOR_TSS = 0x18 };

/* Load GDT, IDT and TSS; every exception runs on the exception stack. */
void traps_init(void);

/* Their linear addresses, for the VMCS host-state area. */
uint64_t traps_gdt_base(void);
uint64_t traps_idt_base(void);
uint64_t traps_tss_base(void);

#endif
