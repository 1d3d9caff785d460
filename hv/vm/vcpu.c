/* SPDX-License-Identifier: MIT */
/*
 * A virtual CPU: its creation, and what exit handlers do to it.
 */
#include "hv/vm/vcpu.h"

#include "hv/check/check.h"
#include "hv/machine/memory.h"
#include "hv/vm/cpu_model.h"
#include "hv/vm/events.h"
#include "hv/vm/fpu.h"
#include "hv/vm/interrupts.h"
#include "hv/vm/run.h"
#include "hv/vm/vm.h"
#include "hv/vmx/vpid.h"
#include "hv/vm/vmcs_setup.h"

_Static_assert(offsetof(struct vcpu, gpr) == 0, "hv/vmx/enter.asm");
_Static_assert(offsetof(struct vcpu, host_rsp) == 128, "hv/vmx/enter.asm");

/* What the VMCS does not hold, as after reset. */
static void reset_state(struct vcpu *vcpu, const struct load_entry *start)
{
	interrupts_set_apic_base(vcpu, LAPIC_BASE | APIC_BASE_EN | (vcpu->id ? 0 : APIC_BASE_BSP));
	vcpu->xcr0 = XCR0_X87;
	vcpu->paging.address_width = guest_address_width();
	vcpu->paging.pages_1g = guest_has_1g_pages();
	vcpu->debug_register[4] = DR6_RESET;
	fpu_area_init(vcpu->fpu);
	vcpu_set_firmware_mtrrs(vcpu);
	vcpu->gpr[RAX] = start->eax;
	vcpu->gpr[RBX] = start->ebx;
	vcpu->gpr[RSI] = start->rsi;
}

struct vcpu *vcpu_create(struct vm *vm, unsigned id, const struct load_entry *start)
{
	struct vcpu *vcpu = (struct vcpu *)memory_alloc(sizeof(*vcpu), PAGE_SIZE);

	if (!vcpu) return NULL;
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->cpu = run_next_cpu();
	vcpu->activity = id ? VCPU_WAITS : VCPU_ACTIVE;
	vcpu->vpid = vpid_alloc();
	vcpu->vmcs = vmcs_alloc();
	vcpu->msr_bitmap = msr_bitmap_alloc();
	vcpu->fpu = (uint8_t *)page_alloc();
	if (!vcpu->vpid || !vcpu->vmcs || !vcpu->msr_bitmap || !vcpu->fpu) {
		vcpu_release(vcpu);
		memory_free((uintptr_t)vcpu, sizeof(*vcpu));
		return NULL;
	}
	vm_set_guest_ram(vm, vcpu);
	interrupts_init_vcpu(vcpu);
	reset_state(vcpu, start);
	vcpu->let_go = true; /* nobody has it yet */
	vcpu_switch_to(vcpu);
	vmcs_setup(vcpu, start);
	vcpu_give_back();
	return vcpu;
}

void vcpu_release(struct vcpu *vcpu)
{
	run_remove(vcpu);
	if (this_cpu()->vcpu == vcpu) this_cpu()->vcpu = NULL;
	vpid_free(vcpu->vpid);
	vmcs_free(vcpu->vmcs);
	if (vcpu->msr_bitmap) page_free(vcpu->msr_bitmap);
	if (vcpu->fpu) page_free((uintptr_t)vcpu->fpu);
	vcpu->vpid = 0;
	vcpu->vmcs = vcpu->msr_bitmap = 0;
	vcpu->fpu = NULL;
}

static void report_violation(void *ctx, const struct entry_violation *violation)
{
	(void)ctx;
	print("  SDM 3C %s: %s: %s = 0x%lx", violation->section, violation->rule, violation->field_name,
	      violation->value);
}

static uint64_t read_field(void *ctx, uint32_t field)
{
	(void)ctx;
	return vmread(field);
}

unsigned vcpu_check_entry(struct vcpu *vcpu)
{
	const struct entry_check_source source = {.read = read_field};

	vcpu_assert_current(vcpu);
	return entry_check(&source, &vmx.capabilities, report_violation, NULL);
}

/* The shadow of STI or MOV SS is over. */
static void end_shadow(void)
{
	uint64_t blocking = vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE);

	if (blocking & INTERRUPTIBILITY_SHADOW)
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, blocking & ~INTERRUPTIBILITY_SHADOW);
}

