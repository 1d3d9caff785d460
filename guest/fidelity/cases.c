// SPDX-License-Identifier: MIT
/*
 * What instructions that exit, and events around them, do beside their result: the flags that a
 * fault pushes, single steps, breakpoints, the order of events. The devices are those that every PC
 * has: the local APIC, ports.
 */
#include "guest/fidelity/fidelity.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/lapic.h"
#include "guest/lib/paging.h"
#include "guest/lib/start.h"
#include "lib/string.h"

#define DR6_RESET   0xffff0ff0UL
#define DR6_MARKS   0xe00fUL
#define DR7_RESET   0x400UL
#define POST_PORT   0x80
#define VECTOR_TEST 0x50
#define EVENTS      24
#define TPR_ADDRESS (LAPIC_BASE + 16 * LAPIC_TPR)
#define ICR_ADDRESS (LAPIC_BASE + 16 * LAPIC_ICR_LOW)
#define FRESH(n)    ((n)*0x200000UL) /* where nobody was before, from 4 to 7: its leaf is not there */
#define VIDEO       0xa0000UL        /* no RAM, in a guest of ours */
#define ROM         0xfd000UL
#define BAD_PAT     0x0202020202020202UL

/* What came, in order: RIP counted from 'start', a label in front of the instructions. */
static struct event {
	uint64_t vector, rip, rflags, dr6, rcx;
} events[EVENTS];
static unsigned count;
static uint64_t start, end;
static bool nested_nmi;
static uint64_t old_marks; /* in DR6 before a case */

static void set_breakpoint(uint64_t address, uint64_t what_and_size)
{
	__asm__ volatile("mov %0, %%db0" : : "r"(address));
	__asm__ volatile("mov %0, %%db7" : : "r"(DR7_RESET | 1 | what_and_size << 16));
}

static void no_breakpoint(void) { __asm__ volatile("mov %0, %%db7" : : "r"(DR7_RESET)); }

static void note(uint64_t vector)
{
	struct event *e = &events[count];

	if (count == EVENTS) return;
	if (vector == VECTOR_DB && interrupted->rip - end - 1 < 64) { /* the case is over */
		interrupted->rflags &= ~RFLAGS_TF;
		write_dr6(DR6_RESET);
		return;
	}
	count++;
	*e = (struct event){vector, interrupted->rip - start, interrupted->rflags, read_dr6() & DR6_MARKS,
			    interrupted->rcx};
	write_dr6(DR6_RESET);
	if (count == EVENTS) /* no storm */
		interrupted->rflags &= ~RFLAGS_TF;
}

static void on_debug(void) { note(VECTOR_DB); }

/* A fault ends its case. */
static void on_fault(void)
{
	note(interrupted->vector);
	interrupted->rip = end;
	interrupted->rflags &= ~RFLAGS_TF;
}

static void on_interrupt(void)
{
	note(VECTOR_TEST);
	lapic_write(LAPIC_EOI, 0);
}

/* The second NMI waits for the first one's IRET, also behind a write to ROM; an interrupt does not. */
static void on_nmi(void)
{
	uint64_t rom;

	note(VECTOR_NMI);
	if (!nested_nmi) return;
	nested_nmi = false;
	rom = mmio_read64(ROM);
	__asm__ volatile("fnsave (%0)" : : "r"(ROM) : "memory");
	if (mmio_read64(ROM) != rom) events[count++] = (struct event){.vector = 0x101}; /* it was written */
	lapic_write(LAPIC_ICR_LOW, LAPIC_ICR_NMI);
	lapic_write(LAPIC_ICR_LOW, LAPIC_ICR_SELF | VECTOR_TEST);
	interrupts_on();
	__asm__ volatile("nop; nop");
	interrupts_off();
	events[count++] = (struct event){.vector = 0x100};
}

static const char *place(uint64_t rip)
{
	return rip == 0 ? "before" : rip == end - start ? "behind" : rip < end - start ? "within" : "in a handler";
}

static void show(const char *name)
{
	printf("%s:", name);
	for (unsigned i = 0; i < count; i++) {
		const struct event *e = &events[i];

		if (e->vector == 0x100)
			printf(" [end of the NMI's handler]");
		else
			printf(" [%lu %s%s%s dr6 0x%lx rcx %lu]", e->vector, place(e->rip),
			       e->rflags & RFLAGS_RF ? " RF" : "", e->rflags & RFLAGS_TF ? " TF" : "", e->dr6, e->rcx);
	}
	printf("\n");
	count = 0;
}

