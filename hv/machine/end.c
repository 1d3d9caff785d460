/* SPDX-License-Identifier: MIT */
/*
 * Writes the last line, then tries each way out in turn: an engine offers one, a real machine
 * another.
 */
#include "hv/machine/end.h"

#include "hv/machine/console.h"
#include "hv/machine/lock.h"
#include "lib/contract.h"
#include "lib/format.h"

#define KEYBOARD_PORT 0x64
#define PULSE_RESET   0xfe

void machine_end(int status)
{
	cpus_stop();
	print("end: status %d", status);
	console_flush();
	outb(EXIT_PORT, (uint8_t)status);
	for (const char *c = "Shutdown"; *c; c++) outb(SHUTDOWN_PORT, (uint8_t)*c);
	outb(KEYBOARD_PORT, PULSE_RESET);
	for (;;) hlt();
}

void panic(const char *text, ...)
{
	char line[200];
	va_list args;

	cpus_stop();
	va_start(args, text);
	format_text(line, sizeof(line), text, args);
	va_end(args);
	print("panic: %s", line);
	print("  rip %016lx", (uintptr_t)__builtin_return_address(0) - 1); /* in the call */
	machine_end(STATUS_HYPERVISOR_FAILED);
}
