/* SPDX-License-Identifier: MIT */
/*
 * Reads the CPU's own CPUID once and takes out of it, bit by bit, what a guest cannot have.
 */
#include "hv/vm/cpu_model.h"

#include "hv/vm/fpu.h"
#include "hv/vmx/vmx.h"

/* Features by the number of their bit (SDM 2A "CPUID"): of 1.ECX, 1.EDX, 7.EBX, 0xd.1.EAX, 0x80000001.ECX and EDX. */
enum { SSE3 = 0, PCLMUL = 1, SSSE3 = 9, CX16 = 13, SSE4_1 = 19, SSE4_2 = 20, MOVBE = 22, POPCNT = 23, AES = 25 };
enum { RDRAND = 30 };
enum { FPU = 0, APIC = 9, SEP = 11, PSE36 = 17, CLFLUSH = 19, MMX = 23, SS = 27 };
enum { FDP_OF_EXCEPTIONS = 6, NO_FCS_FDS = 13 };
enum { BMI2 = 8, ERMS = 9, RDSEED = 18, ADX = 19, CLFLUSHOPT = 23, CLWB = 24, SHA = 29 };
enum { XSAVEOPT = 0, XGETBV_1 = 2 };
enum { LAHF = 0, PREFETCHW = 8 };
enum { NX = 20, LM = 29 };

/*
 * What a guest may see of the feature words: what works in a guest without the hypervisor's help, or with the
 * help it has. A feature of a later CPU stays hidden.
 */
#define SHOW_1_ECX                                                                                                     \
	(BIT(SSE3) | BIT(PCLMUL) | BIT(SSSE3) | CPUID_1_ECX_FMA | BIT(CX16) | CPUID_1_ECX_PCID | BIT(SSE4_1) |         \
	 BIT(SSE4_2) | BIT(MOVBE) | BIT(POPCNT) | BIT(AES) | CPUID_1_ECX_XSAVE | CPUID_1_ECX_AVX | CPUID_1_ECX_F16C |  \
	 BIT(RDRAND))
#define EMULATED_1_ECX (CPUID_1_ECX_X2APIC | CPUID_1_ECX_TSC_DEADLINE) /* shown whatever the CPU has */
/* From FPU to APIC are VME DE PSE TSC MSR PAE MCE CX8; to PSE36 MTRR PGE MCA CMOV PAT; to SS FXSR SSE SSE2. */
#define SHOW_1_EDX (BITS(APIC, FPU) | BITS(PSE36, SEP) | BIT(CLFLUSH) | BITS(SS, MMX))
#define SHOW_7_EBX                                                                                                     \
	(CPUID_7_EBX_FSGSBASE | CPUID_7_EBX_BMI1 | CPUID_7_EBX_AVX2 | BIT(FDP_OF_EXCEPTIONS) | CPUID_7_EBX_SMEP |      \
	 BIT(BMI2) | BIT(ERMS) | CPUID_7_EBX_INVPCID | BIT(NO_FCS_FDS) | BIT(RDSEED) | BIT(ADX) | CPUID_7_EBX_SMAP |   \
	 BIT(CLFLUSHOPT) | BIT(CLWB) | BIT(SHA))
#define SHOW_7_ECX        CPUID_7_ECX_UMIP
#define SHOW_D_1_EAX      (BIT(XSAVEOPT) | BIT(XGETBV_1)) /* Bochs 2.7's XSAVEC loses AVX's part */
#define SHOW_80000001_ECX (BIT(LAHF) | CPUID_80000001_ECX_LZCNT | BIT(PREFETCHW))
#define SHOW_80000001_EDX                                                                                              \
	(CPUID_80000001_EDX_SYSCALL | BIT(NX) | CPUID_80000001_EDX_1G | CPUID_80000001_EDX_RDTSCP | BIT(LM))

#define LINEAR_WIDTH 48 /* no LA57 is shown */

