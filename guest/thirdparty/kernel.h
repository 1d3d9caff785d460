/* SPDX-License-Identifier: MIT */
/*
 * What the parts of this kernel share.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TURNS 100000000UL /* of a loop that waits */

/* The ports; 'what was expected', with a line that says so; gates for vectors. */
static inline void outb(uint16_t port, uint8_t value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
static inline void outw(uint16_t port, uint16_t value) { __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port)); }
static inline uint8_t inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}
void expect(bool good, const char *text);
void set_gate(unsigned vector, void (*stub)(void));
void load_idt(void);

/* cpus.c: start all CPUs there are and let them work together. */
void cpus_main(void);
