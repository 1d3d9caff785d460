/* SPDX-License-Identifier: MIT */
/*
 * A CPU of the host: what each has of its own. GS points to the one that runs, so this_cpu() is
 * one load. What belongs to all CPUs (memory, console, the IDT) is not here.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Selectors of the GDT, also the VMCS host-state area's. */
enum { SELECTOR_CODE = 0x08, SELECTOR_DATA = 0x10, SELECTOR_TSS = 0x18 };
#define CPU_GDT_ENTRIES 5 /* null, code, data, TSS (two) */
/* Entries of the IST: an NMI may come while an exception is told, and takes a stack from its top. */
enum { IST_EXCEPTION = 1, IST_NMI };

/* The 64-bit TSS (SDM 3A 8.7): here only the stacks of exceptions matter. */
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7]; /* IST1 is [0] */
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map_base;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "SDM 3A 8.7");

struct vcpu;

/* How far a CPU came at start. */
enum cpu_start { CPU_CALLED, CPU_STARTED, CPU_LEFT_OUT };

#define CPUS_MAX 16

struct cpu {
	struct cpu *self;      /* first: this_cpu() reads it at GS:0 */
	struct vcpu *vcpu;     /* whose VMCS is current and whose state is loaded, or NULL */
	uint32_t index;        /* 0 is the one that booted */
	uint32_t slice;        /* exits left before the scheduler looks up, +1; hv/vmx/enter.asm counts; 1: look now */
	uint32_t rounds;       /* of run_turn() that it has ended */
	uint32_t idle;         /* halted, or about to: see cpu_begin_idle() */
	uint64_t answered;     /* how much was asked when it took its last NMI: see cpus_ask() */
	uint32_t start;        /* enum cpu_start */
	uint32_t apic_id;      /* of its local APIC */
	unsigned locks_held;   /* bit n: a lock of rank n; kept in checked builds */
	uint64_t vmxon;        /* address of its VMXON region */
	uint64_t stack_bottom; /* first byte of its stack, above the guard page */
	uint64_t stack_top;
	bool is_settled; /* it has come, or was given up: who first set this decides */
	uint64_t gdt[CPU_GDT_ENTRIES];
	struct tss tss;
};

/* Those that run, the one that booted first. */
extern struct cpu *cpus[CPUS_MAX];
extern unsigned cpu_count;
extern bool cpus_are_all; /* the machine has no other, so what goes to all but self goes to these */

static inline struct cpu *this_cpu(void)
{
	struct cpu *cpu;

	__asm__("mov %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

/* The boot CPU gets its struct cpu, GDT, TSS and GS. Before this, this_cpu() must not be called. */
void cpu_init_boot(void);
/* The same for another CPU, on that CPU, after cpu_set_stacks(). */
void cpu_load(struct cpu *cpu);

/* Its stacks are the number-th of those in the image, each so far from the next. */
void cpu_set_stacks(struct cpu *cpu, unsigned number);
uint64_t cpu_stack_distance(void);

/*
 * Before a CPU halts it stores that, and only then (a full barrier) looks at what is asked of it; who asks stores the
 * request, and only then looks here. So one of the two sees the other, and an NMI is needed only where this is set.
 * The same holds before it enters a guest, which vm->in_guest tells.
 */
static inline void cpu_begin_idle(void) { __atomic_exchange_n(&this_cpu()->idle, true, __ATOMIC_SEQ_CST); }
static inline void cpu_end_idle(void) { __atomic_store_n(&this_cpu()->idle, false, __ATOMIC_RELEASE); }

/*
 * Make 'cpu' look up by an NMI: it leaves its guest or its halt. If it is in the hypervisor, it
 * looks before it enters a guest or halts. May be called on any CPU, also for itself.
 */
void cpu_kick(const struct cpu *cpu);
/* The same of those whose indices are bits of 'which', but not of this CPU. By one IPI where these are all others. */
#define CPUS_ALL (~0U)
void cpus_kick(uint32_t which);
/* Wake 'cpu' if it halts. What it is to see has to be stored before the call. */
void cpu_wake(const struct cpu *cpu);

/*
 * A number for what the caller has asked, which is stored by now, and will kick for (a full barrier). A CPU has
 * answered it once it took an NMI after this.
 */
extern uint64_t cpus_asked; /* the last one */
static inline uint64_t cpus_ask(void) { return __atomic_add_fetch(&cpus_asked, 1, __ATOMIC_SEQ_CST); }
static inline bool cpu_has_answered(const struct cpu *cpu, uint64_t number)
{
	return __atomic_load_n(&cpu->answered, __ATOMIC_ACQUIRE) >= number;
}

/* Wait until all of 'which' but this CPU have answered. */
void cpus_wait(uint32_t which, uint64_t number);

/*
 * An NMI came, in the guest or here: what is asked of this CPU at once is done (write its caches back, stop for good),
 * and those who wait see that, and that it is not in a guest. Called for every NMI.
 */
void cpu_answer(void);

/* WBINVD on this CPU and on each whose index is a bit of 'which'; returns when all have done it (SDM 2D "WBINVD"). */
void cpus_write_back(uint32_t which);

/* Halt until an interrupt or NMI comes; at once back if cpu->slice is 1. boot/interrupts.asm */
void cpu_halt(void);

/* Stop all other CPUs for good: they may hold locks, so none counts any more. */
void cpus_stop(void);

/* A condition that holds unless the hypervisor has a defect: checked where it was built to be. */
#ifdef CHECKED
#define checked(condition)                                                                                             \
	do {                                                                                                           \
		if (!(condition)) cpu_check_failed(__func__, #condition);                                              \
	} while (0)
#else
#define checked(condition) ((void)0)
#endif
_Noreturn void cpu_check_failed(const char *function, const char *condition);
