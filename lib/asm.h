/* SPDX-License-Identifier: MIT */
/*
 * One inline function per instruction that C has no words for, for the hypervisor and the guest
 * images. No policy here.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cpuid_result {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid_result cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_result r;

	__asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
	return r;
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

/* It clears the high halves of both registers (SDM 2B "RDTSC"). */
static inline uint64_t rdtsc(void)
{
	uint64_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return high << 32 | low;
}

static inline void xsetbv(uint32_t index, uint64_t value)
{
	__asm__ volatile("xsetbv" : : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static inline uint64_t xgetbv(uint32_t index)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(index));
	return (uint64_t)high << 32 | low;
}

#define REGISTER(name)                                                                                                 \
	static inline uint64_t read_##name(void)                                                                       \
	{                                                                                                              \
		uint64_t value;                                                                                        \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(value) : : "memory");                                    \
		return value;                                                                                          \
	}                                                                                                              \
	static inline void write_##name(uint64_t value)                                                                \
	{                                                                                                              \
		__asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory");                                        \
	}
REGISTER(cr0)
REGISTER(cr2)
REGISTER(cr3)
REGISTER(cr4)
REGISTER(dr0)
REGISTER(dr1)
REGISTER(dr2)
REGISTER(dr3)
REGISTER(dr6)
REGISTER(dr7)
#undef REGISTER

#define PORT_IO(type, suffix)                                                                                          \
	static inline type in##suffix(uint16_t port)                                                                   \
	{                                                                                                              \
		type value;                                                                                            \
		__asm__ volatile("in %1, %0" : "=a"(value) : "Nd"(port) : "memory");                                   \
		return value;                                                                                          \
	}                                                                                                              \
	static inline void out##suffix(uint16_t port, type value)                                                      \
	{                                                                                                              \
		__asm__ volatile("out %0, %1" : : "a"(value), "Nd"(port) : "memory");                                  \
	}
PORT_IO(uint8_t, b)
PORT_IO(uint16_t, w)
PORT_IO(uint32_t, l)
#undef PORT_IO

/* All of it by one instruction: one exit to whatever lies under us. */
static inline void rep_outsb(uint16_t port, const void *from, uint64_t size)
{
	__asm__ volatile("rep outsb" : "+S"(from), "+c"(size) : "d"(port) : "memory");
}

static inline void wbinvd(void) { __asm__ volatile("wbinvd" : : : "memory"); }

/* In a loop that waits for another CPU. */
static inline void cpu_pause(void) { __asm__ volatile("pause" : : : "memory"); }

/* What was stored before is seen before a WRMSR of an x2APIC register, which waits for nothing (SDM 3A 11.12.3). */
static inline void mfence_lfence(void) { __asm__ volatile("mfence; lfence" : : : "memory"); }

static inline void hlt(void) { __asm__ volatile("hlt" : : : "memory"); }

/* Take the interrupts that are pending. STI holds them back for one instruction (SDM 2B "STI"). */
static inline void sti_cli(void) { __asm__ volatile("sti; nop; cli" : : : "memory"); }

/* As if an NMI came now. Its IRET ends their blocking since one caused a VM exit (SDM 3C 28.5.5). */
static inline void raise_nmi(void) { __asm__ volatile("int $2" : : : "memory"); }

struct descriptor_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static inline void lgdt(const struct descriptor_pointer *pointer)
{
	__asm__ volatile("lgdt %0" : : "m"(*pointer) : "memory");
}

static inline void lidt(const struct descriptor_pointer *pointer)
{
	__asm__ volatile("lidt %0" : : "m"(*pointer) : "memory");
}

static inline void ltr(uint16_t selector) { __asm__ volatile("ltr %0" : : "r"(selector) : "memory"); }
