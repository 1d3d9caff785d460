// SPDX-License-Identifier: MIT
/*
 * Operations on the CPU itself: registers of every kind, instructions that exit, and the flags and
 * shadows under which they do.
 */
#include "guest/fuzz/fuzz.h"
#include "guest/lib/cpu.h"
#include "guest/lib/lapic.h"

#define TIMER_VECTOR 0xf0
#define PAGE         4096UL
#define ROM          0xf0000UL /* and a page less than it has */
#define ROM_SIZE     0xf000UL

void fuzz_cpuid(void *nothing)
{
	(void)nothing;
	cpuid((uint32_t)(fuzz_below(2) ? fuzz_below(64) : fuzz_value()) | (fuzz_below(4) ? 0 : 0x80000000),
	      (uint32_t)fuzz_below(8));
}

static uint32_t some_msr(void)
{
	static const struct {
		uint32_t first, count;
	} ranges[] = {
		{0x0, 2},    {0x10, 1},   {0x17, 1},       {0x1b, 1},       {0x3a, 2},       {0x48, 3},  {0x79, 1},
		{0x8b, 1},   {0xc1, 8},   {0xe7, 2},       {0xfe, 1},       {0x10a, 2},      {0x122, 1}, {0x140, 1},
		{0x174, 3},  {0x179, 3},  {0x186, 8},      {0x1a0, 1},      {0x1d9, 1},      {0x1db, 2}, {0x200, 20},
		{0x250, 1},  {0x258, 2},  {0x268, 8},      {0x277, 1},      {0x2ff, 1},      {0x309, 3}, {0x38d, 3},
		{0x400, 32}, {0x480, 18}, {0x600, 1},      {0x6e0, 1},      {0x800, 64},     {0xc80, 1}, {0xd90, 1},
		{0xda0, 1},  {0x1b01, 1}, {0xc0000080, 5}, {0xc0000100, 4}, {0x40000000, 8},
	};
	unsigned n = (unsigned)fuzz_below(ARRAY_SIZE(ranges));

	if (!fuzz_below(16)) return (uint32_t)fuzz_value();
	return ranges[n].first + (uint32_t)fuzz_below(ranges[n].count);
}

void fuzz_msr(void *nothing)
{
	uint32_t msr = some_msr();

	(void)nothing;
	if (fuzz_below(3))
		wrmsr(msr, fuzz_below(2) ? rdmsr(msr) ^ 1UL << fuzz_below(64) : fuzz_value());
	else
		rdmsr(msr);
}

/* SMEP and SMAP forbid the pages this image lies in; PCIDs keep what CR3 should flush. */
#define CR4_LEFT (CR4_SMEP | CR4_SMAP)

void fuzz_control(void *nothing)
{
	uint64_t bit = 1UL << fuzz_below(fuzz_below(8) ? 32 : 64);

	(void)nothing;
	switch (fuzz_below(10)) {
	case 0:
	case 1:
	case 2: write_cr0(fuzz_below(4) ? read_cr0() ^ bit : fuzz_value() | CR0_PG | CR0_PE); break;
	case 3:
	case 4: write_cr4((read_cr4() ^ bit ^ (1UL << fuzz_below(24))) & ~CR4_LEFT); break;
	case 5: fuzz_write_cr8(fuzz_value() & (fuzz_below(8) ? 15 : ~0UL)); break;
	case 6: write_cr3(read_cr3() ^ (fuzz_below(2) ? bit & ~BITS(47, 12) : 0)); break;
	case 7: __asm__ volatile("clts"); break;
	case 8: __asm__ volatile("lmsw %w0" : : "r"(fuzz_value())); break;
	case 9: write_cr2(fuzz_value()); break;
	}
	fuzz_scratch[0]++; /* under what the registers say now */
}

static uint64_t some_breakpoint(void)
{
	switch (fuzz_below(3)) {
	case 0: return (uint64_t)fuzz_scratch + fuzz_below(64);
	case 1: return fuzz_below(0x10000); /* a port */
	default: return fuzz_value();
	}
}

void fuzz_debug(void *nothing)
{
	(void)nothing;
	switch (fuzz_below(4)) {
	case 0: __asm__ volatile("mov %0, %%db0" : : "r"(some_breakpoint())); break;
	case 1: __asm__ volatile("mov %0, %%db3" : : "r"(some_breakpoint())); break;
	case 2: __asm__ volatile("mov %0, %%db6" : : "r"(fuzz_value())); break;
	case 3: __asm__ volatile("mov %%db6, %0" : "=r"(nothing)); break;
	}
	fuzz_write_dr7(fuzz_below(8) ? fuzz_random() & BITS(31, 0) : fuzz_value());
	fuzz_scratch[fuzz_below(64)]++;
	if (fuzz_below(4) == 0)
		fuzz_port(NULL);
	else
		__asm__ volatile("rep movsb" : : "S"(fuzz_scratch), "D"(fuzz_scratch + 128), "c"(32L) : "memory");
}