/*
 * 'code' between two labels with these flags on, RAX and RDI as given, RDX the port, RSI at some
 * bytes, RCX 0; then what came is shown.
 */
#define RUN(name, flags, code, rax, rdi)                                                                               \
	do {                                                                                                           \
		uint64_t a = (rax), b, c = 0, d = POST_PORT, di = (rdi), si = (uint64_t)&start;                        \
                                                                                                                       \
		count = 0;                                                                                             \
		write_dr6(DR6_RESET | old_marks);                                                                      \
		__asm__ volatile("lea 1f(%%rip), %%r11\n\t"                                                            \
				 "mov %%r11, %[start]\n\t"                                                             \
				 "lea 2f(%%rip), %%r11\n\t"                                                            \
				 "mov %%r11, %[end]\n\t"                                                               \
				 "pushfq\n\t"                                                                          \
				 "orq %[on], (%%rsp)\n\t"                                                              \
				 "popfq\n\t"                                                                           \
				 "1: " code "\n\t"                                                                     \
				 "2: nop; nop; cli\n\t"                                                                \
				 : [start] "=m"(start), [end] "=m"(end), "+a"(a), "=b"(b), "+c"(c), "+d"(d), "+D"(di), \
				   "+S"(si)                                                                            \
				 : [on] "i"(flags)                                                                     \
				 : "r10", "r11", "memory", "cc");                                                      \
		show(name);                                                                                            \
	} while (0)

#define SHADOW    "mov %%ss, %%r11d; mov %%r11d, %%ss;"
#define CHANGE_CD "mov %%cr0, %%rax; btc $30, %%rax; mov %%rax, %%cr0;"
static uint8_t port_bytes[8];

static void single_steps(void)
{
	RUN("TF over a write to the local APIC", RFLAGS_TF, "movl $0, (%%rdi)", 0, TPR_ADDRESS);
	RUN("TF over a read of it", RFLAGS_TF, "movl (%%rdi), %%eax", 0, TPR_ADDRESS);
	RUN("TF over CPUID", RFLAGS_TF, "cpuid; xor %%ecx, %%ecx", 0, 0);
	RUN("TF over OUT", RFLAGS_TF, "outb %%al, $0x80", 0, 0);
	RUN("TF over IN", RFLAGS_TF, "inb $0x71, %%al", 0, 0);
	RUN("TF over WBINVD", RFLAGS_TF, "wbinvd", 0, 0);
	RUN("TF over REP OUTSB", RFLAGS_TF, "mov $3, %%ecx; rep outsb", 0, 0);
	RUN("TF over FNSAVE to ROM", RFLAGS_TF, "fnsave (%%rdi)", 0, ROM);
	RUN("TF over it behind MOV SS", RFLAGS_TF, "mov %%ss, %%eax; mov %%eax, %%ss; fnsave (%%rdi)", 0, ROM);
	RUN("TF over REP STOSD to the local APIC", RFLAGS_TF, "mov $1, %%ecx; rep stosl", 0, TPR_ADDRESS);
	RUN("TF over REP OUTSB of none", RFLAGS_TF, "rep outsb", 0, 0);
	RUN("TF over REP INSB", RFLAGS_TF, "mov $3, %%ecx; rep insb", 0, (uint64_t)port_bytes);
	RUN("TF over REP CMPSB of video memory", RFLAGS_TF, "mov $3, %%ecx; mov %%rdi, %%rsi; repe cmpsb", 0, VIDEO);
	RUN("TF over REP LODSB of it", RFLAGS_TF, "mov $2, %%ecx; mov %%rdi, %%rsi; rep lodsb", 0, VIDEO);
	RUN("TF over LOCK CMPXCHG16B", RFLAGS_TF, "lock cmpxchg16b (%%rdi); xor %%ecx, %%ecx", 0, VIDEO);
	RUN("TF over PUSH and POP", RFLAGS_TF, "push (%%rdi); pop (%%rdi)", 0, VIDEO);
	RUN("TF over RDMSR and WRMSR", RFLAGS_TF, "mov $0x1b, %%ecx; rdmsr; wrmsr; xor %%ecx, %%ecx", 0, 0);
	RUN("TF over MOV to and from CR8", RFLAGS_TF, "mov %%cr8, %%rax; mov %%rax, %%cr8", 0, 0);
	RUN("TF over a change of CD", RFLAGS_TF, CHANGE_CD CHANGE_CD "nop", 0, 0);
	RUN("TF over XSETBV", RFLAGS_TF, "xgetbv; xsetbv", 0, 0);
	RUN("TF over INT", RFLAGS_TF, "int $0x51; nop", 0, 0);
	RUN("TF behind MOV SS, CPUID", RFLAGS_TF, SHADOW "cpuid; xor %%ecx, %%ecx", 0, 0);
	RUN("TF behind MOV SS, REP OUTSB", RFLAGS_TF, "mov $2, %%ecx;" SHADOW "rep outsb", 0, 0);
	RUN("TF behind MOV SS, the local APIC", RFLAGS_TF, SHADOW "movl $0, (%%rdi)", 0, TPR_ADDRESS);
	RUN("TF by POPF", 0, "pushfq; orl $0x100, (%%rsp); popfq; outb %%al, $0x80; outb %%al, $0x80", 0, 0);
	RUN("TF off by POPF", RFLAGS_TF, "pushfq; andl $~0x100, (%%rsp); popfq; outb %%al, $0x80", 0, 0);
}

