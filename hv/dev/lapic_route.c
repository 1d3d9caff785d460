/* SPDX-License-Identifier: MIT */
/*
 * Destinations, shorthands, and the choice among those that may take an interrupt of lowest
 * priority.
 */
#include "hv/dev/lapic_route.h"

static uint32_t named(const struct lapic_set *set, uint64_t destination, bool logical)
{
	uint32_t targets = 0;

	for (unsigned i = 0; i < set->count; i++)
		if (lapic_is_destination(set->lapic[i], (uint32_t)destination, logical)) targets |= 1U << i;
	return targets;
}

/* One of the targets, or none. */
static uint32_t lowest(struct lapic_set *set, uint32_t targets)
{
	uint32_t best_priority = ~0U;
	unsigned best = 0;

	for (unsigned n = 0; n < set->count; n++) {
		unsigned i = (set->next + n) % set->count;
		uint32_t priority = lapic_priority(set->lapic[i]);

		if (!(targets & 1U << i) || !lapic_is_enabled(set->lapic[i]) || priority >= best_priority) continue;
		best_priority = priority;
		best = i;
	}
	if (best_priority == ~0U) return 0;
	set->next = best + 1;
	return 1U << best;
}

static uint32_t choose(struct lapic_set *set, uint32_t targets, uint64_t command)
{
	targets &= ~__atomic_load_n(&set->off, __ATOMIC_RELAXED);
	if (FIELD(command, COMMAND_MODE) != MODE_LOWEST || !(targets & (targets - 1))) return targets;
	return lowest(set, targets);
}

uint32_t lapic_route_ipi(struct lapic_set *set, unsigned from, uint64_t icr)
{
	uint32_t all = (uint32_t)BITS(set->count - 1, 0), targets = 0;

	switch (FIELD(icr, ICR_SHORTHAND)) {
	case TO_DESTINATION:
		/* To x2APIC the physical 0xff is an id, and nobody's (SDM 3A 11.12.9). */
		if (!set->lapic[from]->x2apic || (icr & (ICR_DESTINATION | COMMAND_LOGICAL)) != 0xffULL << 32)
			targets = named(set, FIELD(icr, ICR_DESTINATION), icr & COMMAND_LOGICAL);
		break;
	case TO_SELF: targets = 1U << from; break;
	case TO_ALL: targets = all; break;
	case TO_OTHERS: targets = all & ~(1U << from); break;
	}
	return choose(set, targets, icr);
}

uint32_t lapic_route_message(struct lapic_set *set, uint64_t address, uint32_t data)
{
	uint64_t destination = FIELD(address, MESSAGE_DESTINATION) | FIELD(address, MESSAGE_EXTENDED) << 8;

	return choose(set, named(set, destination, address & MESSAGE_LOGICAL), data);
}
