/* SPDX-License-Identifier: MIT */
/*
 * Running a virtual CPU, and what exit handlers do to it. All functions act on the vCPU whose
 * VMCS is current.
 */
#ifndef HV_VM_VCPU_H
#define HV_VM_VCPU_H

#include <stdbool.h>
#include <stdint.h>

#include "hv/vm/vm.h"
#include "hv/vmx/vmx.h"
#include "lib/x86.h"

/* Where a multiboot guest begins. */
struct vcpu_start {
	uint32_t eip, eax, ebx;
};

/* VMCS and register state of a fresh vCPU. 0 or -ENOMEM. */
int vcpu_init(struct vcpu *vcpu, struct vm *vm, unsigned index, const struct vcpu_start *start);

/*
 * Print each rule for VM entries that the current VMCS breaks (hv/check/check.h), one line each;
 * returns how many.
 */
unsigned vcpu_check_entry(void);

/* The exit was a trap for an instruction that is done: continue behind it. */
void vcpu_skip_instruction(struct vcpu *vcpu);
/* The same, when the instruction was carried out here and the next one is at rip. */
void vcpu_end_instruction(struct vcpu *vcpu, uint64_t rip);

/* Inject an exception at the next entry (SDM 3C 27.6). */
void vcpu_inject(struct vcpu *vcpu, unsigned vector, bool has_error_code, uint32_t error_code);
static inline void vcpu_inject_ud(struct vcpu *vcpu)
{
	vcpu_inject(vcpu, VECTOR_UD, false, 0);
}
static inline void vcpu_inject_gp(struct vcpu *vcpu)
{
	vcpu_inject(vcpu, VECTOR_GP, true, 0);
}
void vcpu_inject_page_fault(struct vcpu *vcpu, uint64_t linear, uint32_t error_code);

/*
 * hv/vm/memory_types.c: MTRRs as SeaBIOS leaves them: default type register 0xc06, fixed ranges WB
 * below 640 K, variable range 0 UC from the PCI hole to 4 GiB, the others off.
 */
void vcpu_set_firmware_mtrrs(struct vcpu *vcpu);
/* MOV to CR0 changed CD: leaves may have another type now. */
void vcpu_set_cache_disable(struct vcpu *vcpu, bool cd);

/*
 * An exit that interrupted the delivery of an event: deliver it again at the next entry
 * (SDM 3C 28.2.4). Returns whether there was one.
 */
bool vcpu_reinject_event(struct vcpu *vcpu);

/* Current privilege level: the DPL of SS (SDM 3C 25.4.1). */
unsigned vcpu_cpl(void);
/* 16, 32 or 64: the default operand size of the code segment. */
unsigned vcpu_mode(void);

/* Guest registers that live in the VMCS or in vcpu->gpr, by encoding. */
uint64_t vcpu_register(const struct vcpu *vcpu, unsigned number);
void vcpu_set_register(struct vcpu *vcpu, unsigned number, uint64_t value);

/* Print the guest's state, on lines of the hypervisor. */
void vcpu_dump(struct vcpu *vcpu);

/*
 * What an exit handler returns: whether the guest goes on at once. VCPU_LEAVE gives the CPU back
 * to the scheduler.
 */
enum exit_action { VCPU_LEAVE, VCPU_RESUME };

#endif
