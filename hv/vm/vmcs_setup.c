/* SPDX-License-Identifier: MIT */
/*
 * Writes every field of a VMCS from top to bottom: controls, the host at an exit, the guest at its
 * begin.
 */
#include "hv/vm/vmcs_setup.h"

#include "hv/machine/traps.h"
#include "hv/vm/vm.h"
#include "hv/vm/cpu_model.h"

#define DR7_RESET 0x400
#define NO_VMCS   ~0ULL

extern uint8_t vcpu_exit_entry[], vcpu_exit_entry_watched[]; /* hv/vmx/enter.asm */

bool exits_are_watched;

static void write_zeroes(const uint32_t *field, unsigned count)
{
	for (unsigned i = 0; i < count; i++) vmwrite(field[i], 0);
}
#define ZERO(...) write_zeroes((const uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void setup_controls(const struct vcpu *vcpu)
{
	vmwrite(VMCS_PIN_CONTROLS, vmx.pin);
	vmwrite(VMCS_PRIMARY_CONTROLS, vmx.primary);
	vmwrite(VMCS_SECONDARY_CONTROLS, vmx.secondary);
	vmwrite(VMCS_EXIT_CONTROLS, vmx.exit);
	vmwrite(VMCS_EXCEPTION_BITMAP, BIT(VECTOR_DB) | BIT(VECTOR_AC) | BIT(VECTOR_MC));
	ZERO(VMCS_PAGE_FAULT_ERROR_CODE_MASK, VMCS_PAGE_FAULT_ERROR_CODE_MATCH, VMCS_CR3_TARGET_COUNT,
	     VMCS_EXIT_MSR_STORE_COUNT, VMCS_EXIT_MSR_LOAD_COUNT, VMCS_ENTRY_MSR_LOAD_COUNT, VMCS_TSC_OFFSET,
	     VMCS_GUEST_IA32_SYSENTER_CS, VMCS_GUEST_IA32_SYSENTER_ESP, VMCS_GUEST_IA32_SYSENTER_EIP);
	vmwrite(VMCS_MSR_BITMAP, vcpu->msr_bitmap);
	vmwrite(VMCS_EPT_POINTER, vcpu->vm->ept_pointer);
	if (vmx.vpid) vmwrite(VMCS_VPID, vcpu->vpid);
	vmwrite(VMCS_CR0_MASK, GUEST_CR0_SHADOWED);
	vmwrite(VMCS_CR4_MASK, ~guest_cr4_allowed()); /* the guest owns what it is shown in CPUID */
}

void vmcs_set_exit_entry(const struct vcpu *vcpu)
{
	vcpu_assert_current(vcpu);
	vmwrite(VMCS_HOST_RIP, (uintptr_t)(exits_are_watched ? vcpu_exit_entry_watched : vcpu_exit_entry));
}

void vmcs_set_host(struct vcpu *vcpu)
{
	struct cpu *cpu = this_cpu();

	vcpu->host = cpu;
	vmwrite(VMCS_HOST_CR0, read_cr0());
	vmwrite(VMCS_HOST_CR3, read_cr3());
	vmwrite(VMCS_HOST_CR4, read_cr4());
	vmwrite(VMCS_HOST_CS_SELECTOR, SELECTOR_CODE);
	vmwrite(VMCS_HOST_SS_SELECTOR, SELECTOR_DATA);
	vmwrite(VMCS_HOST_DS_SELECTOR, SELECTOR_DATA);
	vmwrite(VMCS_HOST_ES_SELECTOR, SELECTOR_DATA);
	vmwrite(VMCS_HOST_TR_SELECTOR, SELECTOR_TSS);
	ZERO(VMCS_HOST_FS_SELECTOR, VMCS_HOST_GS_SELECTOR, VMCS_HOST_FS_BASE, VMCS_HOST_IA32_SYSENTER_CS,
	     VMCS_HOST_IA32_SYSENTER_ESP, VMCS_HOST_IA32_SYSENTER_EIP);
	vmwrite(VMCS_HOST_GS_BASE, (uintptr_t)cpu);
	vmwrite(VMCS_HOST_TR_BASE, (uintptr_t)&cpu->tss);
	vmwrite(VMCS_HOST_GDTR_BASE, (uintptr_t)cpu->gdt);
	vmwrite(VMCS_HOST_IDTR_BASE, traps_idt_base());
	vmwrite(VMCS_HOST_IA32_PAT, rdmsr(MSR_IA32_PAT));
	vmwrite(VMCS_HOST_IA32_EFER, rdmsr(MSR_IA32_EFER));
	vmcs_set_exit_entry(vcpu);
	vmwrite(VMCS_HOST_RSP, (uintptr_t)&vcpu->gpr[ARRAY_SIZE(vcpu->gpr)]);
}

