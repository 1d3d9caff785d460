/* SPDX-License-Identifier: MIT */
/*
 * What happens in a VM, as records of 32 bytes, and the ring that keeps the last of them. A tool on
 * the host and a page read the same records with the same code. hv/vm/events.h tells them.
 */
#pragma once

#include <stddef.h>

#include "lib/bits.h"

/* Numbers go into trace files: a new one goes to the end. */
enum event_type {
	EVENT_NONE,       /* a place that was never written */
	EVENT_EXIT,       /* a VM exit, in traces only; a: ticks in its handler; b: RIP; c: EVENT_REASON
			   */
	EVENT_INJECTION,  /* a: EVENT_VECTOR and the rest; b: error code */
	EVENT_INSTALL,    /* a leaf; a: level 1-3; b: the address that faulted; c: type, permissions */
	EVENT_ATTACH,     /* a device, now noncoherent or not; a: EVENT_DEVICE; b: domain id */
	EVENT_DETACH,     /* a device that was noncoherent or not; the same */
	EVENT_COHERENCE,  /* an attached device is now the other; the same */
	EVENT_COUNT,      /* the noncoherent count, no transition; a: EVENT_COUNT_BEFORE, _AFTER */
	EVENT_TRANSITION, /* 0 <-> 1; a: as COUNT, and INVEPTs; b: leaves, tables; c: ticks */
	EVENT_ZAP,        /* leaves were cleared; a: how many; b: first address; c: bytes */
	EVENT_INVEPT,     /* on the record's CPU; b: how many so far */
	EVENT_WBINVD,     /* on the record's CPU; a: 1 when the guest asked for it */
	EVENT_FAULT,      /* the IOMMU recorded one; a: reason; b, c: the record (VT-d 11.4.14.1) */
	EVENT_STALE,      /* an IOMMU cache entry memory no longer has; a: EVENT_DEVICE; b: where */
	EVENT_MARK,       /* VMCALL n=3; b: the guest's number */
	EVENT_END,        /* a: 0 exited, 1 killed; b: exit status */
	EVENT_TRACE,      /* the trace itself: see EVENT_TRACE_MAGIC */
	EVENT_NAME,       /* the VM's name, in b and c, zeroes behind it */
	EVENT_RETYPE,     /* a transition changed leaves in place; b: leaves, tables */
	EVENT_RUN, /* leaves side by side, in traces only; a: EVENT_LEVEL, EVENT_BEGINS; b: first address; c: bytes
		    * and bits */
	EVENT_TYPES
};

/* One event, as it lies in memory and in a trace file: little-endian, no padding. */
struct event {
	uint64_t tsc;
	union {
		struct {
			uint8_t type; /* enum event_type */
			uint8_t cpu;  /* of the host */
			uint8_t vm;   /* in the order of GRUB's lines, from 0 */
			uint8_t vcpu;
		};
		uint32_t type_and_source; /* the four as one */
	};
	uint32_t a;
	uint64_t b, c;
};
_Static_assert(sizeof(struct event) == 32 && offsetof(struct event, a) == 12 && offsetof(struct event, c) == 24,
	       "the trace format");

/* Who an event is about, for type_and_source; the type is added. */
static inline uint32_t event_source(unsigned cpu, unsigned vm, unsigned vcpu)
{
	return cpu << 8 | vm << 16 | vcpu << 24;
}

/* Fields of 'a'. */
#define EVENT_DEVICE       BITS(15, 0) /* source-id */
#define EVENT_NONCOHERENT  BIT(16)
#define EVENT_COUNT_BEFORE BITS(7, 0)
#define EVENT_COUNT_AFTER  BITS(15, 8)
#define EVENT_INVEPTS      BITS(31, 16)
#define EVENT_VECTOR       BITS(7, 0) /* what lies above is as in the VMCS's interruption information */
#define EVENT_BY_GUEST     BIT(0)
#define EVENT_KILLED       BIT(0)
/*
 * Fields of a run of leaves. Runs are told where other events do not say what became of the leaves: all there are, of
 * which the first begins, and is of level 0 where there is none; or those of a part, of which none begins.
 */
#define EVENT_LEVEL  BITS(1, 0) /* 1-3; 0: there is no leaf */
#define EVENT_BEGINS BIT(8)
#define EVENT_BYTES  BITS(63, 12) /* in place, as 'c' has them */
#define EVENT_BITS   BITS(7, 0)   /* type and permissions, as the entry has them */
/* Fields of 'c' of an exit: the basic reason; an EPT violation's address, else the qualification.
 */
#define EVENT_REASON BITS(63, 56)
#define EVENT_DETAIL BITS(55, 0)
/* Fields of 'b' of a transition and of a retype. */
#define EVENT_LEAVES BITS(31, 0)
#define EVENT_TABLES BITS(63, 32)

/*
 * A trace is records one behind the other as they were told, which is nearly the order of their
 * times: an exit is told when its handler is done. The first record, each one behind
 * EVENT_TRACE_EVERY others, and the last are EVENT_TRACE (a: kHz of the TSC; b: records before this
 * one, lost ones included; c: the magic), so a reader sees how many are missing, and where the next
 * one begins where a part of one is.
 */
#define EVENT_TRACE_MAGIC 0x314543415254464cULL /* "LFTRACE1" */
#define EVENT_TRACE_EVERY 64

/* The event in words, without time and VM: what the console shows of it. Cut to what fits. */
void event_text(const struct event *event, char *text, size_t size);

/*
 * The last events of one VM; the oldest are overwritten. 'next' counts all that were ever put, so
 * a reader that remembers it knows how many it missed. A writer takes its place by one atomic
 * addition. A reader beside running writers may find the newest record half written.
 */
#define EVENT_RING_SIZE 256 /* a power of two */

struct event_ring {
	uint64_t next;
	struct event event[EVENT_RING_SIZE];
};

/* The place of the next event. */
static inline struct event *event_ring_put(struct event_ring *ring)
{
	uint64_t n = __atomic_fetch_add(&ring->next, 1, __ATOMIC_RELAXED);

	return &ring->event[n % EVENT_RING_SIZE];
}

/*
 * Copy the events from number *from on, in order, at most 'most' of them; *from becomes the number
 * behind the last one copied. Returns how many were copied; *lost is how many had been overwritten.
 */
unsigned event_ring_read(const struct event_ring *ring, uint64_t *from, struct event *to, unsigned most,
			 uint64_t *lost);
