/* SPDX-License-Identifier: MIT */
/*
 * What the parts of this image share beside the jobs of guest/lib/jobs.h: the device and the entries.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guest/lib/jobs.h"

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
