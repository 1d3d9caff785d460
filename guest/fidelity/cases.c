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

static void on_interrupt(void)
{
	note(VECTOR_TEST);
	lapic_write(LAPIC_EOI, 0);
}

/* The second NMI waits for the first one's IRET; an interrupt does not. */
static void on_nmi(void)
{
	note(VECTOR_NMI);
	if (!nested_nmi) return;
	nested_nmi = false;
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
		write_dr6(DR6_RESET);                                                                                  \
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
				 : "r11", "memory", "cc");                                                             \
		show(name);                                                                                            \
	} while (0)

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

static void order(void)
{
	RUN("TF and IF, an interrupt to itself", RFLAGS_TF | RFLAGS_IF, "movl %%eax, (%%rdi)",
	    LAPIC_ICR_SELF | VECTOR_TEST, ICR_ADDRESS);
	RUN("TF, an NMI to itself", RFLAGS_TF, "movl %%eax, (%%rdi)", LAPIC_ICR_NMI, ICR_ADDRESS);
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
	lapic_write(LAPIC_SVR, LAPIC_SVR_ENABLE | 0xff);
	lapic_write(LAPIC_ICR_HIGH, 0);
	outb(0x21, 0xff); /* the 8259s are not asked */
	outb(0xa1, 0xff);
	faults();
	single_steps();
	single_steps_at_first_touches();
	breakpoints();
	order();
}
