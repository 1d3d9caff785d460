/* SPDX-License-Identifier: MIT */
/*
 * Work for several CPUs: they wait until they are given a job, do it, and say that it is done. What
 * measures on several CPUs at once is here too. Without jobs_begin() there is one CPU, the boot CPU.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guest/lib/smp.h"

extern unsigned cpus; /* that run */

/* Start CPUs up to 'count' in all, with interrupts on; returns how many run. */
unsigned jobs_begin(unsigned count);
/* Give each CPU from 'first' on a job; wait until those have done it, false when that takes too long. */
void job_start(unsigned first, void (*job)(unsigned id));
bool job_wait(unsigned first);
/* Tells a job that goes on until then to end. */
extern volatile bool job_stop;

/* All CPUs begin it at once: the most TSC ticks that one took, and the sum of all in *sum where that is not NULL. */
uint64_t job_on_all(void (*job)(unsigned id), uint64_t *sum);

/*
 * The other CPUs look at the clock without a pause, interrupts off. Then: the longest time that one stood
 * still, which is what lies between two looks, and in *all (unless NULL) what all of them lost in all.
 */
void jobs_watch_clock(void);
uint64_t jobs_stood_still(uint64_t *all);
