/* SPDX-License-Identifier: MIT */
/*
 * The choice of VMX controls within what the CPU offers. It reads no MSR and writes no VMCS.
 */
#include "hv/vmcs/controls.h"

#include "lib/bits.h"

#define MUST_BE_ONE BITS(31, 0)
#define MAY_BE_ONE  BITS(63, 32)

bool controls_adjust(uint64_t capability_msr, uint32_t required, uint32_t optional, uint32_t *result, uint32_t *missing)
{
	uint32_t must = (uint32_t)FIELD(capability_msr, MUST_BE_ONE);
	uint32_t may = (uint32_t)FIELD(capability_msr, MAY_BE_ONE);

	*missing = required & ~may;
	*result = required | must | (optional & may);
	return *missing == 0;
}
