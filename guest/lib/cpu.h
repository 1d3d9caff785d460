/* SPDX-License-Identifier: MIT */
/*
 * The CPU's instructions that C has no words for: ports, MMIO of an exact width, MSRs, control
 * registers. Used by every guest image; none of it checks anything, so a fault is the caller's.
 */
#ifndef GUEST_LIB_CPU_H
#define GUEST_LIB_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hv/x86.h"
#include "lib/bits.h"

#define PORT_IN(name, type, suffix)                                                                \
	static inline type name(uint16_t port)                                                     \
	{                                                                                          \
		type value;                                                                        \
                                                                                                   \
		__asm__ volatile("in" suffix " %1, %0" : "=a"(value) : "Nd"(port) : "memory");     \
		return value;                                                                      \
	}
#define PORT_OUT(name, type, suffix)                                                               \
	static inline void name(uint16_t port, type value)                                         \
	{                                                                                          \
		__asm__ volatile("out" suffix " %0, %1" : : "a"(value), "Nd"(port) : "memory");    \
	}
PORT_IN(inb, uint8_t, "b")
PORT_IN(inw, uint16_t, "w")
PORT_IN(inl, uint32_t, "l")
PORT_OUT(outb, uint8_t, "b")
PORT_OUT(outw, uint16_t, "w")
PORT_OUT(outl, uint32_t, "l")

/* One access of exactly this width; 'address' is a physical address below 4 GiB. */
#define MMIO(bits)                                                                                 \
	static inline uint##bits##_t mmio_read##bits(uint64_t address)                             \
	{                                                                                          \
		return *(volatile uint##bits##_t *)address;                                        \
	}                                                                                          \
	static inline void mmio_write##bits(uint64_t address, uint##bits##_t value)                \
	{                                                                                          \
		*(volatile uint##bits##_t *)address = value;                                       \
	}
MMIO(8)
MMIO(16)
MMIO(32)
MMIO(64)

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

#define CONTROL_REGISTER(n)                                                                        \
	static inline uint64_t read_cr##n(void)                                                    \
	{                                                                                          \
		uint64_t value;                                                                    \
                                                                                                   \
		__asm__ volatile("mov %%cr" #n ", %0" : "=r"(value) : : "memory");                 \
		return value;                                                                      \
	}                                                                                          \
	static inline void write_cr##n(uint64_t value)                                             \
	{                                                                                          \
		__asm__ volatile("mov %0, %%cr" #n : : "r"(value) : "memory");                     \
	}
CONTROL_REGISTER(0)
CONTROL_REGISTER(2)
CONTROL_REGISTER(3)
CONTROL_REGISTER(4)

static inline void wbinvd(void)
{
	__asm__ volatile("wbinvd" : : : "memory");
}

static inline void invlpg(uint64_t address)
{
	__asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline void cpu_pause(void)
{
	__asm__ volatile("pause" : : : "memory");
}

static inline void interrupts_on(void)
{
	__asm__ volatile("sti" : : : "memory");
}

static inline void interrupts_off(void)
{
	__asm__ volatile("cli" : : : "memory");
}

#endif
