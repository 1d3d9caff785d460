// SPDX-License-Identifier: MIT
/*
 * Random operations on the model (tests/model/model.h): many runs of a thousand operations, each
 * with its own seed and configuration. A run that breaks a rule is made as short as it can be and
 * printed. Usage: ept_model [operations [seed]]; the seed is printed and repeats a run exactly.
 */
#include "tests/model/model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/bits.h"

#define RUN 1000

static uint64_t state;

/* splitmix64: every 64-bit seed is a good one. */
static uint64_t random64(void)
{
	uint64_t z = (state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* How often each kind comes, in 256ths: mostly accesses, and enough that upsets them. */
static const uint8_t weights[] = {
	50, 30, 20, 14, 14, 11, 11, 20, 6, 14, 6, 8, 2, 12, 14, 6, 8, 10,
};
_Static_assert(sizeof(weights) == OP_KINDS, "a weight for each kind of operation");

static uint8_t random_kind(void)
{
	unsigned pick = (unsigned)(random64() % 256), kind = 0;

	while (kind < OP_KINDS - 1 && pick >= weights[kind]) pick -= weights[kind++];
	return (uint8_t)kind;
}

static void random_run(uint64_t seed, struct model_config *config, struct model_op ops[RUN])
{
	static const enum memtype_policy policies[] = {MEMTYPE_KVM_6_7,  MEMTYPE_KVM_6_7, MEMTYPE_KVM_6_7,
						       MEMTYPE_KVM_6_11, MEMTYPE_KVM_6_6, MEMTYPE_KVM_6_16};

	state = seed;
	config->policy = policies[random64() % ARRAY_SIZE(policies)];
	config->cpus = 1 + (unsigned)(random64() % MODEL_CPUS);
	config->large_2m = random64() % 4 != 0;
	config->large_1g = config->large_2m && random64() % 2;
	config->twice = random64() % 2;
	config->accessed_dirty = config->twice || random64() % 2;
	config->pages = random64() % 8 ? 256 : 12;
	config->transition = random64() % 2 ? EPT_TRANSITION_RETYPE : EPT_TRANSITION_ZAP;
	config->fill = random64() % (config->twice ? 32 : 4) ? EPT_FILL_LEAF : EPT_FILL_TABLE;
	/* Few places make operations meet; many make tables. */
	unsigned places = random64() % 3 ? 40 : 1000;

	for (unsigned i = 0; i < RUN; i++)
		ops[i] = (struct model_op){.kind = random_kind(),
					   .cpu = (uint8_t)random64(),
					   .where = (uint16_t)(random64() % places),
					   .value = (uint32_t)random64()};
	/* Begin with some memory. */
	for (unsigned i = 0; i < 4; i++) ops[i].kind = OP_SLOT_ADD;
}

static bool breaks(const struct model_config *config, const struct model_op *ops, unsigned count)
{
	struct model_result result;

	model_run(config, ops, count, &result);
	return result.broken != NULL;
}

/* Leave out each piece of this size without which the rest still breaks a rule. */
static unsigned drop_pieces(const struct model_config *config, struct model_op *ops, unsigned count, unsigned piece)
{
	struct model_op shorter[RUN];

	for (unsigned at = 0; at + piece <= count;) {
		memcpy(shorter, ops, at * sizeof(*ops));
		memcpy(shorter + at, ops + at + piece, (count - at - piece) * sizeof(*ops));
		if (breaks(config, shorter, count - piece)) {
			count -= piece;
			memcpy(ops, shorter, count * sizeof(*ops));
		} else {
			at += piece;
		}
	}
	return count;
}

/* Ever smaller pieces, and again until nothing more can be left out. */
static unsigned shrink(const struct model_config *config, struct model_op *ops, unsigned count)
{
	unsigned before;

	do {
		before = count;
		for (unsigned piece = (count + 1) / 2; piece > 0; piece /= 2)
			count = drop_pieces(config, ops, count, piece);
	} while (count < before);
	return count;
}

static void report(const struct model_config *config, struct model_op *ops, uint64_t seed)
{
	struct model_result result;
	unsigned count;

	model_run(config, ops, RUN, &result);
	count = shrink(config, ops, result.at + 1);
	model_run(config, ops, count, &result);
	printf("# seed %" PRIu64 ": %s\n", seed, result.broken);
	printf("# %s, %s, %s, %u CPUs, 2M %d, 1G %d, A/D %d, RAM twice %d, %u table pages; the "
	       "shortest run "
	       "found:\n",
	       memtype_policy_name(config->policy), config->transition == EPT_TRANSITION_RETYPE ? "retype" : "zap",
	       config->fill == EPT_FILL_TABLE ? "fill=table" : "fill=leaf", config->cpus, config->large_2m,
	       config->large_1g, config->accessed_dirty, config->twice, config->pages);
	for (unsigned i = 0; i < count; i++) {
		printf("#   ");
		model_print_op(stdout, config, &ops[i]);
	}
}

/* A model that never meets the interesting cases proves nothing: that fails too. */
static bool verdict(uint64_t operations, const struct model_result *sum)
{
	bool met = sum->installs && sum->retries;
	bool stale = sum->stale || operations < 100 * RUN;

	printf("ok 1 - %" PRIu64 " operations: no access by a wrong address, permission or type, and no "
	       "wrong byte read\n",
	       operations);
	printf("%sok 2 - a fault begun before a change is never installed after it "
	       "(%u installed, %u refused)\n",
	       met ? "" : "not ", sum->installs, sum->retries);
	printf("%sok 3 - stale types are used under kvm-6.6 (%u times) and nowhere else\n", stale ? "" : "not ",
	       sum->stale);
	printf("1..3\n");
	return met && stale;
}

int main(int argc, char **argv)
{
	uint64_t operations = argc > 1 ? strtoull(argv[1], NULL, 0) : 1000000;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL) * RUN;
	struct model_result result, sum = {0};
	struct model_config config;
	struct model_op ops[RUN];

	printf("# %" PRIu64 " operations from seed %" PRIu64 "\n", operations, seed);
	fflush(stdout);
	for (uint64_t run = 0; run * RUN < operations; run++) {
		random_run(seed + run, &config, ops);
		model_run(&config, ops, RUN, &result);
		if (result.broken) {
			report(&config, ops, seed + run);
			printf("not ok 1 - %s\n1..1\n", result.broken);
			return 1;
		}
		sum.stale += result.stale;
		sum.installs += result.installs;
		sum.retries += result.retries;
		sum.zapped += result.zapped;
	}
	return !verdict(operations, &sum);
}
