// SPDX-License-Identifier: MIT
/*
 * Step 5: nobody calls. The guest writes a context entry for a device into its own memory and tells
 * the IOMMU to read it anew; the unit sees a device that goes around the caches, and says so.
 */
#include "docs/course/steps/04/types.h"
#include "docs/course/steps/05/unit.h"
#include "hv/machine/console.h"
#include "hv/machine/end.h"

extern const uint8_t guest_image[], guest_image_end[]; /* image.asm */
void hv_main(uint32_t magic, const void *info);

static const struct exit_row table[] = {
	{EXIT_REASON_EPT_VIOLATION, "EPT violation", exit_ept_violation},
	{EXIT_REASON_RDMSR, "RDMSR", exit_rdmsr},
	{EXIT_REASON_WRMSR, "WRMSR", exit_wrmsr},
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
	unit_setup();
	print("step 5: a context entry");
	guest_loop(&guest, table);
	machine_end(STATUS_OK);
}
