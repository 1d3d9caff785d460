/* SPDX-License-Identifier: MIT */
/*
 * A CPU of the host: what each has of its own. GS points to the one that runs, so this_cpu() is
 * one load. What belongs to all CPUs (memory, console, the IDT) is not here.
 */
#ifndef HV_MACHINE_CPU_H
#define HV_MACHINE_CPU_H

#include <stdint.h>

/* Selectors of the GDT, also the VMCS host-state area's. */
enum { SELECTOR_CODE = 0x08, SELECTOR_DATA = 0x10, SELECTOR_TSS = 0x18 };
#define CPU_GDT_ENTRIES 5 /* null, code, data, TSS (two) */

/* The 64-bit TSS (SDM 3A 8.7): here only the stacks of exceptions matter. */
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7]; /* IST1 is [0] */
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map_base;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "SDM 3A 8.7");

struct vcpu;

struct cpu {
	struct cpu *self;      /* first: this_cpu() reads it at GS:0 */
	struct vcpu *vcpu;     /* whose VMCS is current and whose state is loaded, or NULL */
	unsigned index;        /* 0 is the one that booted */
	unsigned locks_held;   /* bit n: a lock of rank n; kept in checked builds */
	uint64_t vmxon;        /* address of its VMXON region */
	uint64_t stack_bottom; /* first byte of its stack, above the guard page */
	uint64_t stack_top;
	uint64_t gdt[CPU_GDT_ENTRIES];
	struct tss tss;
};

static inline struct cpu *this_cpu(void)
{
	struct cpu *cpu;

	__asm__("mov %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

/* The boot CPU gets its struct cpu, GDT, TSS and GS. Before this, this_cpu() must not be called. */
void cpu_init_boot(void);

/* A condition that holds unless the hypervisor has a defect: checked where it was built to be. */
#ifdef CHECKED
#define checked(condition)                                                                                             \
	do {                                                                                                           \
		if (!(condition)) cpu_check_failed(__func__, #condition);                                              \
	} while (0)
#else
#define checked(condition) ((void)0)
#endif
_Noreturn void cpu_check_failed(const char *function, const char *condition);

#endif