/* The instruction comes twice where its page has no leaf yet. */
static void single_steps_at_first_touches(void)
{
	RUN("TF over a first touch", RFLAGS_TF, "movb $1, (%%rdi)", 0, FRESH(4));
	RUN("TF over one behind MOV SS", RFLAGS_TF, "mov %%ss, %%eax; mov %%eax, %%ss; movb $1, (%%rdi)", 0, FRESH(5));
	RUN("TF over one behind STI", RFLAGS_TF, "sti; movb $1, (%%rdi); cli", 0, FRESH(6));
	RUN("TF from IRET over one", 0,
	    "mov %%ss, %%eax; mov %%rsp, %%rbx; push %%rax; push %%rbx; pushfq; orq $0x100, (%%rsp); mov %%cs, "
	    "%%eax\n\t"
	    "push %%rax; lea 3f(%%rip), %%r11; push %%r11; iretq; 3: movb $1, (%%rdi)",
	    0, FRESH(7));
}

static void breakpoints(void)
{
	write_cr4(read_cr4() | CR4_DE);
	set_breakpoint(POST_PORT, 2);
	RUN("a breakpoint on a port, OUT", 0, "outb %%al, $0x80", 0, 0);
	RUN("IN", 0, "inb $0x80, %%al", 0, 0);
	RUN("OUT to the port before it", 0, "outb %%al, $0x7f", 0, 0);
	RUN("OUT with TF", RFLAGS_TF, "outb %%al, $0x80", 0, 0);
	RUN("OUTSB", 0, "outsb", 0, 0);
	RUN("OUT behind MOV SS", 0, SHADOW "outb %%al, $0x80; nop", 0, 0);
	RUN("REP INSB with TF", RFLAGS_TF, "mov $2, %%ecx; rep insb", 0, (uint64_t)port_bytes);
	for (unsigned size = 0; size < 4; size++) {
		set_breakpoint(POST_PORT + 2, 2 | size << 2);
		RUN("a wider one, OUTB", 0, "outb %%al, $0x83", 0, 0);
		RUN("OUTW that begins before it", 0, "outw %%ax, $0x81", 0, 0);
		RUN("OUTD", 0, "outl %%eax, $0x7f", 0, 0);
		set_breakpoint(VIDEO + 8, 3 | size << 2);
		RUN("one on video memory, a read of its last byte", 0, "movb 15(%%rdi), %%al", 0, VIDEO);
		RUN("LOCK XADD across its begin", 0, "lock xaddl %%eax, 5(%%rdi)", 0, VIDEO);
		RUN("POP into it", 0, "push %%rax; pop 8(%%rdi)", 0, VIDEO);
		RUN("MOVUPS over it", 0, "movups %%xmm0, (%%rdi)", 0, VIDEO);
		RUN("BT of a bit in it", 0, "bt %%rax, (%%rdi)", 65, VIDEO);
		RUN("REP MOVSB from and into it", 0, "mov $12, %%ecx; mov %%rdi, %%rsi; inc %%edi; rep movsb", 0,
		    VIDEO);
		RUN("behind MOV SS", 0, SHADOW "movl %%eax, 8(%%rdi); nop", 0, VIDEO);
	}
	write_cr4(read_cr4() & ~CR4_DE);
	set_breakpoint(TPR_ADDRESS, 3 | 3 << 2);
	RUN("a breakpoint on the TPR, read or write: a write", 0, "movl $0, (%%rdi)", 0, TPR_ADDRESS);
	RUN("a read", 0, "movl (%%rdi), %%eax", 0, TPR_ADDRESS);
	RUN("a read beside it", 0, "movl 16(%%rdi), %%eax", 0, TPR_ADDRESS);
	set_breakpoint(TPR_ADDRESS, 1 | 3 << 2);
	RUN("a breakpoint on writes of it: a write", 0, "movl $0, (%%rdi)", 0, TPR_ADDRESS);
	RUN("a read", 0, "movl (%%rdi), %%eax", 0, TPR_ADDRESS);
	set_breakpoint(VIDEO + 8, 1 | 3 << 2);
	RUN("a breakpoint on what REP STOSD writes third", 0, "mov $4, %%ecx; rep stosl", 0, VIDEO);
	set_breakpoint(ROM + 16, 1 | 3 << 2);
	RUN("a breakpoint on what FNSAVE writes to ROM", 0, "fnsave (%%rdi)", 0, ROM);
	RUN("... and with TF", RFLAGS_TF, "fnsave (%%rdi)", 0, ROM);
	no_breakpoint();
}

