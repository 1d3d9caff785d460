/* SPDX-License-Identifier: MIT */
/*
 * VMX in its smallest form: on, one VMCS, one guest that shares the address space it is called from.
 * What fails ends the machine with a line that says what.
 */
#pragma once

#include <stdint.h>

#include "hv/vmcs/vmcs.h"

/* The guest's registers that the VMCS does not hold, in encoding order (RSP's place is unused). */
enum { RAX, RCX, RDX, RBX, RBP = 5, RSI, RDI };
struct guest {
	uint64_t gpr[16];
	uint64_t host_rsp; /* enter.asm keeps it here while the guest runs */
	uint64_t launched; /* 0: the next entry is a VMLAUNCH */
};

/* Console, traps, memory, page tables: what each step begins with. 'info' is GRUB's. */
void machine_start(uint32_t magic, const void *info);

/* VMXON (SDM 3C 24.7). Panics without VMX, or when the firmware has locked it off. */
void vmx_on(void);

/*
 * A VMCS, current, all fields written: 'guest' begins at 'rip' in 64-bit mode, with the tables and
 * segments of the caller. 'primary' are controls beside those that the CPU wants (SDM 3C 25.6.2).
 */
void vmcs_setup(struct guest *guest, uintptr_t rip, uint32_t primary);

/* Controls that the CPU allows: what must be 1, and 'wanted', or a panic (SDM 3D A.2). */
uint32_t vmx_controls(uint32_t msr, uint32_t wanted);

/* Run the guest until its next exit; returns the basic exit reason. */
unsigned guest_run(struct guest *guest);

_Noreturn void vmx_failed(const char *instruction, uint64_t operand);

static inline uint64_t vmread(uint64_t field)
{
	uint64_t value;

	__asm__ volatile("vmread %1, %0" : "=r"(value) : "r"(field) : "cc");
	return value;
}

static inline void vmwrite(uint64_t field, uint64_t value)
{
	uint8_t failed;

	__asm__ volatile("vmwrite %2, %1; setna %0" : "=qm"(failed) : "r"(field), "r"(value) : "cc");
	if (failed) vmx_failed("VMWRITE", field);
}
