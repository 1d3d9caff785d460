/* SPDX-License-Identifier: MIT */
/*
 * gdb on a guest, by the second serial port.
 */
#ifndef HV_MONITOR_GDB_H
#define HV_MONITOR_GDB_H

#include "hv/vm/vm.h"

/* All VMs there are, one or more: stop them, and wait for a gdb. It sees the first. */
void gdb_init(struct vm *const *vms, unsigned count);
/* Answer what came, and tell of a stop. To be called between turns; nothing without gdb_init(). */
void gdb_poll(void);

#endif