static void setup_segment(unsigned segment, uint16_t selector, uint32_t limit, uint32_t rights)
{
	vmwrite(VMCS_GUEST_SELECTOR(segment), selector);
	vmwrite(VMCS_GUEST_BASE(segment), 0);
	vmwrite(VMCS_GUEST_LIMIT(segment), limit);
	vmwrite(VMCS_GUEST_ACCESS_RIGHTS(segment), rights);
}

static void setup_segments(uint32_t limit, uint16_t data, uint32_t data_rights, uint16_t code, uint32_t code_rights)
{
	for (unsigned s = VMCS_ES; s <= VMCS_GS; s++) setup_segment(s, data, limit, data_rights);
	setup_segment(VMCS_CS, code, limit, code_rights);
	setup_segment(VMCS_LDTR, 0, 0xffff, SEGMENT_LDTR);
	setup_segment(VMCS_TR, 0, 0xffff, SEGMENT_TR);
}

static void setup_start(uint64_t cr0, uint64_t rip)
{
	vmwrite(VMCS_GUEST_CR0, guest_cr0_of(cr0));
	vmwrite(VMCS_CR0_READ_SHADOW, cr0);
	vmwrite(VMCS_GUEST_CR4, vmx.capabilities.cr4_fixed0 & vmx.capabilities.cr4_fixed1);
	ZERO(VMCS_GUEST_CR3, VMCS_CR4_READ_SHADOW, VMCS_GUEST_GDTR_BASE, VMCS_GUEST_GDTR_LIMIT, VMCS_GUEST_IDTR_BASE,
	     VMCS_GUEST_IDTR_LIMIT, VMCS_GUEST_RSP, VMCS_GUEST_IA32_DEBUGCTL, VMCS_GUEST_IA32_EFER,
	     VMCS_GUEST_INTERRUPTIBILITY_STATE, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, VMCS_ENTRY_INTERRUPTION_INFO);
	vmwrite(VMCS_GUEST_DR7, DR7_RESET);
	vmwrite(VMCS_GUEST_RIP, rip);
	vmwrite(VMCS_GUEST_RFLAGS, RFLAGS_FIXED_ONE);
	vmwrite(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
	vmwrite(VMCS_LINK_POINTER, NO_VMCS);
	vmwrite(VMCS_ENTRY_CONTROLS, vmx.entry);
}

/* SDM 3A table 10-1, "INIT": it leaves CD, NW, MSRs and the FPU; 9.4.4: a start-up IPI's page is where CS begins. */
void vmcs_setup_startup(struct vcpu *vcpu)
{
	uint8_t page = vcpu->startup_page;

	vcpu_assert_current(vcpu);
	memset(vcpu->gpr, 0, sizeof(vcpu->gpr));
	vcpu->gpr[RDX] = cpu_model_cpuid(1, 0).eax;
	write_cr2(0);
	load_debug_registers((const uint64_t[]){0, 0, 0, 0, DR6_RESET});
	setup_start(CR0_ET | (vmread(VMCS_CR0_READ_SHADOW) & (CR0_CD | CR0_NW)), 0);
	setup_segments(0xffff, 0, SEGMENT_REAL_DATA, (uint16_t)(page << 8), SEGMENT_REAL_CODE);
	vmwrite(VMCS_GUEST_BASE(VMCS_CS), (uint64_t)page << 12);
	vmwrite(VMCS_GUEST_GDTR_LIMIT, 0xffff);
	vmwrite(VMCS_GUEST_IDTR_LIMIT, 0xffff);
	invvpid(vcpu->vpid);
}

/* Paging is on, and 64-bit mode. */
static void setup_long_mode(uint64_t cr3)
{
	vmwrite_set(VMCS_GUEST_CR0, CR0_PG);
	vmwrite(VMCS_GUEST_CR3, cr3);
	vmwrite_set(VMCS_GUEST_CR4, CR4_PAE);
	vmwrite(VMCS_GUEST_IA32_EFER, EFER_LME | EFER_LMA);
	vmwrite(VMCS_ENTRY_CONTROLS, vmx.entry | ENTRY_IA32E_GUEST);
	vmwrite(VMCS_GUEST_ACCESS_RIGHTS(VMCS_CS), SEGMENT_FLAT_CODE64);
}

/* Protected mode, as a multiboot loader leaves it (Multiboot 0.6.96 3.2), or 64-bit mode. */
void vmcs_setup(struct vcpu *vcpu, const struct load_entry *start)
{
	vcpu_assert_current(vcpu);
	setup_controls(vcpu);
	vmcs_set_host(vcpu);
	setup_start(CR0_PE | CR0_ET, start->rip);
	setup_segments(~0U, start->data, SEGMENT_FLAT_DATA, start->code, SEGMENT_FLAT_CODE32);
	vmwrite(VMCS_GUEST_GDTR_BASE, start->gdt);
	vmwrite(VMCS_GUEST_GDTR_LIMIT, start->gdt ? LOAD_GDT_LIMIT : 0);
	vmwrite(VMCS_GUEST_IA32_PAT, PAT_RESET);
	if (start->cr3) setup_long_mode(start->cr3);
}
