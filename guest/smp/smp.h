/* SPDX-License-Identifier: MIT */
/*
 * What the parts of this image share: the other CPUs wait for a job, do it, and say that it is
 * done.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guest/lib/smp.h"

extern unsigned cpus; /* that run */

/* Give each CPU from 'first' on a job; wait until those have done it. */
void job_start(unsigned first, void (*job)(unsigned id));
bool job_wait(unsigned first);
/* Tells a job that goes on until then to end. */
extern volatile bool job_stop;

/* shootdown.c: the noncoherent device; false without one. */
bool device_init(void);
void device_attach(void);
void device_detach(void);
/* One page that it can reach, at its own address; a transfer of the page from or to it. */
void device_map(const void *page);
void device_dma(const void *page, bool to_memory);

void test_tables(void);    /* tables.c */
void test_ipis(void);      /* ipis.c */
void test_shootdown(void); /* shootdown.c */
void test_deaf(void);      /* its first part */
void test_dma(void);       /* dma.c */
void print_figures(void);  /* figures.c: after device_init() */
void run_storm(void);      /* storm.c: after device_init() */
void run_witness(void);
