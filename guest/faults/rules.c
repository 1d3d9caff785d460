// SPDX-License-Identifier: MIT
/*
 * Values and instructions that must raise an exception in the guest, as the SDM says, and reach
 * its handler instead of the hypervisor's end.
 */
#include "guest/faults/faults.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/start.h"

#define NONCANONICAL 0x8000000000000000UL
#define PASSES       (-1)

static const struct {
	uint32_t msr;
	int vector;
	const char *name;
} reads[] = {
	{0x12345678, VECTOR_GP, "no such MSR"},
	{0xc0001fff, VECTOR_GP, "the last of the second bitmap"},
	{0x00001fff, VECTOR_GP, "the last of the first bitmap"},
	{0xffffffff, VECTOR_GP, "the last of all"},
	{MSR_IA32_VMX_BASIC, VECTOR_GP, "VMX_BASIC: VMX is hidden"},
	{MSR_IA32_VMX_EPT_VPID_CAP, VECTOR_GP, "VMX_EPT_VPID_CAP: VMX is hidden"},
	{MSR_IA32_MTRRCAP, PASSES, "MTRRCAP"},
	{MSR_IA32_PAT, PASSES, "PAT"},
	{MSR_IA32_APIC_BASE, PASSES, "APIC_BASE"},
	{MSR_IA32_EFER, PASSES, "EFER"},
	{MSR_IA32_P5_MC_ADDR, PASSES, "P5_MC_ADDR"},
	{MSR_IA32_P5_MC_TYPE, PASSES, "P5_MC_TYPE"},
	{MSR_IA32_DEBUGCTL, PASSES, "DEBUGCTL"},
	{MSR_IA32_MISC_ENABLE, PASSES, "MISC_ENABLE"},
	{MSR_IA32_TSC_ADJUST, PASSES, "TSC_ADJUST"},
	{MSR_IA32_MCG_CAP, PASSES, "MCG_CAP"},
	{MSR_IA32_ARCH_CAPABILITIES, VECTOR_GP, "ARCH_CAPABILITIES: CPUID does not show it"},
};