void vcpu_drop_debug(struct vcpu *vcpu)
{
	vcpu_assert_current(vcpu);
	if (!(vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_SHADOW))
		vmwrite(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
}

void vcpu_end_instruction(struct vcpu *vcpu, uint64_t rip)
{
	uint64_t rflags = vmread(VMCS_GUEST_RFLAGS);

	vcpu_assert_current(vcpu);
	vmwrite(VMCS_GUEST_RIP, rip);
	end_shadow();
	if (!(rflags & (RFLAGS_TF | RFLAGS_RF))) return;
	vmwrite(VMCS_GUEST_RFLAGS, rflags & ~RFLAGS_RF); /* good for one instruction, SDM 3B 18.3.1.1 */
	if (rflags & RFLAGS_TF) vmwrite_set(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, PENDING_DEBUG_BS);
}

void vcpu_end_iteration(struct vcpu *vcpu)
{
	uint64_t rflags = vmread(VMCS_GUEST_RFLAGS);

	vcpu_assert_current(vcpu);
	end_shadow();
	vmwrite(VMCS_GUEST_RFLAGS, rflags | RFLAGS_RF); /* its breakpoint was passed already */
	if (rflags & RFLAGS_TF) vmwrite_set(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, PENDING_DEBUG_BS);
}

void vcpu_add_debug(struct vcpu *vcpu, uint64_t hits)
{
	vcpu_assert_current(vcpu);
	vmwrite_set(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, hits | PENDING_DEBUG_ENABLED);
}

void vcpu_skip_instruction(struct vcpu *vcpu)
{
	uint64_t old = vmread(VMCS_GUEST_RIP);
	uint64_t rip = old + vmread(VMCS_EXIT_INSTRUCTION_LENGTH);

	/* Only across 4 GiB does it matter whether RIP has 64 bits. */
	if ((old ^ rip) >> 32 && vcpu_mode(vcpu) != 64) rip = (uint32_t)rip;
	vcpu_end_instruction(vcpu, rip);
}

void vcpu_inject(struct vcpu *vcpu, unsigned vector, bool has_error_code, uint32_t error_code)
{
	uint64_t info = vector | TO_FIELD(INTERRUPTION_TYPE_HARDWARE_EXCEPTION, INTERRUPTION_INFO_TYPE);

	vcpu_assert_current(vcpu);
	/* In real mode no exception has an error code (SDM 3A 21.2.1). */
	has_error_code = has_error_code && vmread(VMCS_GUEST_CR0) & CR0_PE;
	if (vector != VECTOR_DB) /* in the flags that a fault pushes, SDM 3B 18.3.1.1 */
		vmwrite_set(VMCS_GUEST_RFLAGS, RFLAGS_RF);
	vcpu_tell(vcpu, EVENT_INJECTION, (uint32_t)info, error_code, 0);
	vmwrite(VMCS_ENTRY_INTERRUPTION_INFO,
		info | (has_error_code ? INTERRUPTION_INFO_ERROR_CODE : 0) | INTERRUPTION_INFO_VALID);
	if (has_error_code) vmwrite(VMCS_ENTRY_EXCEPTION_ERROR_CODE, error_code);
}

void vcpu_reinject(struct vcpu *vcpu, uint64_t info)
{
	vcpu_assert_current(vcpu);
	/* None in real mode, whatever the CPU says (Bochs 2.7: there is one): no entry takes it (SDM 3C 27.2.1.3). */
	if (!(vmread(VMCS_GUEST_CR0) & CR0_PE)) info &= ~INTERRUPTION_INFO_ERROR_CODE;
	vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, info & ~INTERRUPTION_INFO_NMI_UNBLOCK);
	if (info & INTERRUPTION_INFO_ERROR_CODE)
		vmwrite(VMCS_ENTRY_EXCEPTION_ERROR_CODE, vmread(VMCS_IDT_VECTORING_ERROR_CODE));
	/* INT n, INT1, INT3 and INTO tell how long their instruction was (SDM 3C 27.6.1.3). */
	if (FIELD(info, INTERRUPTION_INFO_TYPE) >= INTERRUPTION_TYPE_SOFTWARE_INTERRUPT)
		vmwrite(VMCS_ENTRY_INSTRUCTION_LENGTH, vmread(VMCS_EXIT_INSTRUCTION_LENGTH));
	/* An NMI is delivered only while NMIs are not blocked, and it has blocked them already. */
	if (FIELD(info, INTERRUPTION_INFO_TYPE) == INTERRUPTION_TYPE_NMI)
		vmwrite_clear(VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI);
}

