/* SPDX-License-Identifier: MIT */
/*
 * What the operator types: Ctrl-A and a letter, as in QEMU's console; lines for the monitor where it is open or will
 * open; all else is for the UART of one guest, the first unless Ctrl-A n chose another.
 */
#ifndef HV_MONITOR_KEYS_H
#define HV_MONITOR_KEYS_H

#include "hv/vm/vm.h"

/* All VMs there are. */
void keys_init(struct vm *const *all, unsigned count);
/* Act on what was typed since the last call, and on stops. To be called between turns, often. */
void keys_poll(void);

#endif
