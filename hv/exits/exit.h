/* SPDX-License-Identifier: MIT */
/*
 * VM exits: one table maps the basic exit reason to its handler and name (hv/exits/table.inc);
 * handlers that are more than a few lines have a file of their own.
 */
#ifndef HV_EXITS_EXIT_H
#define HV_EXITS_EXIT_H

#include "hv/vm/vcpu.h"
#include "hv/vm/vm.h"

typedef enum exit_action (*exit_handler)(struct vcpu *vcpu);

/* Called by hv/vmx/enter.asm after each exit. */
enum exit_action exit_dispatch(struct vcpu *vcpu);

const char *exit_name(unsigned reason);

/* Exits of all vCPUs so far, for one basic reason and for all. */
uint64_t exit_count(const struct vm *vm, unsigned reason);
uint64_t exit_total(const struct vm *vm);

/* One line: each exit reason that occurred and how often. */
void exit_print_counts(const struct vm *vm);

enum exit_action exit_exception(struct vcpu *vcpu); /* hv/exits/exception.c */
enum exit_action exit_cpuid(struct vcpu *vcpu);     /* hv/exits/cpuid.c */
enum exit_action exit_rdmsr(struct vcpu *vcpu);     /* hv/exits/msr.c */
enum exit_action exit_wrmsr(struct vcpu *vcpu);
enum exit_action exit_cr_access(struct vcpu *vcpu); /* hv/exits/cr.c */
enum exit_action exit_xsetbv(struct vcpu *vcpu);
enum exit_action exit_io(struct vcpu *vcpu);            /* hv/exits/io.c */
enum exit_action exit_ept_violation(struct vcpu *vcpu); /* hv/exits/ept.c */
enum exit_action exit_ept_misconfiguration(struct vcpu *vcpu);
/* hv/exits/mmio.c: an EPT violation at 'gpa', which is no RAM: emulate the instruction. */
enum exit_action exit_mmio(struct vcpu *vcpu, uint64_t gpa, bool write);
enum exit_action exit_vmcall(struct vcpu *vcpu); /* hv/exits/vmcall.c */

#endif