static const struct {
	uint32_t msr;
	uint64_t value;
	int vector;
	const char *name;
} writes[] = {
	{0x12345678, 0, VECTOR_GP, "no such MSR"},
	{MSR_IA32_VMX_BASIC, 0, VECTOR_GP, "VMX_BASIC"},
	{MSR_IA32_MTRRCAP, 0, VECTOR_GP, "MTRRCAP is read-only"},
	{MSR_IA32_MTRR_DEF_TYPE, 0xc02, VECTOR_GP, "default type 2"},
	{MSR_IA32_MTRR_DEF_TYPE, 0xc07, VECTOR_GP, "default type 7"},
	{MSR_IA32_MTRR_DEF_TYPE, 0x1c06, VECTOR_GP, "default type, reserved bit 12"},
	{MSR_IA32_MTRR_PHYSBASE0 + 10, 3, VECTOR_GP, "PHYSBASE5, type 3"},
	{MSR_IA32_MTRR_PHYSBASE0 + 10, 0x106, VECTOR_GP, "PHYSBASE5, reserved bit 8"},
	{MSR_IA32_MTRR_PHYSBASE0 + 10, BIT(63), VECTOR_GP, "PHYSBASE5, beyond the width"},
	{MSR_IA32_MTRR_PHYSMASK0 + 10, 0x400, VECTOR_GP, "PHYSMASK5, reserved bit 10"},
	{MSR_IA32_MTRR_PHYSMASK0 + 10, BIT(63), VECTOR_GP, "PHYSMASK5, beyond the width"},
	{MSR_IA32_MTRR_FIX64K_00000, 0x0606060606060602, VECTOR_GP, "FIX64K, type 2"},
	{MSR_IA32_MTRR_FIX4K_F8000, 0x0706060606060606, VECTOR_GP, "FIX4K, type 7"},
	{MSR_IA32_PAT, 0x0007040600070402, VECTOR_GP, "PAT, type 2"},
	{MSR_IA32_PAT, 0x0307040600070406, VECTOR_GP, "PAT, type 3"},
	{MSR_IA32_PAT, 0x0807040600070406, VECTOR_GP, "PAT, type 8"},
	{MSR_IA32_PAT, PAT_RESET, PASSES, "PAT, reset value"},
	{MSR_IA32_EFER, EFER_LMA, VECTOR_GP, "EFER, LME off while paging"},
	{MSR_IA32_EFER, EFER_LME | EFER_LMA | BIT(2), VECTOR_GP, "EFER, reserved bit 2"},
	{MSR_IA32_EFER, EFER_LME | EFER_LMA | BIT(63), VECTOR_GP, "EFER, reserved bit 63"},
	{MSR_IA32_APIC_BASE, BIT(63), VECTOR_GP, "APIC_BASE, beyond the width"},
	{MSR_IA32_P5_MC_TYPE, 1, VECTOR_GP, "P5_MC_TYPE, other than 0"},
	{MSR_IA32_P5_MC_TYPE, 0, PASSES, "P5_MC_TYPE, 0"},
	{MSR_IA32_DEBUGCTL, 0, PASSES, "DEBUGCTL, 0"},
	{MSR_IA32_DEBUGCTL, BIT(63), VECTOR_GP, "DEBUGCTL, reserved bit 63"},
	{MSR_IA32_MCG_CAP, 0, VECTOR_GP, "MCG_CAP is read-only"},
	{MSR_IA32_MCG_STATUS, 0, PASSES, "MCG_STATUS, 0"},
	{MSR_IA32_MCG_STATUS, 4, VECTOR_GP, "MCG_STATUS, other than 0"},
	{MSR_IA32_TSC_ADJUST, 0, PASSES, "TSC_ADJUST, 0"},
	{MSR_IA32_LSTAR, NONCANONICAL, VECTOR_GP, "LSTAR, not canonical"},
	{MSR_IA32_FS_BASE, NONCANONICAL, VECTOR_GP, "FS_BASE, not canonical"},
	{MSR_IA32_SYSENTER_EIP, NONCANONICAL, VECTOR_GP, "SYSENTER_EIP, not canonical"},
};

void wild_msrs(void)
{
	heading("RDMSR");
	for (unsigned i = 0; i < ARRAY_SIZE(reads); i++) {
		uint64_t value;

		check_vector(reads[i].vector, try_rdmsr(reads[i].msr, &value), "0x%x (%s): %s", reads[i].msr,
			     reads[i].name, reads[i].vector == PASSES ? "reads" : "#GP");
	}
	heading("WRMSR");
	for (unsigned i = 0; i < ARRAY_SIZE(writes); i++)
		check_vector(writes[i].vector, try_wrmsr(writes[i].msr, writes[i].value), "0x%x (%s): %s",
			     writes[i].msr, writes[i].name, writes[i].vector == PASSES ? "written" : "#GP");
}

struct control {
	unsigned number;
	uint64_t set, clear;
	const char *name;
};
static const struct control controls[] = {
	{0, CR0_NW, CR0_CD, "CR0.NW without CD"},
	{0, 0, CR0_PG, "CR0.PG off in 64-bit mode"},
	{0, 0, CR0_PE, "CR0.PE off under paging"},
	{0, BIT(32), 0, "CR0, reserved bit 32"},
	{3, BIT(62), 0, "CR3, bit 62"},
	{4, 0, CR4_PAE, "CR4.PAE off in long mode"},
	{4, CR4_VMXE, 0, "CR4.VMXE, VMX is hidden"},
	{4, BIT(15), 0, "CR4, reserved bit 15"},
	{4, BIT(32), 0, "CR4, reserved bit 32"},
	{8, BIT(4), 0, "CR8, reserved bit 4"},
};

static void write_control(void *argument)
{
	const struct control *c = argument;
	uint64_t value;

	switch (c->number) {
	case 0: write_cr0((read_cr0() & ~c->clear) | c->set); break;
	case 3: write_cr3((read_cr3() & ~c->clear) | c->set); break;
	case 4: write_cr4((read_cr4() & ~c->clear) | c->set); break;
	default:
		__asm__ volatile("mov %%cr8, %0" : "=r"(value));
		__asm__ volatile("mov %0, %%cr8" : : "r"((value & ~c->clear) | c->set));
	}
}

