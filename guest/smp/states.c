// SPDX-License-Identifier: MIT
/*
 * INIT and start-up IPIs to a CPU in each of its states, and the registers that it begins with (SDM 3A table 10-1).
 * A page of real-mode code notes them and goes on to the trampoline of guest/lib.
 */
#include "ept/memtype.h"
#include "guest/lib/caching.h"
#include "guest/lib/check.h"
#include "guest/lib/cpu.h"
#include "guest/lib/lapic.h"
#include "guest/lib/start.h"
#include "guest/smp/smp.h"
#include "lib/string.h"

#define PROBE      0x9000UL
#define PROBE_PAGE (PROBE >> 12)
#define INIT       ((uint32_t)TO_FIELD(MODE_INIT, COMMAND_MODE))
#define STARTUP    ((uint32_t)(TO_FIELD(MODE_STARTUP, COMMAND_MODE) | COMMAND_ASSERT))
#define SOME       0x5a5a000UL /* a value that no reset leaves */
#define KEPT       4

/* What the page notes at 0x200 in it. */
struct noted {
	uint32_t general, edx, cr0, cr2, cr3, cr4, dr[4], dr6, dr7, runs;
};
static volatile struct noted *const noted = (volatile struct noted *)(PROBE + 0x200);

/* clang-format off */
__asm__(".pushsection .rodata\n"
	".code16\n"
	"probe:\n"
	"orl %ebx, %eax; orl %ecx, %eax; orl %esi, %eax; orl %edi, %eax; orl %ebp, %eax; orl %esp, %eax\n"
	"xorl %ebx, %ebx\n"
	"movw %ds, %bx; orl %ebx, %eax; movw %es, %bx; orl %ebx, %eax; movw %ss, %bx; orl %ebx, %eax\n"
	"movw %fs, %bx; orl %ebx, %eax; movw %gs, %bx; orl %ebx, %eax\n"
	"movw %cs, %bx; movw %bx, %ds\n"
	"movl %eax, 0x200; movl %edx, 0x204\n"
	"movl %cr0, %eax; movl %eax, 0x208; movl %cr2, %eax; movl %eax, 0x20c\n"
	"movl %cr3, %eax; movl %eax, 0x210; movl %cr4, %eax; movl %eax, 0x214\n"
	"movl %dr0, %eax; movl %eax, 0x218; movl %dr1, %eax; movl %eax, 0x21c\n"
	"movl %dr2, %eax; movl %eax, 0x220; movl %dr3, %eax; movl %eax, 0x224\n"
	"movl %dr6, %eax; movl %eax, 0x228; movl %dr7, %eax; movl %eax, 0x22c\n"
	"incl 0x230\n"
	"ljmp $0x800, $0\n"
	"probe_end:\n"
	".code64\n"
	".popsection");
/* clang-format on */
extern const char probe[], probe_end[];

static const uint32_t kept_msr[KEPT] = {MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_LSTAR,
					MSR_IA32_KERNEL_GS_BASE};
static uint64_t kept[KEPT], kept_xmm, kept_mtrr;
static volatile unsigned beats, nmis;
static volatile bool deaf_in_nmi;
static unsigned last;

static void wait(void)
{
	uint64_t end = rdtsc() + 100000 * guest_number("patience", 1);

	while (rdtsc() < end) cpu_pause();
}

static void on_nmi(void)
{
	nmis++;
	while (deaf_in_nmi) cpu_pause();
}

static void beat(unsigned id)
{
	(void)id;
	while (!job_stop) beats++;
}

static void set_all(unsigned id)
{
	for (unsigned n = 0; n < KEPT; n++) wrmsr(kept_msr[n], SOME + n);
	mtrr_set(3, SOME & ~(MiB - 1), MiB, MEMTYPE_WT);
	write_cr2(SOME);
	write_dr0(SOME);
	write_dr1(SOME);
	write_dr2(SOME);
	write_dr3(SOME);
	write_dr6(DR6_RESET | DR6_BS);
	write_cr4(read_cr4() | CR4_OSFXSR);
	__asm__ volatile("movq %0, %%xmm0" : : "r"(SOME));
	cache_disable(true);
	beat(id);
}

