/* SPDX-License-Identifier: MIT */
/*
 * A single step, without a monitor trap flag, which Bochs does not have: in the shadow of MOV SS no
 * window for an NMI opens before the next instruction has ended (SDM 3C 26.2). The guest sees nothing
 * of it. A write to ROM by what is not emulated is such a step.
 */
#include "hv/vm/step.h"

#include "hv/vm/guest_memory.h"
#include "hv/vm/run.h"
#include "hv/vm/shootdown.h"
#include "hv/vm/vm.h"
#include "lib/string.h"

/* Exits within one step: leaves that it touches first, and kicks. */
#define STAYS_MOST 64

#define PREFIX_OPERAND_SIZE 0x66
#define PREFIX_REX_W        0x48
#define OPCODE_IRET         0xcf

/* Is IRET the next instruction? Behind it NMIs are not blocked. */
static bool is_at_iret(struct vcpu *vcpu)
{
	uint8_t code[2] = {0};

	return guest_fetch(vcpu, vcpu_mode(vcpu), 0, code, sizeof(code)) > 0 &&
	       code[code[0] == PREFIX_REX_W || code[0] == PREFIX_OPERAND_SIZE] == OPCODE_IRET;
}

/*
 * No window opens while NMIs are blocked either: 'blocking' is taken off. With the shadow and TF an entry wants the
 * step of the guest's own pending (SDM 3C 27.3.1.5). What is pending already, or injected, comes first, without a
 * shadow.
 */
static void begin_step(uint64_t blocking)
{
	uint64_t state = vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) & ~blocking;

	if (vmread(VMCS_ENTRY_INTERRUPTION_INFO) & INTERRUPTION_INFO_VALID) return;
	if (!vmread(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS)) {
		state = (state & ~INTERRUPTIBILITY_STI) | INTERRUPTIBILITY_MOV_SS;
		if (vmread(VMCS_GUEST_RFLAGS) & RFLAGS_TF)
			vmwrite(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, PENDING_DEBUG_BS);
	}
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, state);
}

static bool step(struct vcpu *vcpu)
{
	uint64_t rip = vmread(VMCS_GUEST_RIP), windows = vcpu->exit_count[EXIT_REASON_NMI_WINDOW];
	uint64_t blocking = vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_NMI;
	bool ended = false, timed_out;

	if (blocking && is_at_iret(vcpu)) blocking = 0;
	/*
	 * While NMIs are blocked the timer's end is tried first (hv/vm/run.c): on Bochs the shadow holds that back,
	 * too, and an entry does not unblock NMIs. On a CPU nothing has been done then.
	 */
	for (unsigned n = 0; n < STAYS_MOST && !ended; n++) {
		if (vcpu->vm->state != VM_RUNNING || vcpu->activity != VCPU_ACTIVE || run_stops(vcpu)) break;
		timed_out = n && vmread(VMCS_EXIT_REASON) == EXIT_REASON_PREEMPTION_TIMER;
		begin_step(timed_out ? blocking : 0);
		run_once(vcpu);
		ended = vcpu->exit_count[EXIT_REASON_NMI_WINDOW] != windows || vmread(VMCS_GUEST_RIP) != rip;
	}
	if (blocking) vmwrite_set(VMCS_GUEST_INTERRUPTIBILITY_STATE, blocking);
	return ended;
}

bool vcpu_step(struct vcpu *vcpu)
{
	bool ended;

	run_stepped = vcpu;
	ended = step(vcpu);
	run_stepped = NULL;
	return ended;
}

enum exit_action vcpu_write_rom(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	const struct ept_slot *rom = ept_slot_find(&vm->ept, FIRMWARE_ROM);

	if (!vcpu_reinject_event(vcpu)) vcpu_repeat_instruction(vcpu);
	if (!shootdown_stop_others(vcpu)) return VCPU_LEAVE; /* and come again */
	memcpy(vm->rom_copy, (const void *)rom->hpa, sizeof(vm->rom_copy));
	ept_lead_rom(&vm->ept, rom, (uintptr_t)vm->rom_copy - rom->hpa);
	vcpu->launched = true;
	step(vcpu);
	ept_lead_rom(&vm->ept, rom, 0);
	shootdown_resume_others(vm);
	return VCPU_LEAVE;
}

static int at_int3 = -ENOENT; /* or a vCPU's id */

void vcpu_intercept_breakpoints(struct vcpu *vcpu)
{
	vcpu_assert_current(vcpu);
	vmwrite_set(VMCS_EXCEPTION_BITMAP, BIT(VECTOR_BP));
}

void vcpu_breakpoint(struct vcpu *vcpu)
{
	int nobody = -ENOENT;

	if (__atomic_compare_exchange_n(&at_int3, &nobody, (int)vcpu->id, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		vmwrite(VMCS_GUEST_RIP, vmread(VMCS_GUEST_RIP) + vmread(VMCS_EXIT_INSTRUCTION_LENGTH));
	run_stop();
}

int vcpu_take_breakpoint(void) { return __atomic_exchange_n(&at_int3, -ENOENT, __ATOMIC_SEQ_CST); }
