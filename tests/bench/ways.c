// SPDX-License-Identifier: MIT
/*
 * The ways to change a million types (docs/transitions.md), side by side on the host: what both
 * transitions cost, what touching all pages after each, and by how many faults. One after the other
 * over the same number of leaves, each on tables of its own. Exits are not in it: a fault on a real
 * machine costs a thousand ticks and more beside what is counted here. tests/bench/count runs it under
 * callgrind, which counts the instructions of change() and touch().
 */
#include "tests/bench/ways.h"

#include <stdio.h>
#include <x86intrin.h>

#include "tests/bench/lazy.h"
#include "tests/bench/others.h"
#include "tests/ept_world.h"

#define ROUNDS 5

enum way { ZAP, FILL_TABLE, RETYPE, LAZY, KVM, XEN, WAYS };

/* Each call is counted by itself. */
#define COUNTED __attribute__((noipa))

static const char *const names[WAYS] = {
	[ZAP] = "zap",         [FILL_TABLE] = "zap, fill=table",
	[RETYPE] = "retype",   [LAZY] = "lazy (prototype)",
	[KVM] = "KVM's shape", [XEN] = "Xen's shape",
};

struct run {
	struct ept_world world;
	struct ept ept;
	struct mtrr mtrr;
	struct ept_cpu cpu;
	enum way way;
	unsigned pages;
};

/* Is there a leaf? As the CPU looks: it asks nobody. */
static bool present(struct run *r, uint64_t gpa)
{
	uint64_t table = r->ept.root;

	for (unsigned level = 4;; level--) {
		uint64_t entry = world_table(&r->world, table)[page_level_index(gpa, level)];

		if (!(entry & EPT_RWX) || (r->way == XEN && xen_is_marked(entry))) return false;
		if (level == 1 || (entry & EPT_LARGE)) return true;
		table = entry & EPT_ADDRESS;
	}
}

/* Touch every page once; returns the faults. */
static COUNTED unsigned touch(struct run *r)
{
	unsigned faults = 0;

	for (uint64_t gpa = 0; gpa < r->pages * PAGE_SIZE; gpa += PAGE_SIZE) {
		if (present(r, gpa)) continue;
		faults++;
		if (r->way == LAZY && lazy_fault(&r->ept, &r->cpu, gpa)) continue;
		if (r->way == XEN && xen_misconfiguration(&r->ept, &r->cpu, gpa)) continue;
		if (serve_fault(&r->ept, &r->cpu, gpa, true)) abort();
	}
	return faults;
}

static COUNTED void change(struct run *r, int delta)
{
	if (r->way == LAZY)
		lazy_transition(&r->ept, delta);
	else if (r->way == KVM)
		kvm_transition(&r->ept, delta);
	else if (r->way == XEN)
		xen_transition(&r->ept, delta);
	else
		ept_noncoherent_change(&r->ept, &r->cpu, delta);
}

/* A transition and the touching behind it, the least of some rounds, in ticks. */
struct cost {
	uint64_t change, touch, loop; /* loop: touching when nothing faults */
	unsigned faults;
};

static void measure(struct run *r, int delta, struct cost *cost)
{
	uint64_t start = __rdtsc(), changed, touched;

	change(r, delta);
	changed = __rdtsc();
	cost->faults = touch(r);
	touched = __rdtsc();
	touch(r);
	cost->loop = MIN(cost->loop, __rdtsc() - touched);
	cost->change = MIN(cost->change, changed - start);
	cost->touch = MIN(cost->touch, touched - changed);
}

/* Whoever came by which way: every page now has the type that a fault would give it. */
static void check_types(struct run *r)
{
	for (uint64_t gpa = 0; gpa < r->pages * PAGE_SIZE; gpa += PAGE_SIZE) {
		struct ept_fill fill;
		unsigned level;
		uint64_t leaf = ept_walk(&r->ept, gpa, &level);

		if (!ept_fault_begin(&r->ept, &r->cpu, gpa, true, &fill) &&
		    !((leaf ^ fill.bits) & (EPT_TYPE | EPT_IGNORE_PAT | EPT_RWX)))
			continue;
		printf("%s: the leaf of 0x%lx is 0x%lx\n", names[r->way], gpa, leaf);
		exit(1);
	}
}

static void print(const struct cost *cost, unsigned pages)
{
	uint64_t touch = cost->touch > cost->loop ? cost->touch - cost->loop : 0;

	printf(" %8.2f %8.2f %8u", (double)cost->change / pages, (double)touch / pages, cost->faults);
}

static void prepare(struct run *r, enum way way, unsigned pages, bool large, bool holes)
{
	struct ept_caps caps = {.large_2m = large, .address_width = 46, .accessed_dirty = true};
	struct ept_slot slot = {.size = pages * PAGE_SIZE, .hpa = GiB, .kind = EPT_SLOT_RAM};
	unsigned count;

	*r = (struct run){.way = way, .pages = pages, .cpu = {.mtrr = &r->mtrr}};
	world_init(&r->world, pages / 512 + pages / 262144 + 16);
	mtrr_reset(&r->mtrr, 46);
	mtrr_write(&r->mtrr, 0x2ff, 0x806, NULL, &count);
	if (holes) { /* every other page WC */
		mtrr_write(&r->mtrr, 0x200, MEMTYPE_WC, NULL, &count);
		mtrr_write(&r->mtrr, 0x201, (BIT(46) - slot.size) | PAGE_SIZE | PHYSMASK_V, NULL, &count);
	}
	r->world.host.lock = r->world.host.unlock = NULL; /* as with one CPU */
	if (ept_init(&r->ept, &r->world.host, &caps, MEMTYPE_KVM_6_7)) abort();
	r->ept.transition = way == RETYPE ? EPT_TRANSITION_RETYPE : EPT_TRANSITION_ZAP;
	r->ept.fill = way == FILL_TABLE ? EPT_FILL_TABLE : EPT_FILL_LEAF;
	if (ept_slot_add(&r->ept, &slot)) abort();
}

/* One way, both transitions, so many times; once looked at for the types. */
static void run_way(enum way way, unsigned pages, bool large, bool holes, unsigned rounds)
{
	struct cost attach = {~0ULL, ~0ULL, ~0ULL, 0}, detach = attach;
	static struct run r;

	prepare(&r, way, pages, large, holes);
	touch(&r);
	for (unsigned round = 0; round < rounds; round++) {
		measure(&r, 1, &attach);
		if (!round && rounds > 1) check_types(&r);
		measure(&r, -1, &detach);
		if (!round && rounds > 1) check_types(&r);
	}
	printf("  %-18s", names[way]);
	print(&attach, pages);
	print(&detach, pages);
	printf("\n");
	ept_destroy(&r.ept);
	world_destroy(&r.world);
}

void ways(unsigned pages, bool large, bool holes, bool count)
{
	printf("\n%u pages, leaves of %s, %s: ticks a page\n", pages, large ? "2M where they can be" : "4K",
	       holes ? "every other page WC by a mask with holes" : "one type");
	printf("  %-18s %8s %8s %8s %8s %8s %8s\n", "", "0 -> 1", "touching", "faults", "1 -> 0", "touching", "faults");
	for (enum way way = 0; way < WAYS; way++) {
		if ((way == LAZY || way == XEN) && large && holes) continue; /* these prototypes cannot split */
		run_way(way, pages, large, holes, count ? 1 : ROUNDS);
	}
}
