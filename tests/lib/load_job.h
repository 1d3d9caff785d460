/* SPDX-License-Identifier: MIT */
/*
 * A guest's RAM and a job for its loader (hv/load/load.h): what the tests of each image format
 * share. A test fills in job.image and what else it wants.
 */
#pragma once

#include "hv/load/load.h"

extern uint8_t *ram;
extern struct guest_map map;
extern struct load_job job;
extern struct load_entry entry;

/* 'size' bytes of RAM, each 'untouched'; a job named "demo" with an empty command line. */
void load_job_begin(uint64_t size, uint8_t untouched);
/* A teardown of cmocka's. */
int load_job_end(void **state);

/* The job succeeds; or it is refused with a problem that holds 'why'. */
void load(void);
void load_refused(const char *why);
