// SPDX-License-Identifier: MIT
/*
 * Step 4: memory types. The guest says by an MTRR that 64 KiB are uncacheable. That means nothing
 * until it says, by VMCALL, that a device goes around the caches; then every leaf is stale.
 */
#include "docs/course/steps/04/types.h"
#include "hv/machine/console.h"
#include "hv/machine/end.h"

extern const uint8_t guest_image[], guest_image_end[]; /* image.asm */
void hv_main(uint32_t magic, const void *info);

/* RAX: 1 a device comes, 0 it goes. */
static bool exit_vmcall(struct guest *guest)
{
	types_count(guest->gpr[RAX] ? 1 : -1);
	skip_instruction();
	return true;
}

static const struct exit_row table[] = {
	{EXIT_REASON_EPT_VIOLATION, "EPT violation", exit_ept_violation},
	{EXIT_REASON_RDMSR, "RDMSR", exit_rdmsr},
	{EXIT_REASON_WRMSR, "WRMSR", exit_wrmsr},
	{EXIT_REASON_VMCALL, "VMCALL", exit_vmcall},
	{EXIT_REASON_IO_INSTRUCTION, "I/O", exit_io},
	{EXIT_REASON_HLT, "HLT", exit_hlt},
	{0, NULL, NULL},
};

void hv_main(uint32_t magic, const void *info)
{
	static struct guest guest;

	machine_start(magic, info);
	vmx_on();
	vmcs_setup(&guest, 0, PRIMARY_HLT_EXITING | PRIMARY_UNCONDITIONAL_IO_EXITING);
	memory_setup(guest_image, guest_image_end);
	print("step 4: memory types");
	guest_loop(&guest, table);
	machine_end(STATUS_OK);
}
