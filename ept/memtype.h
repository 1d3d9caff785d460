/* SPDX-License-Identifier: MIT */
/*
 * Which memory type an EPT leaf gets. Pure functions of their arguments. See
 * docs/memory-types.md, "How a leaf gets its memory type".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Encodings shared by MTRRs, PAT entries and EPT leaves (SDM 3A 12.11.2.1, 3C 29.3.7). */
enum memtype {
	MEMTYPE_UC = 0,
	MEMTYPE_WC = 1,
	MEMTYPE_WT = 4,
	MEMTYPE_WP = 5,
	MEMTYPE_WB = 6,
	MEMTYPE_UC_MINUS = 7, /* PAT only */
};
#define MEMTYPES 8 /* encodings, valid or not */

/*
 * 'memtype=' on a VM's GRUB line; each behaves as the Linux release it is named after. In the
 * order of those releases, so that "from 6.11 on" is a comparison.
 */
enum memtype_policy {
	MEMTYPE_KVM_6_6,  /* the types of kvm-6.7 without its zap: shows the bug */
	MEMTYPE_KVM_6_7,  /* default: guest MTRRs while noncoherent DMA, zap at each transition */
	MEMTYPE_KVM_6_11, /* guest MTRRs and CD not honoured */
	MEMTYPE_KVM_6_16, /* nor the count: WB and the guest's PAT at all times, no transition */
};
#define MEMTYPE_POLICIES 4

/* Their names, and a NULL. */
extern const char *const memtype_policies[MEMTYPE_POLICIES + 1];
const char *memtype_policy_name(enum memtype_policy policy);
/* Do leaves change their type, and are cleared, when the noncoherent count goes 0 <-> 1? */
bool memtype_zaps_transitions(enum memtype_policy policy);

/* "UC", "WC", "WT", "WP", "WB", "UC-", or "??" for a reserved encoding. */
const char *memtype_name(unsigned type);
/* The type bits of a leaf in words: "WB + ignore PAT". */
const char *memtype_leaf_name(uint64_t leaf_bits);

/*
 * The memory-type bits (5:3 type, 6 ignore PAT) of a leaf.
 * host_mmio: the leaf maps a device of the host; noncoherent: some device can do noncoherent DMA;
 * cd: the faulting CPU's guest CR0.CD; mtrr: its guest MTRR type for the range.
 */
uint64_t memtype_leaf_bits(enum memtype_policy policy, bool host_mmio, bool noncoherent, bool cd, enum memtype mtrr);

/*
 * The type the CPU uses for an access through a leaf with 'leaf_bits' (SDM 3C 29.3.7.2):
 * pat is the type the guest's PAT selects, cd the CR0.CD in force on the CPU.
 */
enum memtype memtype_effective(uint64_t leaf_bits, enum memtype pat, bool cd);
