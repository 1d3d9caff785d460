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
#include "hv/options/options.h"
#include "lib/asm.h"
#include "lib/string.h"
#include "lib/x86.h"

/* Behind each line that says what a CPU lacks. */
#define READ_ON ": see docs/real-hardware.md"

struct vmx vmx;

/* INVEPT and INVVPID types (SDM 3C 31.3). */
enum { INVEPT_SINGLE_CONTEXT = 1, INVEPT_ALL_CONTEXTS = 2, INVVPID_SINGLE_CONTEXT = 1, INVVPID_ALL_CONTEXTS = 2 };

enum word { PIN, PRIMARY, SECONDARY, EXIT, ENTRY };
static const char *const word_name[] = {"pin-based", "primary", "secondary", "exit", "entry"};

/* The controls without which no guest runs here. */
static const struct {
	enum word word;
	uint32_t bit;
	const char *name;
} required[] = {
	{PIN, PIN_EXTERNAL_INTERRUPT_EXITING, "external-interrupt exiting"},
	{PIN, PIN_NMI_EXITING, "NMI exiting"},
	{PIN, PIN_VIRTUAL_NMIS, "virtual NMIs"},
	{PRIMARY, PRIMARY_TSC_OFFSETTING, "TSC offsetting"},
	{PRIMARY, PRIMARY_HLT_EXITING, "HLT exiting"},
	{PRIMARY, PRIMARY_CR8_LOAD_EXITING, "CR8-load exiting"},
	{PRIMARY, PRIMARY_CR8_STORE_EXITING, "CR8-store exiting"},
	{PRIMARY, PRIMARY_UNCONDITIONAL_IO_EXITING, "unconditional I/O exiting"},
	{PRIMARY, PRIMARY_MSR_BITMAPS, "MSR bitmaps"},
	{PRIMARY, PRIMARY_SECONDARY, "secondary controls"},
	{SECONDARY, SECONDARY_EPT, "EPT"},
	{SECONDARY, SECONDARY_UNRESTRICTED_GUEST, "unrestricted guest"},
	{SECONDARY, SECONDARY_WBINVD_EXITING, "WBINVD exiting"},
	{EXIT, EXIT_SAVE_DEBUG_CONTROLS, "save debug controls"},
	{EXIT, EXIT_HOST_64BIT, "64-bit host"},
	{EXIT, EXIT_SAVE_PAT, "save IA32_PAT on exit"},
	{EXIT, EXIT_LOAD_PAT, "load IA32_PAT on exit"},
	{EXIT, EXIT_SAVE_EFER, "save IA32_EFER on exit"},
	{EXIT, EXIT_LOAD_EFER, "load IA32_EFER on exit"},
	{ENTRY, ENTRY_LOAD_DEBUG_CONTROLS, "load debug controls"},
	{ENTRY, ENTRY_LOAD_PAT, "load IA32_PAT on entry"},
	{ENTRY, ENTRY_LOAD_EFER, "load IA32_EFER on entry"},
};

/* Those used where they are offered; a guest that is shown none of the primary must not have it. */
#define PRIMARY_OPTIONAL   (PRIMARY_MWAIT_EXITING | PRIMARY_MONITOR_EXITING | PRIMARY_RDPMC_EXITING)
#define SECONDARY_OPTIONAL (SECONDARY_RDTSCP | SECONDARY_INVPCID | SECONDARY_VPID)

/* Negotiate one word of controls; a line names the first that is missing. */
static bool adjust(enum word word, uint64_t capability, uint32_t optional, uint32_t *result)
{
	uint32_t needed = 0, missing;

	for (unsigned i = 0; i < ARRAY_SIZE(required); i++)
		if (required[i].word == word) needed |= required[i].bit;
	if (controls_adjust(capability, needed, optional, result, &missing)) return true;
	for (unsigned i = 0; i < ARRAY_SIZE(required); i++)
		if (required[i].word == word && required[i].bit & missing) {
			print("cpu: no %s (%s VMX controls, capability 0x%lx)" READ_ON, required[i].name,
			      word_name[word], capability);
			break;
		}
	return false;
}

