/* SPDX-License-Identifier: MIT */
/* The table of what a CPU may leak, a row for each flaw (docs/real-hardware.md has them in words). */
#include "hv/vmcs/leaks.h"

#include <stdbool.h>

#include "lib/format.h"
#include "lib/x86.h"

static const struct {
	uint64_t immune;  /* any of these bits of IA32_ARCH_CAPABILITIES: nothing is needed */
	uint32_t command; /* the feature that brings what is needed; 0: no command is */
	const char *needs;
} flaws[] = {
	{ARCH_RDCL_NO | ARCH_SKIP_L1DFL_VMENTRY, CPUID_7_EDX_L1D_FLUSH, "L1D flush at VM entry"},
	{ARCH_MDS_NO, CPUID_7_EDX_MD_CLEAR, "VERW at VM entry"},
	{0, CPUID_7_EDX_IBPB, "IBPB between VMs"},
	{ARCH_BHI_NO, 0, "clearing of the branch history at VM exit"},
	{ARCH_PSCHANGE_MC_NO, 0, "executable leaves of 4K only"},
};

unsigned leaks_needs(uint32_t features, uint64_t arch_capabilities, char *text, size_t size)
{
	unsigned count = 0;

	*text = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(flaws); i++) {
		bool lacks = flaws[i].command && !(features & flaws[i].command);

		if (arch_capabilities & flaws[i].immune) continue;
		format_append(text, size, "%s%s%s", count++ ? ", " : "", flaws[i].needs, lacks ? " (no command)" : "");
	}
	return count;
}