static void read_kept(unsigned id)
{
	(void)id;
	for (unsigned n = 0; n < KEPT; n++) kept[n] = rdmsr(kept_msr[n]);
	kept_mtrr = rdmsr(MSR_IA32_MTRR_PHYSBASE0 + 2 * 3);
	write_cr4(read_cr4() | CR4_OSFXSR);
	__asm__ volatile("movq %%xmm0, %0" : "=r"(kept_xmm));
	cache_disable(false);
	mtrr_set(3, 0, MiB, MEMTYPE_UC);
}

static bool restarts(void (*then)(unsigned id))
{
	unsigned runs = noted->runs;

	job_start(last, then);
	return smp_restart_at(last, PROBE_PAGE) && noted->runs == runs + 1;
}

static void test_registers(void)
{
	bool same = true, zero = true;

	job_start(last, set_all);
	wait();
	check(restarts(read_kept), "INIT and a start-up IPI begin at its page, whatever a second one says");
	job_wait(last);
	check_is(0, noted->general, "INIT clears general and segment registers");
	check_is(cpuid(1, 0).eax, noted->edx, "but EDX, which has the CPU's signature");
	check_is(CR0_CD | CR0_ET, noted->cr0, "INIT leaves CR0.CD and clears the rest");
	check_is(0, noted->cr2 | noted->cr3 | noted->cr4, "it clears CR2, CR3 and CR4");
	for (unsigned n = 0; n < 4; n++) zero &= !noted->dr[n];
	check(zero && noted->dr6 == DR6_RESET && noted->dr7 == 0x400, "and sets the debug registers as reset does");
	for (unsigned n = 0; n < KEPT; n++) same &= kept[n] == SOME + n;
	check(same, "INIT leaves MSRs");
	check_is((SOME & ~(MiB - 1)) | MEMTYPE_WT, kept_mtrr, "and MTRRs");
	check_is(SOME, kept_xmm, "and XMM registers");
}

static void halt(unsigned id)
{
	(void)id;
	__asm__ volatile("sti; hlt" : : : "memory");
}

static void halt_deaf(unsigned id)
{
	(void)id;
	__asm__ volatile("cli; hlt" : : : "memory");
}

void take_nmis(unsigned id)
{
	(void)id;
	__asm__ volatile("mov %%ss, %%eax; mov %%rsp, %%rcx; push %%rax; push %%rcx; pushf\n"
			 "mov %%cs, %%eax; push %%rax; lea 1f(%%rip), %%rax; push %%rax; iretq\n"
			 "1:" ::
				 : "rax", "rcx", "memory");
}

/* After it the CPU takes NMIs, whatever it was in. */
static void test_from(const char *where)
{
	unsigned before;
	bool ended = restarts(take_nmis) && job_wait(last);

	before = nmis;
	smp_send(last, LAPIC_ICR_NMI);
	wait();
	check(ended && nmis == before + 1, "INIT takes a CPU from %s, and it begins anew", where);
}

static void test_states(void)
{
	job_start(last, halt);
	wait();
	test_from("HLT");
	job_start(last, halt_deaf);
	wait();
	test_from("HLT with interrupts off");
	deaf_in_nmi = true;
	smp_send(last, LAPIC_ICR_NMI);
	wait();
	test_from("the handler of an NMI");
	deaf_in_nmi = false;
	job_start(last, beat);
	smp_send(last, INIT | (uint32_t)COMMAND_ASSERT);
	wait();
	test_from("the wait for a start-up IPI");
}

static void test_ignored(void)
{
	unsigned runs = noted->runs, before;

	job_start(last, beat);
	smp_send(last, STARTUP | PROBE_PAGE);
	smp_send(last, INIT | (uint32_t)COMMAND_LEVEL);
	wait();
	before = beats;
	wait();
	check(beats > before && noted->runs == runs, "who runs ignores a start-up IPI, and INIT of level 0");
	smp_send(last, INIT | (uint32_t)COMMAND_ASSERT);
	wait();
	before = beats;
	runs = nmis;
	smp_send(last, LAPIC_ICR_NMI);
	wait();
	check(beats == before && nmis == runs, "who waits for a start-up IPI does not run, for no NMI either");
	check(restarts(take_nmis) && job_wait(last) && nmis == runs, "nor has it the NMI when it begins");
}

void test_starts(void)
{
	last = cpus - 1;
	memcpy((void *)PROBE, probe, (size_t)(probe_end - probe));
	noted->runs = 0;
	interrupt_handler(VECTOR_NMI, on_nmi);
	test_registers();
	test_states();
	test_ignored();
}
