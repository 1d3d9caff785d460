/* SPDX-License-Identifier: MIT */
/*
 * A virtual CPU: its state, its creation, and what exit handlers do to it. A function that acts on
 * the current VMCS takes the vCPU it belongs to, and checked builds see that it is current.
 */
#pragma once

#include "ept/mtrr.h"
#include "hv/dev/lapic.h"
#include "hv/emulate/guest_walk.h"
#include "hv/emulate/insn.h"
#include "hv/load/load.h"
#include "hv/machine/cpu.h"
#include "hv/vmcs/vmcs.h"
#include "hv/vmx/vmx.h"
#include "lib/asm.h"
#include "lib/x86.h"

struct vm;

/* What a vCPU does while its VM runs. */
enum vcpu_activity {
	VCPU_ACTIVE,
	VCPU_HALTED,  /* by HLT: sleeps until interrupts_pending() */
	VCPU_STOPPED, /* by HLT with interrupts off: only an NMI or INIT wakes it */
	VCPU_WAITS,   /* for a start-up IPI */
};

/*
 * Requests of other CPUs to a vCPU. They set bits, and its own CPU takes them (hv/vm/ipi.c). So its
 * local APIC is changed only by its own CPU (or the one it is lent to); others read it, to learn for
 * whom an interrupt is.
 */
struct vcpu_mail {
	uint32_t flags; /* MAIL_...: set last, looked at first */
	uint8_t startup_page;
	uint32_t fixed[2][8]; /* fixed interrupts, a bit per vector: edges, levels */
};
enum { MAIL_FIXED = 1, MAIL_NMI = 2, MAIL_INIT = 4, MAIL_STARTUP = 8 };

struct vcpu {
	/*
	 * First, and in this order: hv/vmx/enter.asm pushes the registers here on an exit. The slot
	 * of RSP is unused: the VMCS holds that.
	 */
	uint64_t gpr[16];
	uint64_t host_rsp; /* hv/vmx/enter.asm's own stack while the guest runs */

	struct vm *vm;
	unsigned id;         /* in the VM, from 0; also its initial APIC id */
	uint64_t vmcs;       /* physical address of the VMCS region */
	uint64_t msr_bitmap; /* and of its MSR bitmap */
	uint16_t vpid;       /* unique, not 0 */
	bool launched;
	bool halted_in_nmi;       /* halted while NMIs are blocked: they do not wake it */
	bool lent;                /* to a CPU that is not its own: hv/vm/switch.c */
	bool let_go;              /* its own has nothing of it any more */
	struct cpu *host;         /* the CPU whose host state is in the VMCS */
	bool starts;              /* a start-up IPI came: it has to be set to that, */
	uint8_t startup_page;     /* and begins there */
	uint32_t activity;        /* enum vcpu_activity; its own CPU stores it */
	struct cpu *cpu;          /* its own, always the same; lent for a step, it runs on another */
	struct vcpu *next_on_cpu; /* hv/vm/run.c; those of a VM follow each other */
	unsigned began_turn;      /* of its VM's first on a CPU: the id of the one that began the last turn there */
	uint64_t flushed;         /* vm->generation at its last INVEPT: hv/vm/shootdown.c */
	struct vcpu_mail mail;
	uint64_t slice_end;                /* TSC: the end of its VM's turn */
	uint64_t exit_count[EXIT_REASONS]; /* by basic exit reason */
	uint32_t event_source;             /* CPU, VM and vCPU, while it is on a CPU */

	struct mtrr mtrr;
	struct ept_cpu ept_cpu; /* the MTRRs, and CR0.CD as its read shadow has it */
	uint64_t apic_base;
	uint64_t lapic_page; /* where its local APIC's registers are; ~0: nowhere */
	uint64_t mmio_apart; /* from this address on: the local APIC, or a device that needs the VM's lock */
	struct lapic lapic;
	uint64_t tsc_offset;  /* as the VMCS has it */
	uint64_t tsc_adjust;  /* IA32_TSC_ADJUST */
	uint64_t timer_ticks; /* what the preemption timer is set to */
	uint32_t window;      /* interrupt- or NMI-window exiting, while it is on */
	bool nmi_pending;
	/* The last access to memory that found neither RAM, ROM nor a device; width 0: none yet. */
	struct {
		uint64_t gpa;
		unsigned width;
		bool write;
	} nowhere;
	/* The last EPT violation that a leaf should have ended, and how often it came in a row. */
	struct {
		uint64_t gpa, rip, generation;
		unsigned times;
	} repeated;
	uint64_t written_back;              /* a WBINVD in progress is done up to this gpa (coherence=model) */
	struct guest_ram ram;               /* how its instructions reach memory */
	struct insn_cache insns;            /* of recent accesses to devices */
	struct insn_native native;          /* what it has the CPU carry out */
	struct guest_walk_cache fetches[8]; /* by the number of the page */
	struct guest_paging paging;         /* of the last walk; what never changes is set once */

	/* State the VMCS does not hold, swapped when another vCPU gets the CPU: hv/vm/switch.c. */
	uint64_t swapped_msr[6];
	uint64_t cr2, xcr0;
	uint64_t debug_register[5]; /* DR0-DR3, DR6 */
	uint8_t *fpu;               /* XSAVE area, 64-byte aligned */
};

/*
 * A vCPU of the VM with a filled VMCS, that begins at 'start'. NULL without memory or VPID: then
 * nothing is taken.
 */
struct vcpu *vcpu_create(struct vm *vm, unsigned id, const struct load_entry *start);
/*
 * Give back all that it took but the structure itself. May be called again. The vCPU is on no CPU
 * after that. Whoever gets its VPID next begins with INVVPID (hv/vmx/vpid.c).
 */
