// SPDX-License-Identifier: MIT
/*
 * Features that system software switches on by CR4, EFER or an MSR: each is switched on and has the
 * effect that nothing else has, mostly an exception that comes with it and not without.
 */
#include "guest/contract/features.h"
#include "guest/lib/cpu.h"
#include "guest/lib/lapic.h"
#include "guest/lib/paging.h"
#include "guest/lib/start.h"

#define CODE        0x08U /* selectors of entry.asm */
#define USER_DATA   0x18UL
#define ALIAS       (8 * GiB) /* of a page of our own: user's, as the image's are not while it matters */
#define GIANT       (9 * GiB) /* of all below 1 GiB */
#define RET         0xc3
#define SOME        0x0123456789abcdefUL
#define RFLAGS_VIF  BIT(19)
#define TIMER       0x61    /* a vector */
#define TICKS       20000UL /* to a deadline */
#define PAGE_ANY    (PAGE_P | PAGE_RW | PAGE_US)
#define PAGE_GLOBAL BIT(8)
#define INVPCID_ONE 0UL /* SDM 2A "INVPCID": one address of one PCID */

extern uint64_t pml4[], page_directories[];

static volatile uint64_t *const alias = (volatile uint64_t *)ALIAS;
static uint64_t page[2]; /* what the alias may lead to: the second is another one */

static uint64_t *entry_in(const uint64_t *table, uint64_t virtual, unsigned level)
{
	return (uint64_t *)(table[virtual >> (3 + 9 * level) & 511] & PAGE_ADDRESS);
}

/* The alias's PTE, the page before. */
static uint64_t *alias_entry(void)
{
	uint64_t *pt;

	if (!page[0]) {
		page[0] = (uint64_t)page_alloc();
		page[1] = (uint64_t)page_alloc();
		mmio_write64(page[0], RET);
		mmio_write64(page[1], SOME);
	}
	page_map(ALIAS, page[0]);
	pt = entry_in(entry_in(entry_in(pml4, ALIAS, 4), ALIAS, 3), ALIAS, 2);
	return &pt[ALIAS >> 12 & 511];
}

static void turn_on(uint64_t cr4) { write_cr4(read_cr4() | cr4); }
static void turn_off(uint64_t cr4) { write_cr4(read_cr4() & ~cr4); }

/* A page fault that came by this access: of these bits of its error code. */
static bool faulted(int vector, uint64_t error)
{
	return vector == VECTOR_PF && last_exception.error == error && last_cr2 == ALIAS;
}

static void run_alias(void *unused)
{
	(void)unused;
	((void (*)(void))ALIAS)();
}

static void read_alias(void *unused)
{
	(void)unused;
	*alias;
}

static void read_allowed(void *unused)
{
	(void)unused;
	__asm__ volatile("stac");
	*alias;
	__asm__ volatile("clac");
}

/* The image's own pages are the supervisor's while 'claim' runs with this bit on. */
static bool as_supervisor(uint64_t cr4, bool (*claim)(void))
{
	unsigned pages = (unsigned)((ram_end() + 2 * MiB - 1) / (2 * MiB));
	bool held;

	alias_entry();
	for (unsigned i = 0; i < pages; i++) page_directories[i] &= ~PAGE_US;
	tlb_flush();
	turn_on(cr4);
	held = claim();
	turn_off(cr4);
	for (unsigned i = 0; i < pages; i++) page_directories[i] |= PAGE_US;
	tlb_flush();
	return held;
}

static bool run_refused(void)
{
	return faulted(try_call(run_alias, NULL), PF_ERROR_PRESENT | PF_ERROR_FETCH) && try_call(read_alias, NULL) < 0;
}

static bool read_refused(void)
{
	return faulted(try_call(read_alias, NULL), PF_ERROR_PRESENT) && try_call(read_allowed, NULL) < 0;
}

static bool smep(void) { return as_supervisor(CR4_SMEP, run_refused) && try_call(run_alias, NULL) < 0; }
static bool smap(void) { return as_supervisor(CR4_SMAP, read_refused) && try_call(read_alias, NULL) < 0; }

