/* SPDX-License-Identifier: MIT */
/*
 * The MSRs of a guest: which it touches without an exit, and what the others do.
 */
#ifndef HV_EXITS_MSR_H
#define HV_EXITS_MSR_H

#include <stdint.h>

#include "hv/vm/vm.h"

/* A filled MSR bitmap (SDM 3C 25.6.9), or 0 without memory. */
uint64_t msr_bitmap_alloc(void);

/*
 * MTRRs as SeaBIOS leaves them: default type register 0xc06, fixed ranges WB below 640 K,
 * variable range 0 UC from the PCI hole to 4 GiB, the others off.
 */
void msr_set_firmware_mtrrs(struct vcpu *vcpu);

/* A guest CPU's CR0.CD changed: leaves may have another type now. */
void msr_cache_disable_changed(struct vcpu *vcpu, bool cd);

#endif
