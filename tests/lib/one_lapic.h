/* SPDX-License-Identifier: MIT */
/*
 * A machine with one local APIC: who delivers messages to it, as hv/vm/ipi.c does.
 */
#pragma once

#include "hv/dev/lapic_route.h"

static inline void lapic_message(struct lapic *lapic, uint64_t address, uint32_t data)
{
	struct lapic_set set = {.lapic = {lapic}, .count = 1};

	if (lapic_route_message(&set, address, data)) lapic_take(lapic, data);
}
