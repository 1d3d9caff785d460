// SPDX-License-Identifier: MIT
/*
 * A guest that misbehaves in the way its command line names. Whatever it does, the hypervisor
 * goes on: the VM ends with one of the contract's lines, or takes its share of the CPU for ever.
 * guest/faults/cases lists the words with the end that is expected.
 */
#include "guest/faults/faults.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/start.h"
#include "lib/bits.h"

static const struct {
	const char *word;
	void (*run)(void);
	const char *what;
} cases[] = {
	{"triple", triple_fault, "an exception without an IDT"},
	{"wild", wild_write, "the same, after a write to where nothing is"},
	{"double", double_fault, "a stack that does not exist, and no stack for the double fault"},
	{"reset-cf9", reset_by_cf9, "a reset by port 0xcf9"},
	{"reset-keyboard", reset_by_keyboard, "a reset by the keyboard controller"},
	{"halt", halt_for_ever, "HLT with interrupts off"},
	{"spin", spin_for_ever, "an endless loop with interrupts off"},
	{"spin-long", spin_long, "a long loop with interrupts off, then the end"},
	{"spin-enabled", spin_long_enabled, "the same with interrupts on"},
	{"execute-mmio", execute_mmio, "a jump into a device's registers"},
	{"execute-nothing", execute_nothing, "a jump to where no memory is"},
	{"tables-nothing", tables_in_nothing, "page tables where no memory is"},
	{"tables-mmio", tables_in_mmio, "page tables in a device's registers"},
	{"idt-mmio", idt_in_mmio, "an IDT in a device's registers"},
	{"fxsave", unknown_instruction_on_mmio, "FXSAVE to a device's registers"},
	{"endless-string", endless_string, "REP STOS over a device, again and again"},
	{"exit-byte", exit_by_byte, "status 0x1f written as one byte"},
	{"exit-word", exit_by_word, "status 0x1234 written as two bytes"},
	{"exit-string", exit_by_string, "status 0x12345678 written by REP OUTS"},
	{"lines", odd_lines, "carriage returns, a very long line, the end in the middle of one"},
	{"trail", leave_a_trail, "a device attached and detached, a mark, then a triple fault"},
	{"msrs", wild_msrs, "MSRs that do not exist, and values they do not take"},
	{"control", wild_control_registers, "control register values that are not allowed"},
	{"instructions", wild_instructions, "instructions a VM does not have"},
	{"debug", debug_exceptions, "debug exceptions and the alignment check"},
	{"vmcalls", wild_vmcalls, "VMCALLs that do not exist, or are not allowed"},
	{"nothing", nothing_there, "accesses to no memory and across the end of it"},
	{"read-only", read_only_device, "writes to a device page that is mapped read-only"},
	{"storm", exit_storm, "exits as fast as they can be made"},
	{"tables", lying_iommu_tables, "IOMMU tables that lie"},
	{"queue", lying_queue, "invalidation queues that lie"},
};

int guest_main(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		if (!guest_word(cases[i].word)) continue;
		printf("%s: %s\n", cases[i].word, cases[i].what);
		cases[i].run();
		return check_status();
	}
	printf("name one case:\n");
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) printf("  %-18s %s\n", cases[i].word, cases[i].what);
	return 2;
}
