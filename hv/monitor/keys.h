/* SPDX-License-Identifier: MIT */
/*
 * What the operator types: Ctrl-A and a letter, as in QEMU's console; all else is for the UART of
 * one guest, the first unless Ctrl-A n chose another.
 */
#ifndef HV_MONITOR_KEYS_H
#define HV_MONITOR_KEYS_H

#include "hv/vm/vm.h"

/* Act on what was typed since the last call. To be called between turns, often. */
void keys_poll(struct vm *const *vms, unsigned count);

#endif