static bool nx(void)
{
	uint64_t *pte = alias_entry();
	bool held;

	wrmsr(MSR_IA32_EFER, rdmsr(MSR_IA32_EFER) | EFER_NXE);
	*pte |= PAGE_NX;
	invlpg(ALIAS);
	held = try_call(read_alias, NULL) < 0 && faulted(try_call(run_alias, NULL), PF_ERROR_PRESENT | PF_ERROR_FETCH);
	*pte &= ~PAGE_NX;
	invlpg(ALIAS);
	return held && try_call(run_alias, NULL) < 0;
}

/* CR4.PGE: a global translation ends at the latest when the bit changes (SDM 3A 4.10.4.1). */
static bool pge(void)
{
	uint64_t *pte = alias_entry();

	turn_on(CR4_PGE);
	*pte |= PAGE_GLOBAL;
	invlpg(ALIAS);
	*alias;
	*pte = page[1] | PAGE_ANY;
	turn_off(CR4_PGE);
	return *alias == SOME;
}

static bool giant(void)
{
	uint64_t *pdpt = entry_in(pml4, GIANT, 4), found;

	alias_entry();
	pdpt[GIANT >> 30 & 511] = PAGE_ANY | PAGE_PS;
	found = mmio_read64(GIANT + page[1]);
	pdpt[GIANT >> 30 & 511] = 0;
	tlb_flush();
	return found == SOME;
}

static void do_invpcid(void *type)
{
	const struct {
		uint64_t pcid, address;
	} __attribute__((aligned(16))) what = {0, ALIAS};

	__asm__ volatile("invpcid %0, %1" : : "m"(what), "r"((uint64_t)type) : "memory");
}

/* A changed entry counts from then on; a type that there is not raises #GP. */
static bool invpcid(void)
{
	uint64_t *pte = alias_entry();

	*alias;
	*pte = (*pte & ~PAGE_ADDRESS) | page[1];
	do_invpcid((void *)INVPCID_ONE);
	return *alias == SOME && try_call(do_invpcid, (void *)4) == VECTOR_GP;
}

/* CR3 has a number in its low bits, and translations are found under each. */
static bool pcid(void)
{
	uint64_t cr3 = read_cr3(), with;

	alias_entry();
	turn_on(CR4_PCIDE);
	write_cr3(cr3 | 5);
	with = read_cr3();
	page_map(ALIAS, page[1]);
	if (*alias != SOME) with = 0;
	write_cr3(cr3);
	turn_off(CR4_PCIDE);
	return with == (cr3 | 5);
}

static void do_sidt(void *unused)
{
	struct descriptor_pointer pointer;

	(void)unused;
	__asm__ volatile("sidt %0" : "=m"(pointer));
	user_return();
}

static bool umip(void)
{
	bool allowed = try_user(do_sidt, NULL) == VECTOR_BP;

	turn_on(CR4_UMIP);
	return allowed && try_user(do_sidt, NULL) == VECTOR_GP;
}

static void do_fsgsbase(void *found)
{
	uint64_t *value = found;

	__asm__ volatile("wrfsbase %2\n\trdfsbase %0\n\twrgsbase %3\n\trdgsbase %1"
			 : "=&r"(value[0]), "=&r"(value[1])
			 : "r"(SOME >> 20), "r"(SOME >> 24));
}

static bool fsgsbase(void)
{
	uint64_t value[2] = {0, 0}, fs = rdmsr(MSR_IA32_FS_BASE), gs = rdmsr(MSR_IA32_GS_BASE);
	bool refused = try_call(do_fsgsbase, value) == VECTOR_UD, held;

	turn_on(CR4_FSGSBASE);
	do_fsgsbase(value);
	held = rdmsr(MSR_IA32_FS_BASE) == SOME >> 20 && rdmsr(MSR_IA32_GS_BASE) == SOME >> 24;
	wrmsr(MSR_IA32_FS_BASE, fs);
	wrmsr(MSR_IA32_GS_BASE, gs);
	return refused && held && value[0] == SOME >> 20 && value[1] == SOME >> 24;
}

static bool rdtscp(void)
{
	uint64_t low, high, before = rdtsc();
	uint32_t aux;

	wrmsr(MSR_IA32_TSC_AUX, 0x5a5a);
	__asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(aux));
	wrmsr(MSR_IA32_TSC_AUX, 0);
	return aux == 0x5a5a && (high << 32 | low) > before;
}

