/* SPDX-License-Identifier: MIT */
/*
 * GDT, TSS and IDT of the hypervisor, and the one function where all of its own exceptions end.
 */
#include "hv/machine/traps.h"

#include "hv/machine/apic.h"
#include "hv/machine/console.h"
#include "hv/machine/end.h"
#include "hv/machine/lock.h"
#include "hv/machine/cpu.h"
#include "lib/x86.h"

#define EXCEPTIONS             32
#define VECTORS                (APIC_VECTOR_SPURIOUS + 1) /* the PICs' and the APIC's end there */
#define STUB_SIZE              16
#define GATE_PRESENT_INTERRUPT 0x8e

struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error_code;
	uint64_t rip, cs, rflags, rsp, ss;
};

struct gate {
	uint16_t offset_low;
	uint16_t selector;
	uint8_t ist;
	uint8_t type;
	uint16_t offset_middle;
	uint32_t offset_high;
	uint32_t reserved;
};

_Static_assert(sizeof(struct gate) == 16, "SDM 3A 6.14.1");
_Static_assert(sizeof(struct trap_frame) == 22 * 8, "boot/interrupts.asm");

extern uint8_t trap_stubs[], interrupt_stub[], halt_begin[], halt_end[];
/* hv/vmx/enter.asm */
extern uint8_t launch_begin[], launch_end[], launch_not[], resume_begin[], resume_end[], resume_not[];
extern uint8_t native_begin[], native_end[];
void trap(struct trap_frame *frame);

static struct gate idt[VECTORS];

static const char *const vector_name[EXCEPTIONS] = {
	"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "9",   "#TS",
	"#NP", "#SS", "#GP", "#PF", "15",  "#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
};

static void dump_stack(const struct trap_frame *frame)
{
	const struct cpu *cpu = this_cpu();
	uint64_t from = frame->rsp & ~7ULL;

	if (from < cpu->stack_bottom || from >= cpu->stack_top) {
		print("  the stack pointer is not on the CPU's stack");
		return;
	}
	for (unsigned line = 0; line < 4 && from + 32 <= cpu->stack_top; line++) {
		const uint64_t *w = (const uint64_t *)from;

		print("  [%016lx] %016lx %016lx %016lx %016lx", from, w[0], w[1], w[2], w[3]);
		from += 32;
	}
}

/*
 * An NMI in the hypervisor. Between the last look at what is asked and the VM entry or HLT it would
 * be lost: it goes on where those leave instead. There RSP is what counts, and it is the same.
 */
static void take_nmi(struct trap_frame *f)
{
	static const struct {
		const uint8_t *begin, *end, *instead;
	} windows[] = {{launch_begin, launch_end, launch_not},
		       {resume_begin, resume_end, resume_not},
		       {halt_begin, halt_end, halt_end}};

	cpu_answer();
	for (unsigned i = 0; i < ARRAY_SIZE(windows); i++)
		if (f->rip >= (uintptr_t)windows[i].begin && f->rip < (uintptr_t)windows[i].end)
			f->rip = (uintptr_t)windows[i].instead;
}

/* What an instruction may raise that fpu_run() runs for a guest: it is the guest's. */
static bool is_guests(const struct trap_frame *f)
{
	const uint64_t raised = BIT(VECTOR_UD) | BIT(VECTOR_GP) | BIT(VECTOR_MF) | BIT(VECTOR_XM);

	return f->rip >= (uintptr_t)native_begin && f->rip < (uintptr_t)native_end && raised >> f->vector & 1;
}

void trap(struct trap_frame *f)
{
	const char *name = f->vector < EXCEPTIONS ? vector_name[f->vector] : NULL;

	if (f->vector == VECTOR_NMI) {
		take_nmi(f);
		return;
	}
	if (is_guests(f)) {
		f->rip = (uintptr_t)native_end;
		f->rcx = f->vector;
		return;
	}
	cpus_stop();
	print("exception %s (vector %lu) error 0x%lx in the hypervisor", name ? name : "?", f->vector, f->error_code);
	print("  rip %016lx rflags %016lx rsp %016lx cr2 %016lx", f->rip, f->rflags, f->rsp, read_cr2());
	print("  rax %016lx rcx %016lx rdx %016lx rbx %016lx", f->rax, f->rcx, f->rdx, f->rbx);
	print("  rbp %016lx rsi %016lx rdi %016lx cr3 %016lx", f->rbp, f->rsi, f->rdi, read_cr3());
	print("  r8  %016lx r9  %016lx r10 %016lx r11 %016lx", f->r8, f->r9, f->r10, f->r11);
	print("  r12 %016lx r13 %016lx r14 %016lx r15 %016lx", f->r12, f->r13, f->r14, f->r15);
	dump_stack(f);
	machine_end(STATUS_HYPERVISOR_FAILED);
}

static void set_gate(unsigned vector)
{
	uint8_t ist = vector == VECTOR_NMI ? IST_NMI : IST_EXCEPTION;
	uint64_t stub = vector < EXCEPTIONS ? (uintptr_t)trap_stubs + vector * STUB_SIZE : (uintptr_t)interrupt_stub;

	idt[vector] = (struct gate){
		.offset_low = (uint16_t)stub,
		.selector = SELECTOR_CODE,
		.ist = vector < EXCEPTIONS ? ist : 0, /* an interrupt's is the stack at hand */
		.type = GATE_PRESENT_INTERRUPT,
		.offset_middle = (uint16_t)(stub >> 16),
		.offset_high = (uint32_t)(stub >> 32),
	};
}

void traps_load(void)
{
	struct descriptor_pointer idt_pointer = {sizeof(idt) - 1, (uintptr_t)idt};

	lidt(&idt_pointer);
}

void traps_init(void)
{
	for (unsigned vector = 0; vector < VECTORS; vector++) set_gate(vector);
	traps_load();
}

uint64_t traps_idt_base(void) { return (uintptr_t)idt; }
