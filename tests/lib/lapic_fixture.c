/* SPDX-License-Identifier: MIT */
/* The local APIC of lapic_fixture.h and the world around it. */
#include "tests/lib/lapic_fixture.h"

#include "tests/lib/one_lapic.h"
#include "tests/lib/test.h"

static void eoi(void *ctx, uint8_t vector)
{
	struct fixture *f = ctx;

	f->eois++;
	f->eoi_vector = vector;
}

static void nmi(void *ctx) { ((struct fixture *)ctx)->nmis++; }

static void ipi(void *ctx, uint64_t icr)
{
	struct fixture *f = ctx;

	f->ipis++;
	f->icr = icr;
}

static uint64_t now(void *ctx) { return ((struct fixture *)ctx)->now; }

struct fixture *lapic_begin(uint8_t id)
{
	static struct fixture f;
	const struct lapic_host host = {.ctx = &f, .eoi = eoi, .nmi = nmi, .ipi = ipi, .now = now};

	f = (struct fixture){.now = 1000};
	lapic_init(&f.lapic, id, &host);
	return &f;
}

uint32_t get(struct fixture *f, uint64_t offset)
{
	uint64_t value = 0;

	lapic_access(&f->lapic, offset, 4, false, &value);
	return (uint32_t)value;
}

void set(struct fixture *f, uint64_t offset, uint32_t data)
{
	uint64_t value = data;

	lapic_access(&f->lapic, offset, 4, true, &value);
}

void send(struct fixture *f, uint8_t vector) { lapic_message(&f->lapic, 0xfee00000, vector); }

int polled(struct fixture *f)
{
	lapic_timer_poll(&f->lapic);
	return lapic_pending(&f->lapic);
}

void expect_due(struct fixture *f, uint64_t expected)
{
	uint64_t ticks;

	assert_true(lapic_timer_due(&f->lapic, &ticks));
	assert_int_equal(ticks, expected);
}

void expect_not_due(struct fixture *f)
{
	uint64_t ticks;

	assert_false(lapic_timer_due(&f->lapic, &ticks));
}
