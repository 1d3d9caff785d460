/* SPDX-License-Identifier: MIT */
/*
 * The third way to change types, as a prototype on the host: the transition makes the root's entries
 * not present and no more; a table is given its types when somebody comes to it. docs/transitions.md
 * says why the hypervisor does not do it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ept/ept.h"

/* A transition: as many stores as the root has entries, one flush. The count changes by 'delta'. */
void lazy_transition(struct ept *ept, int delta);

/*
 * An EPT violation at gpa: entries on the way that were taken away come back, with the types that
 * 'cpu' gives them now. False: nothing was taken away there, and the fault is ept_fault()'s.
 */
bool lazy_fault(struct ept *ept, const struct ept_cpu *cpu, uint64_t gpa);