struct cpu_model cpu_model;

static void read_leaf(unsigned leaf, unsigned count)
{
	cpu_model.subleaves[leaf] = (uint8_t)count;
	for (unsigned i = 0; i < MAX(count, 1U); i++) cpu_model.basic[leaf][i] = cpuid(leaf, i);
}

/* One CPU, one core, one thread. */
static void set_topology(void)
{
	cpu_model.basic[1][0].ebx = (cpu_model.basic[1][0].ebx & 0xffff) | 1 << 16;
	for (unsigned i = 0; i < CPU_MODEL_SUBLEAVES; i++) cpu_model.basic[4][i].eax &= (uint32_t)BITS(13, 0);
	cpu_model.basic[0xb][0] = (struct cpuid_result){.ebx = 1, .ecx = 1 << 8};
	cpu_model.basic[0xb][1] = (struct cpuid_result){.ebx = 1, .ecx = 2 << 8 | 1};
}

/* SDM 2A "CPUID", leaves 1, 4 and 0bH; SDM 3A 9.9.1: ids are powers of two apart. */
struct cpuid_result cpu_model_topology(uint32_t leaf, uint32_t subleaf, unsigned count, unsigned id,
				       struct cpuid_result r)
{
	unsigned width = 32 - (unsigned)__builtin_clz(count - 1);

	if (leaf == 1) {
		r.ebx = (r.ebx & 0xffff) | id << 24 | (uint32_t)TO_FIELD(1U << width, CPUID_1_EBX_IDS);
		r.edx |= CPUID_1_EDX_HTT;
	} else if (leaf == 4 && r.eax) {
		r.eax |= (uint32_t)TO_FIELD((1U << width) - 1, CPUID_4_EAX_CORES);
	} else if (leaf == 0xb) {
		r.edx = id;
		if (subleaf == 1) return (struct cpuid_result){width, count, r.ecx, id};
	}
	return r;
}

/*
 * The crystal's clock is the TSC's, and the local APIC's timer counts it too (SDM 2A "CPUID", leaf
 * 0x15; SDM 3B 19.7.3). A guest that reads this calibrates nothing. Every other clock of a VM is made of the
 * TSC, so whatever the host says of it and of its own APIC, to a guest they never stop and never change.
 */
static void set_clock(void)
{
	cpu_model.basic[0x15][0] = (struct cpuid_result){.eax = 1, .ebx = 1, .ecx = (uint32_t)vmx.tsc_hz};
	cpu_model.basic[6][0] = (struct cpuid_result){.eax = CPUID_6_EAX_ARAT};
	cpu_model.extended[7] = (struct cpuid_result){.edx = CPUID_80000007_EDX_INVARIANT_TSC};
}

static void set_features(void)
{
	uint32_t hide_7 = vmx.secondary & SECONDARY_INVPCID ? 0 : CPUID_7_EBX_INVPCID;

	cpu_model.basic[1][0].ecx = (cpu_model.basic[1][0].ecx & SHOW_1_ECX) | CPUID_1_ECX_HYPERVISOR | EMULATED_1_ECX;
	cpu_model.basic[1][0].edx &= SHOW_1_EDX;
	cpu_model.basic[7][0].eax = 0;
	cpu_model.basic[7][0].ebx &= SHOW_7_EBX & ~hide_7;
	cpu_model.basic[7][0].ebx |= CPUID_7_EBX_TSC_ADJUST;
	cpu_model.basic[7][0].ecx &= SHOW_7_ECX;
	cpu_model.basic[7][0].edx = 0;
	cpu_model.basic[0xd][0].eax &= (uint32_t)fpu_xcr0_offered();
	cpu_model.basic[0xd][0].edx = 0;
	cpu_model.basic[0xd][0].ecx = cpu_model_xsave_size(cpu_model.basic[0xd][0].eax);
	cpu_model.basic[0xd][1] = (struct cpuid_result){.eax = cpu_model.basic[0xd][1].eax & SHOW_D_1_EAX};
	if (!(cpu_model.basic[0xd][0].eax & XCR0_AVX)) {
		cpu_model.basic[1][0].ecx &= ~(CPUID_1_ECX_AVX | CPUID_1_ECX_FMA | CPUID_1_ECX_F16C);
		cpu_model.basic[7][0].ebx &= ~CPUID_7_EBX_AVX2;
	}
}

