/* SPDX-License-Identifier: MIT */
/*
 * The CPU as judge of the VM-entry checker: an image of the hypervisor whose main program makes
 * every good and every broken VMCS of the checker's unit test real, on the CPU it runs on, and
 * compares what the CPU says of the entry with what the checker says. One line for each
 * difference; tests/boot/entry.bats knows which are the engine's.
 */
#include <stddef.h>

#include "boot/multiboot2.h"
#include "lib/asm.h"
#include "hv/machine/console.h"
#include "hv/check/check.h"
#include "hv/machine/memory.h"
#include "hv/machine/cpu.h"
#include "hv/machine/end.h"
#include "hv/machine/paging.h"
#include "hv/machine/traps.h"
#include "hv/vmx/vmx.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "tests/lib/entry_mutations.h"

#define VM_ERROR_INVALID_HOST_STATE 8 /* a VM-instruction error, SDM 3C 31.4 */

void hv_main(uint32_t magic, const void *info);

static struct vmcs_world world;
static uint64_t vmcs;          /* the region that every world is written to */
static struct vmcs_world host; /* this CPU's own state, in the host fields */

/* Where an entry fails, or that it does not. */
enum verdict {
	PASSES,
	CONTROLS,
	HOST_STATE,
	GUEST_STATE,
};
static const char *const verdict_name[] = {"passes", "bad controls", "bad host state", "bad guest state"};

static unsigned compared, differences, skipped;

/* Where the CPU goes on after an exit, in launch(). */
extern uint8_t after_exit[];

static void read_host_state(void)
{
	world_set(&host, VMCS_HOST_CR0, read_cr0());
	world_set(&host, VMCS_HOST_CR3, read_cr3());
	world_set(&host, VMCS_HOST_CR4, read_cr4());
	world_set(&host, VMCS_HOST_RIP, (uintptr_t)after_exit);
	for (uint32_t field = VMCS_HOST_ES_SELECTOR; field <= VMCS_HOST_GS_SELECTOR; field += 2)
		world_set(&host, field, SELECTOR_DATA);
	world_set(&host, VMCS_HOST_CS_SELECTOR, SELECTOR_CODE);
	world_set(&host, VMCS_HOST_TR_SELECTOR, SELECTOR_TSS);
	world_set(&host, VMCS_HOST_FS_BASE, 0);
	world_set(&host, VMCS_HOST_GS_BASE, (uintptr_t)this_cpu());
	world_set(&host, VMCS_HOST_TR_BASE, (uintptr_t)&this_cpu()->tss);
	world_set(&host, VMCS_HOST_GDTR_BASE, (uintptr_t)this_cpu()->gdt);
	world_set(&host, VMCS_HOST_IDTR_BASE, traps_idt_base());
	world_set(&host, VMCS_HOST_IA32_PAT, rdmsr(MSR_IA32_PAT));
	world_set(&host, VMCS_HOST_IA32_EFER, rdmsr(MSR_IA32_EFER));
}

/* The good world on this CPU: its capabilities, its host state, the controls it wants as 1. */
static bool adapt(struct vmcs_world *w)
{
	const struct vmx_capabilities *c = &vmx.capabilities;
	const struct {
		uint32_t field;
		uint64_t capability;
	} words[] = {
		{VMCS_PIN_CONTROLS, c->pin},
		{VMCS_PRIMARY_CONTROLS, c->primary},
		{VMCS_SECONDARY_CONTROLS, c->secondary},
		{VMCS_EXIT_CONTROLS, c->exit},
		{VMCS_ENTRY_CONTROLS, c->entry},
	};

	w->caps = *c;
	for (uint32_t field = 0; field < VMCS_ENCODINGS; field++)
		if (host.exists[field] && w->exists[field]) world_set(w, field, host.value[field]);
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		uint32_t result, missing;

		if (!w->exists[words[i].field]) continue;
		if (!controls_adjust(words[i].capability, (uint32_t)w->value[words[i].field], 0, &result, &missing))
			return false;
		world_set(w, words[i].field, result);
	}
	/* A guest whose entry passes comes back before its first instruction. */
	if (w->value[VMCS_PIN_CONTROLS] & PIN_PREEMPTION_TIMER) world_set(w, VMCS_PREEMPTION_TIMER, 0);
	return true;
}

static bool write_field(uint64_t field, uint64_t value)
{
	bool failed;

	__asm__ volatile("vmwrite %2, %1" : "=@ccna"(failed) : "r"(field), "r"(value));
	return !failed;
}

/* A VMCS that knows nothing of the world before. False where the CPU lacks one of the fields. */
static bool write_vmcs(const struct vmcs_world *w)
{
	__asm__ volatile("vmclear %0" : : "m"(vmcs) : "cc", "memory");
	memset((void *)vmcs, 0, PAGE_SIZE);
	*(uint32_t *)vmcs = (uint32_t)(vmx.capabilities.basic & VMX_BASIC_REVISION);
	__asm__ volatile("vmclear %0" : : "m"(vmcs) : "cc", "memory");
	vmcs_load(vmcs);
	for (uint32_t field = 0; field < VMCS_ENCODINGS; field++)
		if (w->exists[field] && !write_field(field, w->value[field])) return false;
	return true;
}

