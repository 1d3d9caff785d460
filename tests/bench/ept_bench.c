// SPDX-License-Identifier: MIT
/*
 * The cost of ept/ on the host, in one process, as ratios to the least that the same work can
 * cost on the same pages (tests/bench/floor.c). ept/ and the floors are compiled with the image's
 * flags. Ratios are of the fastest of several rounds; how far apart the rounds of one and the
 * same loop lie is printed as the machine's noise.
 */
#include <stdio.h>
#include <x86intrin.h>

#include "tests/bench/floor.h"
#include "tests/bench/ways.h"
#include "tests/ept_world.h"

#define ROUNDS_MAX 15
#define WALKS      200000

struct bench {
	struct ept_world world;
	struct ept ept;
	struct mtrr mtrr;
	struct ept_cpu cpu;
	uint64_t **tables; /* that hold leaves */
	size_t count;
};

/* The fastest and the median of some rounds, in TSC ticks. */
struct timing {
	uint64_t ticks[ROUNDS_MAX];
	unsigned rounds;
};

static double worst_noise;

static void add(struct timing *t, uint64_t start) { t->ticks[t->rounds++] = __rdtsc() - start; }

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static double best(struct timing *t)
{
	qsort(t->ticks, t->rounds, sizeof(t->ticks[0]), by_value);
	return (double)t->ticks[0];
}

static double noise(struct timing *t)
{
	double fastest = best(t), n = (double)t->ticks[t->rounds / 2] / fastest - 1;

	if (n > worst_noise) worst_noise = n;
	return n;
}

/* target 0: none was set. */
static void row(const char *what, double ours, double least, double per, const char *unit, double target)
{
	double ratio = ours / least;

	printf("  %-46s %9.2f %-6s %6.2f", what, ours / per, unit, ratio);
	if (target > 0) printf(" %s%.2f", ratio <= target ? "<" : "\n  MISSED: at most ", target);
	putchar('\n');
}

static void start(struct bench *b, unsigned pages, bool large)
{
	struct ept_caps caps = {.large_2m = large, .address_width = 46};

	memset(b, 0, sizeof(*b));
	world_init(&b->world, pages);
	mtrr_reset(&b->mtrr, 46);
	b->cpu.mtrr = &b->mtrr;
	if (ept_init(&b->ept, &b->world.host, &caps, MEMTYPE_KVM_6_7)) abort();
	b->tables = calloc(pages, sizeof(*b->tables));
}

static void stop(struct bench *b)
{
	ept_destroy(&b->ept);
	world_destroy(&b->world);
	free(b->tables);
}

static void add_ram(struct bench *b, uint64_t gpa, uint64_t size, uint64_t hpa)
{
	struct ept_slot slot = {.gpa = gpa, .size = size, .hpa = hpa, .kind = EPT_SLOT_RAM};

	if (ept_slot_add(&b->ept, &slot)) abort();
}

static void touch(struct bench *b, uint64_t gpa)
{
	if (serve_fault(&b->ept, &b->cpu, gpa, true)) abort();
}

static void touch_all(struct bench *b, uint64_t size, uint64_t step)
{
	for (uint64_t gpa = 0; gpa < size; gpa += step) touch(b, gpa);
}

/* Every table, root included; or those with a leaf in them. In the order of a walk. */
static void collect(struct bench *b, uint64_t table, unsigned level, bool all)
{
	uint64_t *entries = world_table(&b->world, table);
	bool leaf = false;

	for (unsigned i = 0; i < 512; i++) {
		if (!(entries[i] & EPT_RWX)) continue;
		if (level == 1 || (entries[i] & EPT_LARGE))
			leaf = true;
		else
			collect(b, entries[i] & EPT_ADDRESS, level - 1, all);
	}
	if (leaf || all) b->tables[b->count++] = entries;
}

/* What 'leaves' 4K leaves in a row, from address 0, cannot do without. */
static double minimum_tables(uint64_t leaves)
{
	uint64_t tables = 1;

	for (unsigned level = 1; level <= 3; level++) {
		leaves = (leaves + 511) / 512;
		tables += leaves;
	}
	return (double)tables;
}

/*
 * Dense: 'leaves' 4K leaves in full tables. Each round maps, zaps, and then does on the same
 * pages what the floors do; before each the pages are filled, so that caches are alike.
 */
