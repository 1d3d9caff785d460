/* SPDX-License-Identifier: MIT */
/*
 * this_cpu() of hv/machine/cpu.h on a host: a thread may say where its GS begins, and nothing else
 * in a process uses it.
 */
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include "hv/machine/cpu.h"

#define ARCH_SET_GS 0x1001 /* arch_prctl(2) */

/* From here on this thread is that CPU, whose 'self' is set. */
static inline void gs_is(const struct cpu *cpu) { syscall(SYS_arch_prctl, ARCH_SET_GS, cpu); }
