/* SPDX-License-Identifier: MIT */
/*
 * The other CPUs of the machine: started by INIT and start-up IPIs, each with a stack of its own,
 * in long mode on the boot CPU's page tables and IDT (no TSS: nothing may fault at CPL 3 there).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SMP_CPUS 16
#define SMP_PAGE 8U /* where CPUs begin: a start-up IPI's vector */

/*
 * Start CPUs 1 to count - 1, by APIC id, and let each call main(id), then halt. Returns how many
 * came, the boot CPU among them. May be called once.
 */
unsigned smp_start(unsigned count, void (*main)(unsigned id));
/* INIT and start-up again for one of them, which begins anew; the second waits for it. False: it did not come. */
void smp_begin(unsigned id);
bool smp_restart(unsigned id);
/* The same by way of another page, whose code has to go on to 0x800:0. */
bool smp_restart_at(unsigned id, uint8_t page);
/* The CPU this runs on, from 0, without an exit. */
unsigned smp_id(void);

/* An IPI; 'command' is the low half of the interrupt command register. */
void smp_send(unsigned id, uint32_t command);
