// SPDX-License-Identifier: MIT
/*
 * Whether leaves have a type that is right, while devices come and go: the rule is written here once
 * more. While no noncoherent device is attached each leaf is WB and ignores the guest's PAT; while one
 * is, none is, and a page that one CPU alone uses has the type of that CPU's MTRRs, or UC while its CD
 * is set. In the middle of a transition both are right, and only then.
 */
#include "guest/lib/check.h"
#include "guest/lib/cpu.h"
#include "guest/lib/vmcall.h"
#include "guest/smp/smp.h"
#include "lib/string.h"

#define COHERENT (LEAF_TYPE(MEMTYPE_WB) | EPT_IGNORE_PAT)

/* 0 detached, 1 attaching, 2 attached, 3 detaching, and on: CPU 0 counts. */
static volatile unsigned phase;
static enum memtype_policy policy;
static bool retypes;

static struct {
	volatile uint64_t looks, wrong, bits, phases; /* the first wrong leaf's type; the phases before and behind */
} of[SMP_CPUS];

void types_begin(void)
{
	policy = vmcall_policy();
	retypes = vmcall_retypes();
	phase = 0;
	memset((void *)of, 0, sizeof(of));
}

void attach_seen(void)
{
	phase++;
	device_attach();
	phase++;
}

void detach_seen(void)
{
	phase++;
	device_detach();
	phase++;
}

static uint64_t type_attached(enum memtype mtrr, bool cd)
{
	if (policy >= MEMTYPE_KVM_6_11) return LEAF_TYPE(MEMTYPE_WB);
	return cd ? LEAF_TYPE(MEMTYPE_UC) | EPT_IGNORE_PAT : LEAF_TYPE(mtrr);
}

static bool is_right(uint64_t bits, unsigned before, unsigned behind, enum memtype mtrr, bool cd)
{
	bool changed = before != behind || before & 1, attached = (before & 3) == 2;

	if ((changed || !attached) && bits == COHERENT) return true;
	if (!changed && !attached) return false;
	/* Who attaches or detaches retypes all by its own MTRRs. */
	return bits == type_attached(mtrr, cd) || (retypes && bits == type_attached(MTRR_OF_ALL, false));
}

void types_look(unsigned id, const volatile uint64_t *page, enum memtype mtrr, bool cd)
{
	unsigned before = phase, level, behind;
	uint64_t bits;

	(void)*page;
	bits = vmcall_ept_walk((uint64_t)page, &level) & LEAF_TYPE_BITS;
	behind = phase;
	of[id].looks += level != 0;
	if (!level || is_right(bits, before, behind, mtrr, cd) || of[id].wrong++) return;
	of[id].bits = bits;
	of[id].phases = (uint64_t)before << 32 | behind;
}

void types_look_all(unsigned pages)
{
	bool attached = (phase & 3) == 2;
	unsigned level;

	for (unsigned id = 1; id < cpus; id++)
		for (unsigned n = 0; n < pages; n++) {
			uint64_t bits = vmcall_ept_walk((uint64_t)own_page(id, n), &level) & LEAF_TYPE_BITS;

			of[0].looks += level != 0;
			if (!level || (bits == COHERENT) != attached || of[0].wrong++) continue;
			of[0].bits = bits;
			of[0].phases = (uint64_t)phase << 32 | phase;
		}
}

void types_end(void)
{
	uint64_t looks = 0;

	if (policy == MEMTYPE_KVM_6_6) return; /* whose leaves stay as they are: that is the bug */
	for (unsigned id = 0; id < cpus; id++) {
		looks += of[id].looks;
		check_words(!of[id].wrong,
			    words("%lu times not, first %s between phases %lu and %lu", of[id].wrong,
				  type_words(of[id].bits).text, of[id].phases >> 32 & 3, of[id].phases & 3),
			    words("none"),
			    id ? "each leaf that CPU %u looked at had a type that was right just then"
			       : "CPU %u found no leaf of a type from before",
			    id);
	}
	check(looks, "leaves were looked at");
}
