/* SPDX-License-Identifier: MIT */
/*
 * The VPIDs that are in use, a bit each. VPID 0 is the hypervisor's own and never handed out.
 */
#include "hv/vmx/vpid.h"

#include "hv/vmx/vmx.h"

#define VPIDS 512 /* more than there can be vCPUs */

static uint64_t used[VPIDS / 64] = {1};

uint16_t vpid_alloc(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(used); i++) {
		unsigned bit;

		if (!~used[i]) continue;
		bit = (unsigned)__builtin_ctzll(~used[i]);
		used[i] |= BIT(bit);
		invvpid((uint16_t)(64 * i + bit)); /* what the one before left in the CPU */
		return (uint16_t)(64 * i + bit);
	}
	return 0;
}

void vpid_free(uint16_t vpid)
{
	if (vpid) used[vpid / 64] &= ~BIT(vpid % 64);
}
