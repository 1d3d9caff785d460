// SPDX-License-Identifier: MIT
/*
 * From a machine that GRUB started to a guest's first exit, in the order in which it happens. The
 * guest is the caller's twin: same tables, same segments, another stack and RIP.
 */
#include "docs/course/steps/01/vmx.h"

#include "boot/multiboot2.h"
#include "hv/machine/console.h"
#include "hv/machine/cpu.h"
#include "hv/machine/end.h"
#include "hv/machine/memory.h"
#include "hv/machine/paging.h"
#include "hv/machine/traps.h"
#include "hv/vmcs/controls.h"
#include "lib/asm.h"
#include "lib/x86.h"

#define INFO_LIMIT (1 * MiB)
#define NO_VMCS    ~0ULL
#define DR7_RESET  0x400

extern uint8_t guest_exit[];               /* enter.asm: where an exit lands */
uint64_t guest_enter(struct guest *guest); /* 0 when the VM entry failed */
_Static_assert(sizeof(struct guest) == 18 * 8, "enter.asm");

void machine_start(uint32_t magic, const void *info)
{
	static struct boot_info boot;

	cpu_init_boot();
	console_init();
	traps_init();
	if (magic != MULTIBOOT2_LOADER_MAGIC || multiboot2_parse(info, INFO_LIMIT, &boot))
		panic("boot: expected multiboot2 information from GRUB");
	memory_init(&boot, info);
	paging_init();
}

void vmx_failed(const char *instruction, uint64_t operand)
{
	panic("%s of 0x%lx failed: %s", instruction, operand,
	      vm_instruction_error((unsigned)vmread(VMCS_INSTRUCTION_ERROR)));
}

/* A 4K page that begins with the CPU's VMCS revision (SDM 3C 25.2): VMXON wants one, so does a VMCS. */
static uint64_t vmx_region(void)
{
	uint64_t page = page_alloc();

	if (!page) panic("memory: no page left");
	*(uint32_t *)page = (uint32_t)(rdmsr(MSR_IA32_VMX_BASIC) & VMX_BASIC_REVISION);
	return page;
}

void vmx_on(void)
{
	uint64_t control, region = vmx_region();
	uint8_t failed;

	if (!(cpuid(1, 0).ecx & CPUID_1_ECX_VMX)) panic("cpu: no VMX (CPUID.1:ECX bit 5)");
	control = rdmsr(MSR_IA32_FEATURE_CONTROL);
	if (!(control & FEATURE_CONTROL_LOCK))
		wrmsr(MSR_IA32_FEATURE_CONTROL, control | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX);
	else if (!(control & FEATURE_CONTROL_VMX_OUTSIDE_SMX))
		panic("cpu: VMX is locked off by the firmware");
	write_cr0((read_cr0() | rdmsr(MSR_IA32_VMX_CR0_FIXED0)) & rdmsr(MSR_IA32_VMX_CR0_FIXED1));
	write_cr4((read_cr4() | rdmsr(MSR_IA32_VMX_CR4_FIXED0) | CR4_VMXE) & rdmsr(MSR_IA32_VMX_CR4_FIXED1));
	__asm__ volatile("vmxon %1; setna %0" : "=qm"(failed) : "m"(region) : "memory", "cc");
	if (failed) panic("cpu: VMXON failed");
}

uint32_t vmx_controls(uint32_t msr, uint32_t wanted)
{
	uint32_t result, missing;

	if (!controls_adjust(rdmsr(msr), wanted, 0, &result, &missing))
		panic("cpu: MSR 0x%x does not allow the controls 0x%x", msr, missing);
	return result;
}

static void setup_controls(uint32_t primary)
{
	vmwrite(VMCS_PIN_CONTROLS, vmx_controls(MSR_IA32_VMX_PINBASED_CTLS, 0));
	vmwrite(VMCS_PRIMARY_CONTROLS, vmx_controls(MSR_IA32_VMX_PROCBASED_CTLS, primary));
	vmwrite(VMCS_EXIT_CONTROLS, vmx_controls(MSR_IA32_VMX_EXIT_CTLS, EXIT_HOST_64BIT));
	vmwrite(VMCS_ENTRY_CONTROLS, vmx_controls(MSR_IA32_VMX_ENTRY_CTLS, ENTRY_IA32E_GUEST));
	vmwrite(VMCS_EXCEPTION_BITMAP, 0);
	vmwrite(VMCS_CR3_TARGET_COUNT, 0);
	vmwrite(VMCS_EXIT_MSR_STORE_COUNT, 0);
	vmwrite(VMCS_EXIT_MSR_LOAD_COUNT, 0);
	vmwrite(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
	vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, 0);
	vmwrite(VMCS_CR0_MASK, 0);
	vmwrite(VMCS_CR4_MASK, 0);
}

