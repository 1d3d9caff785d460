/* SPDX-License-Identifier: MIT */
/*
 * Asks the CPU for each feature by name before VMXON, and executes the VMX instructions. One that
 * fails is a defect of the hypervisor: it panics.
 */
#include "hv/vmx/vmx.h"

#include "hv/machine/console.h"
#include "hv/machine/cpu.h"
#include "hv/machine/end.h"
#include "hv/machine/memory.h"
#include "lib/asm.h"
#include "lib/bits.h"
#include "lib/x86.h"

struct vmx vmx;

/* INVEPT and INVVPID types (SDM 3C 31.3). */
enum { INVEPT_SINGLE_CONTEXT = 1, INVEPT_ALL_CONTEXTS = 2, INVVPID_SINGLE_CONTEXT = 1 };

/* The controls without which no guest runs here, and those used where they are offered. */
#define PIN_REQUIRED (PIN_EXTERNAL_INTERRUPT_EXITING | PIN_NMI_EXITING | PIN_VIRTUAL_NMIS)
#define PRIMARY_REQUIRED                                                                                               \
	(PRIMARY_TSC_OFFSETTING | PRIMARY_HLT_EXITING | PRIMARY_CR8_LOAD_EXITING | PRIMARY_CR8_STORE_EXITING |         \
	 PRIMARY_UNCONDITIONAL_IO_EXITING | PRIMARY_MSR_BITMAPS | PRIMARY_SECONDARY)
/* A guest that is shown none of these must not have them either. */
#define PRIMARY_OPTIONAL   (PRIMARY_MWAIT_EXITING | PRIMARY_MONITOR_EXITING | PRIMARY_RDPMC_EXITING)
#define SECONDARY_REQUIRED (SECONDARY_EPT | SECONDARY_UNRESTRICTED_GUEST | SECONDARY_WBINVD_EXITING)
#define SECONDARY_OPTIONAL (SECONDARY_RDTSCP | SECONDARY_INVPCID | SECONDARY_VPID)
#define EXIT_REQUIRED                                                                                                  \
	(EXIT_SAVE_DEBUG_CONTROLS | EXIT_HOST_64BIT | EXIT_SAVE_PAT | EXIT_LOAD_PAT | EXIT_SAVE_EFER | EXIT_LOAD_EFER)
#define ENTRY_REQUIRED (ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER)

struct requirement {
	uint32_t bit;
	const char *name;
};

static const struct requirement pin_names[] = {
	{PIN_EXTERNAL_INTERRUPT_EXITING, "external-interrupt exiting"},
	{PIN_NMI_EXITING, "NMI exiting"},
	{PIN_VIRTUAL_NMIS, "virtual NMIs"},
	{0, NULL},
};

static const struct requirement primary_names[] = {
	{PRIMARY_TSC_OFFSETTING, "TSC offsetting"},
	{PRIMARY_HLT_EXITING, "HLT exiting"},
	{PRIMARY_CR8_LOAD_EXITING, "CR8-load exiting"},
	{PRIMARY_CR8_STORE_EXITING, "CR8-store exiting"},
	{PRIMARY_UNCONDITIONAL_IO_EXITING, "unconditional I/O exiting"},
	{PRIMARY_MSR_BITMAPS, "MSR bitmaps"},
	{PRIMARY_SECONDARY, "secondary controls"},
	{0, NULL},
};

static const struct requirement secondary_names[] = {
	{SECONDARY_EPT, "EPT"},
	{SECONDARY_UNRESTRICTED_GUEST, "unrestricted guest"},
	{SECONDARY_WBINVD_EXITING, "WBINVD exiting"},
	{0, NULL},
};

static const struct requirement exit_names[] = {
	{EXIT_SAVE_DEBUG_CONTROLS, "save debug controls"},
	{EXIT_HOST_64BIT, "64-bit host"},
	{EXIT_SAVE_PAT, "save IA32_PAT on exit"},
	{EXIT_LOAD_PAT, "load IA32_PAT on exit"},
	{EXIT_SAVE_EFER, "save IA32_EFER on exit"},
	{EXIT_LOAD_EFER, "load IA32_EFER on exit"},
	{0, NULL},
};

static const struct requirement entry_names[] = {
	{ENTRY_LOAD_DEBUG_CONTROLS, "load debug controls"},
	{ENTRY_LOAD_PAT, "load IA32_PAT on entry"},
	{ENTRY_LOAD_EFER, "load IA32_EFER on entry"},
	{0, NULL},
};

