/* SPDX-License-Identifier: MIT */
/*
 * A gate beside a lock: many pass at once, and whoever holds the lock shuts it, which returns when
 * all that had passed have left. All zero is open. Passing costs two atomic additions.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/asm.h"

struct gate {
	uint32_t inside;
	bool shut;
};

static inline void gate_leave(struct gate *gate) { __atomic_fetch_sub(&gate->inside, 1, __ATOMIC_RELEASE); }

/*
 * Looks at a gate that is shut before it is taken for one that stays so. Without patience who finds
 * it shut takes the lock, and shuts it for the next: once begun, all would go one by one for ever.
 */
#define GATE_LOOKS 4096

/* False when it stays shut. The addition and gate_shut()'s store are full barriers: one sees the other. */
static inline bool gate_enter(struct gate *gate)
{
	for (unsigned i = 0; i < GATE_LOOKS; i++) {
		__atomic_fetch_add(&gate->inside, 1, __ATOMIC_SEQ_CST);
		if (!__atomic_load_n(&gate->shut, __ATOMIC_SEQ_CST)) return true;
		gate_leave(gate);
		while (__atomic_load_n(&gate->shut, __ATOMIC_RELAXED) && i < GATE_LOOKS) i++;
	}
	return false;
}

/* By one at a time: the lock's holder. */
static inline void gate_shut(struct gate *gate)
{
	__atomic_store_n(&gate->shut, true, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&gate->inside, __ATOMIC_SEQ_CST)) cpu_pause();
}

static inline void gate_open(struct gate *gate) { __atomic_store_n(&gate->shut, false, __ATOMIC_RELEASE); }