/* VMLAUNCH; true when it ended in a VM exit, be it that of a failed entry (SDM 3C 27.8). */
static __attribute__((noinline)) bool launch(void)
{
	uint64_t exited;

	__asm__ volatile("push %%rbp\n"
			 "push %%rbx\n"
			 "vmwrite %%rsp, %[rsp]\n"
			 "xor %%eax, %%eax\n"
			 "vmlaunch\n"
			 "jmp 1f\n"
			 "after_exit: mov $1, %%eax\n"
			 "1: pop %%rbx\n"
			 "pop %%rbp\n"
			 : "=&a"(exited)
			 : [rsp] "d"((uint64_t)VMCS_HOST_RSP)
			 : "rcx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cc", "memory");
	return exited;
}

static enum verdict ask_cpu(void)
{
	uint64_t reason;

	if (!launch()) return vmread(VMCS_INSTRUCTION_ERROR) == VM_ERROR_INVALID_HOST_STATE ? HOST_STATE : CONTROLS;
	reason = vmread(VMCS_EXIT_REASON);
	return reason == (EXIT_REASON_ENTRY_FAILED | EXIT_REASON_INVALID_GUEST_STATE) ? GUEST_STATE : PASSES;
}

static uint64_t read_field(void *ctx, uint32_t field)
{
	(void)ctx;
	return vmread(field);
}

/* The part of the SDM that the first violation is in. */
static void first_part(void *ctx, const struct entry_violation *violation)
{
	enum verdict *verdict = ctx;

	if (*verdict != PASSES) return;
	if (text_begins(violation->section, "27.2.1"))
		*verdict = CONTROLS;
	else if (text_begins(violation->section, "27.2"))
		*verdict = HOST_STATE;
	else
		*verdict = GUEST_STATE;
}

static enum verdict ask_checker(void)
{
	const struct entry_check_source source = {.read = read_field};
	enum verdict verdict = PASSES;

	entry_check(&source, &vmx.capabilities, first_part, &verdict);
	return verdict;
}

/*
 * What is not put to the CPU. Lists of MSRs in no memory: an entry that passes would end in a VMX
 * abort (SDM 3C 28.7). An event of type 7 that the CPU lacks: Bochs 2.7 ends itself.
 */
static bool unsafe(const struct vmcs_world *w, enum verdict checker)
{
	uint64_t event = w->value[VMCS_ENTRY_INTERRUPTION_INFO];

	if (w->value[VMCS_ENTRY_MSR_LOAD_COUNT] || w->value[VMCS_EXIT_MSR_LOAD_COUNT]) return checker == PASSES;
	return (event & INTERRUPTION_INFO_VALID) &&
	       FIELD(event, INTERRUPTION_INFO_TYPE) == INTERRUPTION_TYPE_OTHER_EVENT &&
	       !(vmx.capabilities.primary >> 32 & PRIMARY_MONITOR_TRAP_FLAG);
}

/* 27.2.4's rules bind controls to the host state: a CPU may blame either. */
static bool agree(enum verdict checker, enum verdict cpu)
{
	bool refused_early = cpu == CONTROLS || cpu == HOST_STATE;

	return checker == cpu || (checker == HOST_STATE && refused_early);
}

static void compare(const struct vmcs_world *w, const char *rule, uint32_t field)
{
	enum verdict checker, cpu;

	if (!write_vmcs(w)) {
		skipped++;
		return;
	}
	checker = ask_checker();
	if (unsafe(w, checker)) {
		skipped++;
		return;
	}
	cpu = ask_cpu();
	compared++;
	if (agree(checker, cpu)) return;
	differences++;
	print("differs: %s: %s: checker: %s, CPU: %s", rule, vmcs_field_name(field), verdict_name[checker],
	      verdict_name[cpu]);
}

static void compare_mutation(const struct mutation *m)
{
	const struct entry_rule *rule;

	for (unsigned i = 0; (rule = rule_at(i)) && !has_words(rule->text, m->rule); i++)
		;
	for (unsigned f = 0; rule && f < rule->fields; f++) {
		world_make(&world, m->good);
		if (!adapt(&world)) {
			skipped++;
			continue;
		}
		if (f == 0) compare(&world, "unbroken", rule->field[f]);
		world_mutate(&world, m, rule->field[f]);
		compare(&world, rule->text, rule->field[f]);
	}
}

static void compare_exceptions(void)
{
	static const enum world_name good[] = {
		REAL_MODE,
		LONG64,
		MINIMAL,
		NMI_WINDOW,
		NO_NMI_EXITING,
		STALE_EVENT,
		RESTRICTED_VIRTUAL_8086,
		UNRESTRICTED_USER_SELECTORS,
		SAVE_PREEMPTION_TIMER,
		SHUT_DOWN,
		SINGLE_STEPPING,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
		world_make(&world, good[i]);
		if (adapt(&world)) compare(&world, "exception", i);
	}
}

void hv_main(uint32_t magic, const void *info)
{
	static struct boot_info boot;
	const char *wrong;

	(void)magic;
	cpu_init_boot();
	console_init();
	traps_init();
	wrong = multiboot2_parse(info, MiB, &boot);
	if (wrong) panic("boot: %s", wrong);
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	memory_init(&boot, info);
	paging_init();
	if (!vmx_init(0)) machine_end(STATUS_HYPERVISOR_FAILED);
	vmcs = vmcs_alloc();
	read_host_state();
	compare_exceptions();
	for (unsigned i = 0; i < mutation_count; i++) compare_mutation(&mutations[i]);
	print("entries: %u compared, %u not offered by this CPU, %u differences", compared, skipped, differences);
	machine_end(STATUS_OK);
}