static void dense(unsigned leaves, unsigned rounds)
{
	struct timing zap = {0}, map = {0}, first = {0}, fill = {0}, store = {0}, libc = {0};
	struct bench b;
	double least = minimum_tables(leaves);
	uint64_t t;
	char what[80];

	start(&b, leaves / 512 + leaves / 262144 + 16, false);
	add_ram(&b, 0, leaves * 4096ULL, GiB);
	t = __rdtsc();
	touch_all(&b, leaves * 4096ULL, 4096);
	add(&first, t);
	collect(&b, b.ept.root, 4, false);
	for (unsigned round = 0; round < rounds; round++) {
		t = __rdtsc();
		if (ept_zap_all(&b.ept) != leaves) abort();
		add(&zap, t);
		t = __rdtsc();
		floor_store(b.tables, b.count, 7);
		add(&fill, t);
		t = __rdtsc();
		floor_store(b.tables, b.count, 0);
		add(&store, t);
		floor_store(b.tables, b.count, 7);
		t = __rdtsc();
		floor_memset(b.tables, b.count);
		add(&libc, t);
		t = __rdtsc();
		touch_all(&b, leaves * 4096ULL, 4096);
		add(&map, t);
	}
	noise(&store);
	snprintf(what, sizeof(what), "zap of %u dense 4K leaves / store loop", leaves);
	row(what, best(&zap), best(&store), leaves, "/leaf", 1.15);
	snprintf(what, sizeof(what), "  the same / memset");
	row(what, best(&zap), best(&libc), leaves, "", 0);
	snprintf(what, sizeof(what), "  first touch / storing to the same pages");
	row(what, best(&first), best(&fill), leaves, "/leaf", 0);
	snprintf(what, sizeof(what), "  touch again after the zap / the same stores");
	row(what, best(&map), best(&fill), leaves, "/leaf", 0);
	snprintf(what, sizeof(what), "  tables after zap and touching all / minimum");
	row(what, (double)b.ept.stats.tables, least, 1, "tables", (least + 1) / least);
	stop(&b);
}

/* Half of the space in 2M leaves, half in 4K leaves, alternating. */
static void mixed(unsigned regions, unsigned rounds)
{
	struct timing zap = {0}, store = {0}, libc = {0};
	struct bench b;
	unsigned leaves = regions / 2 * 513;
	uint64_t t;
	char what[80];

	start(&b, regions + 16, true);
	add_ram(&b, 0, regions * 2 * MiB, GiB);
	for (unsigned round = 0; round < rounds; round++) {
		for (unsigned r = 0; r < regions; r += 2) {
			b.ept.caps.large_2m = true;
			touch(&b, r * 2 * MiB);
			b.ept.caps.large_2m = false;
			for (unsigned i = 0; i < 512; i++) touch(&b, (r + 1) * 2 * MiB + i * 4096);
		}
		b.count = 0;
		collect(&b, b.ept.root, 4, false);
		t = __rdtsc();
		if (ept_zap_all(&b.ept) != leaves) abort();
		add(&zap, t);
		/* Tables of level 1 only: those with 2M leaves hold what the floors must keep. */
		size_t small = 0;
		for (size_t i = 0; i < b.count; i++) {
			if (!(b.tables[i][1] & EPT_RWX)) b.tables[small++] = b.tables[i];
		}
		floor_store(b.tables, small, 7);
		t = __rdtsc();
		floor_store(b.tables, small, 0);
		add(&store, t);
		floor_store(b.tables, small, 7);
		t = __rdtsc();
		floor_memset(b.tables, small);
		add(&libc, t);
	}
	noise(&store);
	snprintf(what, sizeof(what), "zap of %u leaves, 2M and 4K mixed / store loop", leaves);
	row(what, best(&zap), best(&store), leaves, "/leaf", 0);
	row("  the same / memset", best(&zap), best(&libc), leaves, "", 0);
	stop(&b);
}

/* Leaves far apart in 1 TiB; the floor is a memset of all their tables, root included. */
static void sparse(unsigned leaves, unsigned rounds)
{
	struct timing zap = {0}, libc = {0}, empty = {0};
	struct bench b;
	uint64_t t, stride = ALIGN_DOWN((1ULL << 40) / leaves, 4096);
	uint64_t **copies;

	start(&b, 4 * leaves, false);
	add_ram(&b, 0, 1ULL << 40, GiB);
	copies = calloc(4 * leaves, sizeof(*copies));
	for (unsigned round = 0; round < rounds; round++) {
		for (unsigned i = 0; i < leaves; i++) touch(&b, i * stride);
		t = __rdtsc();
		if (ept_zap_all(&b.ept) != leaves) abort();
		add(&zap, t);
		t = __rdtsc();
		ept_zap_all(&b.ept);
		add(&empty, t);
	}
	/* The tables must stay what they are: the memset is of as many pages elsewhere. */
	collect(&b, b.ept.root, 4, true);
	for (size_t i = 0; i < b.count; i++) {
		copies[i] = aligned_alloc(4096, 4096);
		memset(copies[i], 1, 4096);
	}
	for (unsigned round = 0; round < rounds; round++) {
		t = __rdtsc();
		floor_memset(copies, b.count);
		add(&libc, t);
	}
	printf("  (1 TiB, %u leaves: %zu tables)\n", leaves, b.count);
	row("sparse zap / memset of its tables", best(&zap), best(&libc), leaves, "/leaf", 10);
	row("  a zap that finds no leaf / the same", best(&empty), best(&libc), 1, "ticks", 0);
	for (size_t i = 0; i < b.count; i++) free(copies[i]);
	free(copies);
	stop(&b);
}

