// SPDX-License-Identifier: MIT
/*
 * ept/memtype.c against the tables of the issue and the SDM, written out again here by hand and
 * in another form, so that a slip in one of the two shows.
 */

#include "tests/lib/test.h"
#include <string.h>

#include "ept/ept.h"
#include "ept/memtype.h"
#include "lib/bits.h"

static const enum memtype mtrr_types[] = {MEMTYPE_UC, MEMTYPE_WC, MEMTYPE_WT, MEMTYPE_WP, MEMTYPE_WB};

#define EACH_MTRR_TYPE(t)                                                                                              \
	unsigned i_##t = 0, t;                                                                                         \
	i_##t < 5 && ((t = mtrr_types[i_##t]), 1);                                                                     \
	i_##t++

TEST(host_mmio_is_uc_under_every_policy_and_state)
{
	for (unsigned policy = 0; policy < MEMTYPE_POLICIES; policy++) {
		for (unsigned s = 0; s < 4; s++) {
			for (EACH_MTRR_TYPE(mtrr))
				assert_int_equal(memtype_leaf_bits(policy, true, s & 1, s & 2, mtrr), 0);
		}
	}
}

TEST(without_noncoherent_dma_all_is_wb_and_pat_is_ignored_before_kvm_6_16)
{
	for (unsigned policy = 0; policy < MEMTYPE_KVM_6_16; policy++) {
		for (EACH_MTRR_TYPE(mtrr)) {
			assert_int_equal(memtype_leaf_bits(policy, false, false, false, mtrr), 0x70);
			assert_int_equal(memtype_leaf_bits(policy, false, false, true, mtrr), 0x70);
		}
	}
}

TEST(with_noncoherent_dma_and_cd_all_is_uc_and_pat_is_ignored)
{
	for (EACH_MTRR_TYPE(mtrr)) {
		assert_int_equal(memtype_leaf_bits(MEMTYPE_KVM_6_7, false, true, true, mtrr), 0x40);
		assert_int_equal(memtype_leaf_bits(MEMTYPE_KVM_6_6, false, true, true, mtrr), 0x40);
	}
}

TEST(with_noncoherent_dma_the_mtrr_type_stands_and_pat_counts)
{
	for (EACH_MTRR_TYPE(mtrr)) {
		assert_int_equal(memtype_leaf_bits(MEMTYPE_KVM_6_7, false, true, false, mtrr), mtrr * 8);
		assert_int_equal(memtype_leaf_bits(MEMTYPE_KVM_6_6, false, true, false, mtrr), mtrr * 8);
	}
}

TEST(kvm_6_11_is_wb_with_pat_whatever_mtrr_and_cd_say)
{
	for (EACH_MTRR_TYPE(mtrr)) {
		assert_int_equal(memtype_leaf_bits(MEMTYPE_KVM_6_11, false, true, false, mtrr), 0x30);
		assert_int_equal(memtype_leaf_bits(MEMTYPE_KVM_6_11, false, true, true, mtrr), 0x30);
	}
}

TEST(kvm_6_16_is_wb_with_pat_whatever_count_mtrr_and_cd_say)
{
	for (EACH_MTRR_TYPE(mtrr)) {
		for (unsigned s = 0; s < 4; s++)
			assert_int_equal(memtype_leaf_bits(MEMTYPE_KVM_6_16, false, s & 1, s & 2, mtrr), 0x30);
	}
}

