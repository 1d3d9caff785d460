// SPDX-License-Identifier: MIT
/*
 * The guest of lab 1: counts down from three by the device of `dev=counter`, and looks at its status.
 */
#include "guest/lib/check.h"
#include "guest/lib/cpu.h"
#include "guest/lib/start.h"

int guest_main(void)
{
	outl(0xa00, 3);
	for (unsigned left = 3; left; left--) {
		check_is(0, inb(0xa04), "status 0 before the last");
		check_is(left, inl(0xa00), "the count");
	}
	check_is(1, inb(0xa04), "status 1 then");
	outb(0xa04, 0);
	check_is(0, inb(0xa04), "and 0 once it is written");
	return check_status();
}