unsigned vcpu_cpl(const struct vcpu *vcpu)
{
	vcpu_assert_current(vcpu);
	return (unsigned)FIELD(vmread(VMCS_GUEST_SS_ACCESS_RIGHTS), SEGMENT_DPL);
}

unsigned vcpu_mode(const struct vcpu *vcpu)
{
	uint64_t cs = vmread(VMCS_GUEST_CS_ACCESS_RIGHTS);

	vcpu_assert_current(vcpu);
	if (cs & SEGMENT_L && vmread(VMCS_GUEST_IA32_EFER) & EFER_LMA) return 64;
	return cs & SEGMENT_DB ? 32 : 16;
}

uint64_t vcpu_register(const struct vcpu *vcpu, unsigned number)
{
	vcpu_assert_current(vcpu);
	return number == RSP ? vmread(VMCS_GUEST_RSP) : vcpu->gpr[number];
}

void vcpu_set_register(struct vcpu *vcpu, unsigned number, uint64_t value)
{
	vcpu_assert_current(vcpu);
	if (number == RSP)
		vmwrite(VMCS_GUEST_RSP, value);
	else
		vcpu->gpr[number] = value;
}

void vcpu_print_place(const struct vcpu *vcpu, const char *prefix)
{
	static const char *const activity[] = {
		[VCPU_ACTIVE] = "",
		[VCPU_HALTED] = ", halted",
		[VCPU_STOPPED] = ", halted with interrupts off",
		[VCPU_WAITS] = ", waits for a start-up IPI",
	};

	print("%s vcpu %u: rip 0x%lx, cr3 0x%lx, %u-bit code%s%s", prefix, vcpu->id, vmread(VMCS_GUEST_RIP),
	      vmread(VMCS_GUEST_CR3), vcpu_mode(vcpu), vmread(VMCS_GUEST_CR0) & CR0_PG ? "" : " without paging",
	      activity[vcpu->activity]);
}

void vcpu_dump(struct vcpu *vcpu)
{
	const uint64_t *r = vcpu->gpr;

	vcpu_assert_current(vcpu);
	print("  exit reason 0x%lx qualification 0x%lx linear 0x%lx physical 0x%lx", vmread(VMCS_EXIT_REASON),
	      vmread(VMCS_EXIT_QUALIFICATION), vmread(VMCS_GUEST_LINEAR_ADDRESS), vmread(VMCS_GUEST_PHYSICAL_ADDRESS));
	print("  rip %016lx rflags %016lx rsp %016lx", vmread(VMCS_GUEST_RIP), vmread(VMCS_GUEST_RFLAGS),
	      vmread(VMCS_GUEST_RSP));
	print("  cr0 %016lx cr3 %016lx cr4 %016lx efer %lx", vmread(VMCS_GUEST_CR0), vmread(VMCS_GUEST_CR3),
	      vmread(VMCS_GUEST_CR4), vmread(VMCS_GUEST_IA32_EFER));
	print("  rax %016lx rcx %016lx rdx %016lx rbx %016lx", r[RAX], r[RCX], r[RDX], r[RBX]);
	print("  rbp %016lx rsi %016lx rdi %016lx r8  %016lx", r[RBP], r[RSI], r[RDI], r[R8]);
	print("  r9  %016lx r10 %016lx r11 %016lx r12 %016lx", r[R9], r[R10], r[R11], r[R12]);
	print("  r13 %016lx r14 %016lx r15 %016lx", r[R13], r[R14], r[R15]);
	for (unsigned s = 0; s < VMCS_SEGMENTS; s++) {
		static const char name[VMCS_SEGMENTS][5] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};

		print("  %-4s %04lx base %016lx limit %08lx access rights %05lx", name[s],
		      vmread(VMCS_GUEST_SELECTOR(s)), vmread(VMCS_GUEST_BASE(s)), vmread(VMCS_GUEST_LIMIT(s)),
		      vmread(VMCS_GUEST_ACCESS_RIGHTS(s)));
	}
}
