/* SPDX-License-Identifier: MIT */
/*
 * What surrounds a guest image's code: the command line and memory the loader reported, the end
 * of the run, and exceptions that a test expects. An image defines guest_main(); start.c calls
 * it once and ends the machine with the status it returns.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/contract.h" /* the ports that end a machine */

#define MULTIBOOT_LOADED 0x2badb002

struct memory_range {
	uint64_t start;
	uint64_t size;
	uint32_t type; /* 1 = RAM */
};
#define MEMORY_RANGES 16

struct guest {
	uint32_t magic;         /* EAX at entry */
	uint32_t flags;         /* of the multiboot information */
	char command_line[256]; /* copied: the original may be overwritten later */
	uint32_t memory_lower;  /* KiB from 0 */
	uint32_t memory_upper;  /* KiB from 1 MiB */
	uint32_t modules;
	uint64_t module_start, module_end; /* of the first */
	struct memory_range range[MEMORY_RANGES];
	unsigned ranges;
};
extern struct guest guest;

/* Registers as the image found them (entry.asm). */
struct entry_state {
	uint32_t cr0, cr4, efer, eflags;
};
extern struct entry_state entry_state;

/* The image's own code. What it returns is the exit status. */
int guest_main(void);
_Noreturn void guest_exit(uint32_t status);

/* Is this one of the words of the command line? */
bool guest_word(const char *word);
/* The number behind "key=" on the command line (decimal or 0x), or 'otherwise'. */
uint64_t guest_number(const char *key, uint64_t otherwise);

/* Where RAM below 4 GiB ends, what firmware keeps at its top included: a multiple of 1 MiB. */
uint64_t ram_end(void);
/* The next fresh, zeroed page above the image: never freed. Exits when RAM is used up. */
void *page_alloc(void);

/* The registers as the stubs of entry.asm pushed them. */
struct exception {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

/*
 * Call 'function', which may fault: returns -1 when it came back, else the vector of the
 * exception that ended it; last_exception and last_cr2 then hold what the CPU reported.
 */
int try_call(void (*function)(void *), void *argument);
extern struct exception last_exception;
extern uint64_t last_cr2;
/* The same at CPL 3, where 'function' ends itself with user_return(), giving VECTOR_BP. */
int try_user(void (*function)(void *), void *argument);
#define user_return() __asm__ volatile("int3")

/* Instructions that a test expects to fault: -1, or the exception's vector. */
int try_rdmsr(uint32_t msr, uint64_t *value);
int try_wrmsr(uint32_t msr, uint64_t value);

/* The IDT, on a CPU that has none yet. */
void descriptors_reload(void);

/* Called with interrupts off for each interrupt or exception of this vector; NULL: none. */
void interrupt_handler(unsigned vector, void (*handler)(void));
/* For it: what was interrupted, and what it returns to. */
extern struct exception *interrupted;