/* Negotiate one word of controls; a line names the first that is missing. */
static bool adjust(uint64_t capability, uint32_t required, uint32_t optional, uint32_t *result,
		   const struct requirement *names, const char *word)
{
	uint32_t missing;

	if (controls_adjust(capability, required, optional, result, &missing)) return true;
	while (names->name && !(names->bit & missing)) names++;
	print("cpu: no %s (%s VMX controls, capability 0x%lx)", names->name ? names->name : "?", word, capability);
	return false;
}

/* VMX must be there and the firmware must not have locked it off (SDM 3C 24.7). */
static bool check_vmx(void)
{
	uint64_t control;

	if (!(cpuid(1, 0).ecx & CPUID_1_ECX_VMX)) {
		print("cpu: no VMX (CPUID.1:ECX bit 5)");
		return false;
	}
	control = rdmsr(MSR_IA32_FEATURE_CONTROL);
	if (!(control & FEATURE_CONTROL_LOCK)) {
		control |= FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX;
		wrmsr(MSR_IA32_FEATURE_CONTROL, control);
	}
	if (!(control & FEATURE_CONTROL_VMX_OUTSIDE_SMX)) {
		print("cpu: VMX is locked off by the firmware (IA32_FEATURE_CONTROL = 0x%lx)", control);
		return false;
	}
	return true;
}

/*
 * Read the capability MSRs. Those that exist only with a certain control are read only then
 * (SDM 3D A.3.3, A.10).
 */
static void read_capabilities(struct vmx_capabilities *c)
{
	unsigned true_controls;

	c->basic = rdmsr(MSR_IA32_VMX_BASIC);
	true_controls =
		c->basic & VMX_BASIC_TRUE_CONTROLS ? MSR_IA32_VMX_TRUE_PINBASED_CTLS - MSR_IA32_VMX_PINBASED_CTLS : 0;
	c->pin = rdmsr(MSR_IA32_VMX_PINBASED_CTLS + true_controls);
	c->primary = rdmsr(MSR_IA32_VMX_PROCBASED_CTLS + true_controls);
	c->exit = rdmsr(MSR_IA32_VMX_EXIT_CTLS + true_controls);
	c->entry = rdmsr(MSR_IA32_VMX_ENTRY_CTLS + true_controls);
	c->misc = rdmsr(MSR_IA32_VMX_MISC);
	c->cr0_fixed0 = rdmsr(MSR_IA32_VMX_CR0_FIXED0);
	c->cr0_fixed1 = rdmsr(MSR_IA32_VMX_CR0_FIXED1);
	c->cr4_fixed0 = rdmsr(MSR_IA32_VMX_CR4_FIXED0);
	c->cr4_fixed1 = rdmsr(MSR_IA32_VMX_CR4_FIXED1);
	if (c->primary >> 32 & PRIMARY_SECONDARY) c->secondary = rdmsr(MSR_IA32_VMX_PROCBASED_CTLS2);
	if (c->secondary >> 32 & (SECONDARY_EPT | SECONDARY_VPID)) c->ept_vpid = rdmsr(MSR_IA32_VMX_EPT_VPID_CAP);
	if (c->secondary >> 32 & SECONDARY_VM_FUNCTIONS) c->vmfunc = rdmsr(MSR_IA32_VMX_VMFUNC);
	c->maxphyaddr = cpuid(0x80000008, 0).eax & CPUID_80000008_EAX_MAXPHYADDR;
	c->linear_width = (cpuid(0x80000008, 0).eax & CPUID_80000008_EAX_LINEAR_WIDTH) >> 8;
	c->sgx = cpuid(7, 0).ebx & CPUID_7_EBX_SGX;
	c->rtm = cpuid(7, 0).ebx & CPUID_7_EBX_RTM;
}

