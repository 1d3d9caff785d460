// SPDX-License-Identifier: MIT
/*
 * Does the machine behave as without a hypervisor? Prints one line per case, without a judgement:
 * the same image runs bare and as a guest, and the lines are compared (tests/boot/fidelity.bats).
 * The word "random" instead compares random instructions on RAM with the same on the test device
 * (seed=N, rounds=N, show=N to print each from round N on);
 * that needs Leafcutter and dev=testdev. The word "hlt" is for Leafcutter too.
 */
#include "guest/fidelity/fidelity.h"
#include "guest/lib/console.h"
#include "guest/lib/start.h"

int guest_main(void)
{
	if (guest_word("random"))
		return fidelity_random(guest_number("seed", 1), guest_number("rounds", 20000)) ? 1 : 0;
	if (guest_word("hlt")) {
		fidelity_hlt();
	} else {
		fidelity_cases();
		fidelity_rom();
		fidelity_msrs();
		fidelity_cpuid();
		fidelity_chips();
	}
	printf("done\n");
	return 0;
}
