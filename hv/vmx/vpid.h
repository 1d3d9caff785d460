/* SPDX-License-Identifier: MIT */
/*
 * VPIDs: the numbers by which a CPU tells the translations of one vCPU from another's (SDM 3C
 * 29.1). Handed out here, so that no two vCPUs that live have the same.
 */
#pragma once

#include <stdint.h>

/* A VPID that no vCPU has and of which nothing is cached; 0 when all are taken. */
uint16_t vpid_alloc(void);
/* Give it back; 0 is allowed. */
void vpid_free(uint16_t vpid);
