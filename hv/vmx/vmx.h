/* SPDX-License-Identifier: MIT */
/*
 * VMX operation of this CPU: what it offers, entering it, and the instructions on the current VMCS.
 * What a VMCS holds is the business of hv/vm/.
 */
#pragma once

#include "ept/ept.h"
#include "hv/vmcs/controls.h"
#include "hv/vmcs/vmcs.h"

/* What was agreed with the CPU: the controls every VMCS gets, and the options it may use. */
struct vmx {
	struct vmx_capabilities capabilities;
	uint32_t pin, primary, secondary, exit, entry;
	struct ept_caps ept;
	bool preemption_timer;
	bool saves_timer; /* an exit saves what is left of it; without, an entry starts it anew */
	bool vpid, invept_single;
	unsigned timer_shift; /* the preemption timer counts once per 2^n TSC ticks */
	unsigned mask;        /* of features that are not used though they are there */
	uint64_t tsc_hz;
};
extern struct vmx vmx;

/*
 * Check each requirement by name, negotiate the controls without the masked features, VMXON.
 * False when the CPU cannot run guests: one line has said what is missing (SDM 3C 24.6-24.8).
 */
bool vmx_init(unsigned mask);
/*
 * The same on another CPU, one CPU at a time. The result must be the same, since a VMCS is filled
 * for all alike.
 */
bool vmx_init_other(void);

/* Address of a fresh, cleared VMCS region, or 0 without memory. */
uint64_t vmcs_alloc(void);
/* Give it back: no CPU has it any more (SDM 3C 25.11.1 VMCLEAR). 0 is allowed. */
void vmcs_free(uint64_t vmcs);
/* Take it off this CPU, for another one. It counts as not launched then (SDM 3C 25.11.1). */
void vmcs_release(uint64_t vmcs);
/* Make it current (SDM 3C 31.3 VMPTRLD). */
void vmcs_load(uint64_t vmcs);

/*
 * The fields of the current VMCS. Writing one that does not exist is a defect: panic. Reads are not
 * checked, because they are in every exit's path. Each field that is read there was written at
 * set-up, or exists on every CPU with EPT.
 */
_Noreturn void vmx_instruction_failed(const char *instruction, uint64_t operand);

static inline uint64_t vmread(uint64_t field)
{
	uint64_t value;

	__asm__ volatile("vmread %1, %0" : "=r"(value) : "r"(field) : "cc");
	return value;
}

static inline void vmwrite(uint64_t field, uint64_t value)
{
	bool failed;

	__asm__ volatile("vmwrite %2, %1" : "=@ccna"(failed) : "r"(field), "r"(value));
	if (failed) vmx_instruction_failed("VMWRITE", field);
}

/* Bits of a field; the others stay. */
static inline void vmwrite_set(uint64_t field, uint64_t bits) { vmwrite(field, vmread(field) | bits); }
static inline void vmwrite_clear(uint64_t field, uint64_t bits) { vmwrite(field, vmread(field) & ~bits); }

/*
 * INVEPT of one EPT pointer on this CPU, single-context where offered (SDM 3C 31.3). The only
 * place that executes it; panics when the CPU refuses.
 */
void invept(uint64_t ept_pointer);
/* INVVPID of one VPID on this CPU; nothing without VPIDs. */
void invvpid(uint16_t vpid);
