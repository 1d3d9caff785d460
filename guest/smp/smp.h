/* SPDX-License-Identifier: MIT */
/*
 * What the parts of this image share beside the jobs of guest/lib/jobs.h: the device and the entries.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ept/memtype.h"
#include "guest/lib/jobs.h"

/* smp.c: how often what does not change memory's types repeats itself: 'most', or less by "times=". */
unsigned times(unsigned most);

/* shootdown.c: the noncoherent device; false without one. */
bool device_init(void);
void device_attach(void);
void device_detach(void);
/* One page that it can reach, at its own address; a transfer of the page from or to it. */
void device_map(const void *page);
void device_dma(const void *page, bool to_memory);

/*
 * states.c: an IRET to the next instruction, behind which the CPU takes NMIs. Bochs 2.7 needs it: it keeps them blocked
 * behind an entry that says they are not. So a guest, or a hypervisor under this one, that is left in its NMI's handler
 * blocks those of whoever has the CPU next; and who halts like that with interrupts off sleeps for good.
 */
void take_nmis(unsigned id);

/* A page that CPU 'id', from 1, alone uses while it hammers; CPU 0's MTRRs give all of them this type. */
volatile uint64_t *own_page(unsigned id, unsigned n);
#define MTRR_OF_ALL MEMTYPE_UC

/*
 * types.c: from begin to end the device is attached and detached by these alone. A CPU looks at the leaf
 * of a page that only it uses, given its own MTRRs' type there and its CD; CPU 0, while nothing changes, at
 * the leaves of all CPUs' first pages. What was wrong is told at the end.
 */
void types_begin(void);
void attach_seen(void);
void detach_seen(void);
void types_look(unsigned id, const volatile uint64_t *page, enum memtype mtrr, bool cd);
void types_look_all(unsigned pages);
void types_end(void);

void test_rom(void);       /* rom.c */
void test_tables(void);    /* tables.c */
void test_starts(void);    /* states.c */
void test_ipis(void);      /* ipis.c */
void test_x2apic(void);    /* the same there, and IPIs from mode to mode; the last of all, for it does not go back */
void test_shootdown(void); /* shootdown.c */
void test_deaf(void);      /* its first part */
void test_alike(void);     /* by a word only */
void test_dma(void);       /* dma.c */
void print_figures(void);  /* figures.c: after device_init() */
void run_storm(void);      /* storm.c: after device_init() */
void run_witness(void);
void run_ends(void);      /* ends.c */
void test_lines(void);    /* lines.c */
void test_segments(void); /* segments.c */
