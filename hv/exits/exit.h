/* SPDX-License-Identifier: MIT */
/*
 * VM exits: one table maps the basic exit reason to its handler and name (hv/vmcs/exits.inc);
 * handlers that are more than a few lines have a file of their own.
 */
#pragma once

#include "hv/vm/vcpu.h"
#include "hv/vm/vm.h"

/* Iterations of a REP instruction per exit; the guest comes back for the rest. */
#define REP_BUDGET 64

typedef enum exit_action (*exit_handler)(struct vcpu *vcpu);

/* Called by hv/vmx/enter.asm after each exit. */
enum exit_action exit_dispatch(struct vcpu *vcpu);

/* Exits of all vCPUs so far, for one basic reason and for all. */
uint64_t exit_count(const struct vm *vm, unsigned reason);
uint64_t exit_total(const struct vm *vm);

/* One line: each exit reason that occurred and how often. */
void exit_print_counts(const struct vm *vm);

/* The handlers, each in a file of its own or in exit.c. */
#define EXIT(number, reason, handler, name) enum exit_action handler(struct vcpu *vcpu);
#include "hv/vmcs/exits.inc"
#undef EXIT

/*
 * Which breakpoints an access of 'width' bytes hits that wait for one of 'kinds' (SDM 3B 18.2.4),
 * as DR6 has them; 0 where none of them is enabled. The guest's DR0-DR3 are in the CPU.
 */
uint64_t debug_hits(uint64_t dr7, uint64_t address, unsigned width, unsigned kinds);
#define DEBUG_READ  (1U << 3)
#define DEBUG_WRITE (1U << 1 | 1U << 3)
#define DEBUG_PORT  (1U << 2)
/* The same of breakpoints on ports, which need CR4.DE (hv/exits/io.c). */
uint64_t debug_port_hits(uint16_t port, unsigned width);
/* Inject #DB with these bits of DR6. */
void debug_raise(struct vcpu *vcpu, uint64_t status);

/*
 * hv/exits/mmio.c: emulate the instruction. It exited by an EPT violation at 'gpa', which is no RAM; or as INS
 * or OUTS, before any access to memory: then 'linear' is EXIT_STRING_IO, where no access can be.
 */
enum exit_action exit_mmio(struct vcpu *vcpu, uint64_t gpa, bool write, uint64_t linear);
#define EXIT_STRING_IO (1ULL << 63)

/* What most handlers end with: on behind the instruction, or #GP(0) where it failed. */
static inline enum exit_action exit_done(struct vcpu *vcpu, int error)
{
	if (error)
		vcpu_inject_gp(vcpu);
	else
		vcpu_skip_instruction(vcpu);
	return VCPU_RESUME;
}
/* The end of the VM, with its reason as vm_kill() prints it; the second also prints the guest's state. */
#define EXIT_KILL(vcpu, ...) (vm_kill((vcpu)->vm, __VA_ARGS__), VCPU_LEAVE)
#define EXIT_DUMP(vcpu, ...) (vm_kill((vcpu)->vm, __VA_ARGS__), vcpu_dump(vcpu), VCPU_LEAVE)