#define GATE_PRESENT BIT(47)
#define SET_GD       "mov $0x2400, %%eax; mov %%rax, %%db7;"
static struct {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed)) idt;

/* What #DB leaves of old marks in DR6, and what is none of its business: INT1. */
static void debug_exceptions(void)
{
	uint64_t *gate;

	for (old_marks = 0; old_marks <= 0x600f; old_marks += 0x600f) {
		RUN("TF", RFLAGS_TF, "nop; outb %%al, $0x80", 0, 0);
		RUN("INT1", 0, ".byte 0xf1; nop", 0, 0);
		RUN("INT1 with TF", RFLAGS_TF, ".byte 0xf1; nop", 0, 0);
		RUN("INT1 with DR7.GD", 0, SET_GD ".byte 0xf1; nop", 0, 0);
		RUN("INT 1 with TF", RFLAGS_TF, "int $1; nop", 0, 0);
		RUN("MOV from DR0 with DR7.GD", 0, SET_GD "mov %%db0, %%rax; nop", 0, 0);
		RUN("MOV to DR7 with it and TF", RFLAGS_TF, SET_GD "mov %%rax, %%db7; nop", 0, 0);
		set_breakpoint(VIDEO + 8, 3 | 3 << 2);
		RUN("a breakpoint, TF", RFLAGS_TF, "movl %%eax, 8(%%rdi); nop", 0, VIDEO);
		no_breakpoint();
	}
	old_marks = 0;
	interrupt_handler(VECTOR_NP, on_fault);
	__asm__ volatile("sidt %0" : "=m"(idt));
	gate = (uint64_t *)(idt.base + 16UL * VECTOR_DB);
	*gate &= ~GATE_PRESENT;
	RUN("INT1, whose gate is not present", 0, ".byte 0xf1; nop", 0, 0);
	RUN("TF, whose gate is not present", 0, "pushfq; orb $1, 1(%%rsp); popfq; outb %%al, $0x80; nop", 0, 0);
	*gate |= GATE_PRESENT;
	interrupt_handler(VECTOR_NP, NULL);
}

static void show_fault(const char *name, int vector)
{
	const struct exception *e = &last_exception;

	if (vector < 0) {
		printf("%s: no fault\n", name);
		return;
	}
	printf("%s: vector %d error 0x%lx%s rcx %lu", name, vector, e->error, e->rflags & RFLAGS_RF ? " RF" : "",
	       e->rcx);
	if (vector == VECTOR_PF) printf(" cr2 0x%lx", last_cr2);
	printf("\n");
}

/* MOVSD from the local APIC to a page that may not be written. */
static void move_to_read_only(void *page)
{
	__asm__ volatile("movsl" : : "S"(TPR_ADDRESS), "D"(page), "c"(7) : "memory");
}

static void read_into_read_only(void *page)
{
	__asm__ volatile("rep insb" : : "d"(0x71), "D"(page), "c"(2) : "memory");
}

static void move_to_cr0(void *value) { __asm__ volatile("mov %0, %%cr0" : : "r"(value), "c"(0) : "memory"); }

static void set_xcr0(void *value) { __asm__ volatile("xsetbv" : : "a"(value), "d"(0), "c"(0)); }

