/* SPDX-License-Identifier: MIT */
/*
 * Says the time by the CPU's time stamp counter, which in an emulator counts instructions from power-on,
 * and ends the machine: as a guest by its exit port, on the bare emulator by the word it knows.
 */
#include <stdint.h>
#include <stdio.h>
#include <sys/io.h>
#include <termios.h>
#include <unistd.h>

#define EXIT_PORT     0xf4
#define SHUTDOWN_PORT 0x8900

int main(void)
{
	uint64_t now = __builtin_ia32_rdtsc();

	printf("ticks: shell at %lu\n", now);
	fflush(stdout);
	tcdrain(STDOUT_FILENO);
	if (iopl(3)) return 1;
	outb(0, EXIT_PORT);
	for (const char *word = "Shutdown"; *word; word++) outb((unsigned char)*word, SHUTDOWN_PORT);
	return 0;
}
