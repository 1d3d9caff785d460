/* SPDX-License-Identifier: MIT */
/*
 * gdb on a guest, by the second serial port.
 */
#ifndef HV_MONITOR_GDB_H
#define HV_MONITOR_GDB_H

#include "hv/vm/vm.h"

/* Stop all VMs, and wait for a gdb, which sees this one. */
void gdb_init(struct vm *first);
/* Answer what came, and tell of a stop. To be called between turns; nothing without gdb_init(). */
void gdb_poll(void);

#endif
