// SPDX-License-Identifier: MIT
/*
 * The guest's MTRRs live in ept/'s model of them; what they say counts only while the noncoherent
 * count is not zero. hv/exits/msr.c and hv/vm/noncoherent.c are the grown-up versions.
 */
#include "docs/course/steps/04/types.h"

#include "hv/machine/console.h"
#include "hv/machine/end.h"
#include "lib/asm.h"

static _Noreturn void not_an_mtrr(uint32_t msr)
{
	panic("guest: MSR 0x%x, expected an MTRR and a value it takes", msr);
}

/* EDX:EAX is the value, ECX the register (SDM 2B "RDMSR", "WRMSR"). */
bool exit_rdmsr(struct guest *guest)
{
	uint32_t msr = (uint32_t)guest->gpr[RCX];
	uint64_t value;

	if (mtrr_read(&guest_mtrr, msr, &value)) not_an_mtrr(msr);
	guest->gpr[RAX] = (uint32_t)value;
	guest->gpr[RDX] = value >> 32;
	skip_instruction();
	return true;
}

bool exit_wrmsr(struct guest *guest)
{
	uint32_t msr = (uint32_t)guest->gpr[RCX];
	uint64_t value = guest->gpr[RDX] << 32 | (uint32_t)guest->gpr[RAX];
	struct ept_range changed[MTRR_CHANGE_MAX];
	unsigned count;

	if (mtrr_write(&guest_mtrr, msr, value, changed, &count)) not_an_mtrr(msr);
	ept_type_changed(&guest_ept, changed, count);
	skip_instruction();
	return true;
}

void types_count(int delta)
{
	unsigned before = guest_ept.noncoherent, flushed = invepts;
	uint64_t cleared = guest_ept.stats.leaves_cleared;

	ept_noncoherent_change(&guest_ept, &guest_cpu, delta);
	wbinvd();
	print("noncoherent count %u -> %u: cleared %lu leaves, INVEPT %u", before, guest_ept.noncoherent,
	      guest_ept.stats.leaves_cleared - cleared, invepts - flushed);
}
