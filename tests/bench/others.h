/* SPDX-License-Identifier: MIT */
/*
 * How two others change types, as prototypes on the host: what they do for each leaf and table, read in
 * their sources and written anew over our tables, without their locks and exits. Counting them gives an
 * estimate, and no more. docs/transitions.md names the functions and commits that were read.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ept/ept.h"

/* KVM: an iterator goes from entry to entry, takes each leaf away and keeps books on it; one flush. */
void kvm_transition(struct ept *ept, int delta);

/* Xen: the root's entries get a reserved type; nothing else. */
void xen_transition(struct ept *ept, int delta);
/*
 * A misconfiguration at gpa: the mark goes down to the table of the leaf, whose leaves all get their types, each
 * by a look of its own. False: nothing on the way was marked.
 */
bool xen_misconfiguration(struct ept *ept, const struct ept_cpu *cpu, uint64_t gpa);
/* Does the CPU find the mark in this entry? */
static inline bool xen_is_marked(uint64_t entry) { return (entry & EPT_TYPE) == EPT_TYPE; }
