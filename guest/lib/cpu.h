/* SPDX-License-Identifier: MIT */
/*
 * What only guest images use beside lib/asm.h: MMIO of an exact width and a few instructions.
 * None of it checks anything, so a fault is the caller's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/asm.h"
#include "lib/bits.h"
#include "lib/x86.h"

/* One access of exactly this width; 'address' is a physical address below 4 GiB. */
#define MMIO(bits)                                                                                                     \
	static inline uint##bits##_t mmio_read##bits(uint64_t address) { return *(volatile uint##bits##_t *)address; } \
	static inline void mmio_write##bits(uint64_t address, uint##bits##_t value)                                    \
	{                                                                                                              \
		*(volatile uint##bits##_t *)address = value;                                                           \
	}
MMIO(8)
MMIO(16)
MMIO(32)
MMIO(64)

static inline void invlpg(uint64_t address) { __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory"); }

static inline void interrupts_on(void) { __asm__ volatile("sti" : : : "memory"); }

static inline void interrupts_off(void) { __asm__ volatile("cli" : : : "memory"); }