static void set_extended(void)
{
	for (unsigned i = 0; i < CPU_MODEL_EXTENDED; i++) cpu_model.extended[i] = cpuid(CPUID_EXTENDED + i, 0);
	cpu_model.extended[0] = (struct cpuid_result){.eax = CPUID_EXTENDED + CPU_MODEL_EXTENDED - 1};
	cpu_model.extended[1].ecx &= SHOW_80000001_ECX;
	cpu_model.extended[1].edx &= SHOW_80000001_EDX;
	if (!(vmx.secondary & SECONDARY_RDTSCP)) cpu_model.extended[1].edx &= ~CPUID_80000001_EDX_RDTSCP;
	cpu_model.extended[8] = (struct cpuid_result){.eax = TO_FIELD(LINEAR_WIDTH, CPUID_80000008_EAX_LINEAR_WIDTH) |
							     guest_address_width()};
}

void cpuid_init(void)
{
	unsigned max = cpuid(0, 0).eax;

	cpu_model.signature = (struct cpuid_result){CPUID_HYPERVISOR, 0x6661654c /* Leaf */, 0x74747563 /* cutt */,
						    0x56487265 /* erHV */};
	for (unsigned leaf = 0; leaf <= MIN(max, 0xdU); leaf++) /* those behind it tell a guest nothing */
		read_leaf(leaf, leaf == 4 ? CPU_MODEL_SUBLEAVES : leaf == 0xd ? 3 : leaf == 7 ? 1 : 0);
	read_leaf(0xb, 2);
	cpu_model.basic[0][0].eax = CPU_MODEL_BASIC - 1;
	cpu_model.basic[5][0] = cpu_model.basic[9][0] = cpu_model.basic[0xa][0] = (struct cpuid_result){.eax = 0};
	set_topology();
	set_features();
	set_extended();
	set_clock();
}

bool cpu_has_rdtscp(void) { return cpu_model.extended[1].edx & CPUID_80000001_EDX_RDTSCP; }

unsigned guest_address_width(void) { return MIN(vmx.capabilities.maxphyaddr, (unsigned)EPT_GPA_BITS); }

bool guest_has_1g_pages(void) { return cpu_model.extended[1].edx & CPUID_80000001_EDX_1G; }

uint64_t guest_cr0_of(uint64_t cr0)
{
	const struct vmx_capabilities *c = &vmx.capabilities;

	return ((cr0 & ~(CR0_CD | CR0_NW)) | (c->cr0_fixed0 & ~(CR0_PE | CR0_PG))) & c->cr0_fixed1;
}

uint64_t guest_cr4_allowed(void)
{
	const struct cpuid_result *one = &cpu_model.basic[1][0], *seven = &cpu_model.basic[7][0];

	return CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | CR4_OSFXSR |
	       CR4_OSXMMEXCPT | (one->ecx & CPUID_1_ECX_PCID ? CR4_PCIDE : 0) |
	       (one->ecx & CPUID_1_ECX_XSAVE ? CR4_OSXSAVE : 0) |
	       (seven->ebx & CPUID_7_EBX_FSGSBASE ? CR4_FSGSBASE : 0) | (seven->ebx & CPUID_7_EBX_SMEP ? CR4_SMEP : 0) |
	       (seven->ebx & CPUID_7_EBX_SMAP ? CR4_SMAP : 0) | (seven->ecx & CPUID_7_ECX_UMIP ? CR4_UMIP : 0);
}
