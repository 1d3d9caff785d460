// SPDX-License-Identifier: MIT
/*
 * libFuzzer on ept/: the input is a configuration and a list of operations for the model
 * (tests/model/model.h), then MTRR writes of any value that are compared with the slow reference.
 * It aborts where a rule is broken; what it found is replayed by giving the file as argument.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/bits.h"
#include "tests/model/model.h"
#include "tests/slow_mtrr.h"

#define OPS_MAX    400
#define OP_SIZE    sizeof(struct model_op)
#define WRITE_SIZE 10

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void broken(const char *rule)
{
	fprintf(stderr, "fuzz_ept: %s\n", rule);
	abort();
}

static void fuzz_model(const uint8_t *data, size_t size)
{
	static struct model_op ops[OPS_MAX];
	struct model_config config = {
		.policy = (enum memtype_policy)(data[0] % MEMTYPE_POLICIES),
		.cpus = 1 + data[1] % MODEL_CPUS,
		.large_2m = data[2] & 1,
		.large_1g = (data[2] & 3) == 3,
		.accessed_dirty = data[2] & 12,
		.twice = data[2] & 8,
		.transition = data[2] & 16 ? EPT_TRANSITION_RETYPE : EPT_TRANSITION_ZAP,
		.fill = data[2] & 32 ? EPT_FILL_TABLE : EPT_FILL_LEAF,
		.pages = data[3] & 1 ? 128 : 12,
	};
	unsigned count = (unsigned)MIN((size - 4) / OP_SIZE, OPS_MAX);
	struct model_result result;

	memcpy(ops, data + 4, count * OP_SIZE);
	model_run(&config, ops, count, &result);
	if (!result.broken) return;
	for (unsigned i = 0; i <= result.at; i++) model_print_op(stderr, &config, &ops[i]);
	broken(result.broken);
}

/* Types and uniformity of some ranges around every boundary the fuzzer is likely to make. */
static void compare(const struct mtrr *mtrr, uint64_t gpa)
{
	for (uint64_t pages = 1; pages <= 64; pages *= 4) {
		bool uniform, same = true;
		unsigned first = slow_mtrr_type(mtrr, gpa);

		for (uint64_t i = 1; i < pages; i++) same &= slow_mtrr_type(mtrr, gpa + i * PAGE_SIZE) == first;
		if (mtrr_type(mtrr, gpa, pages * PAGE_SIZE, &uniform) != first)
			broken("mtrr_type() is not the reference's type");
		if (uniform != same) broken("mtrr_type() is wrong about uniformity");
	}
}

static void fuzz_mtrr(const uint8_t *data, size_t size)
{
	struct ept_range changed[MTRR_CHANGE_MAX];
	struct mtrr mtrr, old;
	unsigned count;

	mtrr_reset(&mtrr, 32 + data[0] % 21);
	for (data++, size--; size >= WRITE_SIZE; data += WRITE_SIZE, size -= WRITE_SIZE) {
		uint32_t msr = (data[0] | (uint32_t)data[1] << 8) & 0x3ff;
		uint64_t value, gpa;

		memcpy(&value, data + 2, sizeof(value));
		old = mtrr;
		if (mtrr_write(&mtrr, msr, value, changed, &count)) {
			if (memcmp(&old, &mtrr, sizeof(mtrr))) broken("a refused write changed something");
			continue;
		}
		gpa = ALIGN_DOWN(value, PAGE_SIZE) & BITS(51, 12);
		compare(&mtrr, gpa);
		compare(&mtrr, gpa & (FIELD(value, BITS(63, 44)) << 12));
		bool reported = false;
		for (unsigned i = 0; i < count; i++) reported |= gpa - changed[i].start < changed[i].size;
		if (!reported && slow_mtrr_type(&old, gpa) != slow_mtrr_type(&mtrr, gpa))
			broken("mtrr_write() does not report a change");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 4 + OP_SIZE) return 0;
	if (data[0] & 0x80)
		fuzz_mtrr(data + 1, size - 1);
	else
		fuzz_model(data, size);
	return 0;
}
