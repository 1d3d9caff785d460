/* SPDX-License-Identifier: MIT */
/*
 * How an interrupt gets from a device model to the guest: messages and lines in, injection at the
 * next entry out. Device models never look at the VMCS.
 */
#pragma once

#include "hv/vm/vm.h"

/* The clock of all that interrupts a guest, local APICs and devices: the TSC. 'ctx' is not looked at. */
uint64_t interrupts_now(void *ctx);

/* The local APIC of a vCPU, as firmware leaves it. */
void interrupts_init_vcpu(struct vcpu *vcpu);

/* A device's message; it passes the IOMMU when there is one. */
void interrupts_message(void *ctx, uint16_t source_id, uint64_t address, uint32_t data);
/* A message behind the IOMMU: to the local APIC. */
void interrupts_deliver_message(void *ctx, uint64_t address, uint32_t data);
/* The PIC's output may have become asserted, or a device's timer is due earlier. */
void interrupts_look(void *ctx);

/*
 * Before an entry, with the VM's VMCS current: inject what is pending and can be delivered, or
 * ask for an exit when it can be.
 */
void interrupts_before_entry(struct vcpu *vcpu);

/* Before an entry for one step: ask for an exit behind it. Nothing is injected. */
void interrupts_before_step(struct vcpu *vcpu);

/* Is there anything for which a halted vCPU wakes up? */
bool interrupts_pending(struct vcpu *vcpu);

/*
 * TSC ticks until the local APIC's timer or one of the VM's devices wants attention. When none
 * runs, more than anybody waits.
 */
uint64_t interrupts_timer_ticks(const struct vcpu *vcpu);

/*
 * An instruction accesses the local APIC through its page. Call interrupts_lapic_written() when the
 * instruction is done. Otherwise the stay in the guest ends if anything is pending.
 */
void interrupts_lapic_access(struct vcpu *vcpu, uint64_t gpa, unsigned width, bool write, uint64_t *value);

/*
 * An instruction that may have written the local APIC is done: what became deliverable by it is injected
 * at once.
 */
void interrupts_lapic_written(struct vcpu *vcpu);

/* IA32_APIC_BASE was written: the register page moves or goes. */
void interrupts_set_apic_base(struct vcpu *vcpu, uint64_t value);
