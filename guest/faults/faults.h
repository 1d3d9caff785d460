/* SPDX-License-Identifier: MIT */
/*
 * The cases of guest/faults, each behind one word of the command line. faults.c has the table;
 * the files hold what they are named after.
 */
#pragma once

#include <stdint.h>

/* ends.c: each is expected to end the VM, or to leave it running for ever. */
void triple_fault(void);
void wild_write(void);
void double_fault(void);
void reset_by_cf9(void);
void reset_by_keyboard(void);
void halt_for_ever(void);
void spin_for_ever(void);
void spin_long(void);
void spin_long_enabled(void);
void execute_mmio(void);
void execute_nothing(void);
void tables_in_nothing(void);
void tables_in_mmio(void);
void idt_in_mmio(void);
void unknown_instruction_on_mmio(void);
void endless_string(void);
void exit_by_byte(void);
void exit_by_word(void);
void exit_by_string(void);
void odd_lines(void);
void leave_a_trail(void);

/* Each makes checks and returns. */
void wild_msrs(void); /* rules.c */
void wild_control_registers(void);
void wild_instructions(void);
void debug_exceptions(void); /* debug.c */
void wild_vmcalls(void);     /* vmcalls.c */
void nothing_there(void);    /* memory.c */
void read_only_device(void);
void exit_storm(void);
void lying_iommu_tables(void); /* tables.c */
void lying_queue(void);        /* queue.c */
