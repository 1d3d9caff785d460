/* SPDX-License-Identifier: MIT */
/*
 * The monitor: commands by which a person looks at guests, stops them and goes on.
 */
#ifndef HV_MONITOR_MONITOR_H
#define HV_MONITOR_MONITOR_H

#include "hv/vm/vm.h"

/* All VMs there are. */
void monitor_init(struct vm *const *all, unsigned count);

/* Open it, or leave it as it is: whoever is stopped stays so. */
void monitor_toggle(void);
/*
 * A key that is not the console's own. Whether it was for the monitor: which is open, or will open
 * at a stop that is still to come. (The end of the input it takes notice of at all times.)
 */
bool monitor_key(int key);
/* Act on what was typed; open where the machine has stopped. To be called between turns. */
void monitor_poll(void);

#endif
