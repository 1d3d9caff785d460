// SPDX-License-Identifier: MIT
/*
 * Asking the hypervisor by VMCALL; see vmcall.h.
 */
#include "guest/lib/vmcall.h"
#include "guest/lib/console.h"
#include "guest/lib/start.h"
#include "lib/bits.h"

static void ask_version(void *argument) { vmcall(argument); }

bool vmcall_present(void)
{
	static int present = -1;
	struct vmcall call = {.rax = VMCALL_BASE + VMCALL_VERSION};

	if (present < 0) present = try_call(ask_version, &call) < 0 && !call.rax && call.rbx >= CONTRACT_VERSION;
	return present;
}

/* A call that the contract says cannot fail: where it does, the image cannot go on. */
static void vmcall_must(struct vmcall *call)
{
	uint32_t number = (uint32_t)call->rax;

	vmcall(call);
	if (!call->rax) return;
	printf("VMCALL 0x%x returned %ld\n", number, (long)call->rax);
	guest_exit(1);
}

uint64_t vmcall_ept_walk(uint64_t gpa, unsigned *level)
{
	struct vmcall call = {.rax = VMCALL_BASE + VMCALL_EPT_WALK, .rbx = gpa};

	vmcall_must(&call);
	*level = (unsigned)call.rcx;
	return call.rbx;
}

uint64_t vmcall_counter(enum counter index)
{
	struct vmcall call = {.rax = VMCALL_BASE + VMCALL_COUNTER, .rbx = index};

	vmcall_must(&call);
	return call.rbx;
}

uint64_t vmcall_chosen(void)
{
	struct vmcall call = {.rax = VMCALL_BASE + VMCALL_VERSION};

	vmcall_must(&call);
	return call.rcx;
}

enum memtype_policy vmcall_policy(void) { return (enum memtype_policy)FIELD(vmcall_chosen(), CHOSEN_POLICY); }

void vmcall_wants_policy(unsigned policies, const char *why)
{
	enum memtype_policy policy = vmcall_policy();

	if (!(policies & 1U << policy))
		printf("With memtype=%s this image fails by design: %s.\n", memtype_policy_name(policy), why);
}

void vmcall_wants_no_model(const char *why)
{
	if (vmcall_chosen() & CHOSEN_COHERENCE) printf("With coherence=model this image fails by design: %s.\n", why);
}

bool vmcall_retypes(void) { return FIELD(vmcall_chosen(), CHOSEN_TRANSITION) == 1; }

void vmcall_mark(uint64_t number)
{
	struct vmcall call = {.rax = VMCALL_BASE + VMCALL_MARK, .rbx = number};

	vmcall_must(&call);
}

struct words type_words(uint64_t type_bits) { return words("%s", memtype_leaf_name(type_bits)); }

struct words leaf_words(uint64_t leaf, unsigned level)
{
	static const char *const sizes[] = {"no", "a 4K", "a 2M", "a 1G"};

	if (!level) return words("no leaf");
	return words("%s leaf, %s", sizes[level & 3], type_words(leaf).text);
}

struct words survey_words(const struct leaf_survey *survey)
{
	return words("%s at 0x%lx, %u of %u pages not as expected", leaf_words(survey->other, survey->other_level).text,
		     survey->other_at, survey->pages - survey->matching, survey->pages);
}

/* Take note of one leaf, or of its absence, for the pages from 'at' up to 'next'. */
static void survey_leaf(struct leaf_survey *survey, uint64_t at, uint64_t next, uint64_t leaf, unsigned level,
			bool matches)
{
	unsigned pages = (unsigned)((next - at) / PAGE_SIZE);

	if (!matches && survey->matching == survey->seen) {
		survey->other_at = at;
		survey->other = leaf;
		survey->other_level = level;
	}
	survey->seen += pages;
	survey->matching += matches ? pages : 0;
	survey->absent += level ? 0 : pages;
	survey->leaves[level & 3]++;
}

struct leaf_survey vmcall_survey(uint64_t start, uint64_t size, uint64_t type_bits)
{
	struct leaf_survey survey = {.pages = (unsigned)(size / PAGE_SIZE)};
	uint64_t end = start + size, next;

	for (uint64_t at = start; at < end; at = next) {
		unsigned level;
		uint64_t leaf = vmcall_ept_walk(at, &level);
		uint64_t span = page_level_size(MAX(level, 1));

		next = MIN(ALIGN_DOWN(at, span) + span, end);
		survey_leaf(&survey, at, next, leaf, level,
			    level ? (leaf & LEAF_TYPE_BITS) == type_bits : type_bits == NO_LEAF);
	}
	return survey;
}
