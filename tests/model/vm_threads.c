// SPDX-License-Identifier: MIT
/*
 * A VM's locks under real concurrency, for ThreadSanitizer: iommu/ under the VM's lock, ept/ under its own and the
 * gate, by the code of hv/machine/lock.h, gate.h and pool.h. Two threads are guests that change contexts and ring
 * the queue, one is a device, one works the queue off in slices, two fault pages in. What one of them leaves, the next
 * finds whole: the count of the EPT is that of the attached devices whenever the VM's lock is free, and DMA goes
 * around the cache only while it is not 0. Prints TAP; usage: vm_threads [rounds].
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "lib/asm.h"

/* There may be fewer CPUs than threads. */
static inline void give_way(void) { sched_yield(); }
#define cpu_pause give_way

#include "hv/machine/gate.h"
#include "tests/model/tables.h"
#include "tests/lib/iommu_world.h"

#define THREADS 6

static struct ept_world memory;
static struct ept ept;
static struct iommu_world *unit;
static struct mtrr mtrr;
static const struct ept_cpu cpu = {.mtrr = &mtrr, .cd = false};
static struct lock vm_lock, ept_lock;
static struct gate gate;
static unsigned rounds = 500, guests = 2, transitions, around;
static const char *broken;

static void lock_ept(void *ctx)
{
	(void)ctx;
	lock(&ept_lock, LOCK_EPT);
	gate_shut(&gate);
}

static void unlock_ept(void *ctx)
{
	(void)ctx;
	gate_open(&gate);
	let_go(&ept_lock, LOCK_EPT);
}

static bool share_ept(void *ctx)
{
	(void)ctx;
	return gate_enter(&gate);
}

static void unshare_ept(void *ctx)
{
	(void)ctx;
	gate_leave(&gate);
}

static void require(bool holds, const char *rule)
{
	if (!holds) __atomic_store_n(&broken, rule, __ATOMIC_RELAXED);
}

/* As hv/vm/noncoherent.c. */
static void device_changed(struct iommu_world *w)
{
	const struct iommu_event *event = &w->events[--w->event_count];

	if (event->noncoherent != event->was_noncoherent)
		transitions += ept_noncoherent_change(&ept, &cpu, event->noncoherent ? 1 : -1);
}

static void check_count(void)
{
	require(ept.noncoherent == (unsigned)unit->noncoherent, "the EPT counts other devices than are attached");
}

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

/* Change a context, announce it, and leave the queue to whoever comes; until the device has had its turn. */
static void *be_guest(void *arg)
{
	uint64_t state = (uint64_t)arg;

	for (unsigned i = 0; i < rounds || !__atomic_load_n(&around, __ATOMIC_RELAXED); i++) {
		uint16_t device = next_random(&state) % 2 ? EDU : EDU_B;

		lock(&vm_lock, LOCK_VM);
		if (next_random(&state) % 2)
			passed_through(unit, device, DID);
		else
			set_context(unit, device, 0, 0);
		put_descriptor(unit, VTD_DESC_CONTEXT | TO_FIELD(VTD_GLOBAL, VTD_DESC_G), 0);
		reg_write8(unit, VTD_IQT, unit->tail * 16);
		check_count();
		let_go(&vm_lock, LOCK_VM);
		if (i >= rounds) give_way();
	}
	__atomic_sub_fetch(&guests, 1, __ATOMIC_RELAXED);
	return NULL;
}

static bool guests_run(void) { return __atomic_load_n(&guests, __ATOMIC_RELAXED); }

static void *be_device(void *arg)
{
	uint64_t state = (uint64_t)arg;

	while (guests_run()) {
		lock(&vm_lock, LOCK_VM);
		unit->ever = false;
		dma_write(unit, next_random(&state) % 2 ? EDU : EDU_B, DATA, next_random(&state));
		require(!unit->ever || ept.noncoherent, "DMA went around the cache while the count was 0");
		__atomic_add_fetch(&around, unit->ever, __ATOMIC_RELAXED);
		take_fault(unit);
		check_count();
		let_go(&vm_lock, LOCK_VM);
		give_way();
	}
	return NULL;
}

static void *work(void *arg)
{
	(void)arg;
	while (guests_run()) {
		lock(&vm_lock, LOCK_VM);
		if (iommu_pending(&unit->iommu)) iommu_work(&unit->iommu);
		check_count();
		let_go(&vm_lock, LOCK_VM);
		give_way();
	}
	return NULL;
}

static void *fault_pages(void *arg)
{
	uint64_t state = (uint64_t)arg;

	while (guests_run())
		require(!serve_fault(&ept, &cpu, next_random(&state) % (4 * MiB), true), "a fault finds no table");
	return NULL;
}

static void begin(void)
{
	static const struct ept_slot ram = {.gpa = 0, .size = 4 * MiB, .hpa = 0x1001000, .kind = EPT_SLOT_RAM};
	struct ept_caps caps = {.address_width = 46};

	world_init(&memory, 64);
	memory.host.lock = lock_ept;
	memory.host.unlock = unlock_ept;
	memory.host.share = share_ept;
	memory.host.unshare = unshare_ept;
	memory.host.zapped = NULL;
	memory.locked = 1; /* what it would say of that lock, ThreadSanitizer says */
	mtrr_reset(&mtrr, 40);
	tables_begin(&memory, &ram, 1);
	ept_init(&ept, &memory.host, &caps, MEMTYPE_KVM_6_7);
	ept_slot_add(&ept, &ram);
	unit = world_new(CM);
	unit->on_event = device_changed;
	start(unit);
}

int main(int argc, char **argv)
{
	static void *(*const role[THREADS])(void *) = {be_guest, be_guest, be_device, work, fault_pages, fault_pages};
	pthread_t thread[THREADS];
	bool met;

	if (argc > 1) rounds = (unsigned)strtoul(argv[1], NULL, 0);
	begin();
	for (unsigned i = 0; i < THREADS; i++) pthread_create(&thread[i], NULL, role[i], (void *)(uint64_t)(i + 1));
	for (unsigned i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
	drain(unit);
	check_count();
	memory.locked = 0;
	if (!broken) broken = world_check(&memory, &ept, NULL);
	met = transitions && around;
	printf("%sok 1 - whenever the VM's lock is free the EPT counts the devices that are attached%s%s\n",
	       broken ? "not " : "", broken ? ": " : "", broken ? broken : "");
	printf("%sok 2 - it met what it is about: %u transitions, %u transfers around the cache\n1..2\n",
	       met ? "" : "not ", transitions, around);
	ept_destroy(&ept);
	world_destroy(&memory);
	free_worlds(NULL);
	return broken || !met;
}