void fuzz_xcr0(void *nothing)
{
	(void)nothing;
	if (fuzz_below(2)) write_cr4(read_cr4() | CR4_OSXSAVE);
	xsetbv((uint32_t)(fuzz_below(8) ? 0 : fuzz_value()), fuzz_below(2) ? 1 | fuzz_below(256) : fuzz_value());
}

void fuzz_vmcall(void *nothing)
{
	uint64_t rax = fuzz_below(8) ? 0x4c430000 + fuzz_below(6) : fuzz_value();
	uint64_t rbx = fuzz_below(2) ? fuzz_below(16) : fuzz_value();

	(void)nothing;
	__asm__ volatile("vmcall" : "+a"(rax), "+b"(rbx) : : "rcx", "rdx", "memory");
}

/* Each ends in RET; the registers that it may use are the ones that execute() loads. */
static const uint8_t instructions[][8] = {
	{0x0f, 0x08, 0xc3},                   /* INVD */
	{0x0f, 0x09, 0xc3},                   /* WBINVD */
	{0x0f, 0x01, 0x3e, 0xc3},             /* INVLPG [RSI] */
	{0x0f, 0x33, 0xc3},                   /* RDPMC */
	{0x0f, 0x01, 0xf9, 0xc3},             /* RDTSCP */
	{0x0f, 0x31, 0xc3},                   /* RDTSC */
	{0x0f, 0x01, 0xc8, 0xc3},             /* MONITOR */
	{0x0f, 0x01, 0xc9, 0xc3},             /* MWAIT */
	{0x0f, 0x01, 0xc2, 0xc3},             /* VMLAUNCH */
	{0x0f, 0x01, 0xc3, 0xc3},             /* VMRESUME */
	{0x0f, 0x01, 0xc4, 0xc3},             /* VMXOFF */
	{0xf3, 0x0f, 0xc7, 0x36, 0xc3},       /* VMXON [RSI] */
	{0x0f, 0xc7, 0x36, 0xc3},             /* VMPTRLD [RSI] */
	{0x0f, 0x78, 0xc1, 0xc3},             /* VMREAD */
	{0x66, 0x0f, 0x38, 0x80, 0x0e, 0xc3}, /* INVEPT */
	{0x66, 0x0f, 0x38, 0x81, 0x0e, 0xc3}, /* INVVPID */
	{0x66, 0x0f, 0x38, 0x82, 0x0e, 0xc3}, /* INVPCID */
	{0x0f, 0x01, 0xd4, 0xc3},             /* VMFUNC */
	{0x0f, 0x37, 0xc3},                   /* GETSEC */
	{0x0f, 0x01, 0xd0, 0xc3},             /* XGETBV */
	{0x0f, 0xae, 0x26, 0xc3},             /* XSAVE [RSI] */
	{0x0f, 0xc7, 0x2e, 0xc3},             /* XSAVES [RSI] */
	{0x0f, 0x01, 0xf8, 0xc3},             /* SWAPGS */
	{0x0f, 0xaa, 0xc3},                   /* RSM */
	{0x0f, 0x0b, 0xc3},                   /* UD2 */
	{0xcd, 0x50, 0xc3},                   /* INT 0x50 */
	{0xcd, 0x0d, 0xc3},                   /* INT 13: no error code */
	{0xf1, 0xc3},                         /* INT1 */
	{0xcc, 0xc3},                         /* INT3 */
	{0x0f, 0x00, 0xd9, 0xc3},             /* LTR CX */
	{0x0f, 0x00, 0xd1, 0xc3},             /* LLDT CX */
	{0x0f, 0x01, 0x06, 0xc3},             /* SGDT [RSI] */
	{0x8e, 0xe1, 0xc3},                   /* MOV FS, CX */
	{0x0f, 0xc7, 0xf0, 0xc3},             /* RDRAND EAX */
	{0xc7, 0xf8, 0, 0, 0, 0, 0xc3},       /* XBEGIN */
	{0xf3, 0x0f, 0xae, 0xd9, 0xc3},       /* WRGSBASE RCX */
	{0x9b, 0xdb, 0xe3, 0xc3},             /* FINIT */
	{0xdd, 0x36, 0xc3},                   /* FNSAVE [RSI] */
	{0x0f, 0xae, 0x06, 0xc3},             /* FXSAVE [RSI] */
	{0xdb, 0x3e, 0xc3},                   /* FSTP [RSI] */
	{0x0f, 0x01, 0x0e, 0xc3},             /* SIDT [RSI] */
	{0x0f, 0xae, 0x1e, 0xc3},             /* STMXCSR [RSI] */
	{0x0f, 0x77, 0xc3},                   /* EMMS */
	{0x0f, 0x58, 0xc0, 0xc3},             /* ADDPS */
	{0x0f, 0xc7, 0x0e, 0xc3},             /* CMPXCHG8B [RSI] */
	{0xf0, 0x48, 0x0f, 0xc7, 0x0e, 0xc3}, /* LOCK CMPXCHG16B [RSI] */
	{0xf0, 0xff, 0x46, 0x3d, 0xc3},       /* LOCK INC [RSI + 61]: across two lines */
};

