/* SPDX-License-Identifier: MIT */
/*
 * A memory type policy by its name, for programs of the host. (A VM's line is read by hv/options/.)
 */
#pragma once

#include "ept/memtype.h"
#include "lib/errno.h"
#include "lib/string.h"

/* A policy's name ("kvm-6.7"); the policy, or -EINVAL. */
static inline int memtype_policy_parse(const char *name)
{
	for (int policy = 0; policy < MEMTYPE_POLICIES; policy++)
		if (!strcmp(name, memtype_policies[policy])) return policy;
	return -EINVAL;
}
