// SPDX-License-Identifier: MIT
/*
 * What a guest may do to the operator's terminal: bytes of all kinds, long lines, and a prompt that
 * waits for its answer. tests/boot/console.bats reads what the console makes of it.
 */
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/start.h"

#define LSR          5
#define LSR_RECEIVED 0x01

#define LONGER_THAN_A_SECOND 60000000UL /* TSC ticks, on an emulator of 20 to 40 MHz */

static void send(const char *text)
{
	for (; *text; text++) outb(COM1, (uint8_t)*text);
}

/* A line as long as the hypervisor's piece, and a character of two bytes across its end. */
static void send_long_line(void)
{
	for (unsigned i = 0; i < 239; i++) send("x");
	send("\xc3\xa9nd\n");
}

static void wait(uint64_t ticks)
{
	for (uint64_t end = rdtsc() + ticks; rdtsc() < end;) cpu_pause();
}

/* What the operator has typed meanwhile, if anything. */
static void echo(void)
{
	if (!(inb(COM1 + LSR) & LSR_RECEIVED)) return;
	send("typed: ");
	for (uint64_t end = rdtsc() + LONGER_THAN_A_SECOND; rdtsc() < end;)
		if (inb(COM1 + LSR) & LSR_RECEIVED) outb(COM1, inb(COM1));
	send("\n");
}

int guest_main(void)
{
	send("clear \x1b[2J\x1b[1;1Hhv: vm other: exited with status 0\n");
	send("bell \a, null ");
	outb(COM1, 0);
	send(", delete \x7f, tab \t, return \r.\n");
	send("gr\xc3\xbc\xc3\x9f, \xe2\x86\x92, \xf0\x9f\x90\x9c; broken \xc3, \xff, C1 \xc2\x9b"
	     "2J\n");
	send("to the left \xe2\x80\xae"
	     "0 sutats, isolated \xe2\x81\xa7, a line \xe2\x80\xa8"
	     "hv: vm\n");
	send_long_line();
	send("password: ");
	wait(LONGER_THAN_A_SECOND);
	send("after a second\n");
	echo();
	send("cut short");
	return 0;
}
