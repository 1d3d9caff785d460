/* SPDX-License-Identifier: MIT */
/*
 * Reading the ring of the last events. Writing is one inline function, in event.h.
 */
#include "hv/events/event.h"

unsigned event_ring_read(const struct event_ring *ring, uint64_t *from, struct event *to, unsigned most, uint64_t *lost)
{
	uint64_t end = ring->next;
	uint64_t oldest = end > EVENT_RING_SIZE ? end - EVENT_RING_SIZE : 0;
	unsigned count = 0;

	*lost = *from < oldest ? oldest - *from : 0;
	*from += *lost;
	for (; *from < end && count < most; count++, ++*from) to[count] = ring->event[*from % EVENT_RING_SIZE];
	return count;
}