void fuzz_instruction(void *nothing)
{
	void *code = (void *)instructions[fuzz_below(ARRAY_SIZE(instructions))];
	uint64_t rax = fuzz_below(2) ? fuzz_below(4) : fuzz_value();
	uint64_t rcx = fuzz_below(2) ? fuzz_below(64) : fuzz_value(), rdx = fuzz_value();
	uint64_t rsi = fuzz_below(4) ? (uint64_t)fuzz_scratch + PAGE : ROM + fuzz_below(ROM_SIZE);
	register void *at __asm__("r8") = code; /* after all calls */

	(void)nothing;
	__asm__ volatile("push %%rbx; call *%[at]; pop %%rbx"
			 : "+a"(rax), "+c"(rcx), "+d"(rdx), [at] "+r"(at)
			 : "S"(rsi)
			 : "memory", "r9", "r10", "r11");
}

/*
 * An instruction that exits, under TF, in the shadow of MOV SS or of STI, with interrupts on, or
 * with a breakpoint on the stack in the middle of it.
 */
static void do_something_that_exits(uint64_t what)
{
	switch (what) {
	case 0: cpuid(0, 0); break;
	case 1: inb(0x80); break;
	case 2: rdmsr(MSR_IA32_APIC_BASE); break;
	case 3: lapic_write(LAPIC_TPR, 0); break;
	case 4: wbinvd(); break;
	case 5: write_cr0(read_cr0()); break;
	case 6: lapic_write(LAPIC_ICR_LOW, LAPIC_ICR_SELF | (uint32_t)(0x50 + fuzz_below(8))); break;
	case 7: lapic_write(LAPIC_ICR_LOW, LAPIC_ICR_SELF | LAPIC_ICR_NMI); break;
	case 8: __asm__ volatile("fnsave (%0)" : : "r"(ROM + fuzz_below(ROM_SIZE)) : "memory"); break;
	}
}

void fuzz_flags(void *nothing)
{
	uint64_t flags = fuzz_random() & (RFLAGS_TF | RFLAGS_IF | RFLAGS_RF | RFLAGS_AC | RFLAGS_DF);
	uint64_t what = fuzz_below(9);

	(void)nothing;
	flags &= ~RFLAGS_DF;
	switch (fuzz_below(5)) {
	case 0:
		__asm__ volatile("push %0; popfq; mov %1, %%ss; cpuid"
				 :
				 : "r"(flags), "r"(0x10)
				 : "rax", "rbx", "rcx", "rdx", "memory");
		break;
	case 1:
		__asm__ volatile("push %0; popfq; sti; mov $0x80, %%dx; in %%dx, %%al; int $0x51"
				 :
				 : "r"(flags)
				 : "rax", "rdx", "memory");
		break;
	case 2: __asm__ volatile("push %0; popfq; mov %1, %%ss; int3" : : "r"(flags), "r"(0x10) : "memory"); break;
	case 3:
		__asm__ volatile("push %%rax; mov %0, %%db1; mov %1, %%db7; mov %2, %%ss; pop %%rax"
				 :
				 : "r"((uint64_t)__builtin_frame_address(0) - 64), "r"(0xf0000cUL), "r"(0x10)
				 : "rax", "memory");
		break;
	}
	__asm__ volatile("push %0; popfq" : : "r"(flags) : "memory", "cc");
	do_something_that_exits(what);
}

/* The timer wakes it: so that comes first, with nothing above it in service. */
void fuzz_halt(void *nothing)
{
	(void)nothing;
	fuzz_apic_as_found();
	lapic_write(LAPIC_SVR, LAPIC_SVR_ENABLE | 0xff);
	lapic_write(LAPIC_TPR, 0);
	for (unsigned i = 0; i < 32; i++) lapic_eoi();
	lapic_write(LAPIC_LVT_TIMER, TIMER_VECTOR);
	lapic_write(LAPIC_TIMER_DIVIDE, (uint32_t)fuzz_below(16));
	lapic_write(LAPIC_TIMER_INITIAL, 1 + (uint32_t)fuzz_below(200));
	__asm__ volatile("sti; hlt; cli" : : : "memory"); /* STI holds interrupts back until HLT (SDM 2B "STI") */
}
