/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the fuzzer share: its random numbers, the memory that operations may name, and
 * the list of operations. An operation is called with interrupts off and may end in an exception;
 * whatever it changed of the CPU's state is put back afterwards.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The same numbers for the same seed. */
uint64_t fuzz_random(void);
/* From 0 to n - 1. */
uint64_t fuzz_below(uint64_t n);
/* What finds mistakes sooner than chance does: bounds, single bits, few bits, or anything. */
uint64_t fuzz_value(void);

void fuzz_write_cr8(uint64_t value);
void fuzz_write_dr7(uint64_t value);

/* Memory that any operation may write: nothing of the fuzzer depends on it. */
#define FUZZ_SCRATCH 16384
extern uint8_t fuzz_scratch[FUZZ_SCRATCH];

typedef void fuzz_operation(void *nothing);

/* cpu.c */
fuzz_operation fuzz_cpuid, fuzz_msr, fuzz_control, fuzz_debug, fuzz_xcr0, fuzz_instruction, fuzz_flags, fuzz_halt,
	fuzz_vmcall;
/* devices.c */
fuzz_operation fuzz_port, fuzz_string_port, fuzz_mmio, fuzz_any_mmio, fuzz_interrupt, fuzz_dma, fuzz_iommu, fuzz_queue;
/* Find the devices; whatever is not there is left alone. */
void fuzz_devices_find(void);
/* The local APIC in xAPIC mode at its page: from x2APIC mode the way there is through off (SDM 3A 11.12.5). */
void fuzz_apic_as_found(void);
/* Mask what may interrupt for ever: lines that nobody serves. */
void fuzz_devices_quiet(void);
