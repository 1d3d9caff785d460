// SPDX-License-Identifier: MIT
/*
 * The loop of exits, and the three that every guest of the steps makes: CPUID, a byte to the
 * console, HLT.
 */
#include "docs/course/steps/02/exits.h"

#include "hv/machine/console.h"
#include "hv/machine/end.h"
#include "hv/machine/serial.h"
#include "lib/asm.h"
#include "lib/x86.h"

/* The leaf at which hypervisors say who they are: outside what Intel and AMD will use. */
#define CPUID_HYPERVISOR 0x40000000U

static struct console_line line;

void skip_instruction(void) { vmwrite(VMCS_GUEST_RIP, vmread(VMCS_GUEST_RIP) + vmread(VMCS_EXIT_INSTRUCTION_LENGTH)); }

/* RAX, RCX, RDX, RBX get the answer, their high halves 0 (SDM 2A "CPUID"). */
bool exit_cpuid(struct guest *guest)
{
	uint32_t leaf = (uint32_t)guest->gpr[RAX];
	struct cpuid_result r = cpuid(leaf, (uint32_t)guest->gpr[RCX]);

	if (leaf == CPUID_HYPERVISOR) r = (struct cpuid_result){leaf, 0x6661654c, 0x74747563, 0x21217265};
	if (leaf == 1) r.ecx |= CPUID_1_ECX_HYPERVISOR;
	guest->gpr[RAX] = r.eax;
	guest->gpr[RBX] = r.ebx;
	guest->gpr[RCX] = r.ecx;
	guest->gpr[RDX] = r.edx;
	skip_instruction();
	return true;
}

bool exit_io(struct guest *guest)
{
	uint64_t qualification = vmread(VMCS_EXIT_QUALIFICATION);

	if (FIELD(qualification, IO_PORT) != COM1 || qualification & (IO_IN | IO_STRING) ||
	    FIELD(qualification, IO_SIZE) != 0)
		panic("guest: I/O with qualification 0x%lx, expected OUT of a byte to 0x%x", qualification, COM1);
	console_guest_byte(&line, (uint8_t)guest->gpr[RAX]);
	skip_instruction();
	return true;
}

bool exit_hlt(struct guest *guest)
{
	(void)guest;
	return false;
}

/* The row of that reason, or the one that ends the table. */
static unsigned find_row(const struct exit_row *table, unsigned reason)
{
	unsigned row = 0;

	while (table[row].name && table[row].reason != reason) row++;
	return row;
}

void guest_loop(struct guest *guest, const struct exit_row *table)
{
	unsigned count[EXIT_ROWS_MAX] = {0}, reason, row;

	console_line_open(&line, "guest");
	do {
		reason = guest_run(guest);
		row = find_row(table, reason);
		if (!table[row].name)
			panic("guest: no handler for exit reason %u at RIP 0x%lx", reason, vmread(VMCS_GUEST_RIP));
		count[row]++;
	} while (table[row].serve(guest));
	console_guest_end(&line);
	for (row = 0; table[row].name; row++) print("%u exits: %s", count[row], table[row].name);
}