/* VMX must be there and the firmware must not have locked it off (SDM 3C 24.7). */
static bool check_vmx(void)
{
	uint64_t control;

	if (!(cpuid(1, 0).ecx & CPUID_1_ECX_VMX)) {
		print("cpu: no VMX (CPUID.1:ECX bit 5)" READ_ON);
		return false;
	}
	control = rdmsr(MSR_IA32_FEATURE_CONTROL);
	if (!(control & FEATURE_CONTROL_LOCK)) {
		control |= FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX;
		wrmsr(MSR_IA32_FEATURE_CONTROL, control);
	}
	if (!(control & FEATURE_CONTROL_VMX_OUTSIDE_SMX)) {
		print("cpu: VMX is locked off by the firmware (IA32_FEATURE_CONTROL = 0x%lx), expected on" READ_ON,
		      control);
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

static bool negotiate(struct vmx *v, unsigned mask)
{
	const struct vmx_capabilities *c = &v->capabilities;
	uint32_t pin = mask & MASK_TIMER ? 0 : PIN_PREEMPTION_TIMER;
	uint32_t secondary = SECONDARY_OPTIONAL;
	uint32_t exit = 0;

	/* Only a timer that is in use may be saved (SDM 3C 27.2.1.2). */
	if (pin & (uint32_t)(c->pin >> 32)) exit |= EXIT_SAVE_PREEMPTION_TIMER;
	if (mask & MASK_VPID || !(c->ept_vpid & VPID_CAP_INVVPID) || !(c->ept_vpid & VPID_CAP_INVVPID_SINGLE))
		secondary &= ~SECONDARY_VPID;
	return adjust(PIN, c->pin, pin, &v->pin) && adjust(PRIMARY, c->primary, PRIMARY_OPTIONAL, &v->primary) &&
	       adjust(SECONDARY, c->secondary, secondary, &v->secondary) && adjust(EXIT, c->exit, exit, &v->exit) &&
	       adjust(ENTRY, c->entry, 0, &v->entry);
}

static bool check_ept(struct vmx *v, unsigned mask)
{
	uint64_t cap = v->capabilities.ept_vpid;
	bool single = cap & EPT_CAP_INVEPT_SINGLE_CONTEXT && !(mask & MASK_INVEPT_SINGLE);
	const struct {
		uint64_t bit;
		const char *name;
	} needed[] = {
		{EPT_CAP_4_LEVELS, "4-level EPT"},
		{EPT_CAP_WB, "write-back EPT walks"},
		{EPT_CAP_INVEPT, "INVEPT"},
		{single ? EPT_CAP_INVEPT_SINGLE_CONTEXT : EPT_CAP_INVEPT_ALL_CONTEXTS, "all-context INVEPT"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(needed); i++) {
		if (cap & needed[i].bit) continue;
		print("cpu: no %s (IA32_VMX_EPT_VPID_CAP = 0x%lx)" READ_ON, needed[i].name, cap);
		return false;
	}
	v->invept_single = single;
	v->ept = (struct ept_caps){
		.large_2m = cap & EPT_CAP_2M && !(mask & MASK_EPT_2M),
		.large_1g = cap & EPT_CAP_1G && !(mask & MASK_EPT_1G),
		.accessed_dirty = cap & EPT_CAP_ACCESSED_DIRTY && !(mask & MASK_EPT_AD),
		.address_width = v->capabilities.maxphyaddr,
	};
	return true;
}

/* What both take: an id, and an address that their types here do not look at. */
struct invalidation {
	uint64_t id, address;
};

/* An instruction with its operands, as the assembler has them. It is about 'what', and panics when it fails. */
#define EXECUTE(name, text, what, ...)                                                                                 \
	do {                                                                                                           \
		bool failed;                                                                                           \
		__asm__ volatile(name " " text : "=@ccna"(failed) : __VA_ARGS__ : "memory");                           \
		if (failed) vmx_instruction_failed(name, what);                                                        \
	} while (0)

static void execute_invept(uint64_t type, uint64_t ept_pointer)
{
	const struct invalidation descriptor = {ept_pointer, 0};

	EXECUTE("INVEPT", "%1, %2", ept_pointer, "m"(descriptor), "r"(type));
}

static void execute_invvpid(uint64_t type, uint16_t vpid)
{
	const struct invalidation descriptor = {vpid, 0};

	EXECUTE("INVVPID", "%1, %2", vpid, "m"(descriptor), "r"(type));
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
	if (failed) return false;
	/* What ran here before may have left translations under numbers of ours (SDM 3C 29.4.3.3). */
	if (c->ept_vpid & EPT_CAP_INVEPT_ALL_CONTEXTS) execute_invept(INVEPT_ALL_CONTEXTS, 0);
	if (c->ept_vpid & VPID_CAP_INVVPID_ALL) execute_invvpid(INVVPID_ALL_CONTEXTS, 0);
	return true;
}

/* What this CPU offers, and what of it is used without the masked features. */
static bool agree(struct vmx *v, unsigned mask)
{
	if (!check_vmx()) return false;
	read_capabilities(&v->capabilities);
	if (!negotiate(v, mask) || !check_ept(v, mask)) return false;
	v->preemption_timer = v->pin & PIN_PREEMPTION_TIMER;
	v->saves_timer = v->exit & EXIT_SAVE_PREEMPTION_TIMER;
	v->vpid = v->secondary & SECONDARY_VPID;
	v->timer_shift = (unsigned)FIELD(v->capabilities.misc, VMX_MISC_PREEMPTION_TIMER_SHIFT);
	v->mask = mask;
	return true;
}

bool vmx_init(unsigned mask) { return agree(&vmx, mask) && enter_vmx_operation(&vmx.capabilities); }

bool vmx_init_other(void)
{
	static struct vmx own; /* CPUs come one by one */
	const uint64_t *mine = (const uint64_t *)&own.capabilities, *first = (const uint64_t *)&vmx.capabilities;

	memset(&own, 0, sizeof(own)); /* the padding too */
	if (!agree(&own, vmx.mask)) return false;
	for (unsigned n = 0; n < sizeof(own.capabilities) / sizeof(*mine); n++) {
		if (mine[n] == first[n]) continue;
		print("cpu: its VMX capabilities are not those of the CPU that booted (word %u of struct "
		      "vmx_capabilities is 0x%lx, expected 0x%lx)",
		      n, mine[n], first[n]);
		return false;
	}
	return enter_vmx_operation(&own.capabilities);
}

void vmcs_release(uint64_t vmcs) { EXECUTE("VMCLEAR", "%1", vmcs, "m"(vmcs)); }

uint64_t vmcs_alloc(void)
{
	uint64_t vmcs = page_alloc();

	if (!vmcs) return 0;
	*(uint32_t *)vmcs = (uint32_t)(vmx.capabilities.basic & VMX_BASIC_REVISION);
	vmcs_release(vmcs);
	return vmcs;
}

void vmcs_free(uint64_t vmcs)
{
	if (!vmcs) return;
	vmcs_release(vmcs);
	page_free(vmcs);
}

void vmcs_load(uint64_t vmcs) { EXECUTE("VMPTRLD", "%1", vmcs, "m"(vmcs)); }

void vmx_instruction_failed(const char *instruction, uint64_t operand)
{
	uint64_t error = 0;

	__asm__ volatile("vmread %1, %0" : "=r"(error) : "r"((uint64_t)VMCS_INSTRUCTION_ERROR) : "cc");
	panic("%s of 0x%lx failed: %s", instruction, operand, vm_instruction_error((unsigned)error));
}

void invept(uint64_t ept_pointer)
{
	execute_invept(vmx.invept_single ? INVEPT_SINGLE_CONTEXT : INVEPT_ALL_CONTEXTS, ept_pointer);
}

void invvpid(uint16_t vpid)
{
	if (vmx.vpid) execute_invvpid(INVVPID_SINGLE_CONTEXT, vpid);
}
