/* SPDX-License-Identifier: MIT */
/*
 * Who reads events while the machine runs: the trace on port 0xe9, and what stops the machine for
 * the monitor.
 */
#ifndef HV_MONITOR_WATCH_H
#define HV_MONITOR_WATCH_H

#include "hv/options/options.h"
#include "hv/vm/vm.h"

/* All VMs there are, before the first runs. */
void watch_init(const struct hv_options *options, struct vm *const *all, unsigned all_count);

/* What the trace holds from now on. False: port 0xe9 is the console's. */
bool watch_set_trace(enum trace_option option);

/* Is there something at which the machine will stop? And: it stops nowhere any more. */
bool watch_may_stop(void);
void watch_end_stops(void);

/* To be called between turns: tell the trace what happened outside of exits. */
void watch_poll(void);
/* The trace's last record. */
void watch_end(void);

#endif
