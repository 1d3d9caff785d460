/* SPDX-License-Identifier: MIT */
/*
 * What this room offers the rest of the hypervisor: the operator's keys, the monitor, a gdb on a
 * guest, and the readers of events. It is called between turns. Within an exit runs only what
 * watch.c was asked to watch.
 */
#pragma once

#include "hv/options/options.h"
#include "hv/vm/vm.h"

/* The VMs are made: commands are about the first. */
void monitor_init(void);

/* Act on what was typed since the last call, and on stops. To be called often. */
void keys_poll(void);
/* All VMs have ended: say what was typed in vain. */
void keys_end(void);

void monitor_prompt(void);
/* Carry out a line: a command's name, and at most one word behind it. The line is cut to pieces. */
void monitor_run(char *line);
/* Kill all VMs: the machine ends. */
void monitor_quit(void);
/* Where a vCPU, made current here, is: one line. */
void monitor_show_place(struct vcpu *vcpu);
/* Where the current vCPU's linear address leads, as its kernel reads; no flag is set. False: nowhere. */
bool monitor_translate(struct vcpu *vcpu, uint64_t linear, uint64_t *gpa);

/* Stop all VMs, and wait for a gdb on the second serial port, which sees the first of them; there is one. */
void gdb_init(void);
/* Answer what came, and tell of a stop; nothing without gdb_init(). */
void gdb_poll(void);

/* The trace on port 0xe9 and the stops that the options name, before the first VM runs. */
void watch_init(const struct hv_options *options);
/* What the trace holds from now on. False: port 0xe9 is the console's. */
bool watch_set_trace(enum trace_option option);
/* Is there something at which the machine will stop? And: it stops nowhere any more. */
bool watch_may_stop(void);
void watch_end_stops(void);
/* Tell the trace what happened outside of exits. */
void watch_poll(void);
/* The trace's last record. */
void watch_end(void);
