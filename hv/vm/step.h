/* SPDX-License-Identifier: MIT */
/*
 * One instruction of a stopped vCPU, and breakpoints that a debugger wrote into its code.
 */
#pragma once

#include "hv/vm/vcpu.h"

/*
 * Let the vCPU, which is current, carry out one instruction, by RFLAGS.TF, without an interrupt.
 * False: it has not ended, because its VM did, the vCPU is halted, or an event was delivered; then
 * the step ends when the handler returns. The guest sees the flag in what PUSHF or an event stores,
 * and loses its own by POPF or IRET; MOV SS and the instruction behind it are one step.
 */
bool vcpu_step(struct vcpu *vcpu);

/* A #DB has exited while vcpu->stepping: was it the step's own, so that the guest sees nothing? */
bool vcpu_step_ended(struct vcpu *vcpu);

/* From now on INT3 exits and stops all. The vCPU is current. */
void vcpu_intercept_breakpoints(struct vcpu *vcpu);
/* INT3 has exited: all stop, with RIP behind it. */
void vcpu_breakpoint(struct vcpu *vcpu);
/* The vCPU that an INT3 stopped last, or NULL. */
struct vcpu *vcpu_at_breakpoint(void);