static bool negotiate(const struct vmx_capabilities *c, unsigned mask)
{
	uint32_t pin = mask & MASK_TIMER ? 0 : PIN_PREEMPTION_TIMER;
	uint32_t secondary = SECONDARY_OPTIONAL;
	uint32_t exit = 0;

	/* Only a timer that is in use may be saved (SDM 3C 27.2.1.2). */
	if (pin & (uint32_t)(c->pin >> 32)) exit |= EXIT_SAVE_PREEMPTION_TIMER;
	if (mask & MASK_VPID || !(c->ept_vpid & VPID_CAP_INVVPID) || !(c->ept_vpid & VPID_CAP_INVVPID_SINGLE))
		secondary &= ~SECONDARY_VPID;
	return adjust(c->pin, PIN_REQUIRED, pin, &vmx.pin, pin_names, "pin-based") &&
	       adjust(c->primary, PRIMARY_REQUIRED, PRIMARY_OPTIONAL, &vmx.primary, primary_names, "primary") &&
	       adjust(c->secondary, SECONDARY_REQUIRED, secondary, &vmx.secondary, secondary_names, "secondary") &&
	       adjust(c->exit, EXIT_REQUIRED, exit, &vmx.exit, exit_names, "exit") &&
	       adjust(c->entry, ENTRY_REQUIRED, 0, &vmx.entry, entry_names, "entry");
}

