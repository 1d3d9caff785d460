/* SPDX-License-Identifier: MIT */
/*
 * For whom an interrupt is: which local APICs of a machine an IPI or a message names (SDM 3A
 * 11.6.2, 11.11).
 */
#pragma once

#include "hv/dev/lapic.h"

/* The local APICs of a machine's CPUs, by CPU; at most 32. */
struct lapic_set {
	struct lapic *lapic[32];
	unsigned count;
	uint32_t off;  /* a bit for each that IA32_APIC_BASE has switched off: it gets nothing (SDM 3A 11.4.3) */
	unsigned next; /* who is asked first for the next interrupt of lowest priority */
};

/*
 * A bit for each CPU that gets the interrupt. Of lowest priority it is one that is enabled, the
 * least busy; among equals they take turns. Other CPUs' registers may change meanwhile: either
 * value is right.
 */
uint32_t lapic_route_ipi(struct lapic_set *set, unsigned from, uint64_t icr);
uint32_t lapic_route_message(struct lapic_set *set, uint64_t address, uint32_t data);