static void faults(void)
{
	void *page = page_alloc();
	uint64_t value;

	show_fault("WRMSR of a bad PAT", try_wrmsr(MSR_IA32_PAT, BAD_PAT));
	show_fault("RDMSR of none", try_rdmsr(0x12345, &value));
	show_fault("NW without CD", try_call(move_to_cr0, (void *)((read_cr0() & ~CR0_CD) | CR0_NW)));
	write_cr4(read_cr4() | CR4_OSXSAVE);
	show_fault("XCR0 without x87", try_call(set_xcr0, (void *)2));
	page_set_writable((uint64_t)page, false);
	show_fault("MOVSD from the local APIC to a page for reading", try_call(move_to_read_only, page));
	show_fault("REP INSB into it", try_call(read_into_read_only, page));
	page_set_writable((uint64_t)page, true);
}

/* A null selector clears the base of FS and GS, also one that is read from a device. */
static void null_selectors(void)
{
	wrmsr(MSR_IA32_FS_BASE, 0x123456789);
	wrmsr(MSR_IA32_GS_BASE, 0x123456789);
	__asm__ volatile("movw (%0), %%fs; movw (%0), %%gs" : : "r"(ICR_ADDRESS + 16));
	printf("null selectors from the local APIC: FS base 0x%lx, GS base 0x%lx\n", rdmsr(MSR_IA32_FS_BASE),
	       rdmsr(MSR_IA32_GS_BASE));
}

static void order(void)
{
	RUN("TF and IF, an interrupt to itself", RFLAGS_TF | RFLAGS_IF, "movl %%eax, (%%rdi)",
	    LAPIC_ICR_SELF | VECTOR_TEST, ICR_ADDRESS);
	RUN("TF, an NMI to itself", RFLAGS_TF, "movl %%eax, (%%rdi)", LAPIC_ICR_NMI, ICR_ADDRESS);
	RUN("an interrupt to itself, STI and CLI", 0, "movl %%eax, (%%rdi); sti; cli; nop; sti; nop; nop",
	    LAPIC_ICR_SELF | VECTOR_TEST, ICR_ADDRESS);
	RUN("TF, an interrupt to itself, STI, CPUID", RFLAGS_TF,
	    "movl %%eax, (%%rdi); xor %%eax, %%eax; sti; cpuid; xor %%ecx, %%ecx", LAPIC_ICR_SELF | VECTOR_TEST,
	    ICR_ADDRESS);
	RUN("an NMI to itself behind MOV SS", 0, SHADOW "movl %%eax, (%%rdi); nop", LAPIC_ICR_NMI, ICR_ADDRESS);
	RUN("IF, the task priority lowered behind MOV SS", RFLAGS_IF,
	    "mov $15, %%r10d; mov %%r10, %%cr8; movl %%eax, (%%rdi); xor %%r10d, %%r10d;" SHADOW
	    "mov %%r10, %%cr8; nop; nop",
	    LAPIC_ICR_SELF | VECTOR_TEST, ICR_ADDRESS);
	nested_nmi = true;
	RUN("an NMI, and in it an NMI and an interrupt", 0, "movl %%eax, (%%rdi)", LAPIC_ICR_NMI, ICR_ADDRESS);
}

/* Apart: Bochs sleeps on, and for ever (SDM 3B 18.3.1.4: the trap comes when HLT is done). */
void fidelity_hlt(void)
{
	interrupt_handler(VECTOR_DB, on_debug);
	RUN("HLT with TF", RFLAGS_TF, "hlt; xor %%ecx, %%ecx", 0, 0);
}

void fidelity_cases(void)
{
	interrupt_handler(VECTOR_DB, on_debug);
	interrupt_handler(VECTOR_NMI, on_nmi);
	interrupt_handler(VECTOR_TEST, on_interrupt);
	interrupt_handler(VECTOR_TEST + 1, on_debug);
	write_cr0(read_cr0() & ~(CR0_CD | CR0_NW));
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE);
	lapic_write(LAPIC_SVR, LAPIC_SVR_ENABLE | 0xff);
	lapic_write(LAPIC_ICR_HIGH, 0);
	outb(0x21, 0xff); /* the 8259s are not asked */
	outb(0xa1, 0xff);
	faults();
	null_selectors();
	single_steps();
	single_steps_at_first_touches();
	breakpoints();
	debug_exceptions();
	order();
}
