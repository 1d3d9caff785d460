/* SPDX-License-Identifier: MIT */
/* hv/vmcs/leaks.c: from what a CPU says of itself to what it needs against its leaks. */

#include "tests/lib/test.h"
#include "hv/vmcs/leaks.h"
#include "lib/x86.h"

#define ALL_COMMANDS (CPUID_7_EDX_L1D_FLUSH | CPUID_7_EDX_MD_CLEAR | CPUID_7_EDX_IBPB)
#define ALL_IMMUNE   (ARCH_RDCL_NO | ARCH_MDS_NO | ARCH_PSCHANGE_MC_NO | ARCH_BHI_NO)

static char text[256];

static void assert_needs(uint32_t features, uint64_t capabilities, unsigned count, const char *words)
{
	assert_int_equal(leaks_needs(features, capabilities, text, sizeof(text)), count);
	assert_string_equal(text, words);
}

TEST(a_cpu_that_says_nothing_needs_all_and_has_no_command)
{
	assert_needs(
		0, 0, 5,
		"L1D flush at VM entry (no command), VERW at VM entry (no command), IBPB between VMs (no command), "
		"clearing of the branch history at VM exit, executable leaves of 4K only");
}

TEST(commands_are_told_where_they_are_lacking_only)
{
	assert_needs(ALL_COMMANDS, 0, 5,
		     "L1D flush at VM entry, VERW at VM entry, IBPB between VMs, "
		     "clearing of the branch history at VM exit, executable leaves of 4K only");
}

TEST(each_bit_takes_its_own_need_away)
{
	assert_needs(ALL_COMMANDS, ALL_IMMUNE & ~ARCH_RDCL_NO, 2, "L1D flush at VM entry, IBPB between VMs");
	assert_needs(ALL_COMMANDS, (ALL_IMMUNE & ~ARCH_RDCL_NO) | ARCH_SKIP_L1DFL_VMENTRY, 1, "IBPB between VMs");
	assert_needs(ALL_COMMANDS, ALL_IMMUNE & ~ARCH_MDS_NO, 2, "VERW at VM entry, IBPB between VMs");
	assert_needs(ALL_COMMANDS, ALL_IMMUNE & ~ARCH_BHI_NO, 2,
		     "IBPB between VMs, clearing of the branch history at VM exit");
	assert_needs(ALL_COMMANDS, ALL_IMMUNE & ~ARCH_PSCHANGE_MC_NO, 2,
		     "IBPB between VMs, executable leaves of 4K only");
}

/* Branch targets are shared by all VMs on every CPU with a predictor. */
TEST(the_barrier_between_vms_is_needed_always) { assert_needs(ALL_COMMANDS, ALL_IMMUNE, 1, "IBPB between VMs"); }
