// SPDX-License-Identifier: MIT
/*
 * The first image to read: says where it runs and what it was given, and exits. A word
 * "status=N" on its command line chooses the exit status.
 */
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/start.h"

static void print_memory(void)
{
	for (unsigned i = 0; i < guest.ranges; i++) {
		const struct memory_range *r = &guest.range[i];

		printf("memory 0x%09lx-0x%09lx %s\n", r->start, r->start + r->size - 1,
		       r->type == 1 ? "RAM" : "reserved");
	}
	printf("%u KiB below 640 K, %u KiB from 1 MiB, %u modules\n", guest.memory_lower, guest.memory_upper,
	       guest.modules);
}

int guest_main(void)
{
	printf("Hello from 64-bit long mode.\n");
	printf("My command line is \"%s\".\n", guest.command_line);
	print_memory();
	printf("CR0 0x%lx CR3 0x%lx CR4 0x%lx EFER 0x%lx\n", read_cr0(), read_cr3(), read_cr4(), rdmsr(MSR_IA32_EFER));
	return (int)guest_number("status", 0);
}
