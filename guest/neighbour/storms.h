/* SPDX-License-Identifier: MIT */
/*
 * Storms that have a file of their own: each is one round, done again and again until the time is over. What
 * they share is set before the first round.
 */
#pragma once

#include "guest/lib/pci.h"

#define VECTOR 0x50
#define BLOCK  65536 /* bytes of the block */
#define DOMAIN 1
#define ROM    0xf8000UL

extern struct edu_device edu;
extern uint8_t block[BLOCK];
extern uint64_t storm_end; /* by the TSC */

/* What ends a VM; words of the command line choose, exit where there is none. */
_Noreturn void end_somehow(void);

/* strings.c: string instructions on what is no RAM, or not there. */
void strings_movs(void);
void strings_hole(void);
void strings_faults(void);
void strings_nowhere(void);

/* cpus.c: sixteen CPUs that interrupt each other. */
void cpus_broadcast(void);
void cpus_x2apic(void);
void cpus_lowest(void);
void cpus_nmi(void);
void cpus_level(void);

/* queues.c: what may happen to a queue, or to a WBINVD, that is not at its end. */
void queues_attack(void);
void queues_end(void);
void queues_write_back(void);
void queues_steps(void);
/* The largest queue there is, a transition every other descriptor, from the head at 0. */
void queues_long(void);
/* Descriptors of it but one pair, which a full queue has no room for. */
#define QUEUES_BYTES ((256UL << 7) * 16)
