/* SPDX-License-Identifier: MIT */
/*
 * Memory types: the guest's MTRRs, by RDMSR and WRMSR, and the transition of the noncoherent count.
 */
#pragma once

#include "docs/course/steps/03/memory.h"

bool exit_rdmsr(struct guest *guest);
bool exit_wrmsr(struct guest *guest);

/* A device that goes around the caches comes (+1) or goes (-1): zap, INVEPT, WBINVD, a line. */
void types_count(int delta);