static bool check_ept(uint64_t cap, unsigned mask)
{
	static const struct {
		uint64_t bit;
		const char *name;
	} needed[] = {
		{EPT_CAP_4_LEVELS, "4-level EPT"},
		{EPT_CAP_WB, "write-back EPT walks"},
		{EPT_CAP_INVEPT, "INVEPT"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(needed); i++) {
		if (cap & needed[i].bit) continue;
		print("cpu: no %s (IA32_VMX_EPT_VPID_CAP = 0x%lx)", needed[i].name, cap);
		return false;
	}
	vmx.invept_single = cap & EPT_CAP_INVEPT_SINGLE_CONTEXT && !(mask & MASK_INVEPT_SINGLE);
	if (!vmx.invept_single && !(cap & EPT_CAP_INVEPT_ALL_CONTEXTS)) {
		print("cpu: no all-context INVEPT (IA32_VMX_EPT_VPID_CAP = 0x%lx)", cap);
		return false;
	}
	vmx.ept = (struct ept_caps){
		.large_2m = cap & EPT_CAP_2M && !(mask & MASK_EPT_2M),
		.large_1g = cap & EPT_CAP_1G && !(mask & MASK_EPT_1G),
		.accessed_dirty = cap & EPT_CAP_ACCESSED_DIRTY && !(mask & MASK_EPT_AD),
		.address_width = vmx.capabilities.maxphyaddr,
	};
	return true;
}

/* Without it a string instruction's address size and segment would have to be decoded. */
static bool check_basic(uint64_t basic)
{
	if (!(basic & VMX_BASIC_INS_OUTS))
		print("cpu: no instruction information for INS and OUTS (IA32_VMX_BASIC = 0x%lx)", basic);
	return basic & VMX_BASIC_INS_OUTS;
}

/* VMXON on this CPU (SDM 3C 24.7), with the control registers as VMX wants them. */
static bool enter_vmx_operation(const struct vmx_capabilities *c)
{
	struct cpu *cpu = this_cpu();
	bool failed;

	cpu->vmxon = page_alloc();
	if (!cpu->vmxon) panic("vmx: no page for the VMXON region");
	*(uint32_t *)cpu->vmxon = (uint32_t)(c->basic & VMX_BASIC_REVISION);
	write_cr0((read_cr0() | c->cr0_fixed0) & c->cr0_fixed1);
	write_cr4(((read_cr4() | CR4_VMXE) | c->cr4_fixed0) & c->cr4_fixed1);
	__asm__ volatile("vmxon %1" : "=@ccna"(failed) : "m"(cpu->vmxon) : "memory");
	if (failed) print("cpu: VMXON failed (CR0 0x%lx, CR4 0x%lx)", read_cr0(), read_cr4());
	return !failed;
}

bool vmx_init(unsigned mask)
{
	if (!check_vmx()) return false;
	read_capabilities(&vmx.capabilities);
	if (!check_basic(vmx.capabilities.basic) || !negotiate(&vmx.capabilities, mask) ||
	    !check_ept(vmx.capabilities.ept_vpid, mask) || !enter_vmx_operation(&vmx.capabilities))
		return false;
	vmx.preemption_timer = vmx.pin & PIN_PREEMPTION_TIMER;
	vmx.saves_timer = vmx.exit & EXIT_SAVE_PREEMPTION_TIMER;
	vmx.vpid = vmx.secondary & SECONDARY_VPID;
	vmx.timer_shift = (unsigned)FIELD(vmx.capabilities.misc, VMX_MISC_PREEMPTION_TIMER_SHIFT);
	return true;
}

/* The controls in use, 'used', are possible here; a line names the first that is not. */
static bool has_controls(uint64_t capability, uint32_t used, const struct requirement *names, const char *word)
{
	uint32_t result;

	if (!adjust(capability, used, 0, &result, names, word)) return false;
	if (result != used)
		print("cpu: %s VMX controls 0x%x must be on, expected none but the boot CPU's", word, result & ~used);
	return result == used;
}

static bool has_the_rest(const struct vmx_capabilities *own, const struct vmx_capabilities *boot)
{
	uint64_t ept = boot->ept_vpid & ~own->ept_vpid;

	if (ept)
		print("cpu: no EPT and VPID capabilities 0x%lx, which the boot CPU has", ept);
	else if (own->basic != boot->basic || own->misc != boot->misc || own->maxphyaddr != boot->maxphyaddr)
		print("cpu: IA32_VMX_BASIC 0x%lx, IA32_VMX_MISC 0x%lx, %u address bits; expected "
		      "the boot CPU's 0x%lx, 0x%lx, %u",
		      own->basic, own->misc, own->maxphyaddr, boot->basic, boot->misc, boot->maxphyaddr);
	else
		return true;
	return false;
}

bool vmx_init_other(void)
{
	struct vmx_capabilities own = {.basic = 0};

	if (!check_vmx()) return false;
	read_capabilities(&own);
	return has_controls(own.pin, vmx.pin, pin_names, "pin-based") &&
	       has_controls(own.primary, vmx.primary, primary_names, "primary") &&
	       has_controls(own.secondary, vmx.secondary, secondary_names, "secondary") &&
	       has_controls(own.exit, vmx.exit, exit_names, "exit") &&
	       has_controls(own.entry, vmx.entry, entry_names, "entry") && has_the_rest(&own, &vmx.capabilities) &&
	       enter_vmx_operation(&own);
}

static void vmclear(uint64_t vmcs)
{
	bool failed;

	__asm__ volatile("vmclear %1" : "=@ccna"(failed) : "m"(vmcs) : "memory");
	if (failed) vmx_instruction_failed("VMCLEAR", vmcs);
}

void vmcs_release(uint64_t vmcs) { vmclear(vmcs); }

uint64_t vmcs_alloc(void)
{
	uint64_t vmcs = page_alloc();

	if (!vmcs) return 0;
	*(uint32_t *)vmcs = (uint32_t)(vmx.capabilities.basic & VMX_BASIC_REVISION);
	vmclear(vmcs);
	return vmcs;
}

void vmcs_free(uint64_t vmcs)
{
	if (!vmcs) return;
	vmclear(vmcs);
	page_free(vmcs);
}

void vmcs_load(uint64_t vmcs)
{
	bool failed;

	__asm__ volatile("vmptrld %1" : "=@ccna"(failed) : "m"(vmcs) : "memory");
	if (failed) vmx_instruction_failed("VMPTRLD", vmcs);
}

void vmx_instruction_failed(const char *instruction, uint64_t operand)
{
	uint64_t error = 0;

	__asm__ volatile("vmread %1, %0" : "=r"(error) : "r"((uint64_t)VMCS_INSTRUCTION_ERROR) : "cc");
	panic("%s of 0x%lx failed: %s", instruction, operand, vm_instruction_error((unsigned)error));
}

void invept(uint64_t ept_pointer)
{
	const struct {
		uint64_t ept_pointer, reserved;
	} descriptor = {ept_pointer, 0};
	uint64_t type = vmx.invept_single ? INVEPT_SINGLE_CONTEXT : INVEPT_ALL_CONTEXTS;
	bool failed;

	__asm__ volatile("invept %1, %2" : "=@ccna"(failed) : "m"(descriptor), "r"(type) : "memory");
	if (failed) vmx_instruction_failed("INVEPT", ept_pointer);
}

void invvpid(uint16_t vpid)
{
	const struct {
		uint64_t vpid, linear;
	} descriptor = {vpid, 0};
	bool failed;

	if (!vmx.vpid) return;
	__asm__ volatile("invvpid %1, %2"
			 : "=@ccna"(failed)
			 : "m"(descriptor), "r"((uint64_t)INVVPID_SINGLE_CONTEXT)
			 : "memory");
	if (failed) vmx_instruction_failed("INVVPID", vpid);
}
