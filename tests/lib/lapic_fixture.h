/* SPDX-License-Identifier: MIT */
/*
 * A local APIC in a world that counts what it asks for, on a clock that the test moves; its
 * registers by their offsets in the page.
 */
#pragma once

#include "hv/dev/lapic.h"

struct fixture {
	struct lapic lapic;
	uint64_t now;
	unsigned eois, nmis, ipis;
	uint8_t eoi_vector;
	uint64_t icr;
};

struct fixture *lapic_begin(uint8_t id);
uint32_t get(struct fixture *f, uint64_t offset);
void set(struct fixture *f, uint64_t offset, uint32_t data);
/* A message with that vector, fixed and edge-triggered, to APIC 0. */
void send(struct fixture *f, uint8_t vector);
/* What is deliverable once the timer has been looked at. */
int polled(struct fixture *f);
void expect_due(struct fixture *f, uint64_t expected);
void expect_not_due(struct fixture *f);