void vcpu_release(struct vcpu *vcpu);
/* DR0-DR3 and DR6 of this CPU, which are its vCPU's (hv/vm/switch.c). */
void load_debug_registers(const uint64_t *dr);
/* Its own CPU lets go of it, and leaves it alone until it is given back. */
void vcpu_borrow(struct vcpu *vcpu);
/* If the vCPU on this CPU belongs to another CPU, that CPU may have it again. */
void vcpu_give_back(void);

/* hv/vm/ipi.c: as vcpu_kick(), on another CPU. */
void vcpu_kick_remote(struct vcpu *vcpu);

/*
 * Make the vCPU look up: it leaves the guest, or its CPU leaves the halt. Before it enters again
 * the scheduler sees whether it may, and what is pending for it. This is the one way to ask for
 * that. Before the call, store whatever the vCPU is to see.
 */
static inline void vcpu_kick(struct vcpu *vcpu)
{
	if (vcpu->cpu == this_cpu())
		vcpu->cpu->slice = 1;
	else
		vcpu_kick_remote(vcpu);
}

/* The exit at hand is the last of the turn: long work in it may stop here and go on later. */
static inline bool vcpu_is_kicked(const struct vcpu *vcpu) { return vcpu->cpu->slice == 1; }

/*
 * The turn ends if its time is over. Exits of the usual length are counted instead, so only one whose
 * length the guest chooses, or that may take some thousand ticks, needs this.
 */
static inline void vcpu_look_at_clock(struct vcpu *vcpu)
{
	if (rdtsc() > vcpu->slice_end) vcpu_kick(vcpu);
}

/* Its place in vm->in_guest. */
static inline uint32_t vcpu_bit(const struct vcpu *vcpu) { return 1U << vcpu->id; }

/* The VMCS that VMREAD and VMWRITE act on is this vCPU's. */
static inline void vcpu_assert_current(const struct vcpu *vcpu)
{
	checked(this_cpu()->vcpu == vcpu);
	(void)vcpu;
}

/*
 * Print each rule for VM entries that the current VMCS breaks (hv/check/check.h), one line each;
 * returns how many.
 */
unsigned vcpu_check_entry(struct vcpu *vcpu);

/* The exit was a trap for an instruction that has been carried out: continue behind it. */
void vcpu_skip_instruction(struct vcpu *vcpu);
/* The same, when the next instruction is at rip. */
void vcpu_end_instruction(struct vcpu *vcpu, uint64_t rip);

/* One iteration of a REP has been carried out here, and it was not the last. */
void vcpu_end_iteration(struct vcpu *vcpu);
/* Raise #DB before the next instruction, for breakpoints 'hits' (DR6.B0-B3). */
void vcpu_add_debug(struct vcpu *vcpu, uint64_t hits);

/* Inject an exception at the next entry (SDM 3C 27.6): it is a fault, unless it is #DB. */
void vcpu_inject(struct vcpu *vcpu, unsigned vector, bool has_error_code, uint32_t error_code);
static inline void vcpu_inject_ud(struct vcpu *vcpu) { vcpu_inject(vcpu, VECTOR_UD, false, 0); }
static inline void vcpu_inject_gp(struct vcpu *vcpu) { vcpu_inject(vcpu, VECTOR_GP, true, 0); }

/*
 * hv/vm/memory_types.c: MTRRs as SeaBIOS leaves them: default type register 0xc06, fixed ranges WB
 * below 640 K, variable range 0 UC from the PCI hole to 4 GiB, the others off.
 */
void vcpu_set_firmware_mtrrs(struct vcpu *vcpu);
/* MOV to CR0 changed CD: leaves may have another type now. */
void vcpu_set_cache_disable(struct vcpu *vcpu, bool cd);

/*
 * An exit that interrupted the delivery of an event: deliver it again at the next entry
 * (SDM 3C 28.2.4). Returns whether there was one.
 */
__attribute__((cold)) void vcpu_reinject(struct vcpu *vcpu, uint64_t info); /* cold: saves an MMIO access 5 ticks */
static inline bool vcpu_reinject_event(struct vcpu *vcpu)
{
	uint64_t info = vmread(VMCS_IDT_VECTORING_INFO);

	vcpu_assert_current(vcpu);
	if (!(info & INTERRUPTION_INFO_VALID)) return false;
	vcpu_reinject(vcpu, info);
	return true;
}

/*
 * The instruction that exited comes again: nothing of it is pending. Bochs has its single step pending, a CPU only
 * behind STI or MOV SS.
 */
__attribute__((cold)) void vcpu_drop_debug(struct vcpu *vcpu);
static inline void vcpu_repeat_instruction(struct vcpu *vcpu)
{
	if (vmread(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS)) vcpu_drop_debug(vcpu);
}

/* Current privilege level: the DPL of SS (SDM 3C 25.4.1). */
unsigned vcpu_cpl(const struct vcpu *vcpu);
/* 16, 32 or 64: the default operand size of the code segment. */
unsigned vcpu_mode(const struct vcpu *vcpu);

/* Guest registers that live in the VMCS or in vcpu->gpr, by encoding. */
uint64_t vcpu_register(const struct vcpu *vcpu, unsigned number);
void vcpu_set_register(struct vcpu *vcpu, unsigned number, uint64_t value);

/* Print the guest's state, on lines of the hypervisor. */
void vcpu_dump(struct vcpu *vcpu);
/* Where the guest is, on one line that begins with 'prefix': vCPU, RIP, CR3, mode. */
void vcpu_print_place(const struct vcpu *vcpu, const char *prefix);

/*
 * What an exit handler returns: whether the guest goes on at once. VCPU_LEAVE gives the CPU back
 * to the scheduler.
 */
enum exit_action { VCPU_LEAVE, VCPU_RESUME };
