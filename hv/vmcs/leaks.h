/* SPDX-License-Identifier: MIT */
/*
 * What a CPU may let one VM learn of another or of the hypervisor, by its known flaws, and what
 * would be needed against that. It only says so, by what the CPU tells of itself; nothing of it is
 * done (docs/real-hardware.md).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * What a CPU needs with these feature bits (CPUID.7:EDX) and IA32_ARCH_CAPABILITIES (0 where there is
 * none; SDM 4 table 2-2), in words, separated by commas, and behind each in brackets "no command"
 * where the CPU has none for it. Returns how many there are; with 0 the text is empty.
 */
unsigned leaks_needs(uint32_t features, uint64_t arch_capabilities, char *text, size_t size);