/* What is added to IA32_TSC_ADJUST is added to the TSC (SDM 3B 18.17.3). */
static bool tsc_adjust(void)
{
	uint64_t adjust = rdmsr(MSR_IA32_TSC_ADJUST), before = rdtsc(), after;

	wrmsr(MSR_IA32_TSC_ADJUST, adjust + BIT(50));
	after = rdtsc();
	wrmsr(MSR_IA32_TSC_ADJUST, adjust);
	return after - before >= BIT(50) && after - before < BIT(50) + BIT(40) && rdtsc() < before + BIT(40);
}

/* Where SYSCALL and SYSENTER lead: back, by a breakpoint at CPL 0. */
__asm__(".globl kernel_entry\nkernel_entry: int3\n");
extern const char kernel_entry[];

static bool entered(int vector)
{
	return vector == VECTOR_BP && last_exception.cs == CODE && last_exception.rip == (uint64_t)kernel_entry + 1;
}

static void do_syscall(void *unused)
{
	(void)unused;
	__asm__ volatile("syscall" : : : "rcx", "r11", "memory");
}

static bool syscall(void)
{
	wrmsr(MSR_IA32_STAR, USER_DATA << 48 | (uint64_t)CODE << 32);
	wrmsr(MSR_IA32_LSTAR, (uint64_t)kernel_entry);
	wrmsr(MSR_IA32_FMASK, 0);
	wrmsr(MSR_IA32_EFER, rdmsr(MSR_IA32_EFER) & ~EFER_SCE);
	if (try_user(do_syscall, NULL) != VECTOR_UD) return false;
	wrmsr(MSR_IA32_EFER, rdmsr(MSR_IA32_EFER) | EFER_SCE);
	return entered(try_user(do_syscall, NULL));
}

static void do_sysenter(void *unused)
{
	(void)unused;
	__asm__ volatile("sysenter" : : : "memory");
}

static bool sysenter(void)
{
	static char stack[512] __attribute__((aligned(16)));

	wrmsr(MSR_IA32_SYSENTER_CS, 0);
	if (try_user(do_sysenter, NULL) != VECTOR_GP) return false;
	wrmsr(MSR_IA32_SYSENTER_CS, CODE);
	wrmsr(MSR_IA32_SYSENTER_EIP, (uint64_t)kernel_entry);
	wrmsr(MSR_IA32_SYSENTER_ESP, (uint64_t)stack + sizeof(stack));
	return entered(try_user(do_sysenter, NULL)) && last_exception.rsp == (uint64_t)stack + sizeof(stack);
}

static void do_sti(void *unused)
{
	(void)unused;
	__asm__ volatile("sti");
	user_return();
}

/* The part of VME that long mode has: with CR4.PVI a user's STI sets VIF. guest/modes has the rest's mode. */
static bool pvi(void)
{
	bool refused = try_user(do_sti, NULL) == VECTOR_GP;

	turn_on(CR4_VME | CR4_PVI);
	return refused && try_user(do_sti, NULL) == VECTOR_BP && (last_exception.rflags & RFLAGS_VIF);
}

static void read_dr4(void *unused)
{
	uint64_t value;

	(void)unused;
	__asm__ volatile("mov %%db4, %0" : "=r"(value));
}

/* DR4 is DR6 without CR4.DE (SDM 3B 18.2.2). */
static bool de(void)
{
	bool allowed = try_call(read_dr4, NULL) < 0;

	turn_on(CR4_DE);
	return allowed && try_call(read_dr4, NULL) == VECTOR_UD;
}

static bool stays(uint64_t bit)
{
	turn_on(bit);
	return read_cr4() & bit;
}

/* Pages of 4M, and with 36 bits, are of 32-bit paging: guest/modes uses them. */
static bool pse(void) { return stays(CR4_PSE); }
static bool mce(void) { return stays(CR4_MCE); }
static bool mca(void) { return mce() && rdmsr(MSR_IA32_MCG_STATUS) == 0 && (rdmsr(MSR_IA32_MCG_CAP) & 0xff) < 32; }

static void pae_off(void *unused)
{
	(void)unused;
	turn_off(CR4_PAE);
}

/* Long mode stands on it. */
static bool pae(void) { return try_call(pae_off, NULL) == VECTOR_GP && (read_cr4() & CR4_PAE); }
static bool long_mode(void) { return rdmsr(MSR_IA32_EFER) & EFER_LMA; }
static bool mtrr(void) { return rdmsr(MSR_IA32_MTRRCAP) & 0xff; }

