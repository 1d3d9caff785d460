/* SPDX-License-Identifier: MIT */
/*
 * One instruction of a stopped vCPU, or one that writes to ROM, and breakpoints that a debugger wrote into its code.
 */
#pragma once

#include "hv/vm/vcpu.h"

/*
 * Let the vCPU, which is current, take one step: the event that is injected is delivered, or one instruction carried
 * out, or its exception raised and delivered. No interrupt comes. False: it has not ended, because its VM did, or the
 * vCPU is halted. STI or MOV SS and the instruction behind it are one step, and a breakpoint in the debug
 * registers on the instruction is passed over.
 */
bool vcpu_step(struct vcpu *vcpu);

/*
 * What is about to write to ROM, an instruction or the delivery of the event that is injected, takes its step on a
 * copy, which is then forgotten. In an exit, whose handler has to return what this does: VCPU_LEAVE.
 */
enum exit_action vcpu_write_rom(struct vcpu *vcpu);

/* From now on INT3 exits and stops all. The vCPU is current. */
void vcpu_intercept_breakpoints(struct vcpu *vcpu);
/* INT3 has exited: all stop. RIP is behind it, or at it while another's is not taken: then it comes again. */
void vcpu_breakpoint(struct vcpu *vcpu);
/* The id of the vCPU that an INT3 has stopped since the last call; -ENOENT: none. */
int vcpu_take_breakpoint(void);
