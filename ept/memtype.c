// SPDX-License-Identifier: MIT
/*
 * Which memory type an EPT leaf gets, and which type an access through it has: the two tables of
 * docs/memory-types.md as code. No state, no hardware.
 */
#include "ept/memtype.h"

#include "ept/ept.h"

const char *const memtype_policies[MEMTYPE_POLICIES + 1] = {
	[MEMTYPE_KVM_6_6] = "kvm-6.6",
	[MEMTYPE_KVM_6_7] = "kvm-6.7",
	[MEMTYPE_KVM_6_11] = "kvm-6.11",
	[MEMTYPE_KVM_6_16] = "kvm-6.16",
};

const char *memtype_policy_name(enum memtype_policy policy)
{
	return (unsigned)policy < MEMTYPE_POLICIES ? memtype_policies[policy] : "??";
}

/* KVM had the zap since 6.7, and has no transition where the guest's PAT is always honoured. */
bool memtype_zaps_transitions(enum memtype_policy policy)
{
	return policy != MEMTYPE_KVM_6_6 && policy != MEMTYPE_KVM_6_16;
}

static const char *const names[MEMTYPES] = {"UC", "WC", "??", "??", "WT", "WP", "WB", "UC-"};

const char *memtype_name(unsigned type) { return type < MEMTYPES ? names[type] : "??"; }

const char *memtype_leaf_name(uint64_t leaf)
{
	static const char *const ignoring[MEMTYPES] = {
		"UC + ignore PAT", "WC + ignore PAT", "?? + ignore PAT", "?? + ignore PAT",
		"WT + ignore PAT", "WP + ignore PAT", "WB + ignore PAT", "?? + ignore PAT",
	};

	return (leaf & EPT_IGNORE_PAT ? ignoring : names)[FIELD(leaf, EPT_TYPE)];
}

static uint64_t leaf_bits(enum memtype type, bool ignore_pat)
{
	return TO_FIELD(type, EPT_TYPE) | (ignore_pat ? EPT_IGNORE_PAT : 0);
}

/*
 *             host MMIO   no noncoherent DMA   noncoherent, CD=1   noncoherent, CD=0
 *  kvm-6.6    UC          WB + ignore PAT      UC + ignore PAT     guest MTRR type
 *  kvm-6.7    UC          WB + ignore PAT      UC + ignore PAT     guest MTRR type
 *  kvm-6.11   UC          WB + ignore PAT      WB                  WB
 *  kvm-6.16   UC          WB                   WB                  WB
 *
 * Linux vmx_get_mt_mask() of each release; CD=1 as with the quirk CD_NW_CLEARED off, kvm-6.16
 * as with the quirk IGNORE_GUEST_PAT off.
 */
uint64_t memtype_leaf_bits(enum memtype_policy policy, bool host_mmio, bool noncoherent, bool cd, enum memtype mtrr)
{
	if (host_mmio) return leaf_bits(MEMTYPE_UC, false);
	if (!noncoherent) return leaf_bits(MEMTYPE_WB, policy != MEMTYPE_KVM_6_16);
	if (policy >= MEMTYPE_KVM_6_11) return leaf_bits(MEMTYPE_WB, false);
	if (cd) return leaf_bits(MEMTYPE_UC, true);
	return leaf_bits(mtrr, false);
}

/* SDM 3A table 12-7, with the leaf's type in the place of the MTRR's (SDM 3C 29.3.7.2). */
enum memtype memtype_effective(uint64_t leaf, enum memtype pat, bool cd)
{
	enum { UC = MEMTYPE_UC, WC = MEMTYPE_WC, WT = MEMTYPE_WT, WP = MEMTYPE_WP, WB = MEMTYPE_WB };
	static const uint8_t combined[MEMTYPES][MEMTYPES] = {
		/*        UC  WC  -   -   WT  WP  WB  UC- */
		[UC] = {UC, WC, UC, UC, UC, UC, UC, UC}, [WC] = {UC, WC, UC, UC, UC, UC, WC, WC},
		[WT] = {UC, WC, UC, UC, WT, WP, WT, UC}, [WP] = {UC, WC, UC, UC, WT, WP, WP, WC},
		[WB] = {UC, WC, UC, UC, WT, WP, WB, UC},
	};
	unsigned type = (unsigned)FIELD(leaf, EPT_TYPE);

	if (cd) return MEMTYPE_UC;
	if (leaf & EPT_IGNORE_PAT) return (enum memtype)type;
	return (enum memtype)combined[type][pat % MEMTYPES];
}