/* One that only SWAPGS reads. */
static bool msr(void)
{
	uint64_t found;

	wrmsr(MSR_IA32_KERNEL_GS_BASE, SOME >> 20);
	found = rdmsr(MSR_IA32_KERNEL_GS_BASE);
	wrmsr(MSR_IA32_KERNEL_GS_BASE, 0);
	return found == SOME >> 20;
}

static bool pat(void)
{
	uint64_t changed = PAT_RESET ^ BITS(58, 57), found; /* the last entry, which no page here selects */

	wrmsr(MSR_IA32_PAT, changed);
	found = rdmsr(MSR_IA32_PAT);
	wrmsr(MSR_IA32_PAT, PAT_RESET);
	return found == changed;
}

static volatile unsigned interrupts;

static void on_timer(void)
{
	interrupts++;
	lapic_eoi();
}

static bool one_interrupt(void)
{
	for (uint64_t end = rdtsc() + 100 * TICKS; !interrupts && rdtsc() < end;) sti_cli();
	return interrupts == 1;
}

static bool apic(void)
{
	interrupts = 0;
	interrupt_handler(TIMER, on_timer);
	if (!lapic_enable()) return false;
	lapic_write(LAPIC_ICR_LOW, LAPIC_ICR_SELF | TIMER);
	return one_interrupt();
}

static bool deadline(void)
{
	uint64_t due;

	interrupts = 0;
	interrupt_handler(TIMER, on_timer);
	if (!lapic_enable()) return false;
	lapic_write(LAPIC_LVT_TIMER, LAPIC_LVT_DEADLINE | TIMER);
	__asm__ volatile("mfence" : : : "memory");
	due = rdtsc() + TICKS;
	wrmsr(MSR_IA32_TSC_DEADLINE, due);
	return one_interrupt() && rdtsc() >= due && !rdmsr(MSR_IA32_TSC_DEADLINE);
}

static bool x2apic(void)
{
	uint64_t base = rdmsr(MSR_IA32_APIC_BASE), id, none;
	bool refused = try_rdmsr(X2APIC_MSR(LAPIC_ID), &none) == VECTOR_GP;

	lapic_x2apic();
	id = rdmsr(X2APIC_MSR(LAPIC_ID));
	wrmsr(MSR_IA32_APIC_BASE, base & ~APIC_BASE_EN);
	wrmsr(MSR_IA32_APIC_BASE, base);
	return refused && id == cpuid(0xb, 0).edx && id == lapic_id();
}

const struct feature privileged_features[] = {
	{1, 0, ECX, 17, "PCID", pcid},
	{1, 0, ECX, 21, "x2APIC", x2apic},
	{1, 0, ECX, 24, "TSC deadline", deadline},
	{1, 0, EDX, 1, "VME", pvi},
	{1, 0, EDX, 2, "DE", de},
	{1, 0, EDX, 3, "PSE", pse},
	{1, 0, EDX, 5, "MSR", msr},
	{1, 0, EDX, 6, "PAE", pae},
	{1, 0, EDX, 7, "MCE", mce},
	{1, 0, EDX, 9, "APIC", apic},
	{1, 0, EDX, 11, "SYSENTER", sysenter},
	{1, 0, EDX, 12, "MTRR", mtrr},
	{1, 0, EDX, 13, "PGE", pge},
	{1, 0, EDX, 14, "MCA", mca},
	{1, 0, EDX, 16, "PAT", pat},
	{1, 0, EDX, 17, "PSE-36", pse},
	{7, 0, EBX, 0, "FSGSBASE", fsgsbase},
	{7, 0, EBX, 1, "TSC_ADJUST", tsc_adjust},
	{7, 0, EBX, 7, "SMEP", smep},
	{7, 0, EBX, 10, "INVPCID", invpcid},
	{7, 0, EBX, 20, "SMAP", smap},
	{7, 0, ECX, 2, "UMIP", umip},
	{0x80000001, 0, EDX, 11, "SYSCALL", syscall},
	{0x80000001, 0, EDX, 20, "NX", nx},
	{0x80000001, 0, EDX, 26, "pages of 1G", giant},
	{0x80000001, 0, EDX, 27, "RDTSCP", rdtscp},
	{0x80000001, 0, EDX, 29, "long mode", long_mode},
	{},
};
