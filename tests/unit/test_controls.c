/* SPDX-License-Identifier: MIT */
/* hv/vmcs/controls.c: VMX controls chosen within what a CPU offers. */

#include "tests/lib/test.h"
#include "hv/vmcs/controls.h"
#include "hv/vmcs/vmcs.h"
#include "lib/bits.h"
#include "tests/lib/capability_sets.h"

/* What the hypervisor has no name for (SDM 3C 25.6.2). */
#define SECONDARY_XSAVES          (1U << 20)
#define SECONDARY_USER_WAIT_PAUSE (1U << 26)

#define CAPABILITY(must, may) (TO_FIELD(may, BITS(63, 32)) | (must))

TEST(what_must_be_one_is_one_unasked)
{
	uint32_t result, missing;

	assert_true(controls_adjust(CAPABILITY(0x16, 0x7f), PIN_NMI_EXITING, 0, &result, &missing));
	assert_int_equal(result, 0x16 | PIN_NMI_EXITING);
	assert_int_equal(missing, 0);
}

TEST(an_optional_control_is_set_where_the_cpu_has_it)
{
	uint32_t result, missing;

	assert_true(controls_adjust(CAPABILITY(0x16, 0x7f), PIN_NMI_EXITING, PIN_PREEMPTION_TIMER, &result, &missing));
	assert_int_equal(result, 0x16 | PIN_NMI_EXITING | PIN_PREEMPTION_TIMER);
}

TEST(an_optional_control_is_left_out_where_the_cpu_lacks_it)
{
	uint32_t result, missing;

	assert_true(controls_adjust(CAPABILITY(0x16, 0x3f), PIN_NMI_EXITING, PIN_PREEMPTION_TIMER, &result, &missing));
	assert_int_equal(result, 0x16 | PIN_NMI_EXITING);
	assert_int_equal(missing, 0);
}

TEST(each_missing_required_control_is_named)
{
	const uint32_t required = SECONDARY_EPT | SECONDARY_UNRESTRICTED_GUEST | SECONDARY_VPID;
	uint32_t result, missing;

	assert_false(controls_adjust(CAPABILITY(0, SECONDARY_VPID), required, 0, &result, &missing));
	assert_int_equal(missing, SECONDARY_EPT | SECONDARY_UNRESTRICTED_GUEST);
}

/* xorshift64: the same words on every run. */
static uint64_t next_word(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

TEST(no_choice_leaves_what_the_cpu_allows)
{
	uint64_t seed = 0x1eafc0773e5;

	for (unsigned i = 0; i < 10000; i++) {
		uint32_t may = (uint32_t)next_word(&seed), must = (uint32_t)next_word(&seed) & may;
		uint32_t required = (uint32_t)next_word(&seed), optional, result, missing;

		optional = (uint32_t)next_word(&seed);
		if (i & 1) required &= may;
		if (controls_adjust(CAPABILITY(must, may), required, optional, &result, &missing)) {
			assert_int_equal(result & ~may, 0);
			assert_int_equal(must & ~result, 0);
			assert_int_equal(required & ~result, 0);
			assert_int_equal(optional & may & ~result, 0);
		} else {
			assert_int_equal(missing, required & ~may);
			assert_int_not_equal(missing, 0);
		}
	}
}

/* What the hypervisor cannot do without is on every CPU that it is tested on. */
TEST(the_cpus_we_test_on_have_what_is_required)
{
	for (unsigned i = 0; i < ARRAY_SIZE(capability_sets); i++) {
		const struct vmx_capabilities *caps = &capability_sets[i].caps;
		uint32_t result, missing;

		assert_true(controls_adjust(caps->pin, PIN_EXTERNAL_INTERRUPT_EXITING | PIN_NMI_EXITING,
					    PIN_PREEMPTION_TIMER, &result, &missing));
		assert_int_equal(result, 0x5f);
		assert_true(controls_adjust(caps->primary,
					    PRIMARY_HLT_EXITING | PRIMARY_MSR_BITMAPS |
						    PRIMARY_UNCONDITIONAL_IO_EXITING | PRIMARY_SECONDARY,
					    0, &result, &missing));
		assert_true(controls_adjust(caps->secondary,
					    SECONDARY_EPT | SECONDARY_UNRESTRICTED_GUEST | SECONDARY_WBINVD_EXITING,
					    SECONDARY_VPID, &result, &missing));
		assert_true(result & SECONDARY_VPID);
	}
}

/* In the order of capability_sets. Nested KVM has PML (it emulates it), its own CPU has not. */
TEST(the_cpus_we_test_on_differ_in_what_is_optional)
{
	static const uint32_t expected[] = {
		SECONDARY_PML | SECONDARY_XSAVES,
		0,
		SECONDARY_PML | SECONDARY_XSAVES,
		SECONDARY_PML,
	};
	const uint32_t optional = SECONDARY_PML | SECONDARY_XSAVES | SECONDARY_USER_WAIT_PAUSE;

	for (unsigned i = 0; i < ARRAY_SIZE(capability_sets); i++) {
		uint32_t result, missing;

		assert_true(controls_adjust(capability_sets[i].caps.secondary, 0, optional, &result, &missing));
		assert_int_equal(result, expected[i]);
	}
}
