/* SPDX-License-Identifier: MIT */
/*
 * What a CPU of the host has of its own: descriptor tables, stacks, the pointer in GS.
 */
#include "hv/machine/cpu.h"

#include "hv/machine/end.h"
#include "hv/machine/image.h"
#include "lib/asm.h"
#include "lib/bits.h"
#include "lib/string.h"
#include "lib/x86.h"

#define TSS_PRESENT_AVAILABLE 0x89ULL

static struct cpu boot_cpu;

/* A system descriptor takes two entries in 64-bit mode (SDM 3A 8.2.3). */
static void set_tss_descriptor(struct cpu *cpu)
{
	uint64_t base = (uintptr_t)&cpu->tss, *entry = &cpu->gdt[SELECTOR_TSS / 8];

	entry[0] = (sizeof(cpu->tss) - 1) | (base & 0xffffff) << 16 | TSS_PRESENT_AVAILABLE << 40 |
		   (base >> 24 & 0xff) << 56;
	entry[1] = base >> 32;
}

/* Make 'cpu' the one that runs here; its stacks are known. */
static void load(struct cpu *cpu)
{
	struct descriptor_pointer gdt = {sizeof(cpu->gdt) - 1, (uintptr_t)cpu->gdt};

	cpu->self = cpu;
	memcpy(cpu->gdt, boot_gdt, SELECTOR_TSS);
	cpu->tss.io_map_base = sizeof(cpu->tss);
	set_tss_descriptor(cpu);
	lgdt(&gdt);
	ltr(SELECTOR_TSS);
	wrmsr(MSR_IA32_GS_BASE, (uintptr_t)cpu);
}

void cpu_init_boot(void)
{
	boot_cpu.stack_bottom = (uintptr_t)boot_stack_guard + PAGE_SIZE;
	boot_cpu.stack_top = (uintptr_t)boot_stack_top;
	boot_cpu.tss.ist[0] = (uintptr_t)exception_stack_top;
	load(&boot_cpu);
}

_Noreturn void cpu_check_failed(const char *function, const char *condition)
{
	panic("%s: a check failed: %s", function, condition);
}
