/* SPDX-License-Identifier: MIT */
/*
 * A local APIC in a world that counts what it asks for, on a clock that the test moves; its
 * registers by their offsets in the page.
 */
#pragma once

#include "tests/lib/test.h"
#include "hv/dev/lapic.h"
#include "tests/lib/one_lapic.h"

struct fixture {
	struct lapic lapic;
	uint64_t now;
	unsigned eois, nmis, ipis;
	uint8_t eoi_vector;
	uint64_t icr;
};

static inline void eoi(void *ctx, uint8_t vector)
{
	struct fixture *f = ctx;

	f->eois++;
	f->eoi_vector = vector;
}

static inline void nmi(void *ctx) { ((struct fixture *)ctx)->nmis++; }

static inline void ipi(void *ctx, uint64_t icr)
{
	struct fixture *f = ctx;

	f->ipis++;
	f->icr = icr;
}

static inline uint64_t now(void *ctx) { return ((struct fixture *)ctx)->now; }

static inline struct fixture *set_up(uint8_t id)
{
	static struct fixture f;
	const struct lapic_host host = {.ctx = &f, .eoi = eoi, .nmi = nmi, .ipi = ipi, .now = now};

	f = (struct fixture){.now = 1000};
	lapic_init(&f.lapic, id, &host);
	return &f;
}

static inline uint32_t get(struct fixture *f, uint64_t offset)
{
	uint64_t value = 0;

	lapic_access(&f->lapic, offset, 4, false, &value);
	return (uint32_t)value;
}

static inline void set(struct fixture *f, uint64_t offset, uint32_t data)
{
	uint64_t value = data;

	lapic_access(&f->lapic, offset, 4, true, &value);
}

static inline void send(struct fixture *f, uint8_t vector) { lapic_message(&f->lapic, 0xfee00000, vector); }

/* What is deliverable once the timer has been looked at. */
static inline int polled(struct fixture *f)
{
	lapic_timer_poll(&f->lapic);
	return lapic_pending(&f->lapic);
}

static inline void expect_due(struct fixture *f, uint64_t expected)
{
	uint64_t ticks;

	assert_true(lapic_timer_due(&f->lapic, &ticks));
	assert_int_equal(ticks, expected);
}

static inline void expect_not_due(struct fixture *f)
{
	uint64_t ticks;

	assert_false(lapic_timer_due(&f->lapic, &ticks));
}
