// SPDX-License-Identifier: MIT
/*
 * ept/ under real concurrency, for ThreadSanitizer: threads fault pages in while another changes
 * the noncoherent count, zaps, and adds and removes a slot. Whenever the lock is free, every leaf
 * must have the type that the count gives it at that moment and lie in a slot; a checker looks
 * again and again. Prints TAP; usage: ept_threads [faults per thread].
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "lib/asm.h"

/* There may be fewer CPUs than threads. */
static inline void give_way(void) { sched_yield(); }
#define cpu_pause give_way

#include "ept/table.h"
#include "hv/machine/gate.h"
#include "lib/errno.h"
#include "tests/model/tables.h"

#define FAULTERS 2
#define WC_PAGE  0x5000ULL /* the one page the MTRRs make WC; the rest is WB */

static struct ept_world world;
static struct ept ept;
static struct mtrr mtrr;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned faults = 100000;
static unsigned running;
static const char *broken;

#define SLOT_SIZE   (4 * MiB)
#define SECOND_SLOT (512 * GiB) /* all tables but the root go with it */

static const struct ept_slot slot[] = {
	{.gpa = 0, .size = SLOT_SIZE, .hpa = 0x1001000, .kind = EPT_SLOT_RAM},
	{.gpa = SECOND_SLOT, .size = SLOT_SIZE, .hpa = 64 * MiB, .kind = EPT_SLOT_RAM},
};

static struct gate gate;

static void lock_ept(void *ctx)
{
	pthread_mutex_lock(&mutex);
	gate_shut(&gate);
	world_lock(ctx);
}

static void unlock_ept(void *ctx)
{
	world_unlock(ctx);
	gate_open(&gate);
	pthread_mutex_unlock(&mutex);
}

/* As the hypervisor's. */
static bool share(void *ctx)
{
	(void)ctx;
	return gate_enter(&gate);
}

static void unshare(void *ctx)
{
	(void)ctx;
	gate_leave(&gate);
}

static const struct ept_cpu cpu = {.mtrr = &mtrr, .cd = false};

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

static void *fault_pages(void *arg)
{
	uint64_t state = (uint64_t)arg;

	for (unsigned i = 0; i < faults; i++) {
		uint64_t gpa = next_random(&state) % SLOT_SIZE + (next_random(&state) % 2 ? SECOND_SLOT : 0);

		if (next_random(&state) % 4 == 0) gpa = WC_PAGE;
		if (serve_fault(&ept, &cpu, gpa, true) == -ENOMEM)
			__atomic_store_n(&broken, "a fault finds no table", __ATOMIC_RELAXED);
	}
	__atomic_sub_fetch(&running, 1, __ATOMIC_RELAXED);
	return NULL;
}

static uint64_t right_type(uint64_t gpa)
{
	if (!ept.noncoherent) return 0x70;
	return gpa == WC_PAGE ? 0x08 : 0x30;
}

/* All leaves of a table, with the lock held. */
static void check_leaves(uint64_t table, unsigned level, uint64_t base)
{
	for (unsigned i = 0; i < 512; i++) {
		uint64_t entry = world_table(&world, table)[i];
		uint64_t gpa = base + ((uint64_t)i << (12 + 9 * (level - 1)));

		if (!(entry & EPT_RWX)) continue;
		if (level > 1 && !(entry & EPT_LARGE)) {
			check_leaves(entry & EPT_ADDRESS, level - 1, gpa);
			continue;
		}
		if ((entry & (EPT_TYPE | EPT_IGNORE_PAT)) != right_type(gpa))
			broken = "a leaf has a type from before the last transition";
		if (!ept_slot_find(&ept, gpa)) broken = "a leaf maps a slot that was removed";
	}
}

static void *disturb(void *arg)
{
	uint64_t state = (uint64_t)arg;
	bool present = false;

	while (__atomic_load_n(&running, __ATOMIC_RELAXED)) {
		switch (next_random(&state) % 5) {
		case 0: ept_noncoherent_change(&ept, &cpu, 1); break;
		case 1: ept_noncoherent_change(&ept, &cpu, -1); break;
		case 2: ept_zap_range(&ept, next_random(&state) % SLOT_SIZE, 0x10000); break;
		case 3:
			if (present)
				ept_slot_remove(&ept, SECOND_SLOT);
			else
				ept_slot_add(&ept, &slot[1]);
			present = !present;
			break;
		case 4:
			lock_ept(&world);
			check_leaves(ept.root, 4, 0);
			unlock_ept(&world);
			break;
		}
	}
	return NULL;
}

static bool run(void)
{
	pthread_t thread[FAULTERS + 1];
	struct ept_caps caps = {.large_2m = true, .address_width = 46};
	unsigned count;
	const char *rule;

	world_init(&world, 256);
	world.host.lock = lock_ept;
	world.host.unlock = unlock_ept;
	world.host.share = share;
	world.host.unshare = unshare;
	mtrr_reset(&mtrr, 40);
	mtrr_write(&mtrr, 0x200, WC_PAGE | MEMTYPE_WC, NULL, &count);
	mtrr_write(&mtrr, 0x201, (BIT(40) - PAGE_SIZE) | 0x800, NULL, &count);
	mtrr_write(&mtrr, 0x2ff, 0x800 | MEMTYPE_WB, NULL, &count);
	tables_begin(&world, slot, 2);
	ept_init(&ept, &world.host, &caps, MEMTYPE_KVM_6_7);
	ept_slot_add(&ept, &slot[0]);
	running = FAULTERS;
	for (unsigned i = 0; i <= FAULTERS; i++)
		pthread_create(&thread[i], NULL, i < FAULTERS ? fault_pages : disturb, (void *)(uint64_t)(i + 1));
	for (unsigned i = 0; i <= FAULTERS; i++) pthread_join(thread[i], NULL);
	rule = world_check(&world, &ept, NULL);
	if (rule) broken = rule;
	return !broken;
}

int main(int argc, char **argv)
{
	bool ok;

	if (argc > 1) faults = (unsigned)strtoul(argv[1], NULL, 0);
	ok = run();
	printf("%sok 1 - whenever the lock is free every leaf has the type of that moment%s%s\n", ok ? "" : "not ",
	       ok ? "" : ": ", ok ? "" : broken);
	printf("# %u transitions, %u faults computed again\n1..1\n", (unsigned)ept.stats.transitions,
	       (unsigned)ept.stats.retries);
	ept_destroy(&ept);
	world_destroy(&world);
	return ok ? 0 : 1;
}
