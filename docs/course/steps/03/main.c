// SPDX-License-Identifier: MIT
/*
 * Step 3: the guest has memory of its own, behind an EPT that is empty at first. Each access without
 * a leaf is an exit; the handler installs one leaf, and the guest tries again.
 */
#include "docs/course/steps/03/memory.h"
#include "hv/machine/console.h"
#include "hv/machine/end.h"

extern const uint8_t guest_image[], guest_image_end[]; /* image.asm */
void hv_main(uint32_t magic, const void *info);

static const struct exit_row table[] = {
	{EXIT_REASON_EPT_VIOLATION, "EPT violation", exit_ept_violation},
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
	print("step 3: memory by an EPT of %lu table", guest_ept.stats.tables);
	guest_loop(&guest, table);
	print("%lu tables, %lu leaves of 2M, %lu of 4K", guest_ept.stats.tables, guest_ept.stats.installed[2],
	      guest_ept.stats.installed[1]);
	machine_end(STATUS_OK);
}
