// SPDX-License-Identifier: MIT
/*
 * Step 2: the guest goes on after an exit. It asks who its hypervisor is and writes the answer to
 * the console's port, byte by byte.
 */
#include "docs/course/steps/02/exits.h"
#include "hv/machine/console.h"
#include "hv/machine/end.h"

extern uint8_t guest_code[];
void hv_main(uint32_t magic, const void *info);

static const struct exit_row table[] = {
	{EXIT_REASON_CPUID, "CPUID", exit_cpuid},
	{EXIT_REASON_IO_INSTRUCTION, "I/O", exit_io},
	{EXIT_REASON_HLT, "HLT", exit_hlt},
	{0, NULL, NULL},
};

void hv_main(uint32_t magic, const void *info)
{
	static struct guest guest;

	machine_start(magic, info);
	vmx_on();
	vmcs_setup(&guest, (uintptr_t)guest_code, PRIMARY_HLT_EXITING | PRIMARY_UNCONDITIONAL_IO_EXITING);
	print("step 2: exits in a loop");
	guest_loop(&guest, table);
	machine_end(STATUS_OK);
}
