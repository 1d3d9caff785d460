/* SPDX-License-Identifier: MIT */
/* The trap flag on and off, and the signal of each trap. A handler begins with the flag off (sigaction(2) keeps it). */
#include "tests/lib/between.h"

#include <signal.h>
#include <stddef.h>

#include "lib/bits.h"
#include "lib/x86.h"

static void (*looks)(void);
static unsigned count;

static void trapped(int signal)
{
	(void)signal;
	count++;
	looks();
}

void between_begin(void (*look)(void))
{
	const struct sigaction action = {.sa_handler = trapped, .sa_flags = SA_NODEFER};

	looks = look;
	count = 0;
	sigaction(SIGTRAP, &action, NULL);
	__builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() | RFLAGS_TF);
}

unsigned between_end(void)
{
	__builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & ~RFLAGS_TF);
	return count;
}
