// SPDX-License-Identifier: MIT
/*
 * Step 1: VMXON, and a guest of one instruction, HLT, that exits at once. guest.asm is the guest.
 */
#include "docs/course/steps/01/vmx.h"
#include "hv/machine/console.h"
#include "hv/machine/end.h"

extern uint8_t guest_code[]; /* guest.asm */
void hv_main(uint32_t magic, const void *info);

void hv_main(uint32_t magic, const void *info)
{
	static struct guest guest;
	unsigned reason;

	machine_start(magic, info);
	print("step 1: VMXON");
	vmx_on();
	vmcs_setup(&guest, (uintptr_t)guest_code, PRIMARY_HLT_EXITING);
	print("step 1: VMLAUNCH, the guest's RAX is 0x%lx", guest.gpr[RAX]);
	reason = guest_run(&guest);
	print("step 1: exit reason %u at the guest's byte %lu, RAX is 0x%lx", reason,
	      vmread(VMCS_GUEST_RIP) - (uintptr_t)guest_code, guest.gpr[RAX]);
	machine_end(reason == EXIT_REASON_HLT ? STATUS_OK : STATUS_HYPERVISOR_FAILED);
}