static void try_xsetbv(void *argument) { xsetbv(0, *(const uint64_t *)argument); }

static void wild_xcr0(void)
{
	static uint64_t values[] = {0, XCR0_X87 | XCR0_AVX, BIT(62) | XCR0_X87};

	check_vector(VECTOR_UD, try_call(try_xsetbv, values), "XSETBV without OSXSAVE: #UD");
	if (!(cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE)) return;
	write_cr4(read_cr4() | CR4_OSXSAVE);
	check_vector(VECTOR_GP, try_call(try_xsetbv, &values[0]), "XCR0 without x87: #GP");
	check_vector(VECTOR_GP, try_call(try_xsetbv, &values[1]), "XCR0, AVX without SSE: #GP");
	check_vector(VECTOR_GP, try_call(try_xsetbv, &values[2]), "XCR0, reserved bit: #GP");
	write_cr4(read_cr4() & ~CR4_OSXSAVE);
}

void wild_control_registers(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(controls); i++) {
		struct control c = controls[i];

		check_vector(VECTOR_GP, try_call(write_control, &c), "%s: #GP", c.name);
	}
	wild_xcr0();
}

#define INSTRUCTION(name, ...)                                                                                         \
	static void do_##name(void *argument)                                                                          \
	{                                                                                                              \
		__asm__ volatile(__VA_ARGS__ : : "r"(argument), "a"(0UL) : "memory", "cc");                            \
	}
INSTRUCTION(vmxon, "vmxon (%0)")
INSTRUCTION(vmxoff, "vmxoff")
INSTRUCTION(vmclear, "vmclear (%0)")
INSTRUCTION(vmptrld, "vmptrld (%0)")
INSTRUCTION(vmptrst, "vmptrst (%0)")
INSTRUCTION(vmread, "vmread %1, (%0)")
INSTRUCTION(vmwrite, "vmwrite (%0), %1")
INSTRUCTION(vmlaunch, "vmlaunch")
INSTRUCTION(vmresume, "vmresume")
INSTRUCTION(invept, "invept (%0), %1")
INSTRUCTION(invvpid, "invvpid (%0), %1")
INSTRUCTION(vmfunc, "vmfunc")
INSTRUCTION(getsec, "getsec")
INSTRUCTION(monitor, "xor %%ecx, %%ecx; xor %%edx, %%edx; monitor")
INSTRUCTION(mwait, "xor %%ecx, %%ecx; mwait")
INSTRUCTION(rsm, "rsm")
INSTRUCTION(ud2, "ud2")

static void rdpmc(void *argument)
{
	uint32_t counter = *(const uint32_t *)argument;

	__asm__ volatile("rdpmc" : : "c"(counter) : "rax", "rdx");
}

static const struct {
	const char *name;
	void (*run)(void *argument);
} instructions[] = {
	{"VMXON", do_vmxon},       {"VMXOFF", do_vmxoff}, {"VMCLEAR", do_vmclear}, {"VMPTRLD", do_vmptrld},
	{"VMPTRST", do_vmptrst},   {"VMREAD", do_vmread}, {"VMWRITE", do_vmwrite}, {"VMLAUNCH", do_vmlaunch},
	{"VMRESUME", do_vmresume}, {"INVEPT", do_invept}, {"INVVPID", do_invvpid}, {"VMFUNC", do_vmfunc},
	{"GETSEC", do_getsec},     {"RSM", do_rsm},       {"UD2", do_ud2},         {"MONITOR", do_monitor},
	{"MWAIT", do_mwait},
};

void wild_instructions(void)
{
	static uint64_t operand[2];

	check(!(cpuid(1, 0).ecx & CPUID_1_ECX_VMX), "CPUID does not show VMX");
	check_vector(VECTOR_GP, try_call(rdpmc, operand), "RDPMC, no counters: #GP");
	for (unsigned i = 0; i < ARRAY_SIZE(instructions); i++)
		check_vector(VECTOR_UD, try_call(instructions[i].run, operand), "%s: #UD", instructions[i].name);
}