/* What the CPU has again after an exit (SDM 3C 25.5). */
static void setup_host(struct guest *guest)
{
	const struct cpu *cpu = this_cpu();

	vmwrite(VMCS_HOST_CR0, read_cr0());
	vmwrite(VMCS_HOST_CR3, read_cr3());
	vmwrite(VMCS_HOST_CR4, read_cr4());
	vmwrite(VMCS_HOST_CS_SELECTOR, SELECTOR_CODE);
	for (unsigned field = VMCS_HOST_ES_SELECTOR; field <= VMCS_HOST_GS_SELECTOR; field += 2)
		if (field != VMCS_HOST_CS_SELECTOR) vmwrite(field, SELECTOR_DATA);
	vmwrite(VMCS_HOST_TR_SELECTOR, SELECTOR_TSS);
	vmwrite(VMCS_HOST_FS_BASE, 0);
	vmwrite(VMCS_HOST_GS_BASE, (uintptr_t)cpu);
	vmwrite(VMCS_HOST_TR_BASE, (uintptr_t)&cpu->tss);
	vmwrite(VMCS_HOST_GDTR_BASE, (uintptr_t)cpu->gdt);
	vmwrite(VMCS_HOST_IDTR_BASE, traps_idt_base());
	vmwrite(VMCS_HOST_IA32_SYSENTER_CS, 0);
	vmwrite(VMCS_HOST_IA32_SYSENTER_ESP, 0);
	vmwrite(VMCS_HOST_IA32_SYSENTER_EIP, 0);
	vmwrite(VMCS_HOST_RIP, (uintptr_t)guest_exit);
	vmwrite(VMCS_HOST_RSP, (uintptr_t)&guest->host_rsp); /* an exit pushes downwards, into gpr[] */
}

static void setup_segment(unsigned segment, uint16_t selector, uint32_t rights)
{
	vmwrite(VMCS_GUEST_SELECTOR(segment), selector);
	vmwrite(VMCS_GUEST_BASE(segment), 0);
	vmwrite(VMCS_GUEST_LIMIT(segment), segment == VMCS_TR ? 0xffff : ~0U);
	vmwrite(VMCS_GUEST_ACCESS_RIGHTS(segment), rights);
}

/* What the CPU has after the entry (SDM 3C 25.4). */
static void setup_guest(uintptr_t rip)
{
	vmwrite(VMCS_GUEST_CR0, read_cr0());
	vmwrite(VMCS_GUEST_CR3, read_cr3());
	vmwrite(VMCS_GUEST_CR4, read_cr4());
	for (unsigned segment = VMCS_ES; segment <= VMCS_GS; segment++)
		setup_segment(segment, SELECTOR_DATA, SEGMENT_FLAT_DATA);
	setup_segment(VMCS_CS, SELECTOR_CODE, SEGMENT_FLAT_CODE64);
	setup_segment(VMCS_LDTR, 0, SEGMENT_UNUSABLE);
	setup_segment(VMCS_TR, SELECTOR_TSS, SEGMENT_TR);
	vmwrite(VMCS_GUEST_GDTR_BASE, 0);
	vmwrite(VMCS_GUEST_GDTR_LIMIT, 0);
	vmwrite(VMCS_GUEST_IDTR_BASE, 0);
	vmwrite(VMCS_GUEST_IDTR_LIMIT, 0); /* so any exception is a triple fault, which exits */
	vmwrite(VMCS_GUEST_RIP, rip);
	vmwrite(VMCS_GUEST_RSP, 0);
	vmwrite(VMCS_GUEST_RFLAGS, RFLAGS_FIXED_ONE);
	vmwrite(VMCS_GUEST_DR7, DR7_RESET);
	vmwrite(VMCS_GUEST_IA32_DEBUGCTL, 0);
	vmwrite(VMCS_GUEST_IA32_SYSENTER_CS, 0);
	vmwrite(VMCS_GUEST_IA32_SYSENTER_ESP, 0);
	vmwrite(VMCS_GUEST_IA32_SYSENTER_EIP, 0);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, 0);
	vmwrite(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
	vmwrite(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
	vmwrite(VMCS_LINK_POINTER, NO_VMCS);
}

void vmcs_setup(struct guest *guest, uintptr_t rip, uint32_t primary)
{
	uint64_t vmcs = vmx_region();
	uint8_t failed;

	__asm__ volatile("vmclear %1; setna %0" : "=qm"(failed) : "m"(vmcs) : "memory", "cc");
	if (failed) vmx_failed("VMCLEAR", vmcs);
	__asm__ volatile("vmptrld %1; setna %0" : "=qm"(failed) : "m"(vmcs) : "memory", "cc");
	if (failed) vmx_failed("VMPTRLD", vmcs);
	setup_controls(primary);
	setup_host(guest);
	setup_guest(rip);
}

unsigned guest_run(struct guest *guest)
{
	uint64_t reason;

	if (!guest_enter(guest)) vmx_failed(guest->launched ? "VMRESUME" : "VMLAUNCH", guest->launched);
	guest->launched = 1;
	reason = vmread(VMCS_EXIT_REASON);
	if (reason & EXIT_REASON_ENTRY_FAILED) panic("VM entry failed: exit reason %lu", reason & EXIT_REASON_BASIC);
	return (unsigned)(reason & EXIT_REASON_BASIC);
}