static void walks(unsigned leaves, unsigned rounds)
{
	struct timing walk = {0}, chase = {0};
	struct bench b;
	uint64_t *gpas = calloc(WALKS, sizeof(*gpas)), random = 1, t;
	volatile uint64_t sum = 0;
	char what[80];

	start(&b, leaves / 512 + leaves / 262144 + 16, false);
	add_ram(&b, 0, leaves * 4096ULL, GiB);
	touch_all(&b, leaves * 4096ULL, 4096);
	for (unsigned i = 0; i < WALKS; i++) {
		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		gpas[i] = ((random >> 33) % leaves) * 4096;
	}
	for (unsigned round = 0; round < rounds; round++) {
		t = __rdtsc();
		for (unsigned i = 0; i < WALKS; i++) {
			unsigned level;

			sum += ept_walk(&b.ept, gpas[i], &level);
		}
		add(&walk, t);
		t = __rdtsc();
		sum += floor_chase(b.ept.root, b.world.host.phys_offset, gpas, WALKS);
		add(&chase, t);
	}
	noise(&chase);
	snprintf(what, sizeof(what), "walk of one level, %u leaves / pointer chase", leaves);
	row(what, best(&walk), best(&chase), 4.0 * WALKS, "ticks", 0);
	free(gpas);
	stop(&b);
}

/* Leaves with types: what a fault costs when the guest's MTRRs must be asked. */
static void typed(unsigned leaves, unsigned rounds)
{
	struct timing plain = {0}, asked = {0};
	struct bench b;
	unsigned count;
	uint64_t t;

	start(&b, leaves / 512 + leaves / 262144 + 16, false);
	add_ram(&b, 0, leaves * 4096ULL, GiB);
	mtrr_write(&b.mtrr, 0x2ff, 0x806, NULL, &count);
	for (unsigned n = 0; n < 8; n++) {
		mtrr_write(&b.mtrr, 0x200 + 2 * n, (2 + n) * GiB, NULL, &count);
		mtrr_write(&b.mtrr, 0x201 + 2 * n, (BIT(46) - GiB) | 0x800, NULL, &count);
	}
	for (unsigned round = 0; round <= rounds; round++) {
		t = __rdtsc();
		touch_all(&b, leaves * 4096ULL, 4096);
		if (round) add(&plain, t);
		ept_noncoherent_change(&b.ept, &b.cpu, 1);
		t = __rdtsc();
		touch_all(&b, leaves * 4096ULL, 4096);
		if (round) add(&asked, t);
		ept_noncoherent_change(&b.ept, &b.cpu, -1);
	}
	row("touch with 8 variable ranges asked / with none", best(&asked), best(&plain), leaves, "/leaf", 0);
	stop(&b);
}

/* "count": nothing but the ways, each once. */
int main(int argc, char **argv)
{
	static const unsigned sizes[] = {1024, 16384, 262144, 4 << 20, 16 << 20};
	bool count = argc > 1 && !strcmp(argv[1], "count");

	for (unsigned kind = 0; count && kind < 4; kind++) ways(1 << 20, kind & 1, kind & 2, true);
	if (count) return 0;
	printf("ept/ on the host: ours in TSC ticks, and its ratio to the floor (<target)\n");

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) dense(sizes[i], sizes[i] > 1 << 20 ? 4 : ROUNDS_MAX);
	mixed(1024, ROUNDS_MAX);
	sparse(1000, ROUNDS_MAX);
	walks(65536, ROUNDS_MAX);
	walks(4 << 20, 5);
	typed(65536, ROUNDS_MAX);
	printf("  noise: rounds of one and the same loop differ by up to %.0f%% (median to "
	       "fastest)\n",
	       worst_noise * 100);
	for (unsigned kind = 0; kind < 4; kind++) ways(1 << 20, kind & 1, kind & 2, false);
	return 0;
}