/* The table of REFERENCE, as text: a row per EPT type, columns UC UC- WC WT WP WB. */
TEST(effective_type_is_the_sdms_table)
{
	static const struct {
		enum memtype ept;
		enum memtype by_pat[6];
	} rows[] = {
		{MEMTYPE_UC, {MEMTYPE_UC, MEMTYPE_UC, MEMTYPE_WC, MEMTYPE_UC, MEMTYPE_UC, MEMTYPE_UC}},
		{MEMTYPE_WC, {MEMTYPE_UC, MEMTYPE_WC, MEMTYPE_WC, MEMTYPE_UC, MEMTYPE_UC, MEMTYPE_WC}},
		{MEMTYPE_WT, {MEMTYPE_UC, MEMTYPE_UC, MEMTYPE_WC, MEMTYPE_WT, MEMTYPE_WP, MEMTYPE_WT}},
		{MEMTYPE_WP, {MEMTYPE_UC, MEMTYPE_WC, MEMTYPE_WC, MEMTYPE_WT, MEMTYPE_WP, MEMTYPE_WP}},
		{MEMTYPE_WB, {MEMTYPE_UC, MEMTYPE_UC, MEMTYPE_WC, MEMTYPE_WT, MEMTYPE_WP, MEMTYPE_WB}},
	};
	static const enum memtype pat[] = {MEMTYPE_UC, MEMTYPE_UC_MINUS, MEMTYPE_WC,
					   MEMTYPE_WT, MEMTYPE_WP,       MEMTYPE_WB};

	for (unsigned r = 0; r < ARRAY_SIZE(rows); r++) {
		for (unsigned p = 0; p < ARRAY_SIZE(pat); p++) {
			uint64_t leaf = EPT_RWX | EPT_LARGE | (uint64_t)rows[r].ept << 3;

			assert_int_equal(memtype_effective(leaf, pat[p], false), rows[r].by_pat[p]);
			assert_int_equal(memtype_effective(leaf | EPT_IGNORE_PAT, pat[p], false), rows[r].ept);
			assert_int_equal(memtype_effective(leaf, pat[p], true), MEMTYPE_UC);
			assert_int_equal(memtype_effective(leaf | EPT_IGNORE_PAT, pat[p], true), MEMTYPE_UC);
		}
	}
}

TEST(kvm_6_7_and_6_11_zap_at_a_transition_and_no_other)
{
	for (unsigned policy = 0; policy < MEMTYPE_POLICIES; policy++)
		assert_int_equal(memtype_zaps_transitions(policy),
				 policy == MEMTYPE_KVM_6_7 || policy == MEMTYPE_KVM_6_11);
}

/* What a word of GRUB's line is taken for is tests/unit/test_options.c's. */
TEST(policies_are_named_as_the_releases)
{
	assert_string_equal(memtype_policy_name(MEMTYPE_KVM_6_6), "kvm-6.6");
	assert_string_equal(memtype_policy_name(MEMTYPE_KVM_6_7), "kvm-6.7");
	assert_string_equal(memtype_policy_name(MEMTYPE_KVM_6_11), "kvm-6.11");
	assert_string_equal(memtype_policy_name(MEMTYPE_KVM_6_16), "kvm-6.16");
	assert_string_equal(memtype_policy_name(MEMTYPE_POLICIES), "??");
	assert_null(memtype_policies[MEMTYPE_POLICIES]);
}

TEST(type_names_are_the_manuals)
{
	static const char *const names[] = {"UC", "WC", "??", "??", "WT", "WP", "WB", "UC-", "??"};

	for (unsigned type = 0; type < ARRAY_SIZE(names); type++) assert_string_equal(memtype_name(type), names[type]);
}

TEST(a_leafs_type_in_words_says_whether_it_ignores_the_pat)
{
	for (unsigned type = 0; type < MEMTYPES; type++) {
		/* 7 is no leaf's: UC- is the PAT's alone */
		const char *name = memtype_name(type == MEMTYPE_UC_MINUS ? 2 : type), *ignoring;

		if (type != MEMTYPE_UC_MINUS)
			assert_string_equal(memtype_leaf_name(TO_FIELD(type, EPT_TYPE) | EPT_RWX), name);
		ignoring = memtype_leaf_name(TO_FIELD(type, EPT_TYPE) | EPT_IGNORE_PAT);
		assert_memory_equal(ignoring, name, strlen(name));
		assert_string_equal(ignoring + strlen(name), " + ignore PAT");
	}
}
