/* SPDX-License-Identifier: MIT */
/*
 * The monitor: commands by which a person looks at guests, stops them and goes on.
 */
#ifndef HV_MONITOR_MONITOR_H
#define HV_MONITOR_MONITOR_H

#include "hv/vm/vm.h"

/* All VMs there are. */
void monitor_init(struct vm *const *all, unsigned count);

void monitor_prompt(void);
/* Carry out a line: a command's name, and at most one word behind it. The line is cut to pieces. */
void monitor_run(char *line);
/* Kill all VMs: the machine ends. */
void monitor_quit(void);

/* Where a vCPU, made current here, is: one line. */
void monitor_show_place(struct vcpu *vcpu);
/* Where the current vCPU's linear address leads, as its kernel reads; no flag is set. False: nowhere. */
bool monitor_translate(struct vcpu *vcpu, uint64_t linear, uint64_t *gpa);

#endif
