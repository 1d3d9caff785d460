// SPDX-License-Identifier: MIT
/*
 * What ties the SMT files to the C: this program holds the compiled ept/mtrr.c itself, asks it
 * for its answers to boundary and random arguments, and prints each as a term that the definitions
 * of tests/prove/FILE.smt2 must make true. Usage: tie types_valid|variable_match [SEED].
 * MTRR_SOURCE is another file where a mutant is to be told from the original.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef MTRR_SOURCE
#define MTRR_SOURCE "ept/mtrr.c"
#endif
/* Its inner functions are what is asked. */
#include MTRR_SOURCE /* NOLINT(bugprone-suspicious-include) */

#define RANDOM 1000

static uint64_t state;

static uint64_t random64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static const char *truth(bool value) { return value ? "true" : "false"; }

static void tie_types(uint64_t types)
{
	printf("(= (types_valid #x%016" PRIx64 ") %s)\n", types, truth(mtrr_types_valid(types)));
}

/* Each value of each byte beside valid ones, then words of mostly valid bytes, then any. */
static void tie_types_valid(void)
{
	static const uint8_t valid[] = {0, 1, 4, 5, 6};

	for (unsigned byte = 0; byte < 8; byte++) {
		for (uint64_t value = 0; value < 256; value++) tie_types(value << 8 * byte);
	}
	for (unsigned i = 0; i < RANDOM; i++) {
		uint64_t types = 0;

		for (unsigned byte = 0; byte < 8; byte++)
			types = types << 8 | (random64() % 16 ? valid[random64() % 5] : random64() & 0xff);
		tie_types(types);
		tie_types(random64());
		tie_types(random64() & 0x0707070707070707);
	}
}

static void tie_match(const struct mtrr *mtrr, uint64_t gpa, uint64_t next)
{
	uint64_t out = next;
	bool match = variable_match(mtrr, 0, gpa, &out);
	const char *of = "#x%016" PRIx64 " #x%016" PRIx64 " #x%016" PRIx64 " #x%016" PRIx64;

	if (variable_match(mtrr, 0, gpa, NULL) != match) printf("false\n");
	printf("(= (match_of ");
	printf(of, mtrr->base[0], mtrr->mask[0], (uint64_t)mtrr->address_width, gpa);
	printf(") %s)\n(= (next_of ", truth(match));
	printf(of, mtrr->base[0], mtrr->mask[0], (uint64_t)mtrr->address_width, gpa);
	printf(" #x%016" PRIx64 ") #x%016" PRIx64 ")\n(= (below_of ", next, out);
	printf(of, mtrr->base[0], mtrr->mask[0], (uint64_t)mtrr->address_width, gpa);
	printf(") #x%016" PRIx64 ")\n", variable_border_below(mtrr, 0, gpa));
}

/* A range of a random width and kind: contiguous, with holes, any; and addresses at its edges. */
static void tie_variable_match(void)
{
	for (unsigned i = 0; i < RANDOM / 4; i++) {
		struct mtrr mtrr = {.address_width = 32 + (unsigned)(random64() % 21)};
		uint64_t address = BITS(mtrr.address_width - 1, 12), holes = random64(), size, base;

		mtrr.mask[0] = address << random64() % 40;
		if (random64() % 3 == 0) mtrr.mask[0] &= ~(random64() & holes);
		mtrr.mask[0] = (mtrr.mask[0] & address) | (random64() & PHYSMASK_V);
		mtrr.base[0] = (random64() & address) | (random64() % 7);
		mtrr_prepare(&mtrr, 0);
		base = mtrr.base[0] & mtrr.mask[0] & address;
		size = mtrr.mask[0] & address & -(mtrr.mask[0] & address);
		const uint64_t at[] = {base,
				       base + size,
				       base - PAGE_SIZE,
				       base + size - PAGE_SIZE,
				       base | BIT(mtrr.address_width),
				       base | (random64() & ~mtrr.mask[0]),
				       random64() & address,
				       0};

		for (unsigned n = 0; n < ARRAY_SIZE(at); n++)
			tie_match(&mtrr, ALIGN_DOWN(at[n], PAGE_SIZE), random64() % 2 ? ~0ULL : random64() & address);
	}
}

int main(int argc, char **argv)
{
	state = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	printf("(assert (not (and\n");
	if (argc > 1 && !strcmp(argv[1], "types_valid"))
		tie_types_valid();
	else if (argc > 1 && !strcmp(argv[1], "variable_match"))
		tie_variable_match();
	else
		return 2;
	printf(")))\n(check-sat)\n");
	return 0;
}
