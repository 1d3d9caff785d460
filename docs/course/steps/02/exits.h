/* SPDX-License-Identifier: MIT */
/*
 * Exits in a loop: a table says who serves which exit reason, as hv/vmcs/exits.inc does, and the
 * loop counts them.
 */
#pragma once

#include <stdbool.h>

#include "docs/course/steps/01/vmx.h"

/* A row of the table; 'serve' returns whether the guest goes on. A row without a name ends it. */
struct exit_row {
	unsigned reason; /* SDM 3D appendix C */
	const char *name;
	bool (*serve)(struct guest *guest);
};
#define EXIT_ROWS_MAX 16

/*
 * Run the guest and serve its exits until a handler says no more, then print how many there were
 * of each. An exit that no row serves ends the machine.
 */
void guest_loop(struct guest *guest, const struct exit_row *table);

/* The guest goes on behind the instruction that exited (SDM 3C 28.2.5). */
void skip_instruction(void);

bool exit_cpuid(struct guest *guest);
bool exit_io(struct guest *guest); /* a byte to COM1 is a byte of the console */
bool exit_hlt(struct guest *guest);
