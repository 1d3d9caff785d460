// SPDX-License-Identifier: MIT
/*
 * Several CPUs by random schedules: the C of ept/, of hv/vm/shootdown.c, of the locks and of the gate, compiled so
 * that at each atomic access another CPU may go on (tests/model/steps.h). Each CPU has caches of its own that keep
 * all they have seen until INVEPT (tests/model/model_cpu.h), enters its guest as stay() in hv/vm/run.c does, and
 * takes an NMI when it comes. They fault, zap, change the noncoherent count and a slot, go out and come in.
 *
 * No CPU may use a translation from before a flush that has returned, a type that is not the rule's when no change is
 * under way, or a table that was freed; and nobody may wait for ever. A run is repeated exactly by its seed. Prints
 * TAP; usage: cpus [runs [seed]].
 */
#include "lib/asm.h"

static void pause_here(void);
#define cpu_pause pause_here
#ifndef SHOOTDOWN_SOURCE
#define SHOOTDOWN_SOURCE "hv/vm/shootdown.c"
#endif
#include SHOOTDOWN_SOURCE /* NOLINT(bugprone-suspicious-include) */

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <ucontext.h>

#include "tests/lib/gs.h"
#include "tests/model/model_cpu.h"
#include "tests/model/tables.h"

#define CPUS        6
#define STACK       (64 * 1024)
#define ACTIONS     150        /* of each CPU in a run */
#define STEPS_MAX   20000000UL /* of a run: more is for ever */
#define WC_PAGE     0x5000ULL  /* the one page the MTRRs make WC; the rest is WB */
#define SLOT_SIZE   (4 * MiB)
#define SECOND_SLOT (512 * GiB) /* all tables but the root go with it */

static const struct ept_slot slot[] = {
	{.gpa = 0, .size = SLOT_SIZE, .hpa = 0x1001000, .kind = EPT_SLOT_RAM},
	{.gpa = SECOND_SLOT, .size = SLOT_SIZE, .hpa = 64 * MiB, .kind = EPT_SLOT_RAM},
};

/* What a host CPU has beside struct cpu. */
struct host {
	struct cpu cpu;
	struct vcpu vcpu;
	struct model_cpu caches;
	ucontext_t context;
	char *stack;
	bool nmi, in_guest, ran_out;
	unsigned nmi_delay;
};

static struct host host[CPUS];
static struct cpu gs, *running; /* gs.self is what this_cpu() says */
static struct vm vm;
static struct ept_world world;
static struct mtrr mtrr;
static const struct ept_cpu ept_cpu = {.mtrr = &mtrr, .cd = false};
static ucontext_t outside;
static unsigned count, budget, alive;
static uint64_t state, now;
static const char *broken;

struct cpu *cpus[CPUS_MAX];
unsigned cpu_count;
uint64_t cpus_asked;

/* What the oracle knows. */
static uint64_t flushed_from;   /* when the latest of the flushes began that have returned */
static bool changing, removing; /* the count; the slot */
static bool second_slot;
static unsigned uses, cached_uses, changes;

static uint64_t random64(void)
{
	uint64_t z = (state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static unsigned random_below(unsigned n) { return (unsigned)(random64() % n); }

static void require(bool holds, const char *rule)
{
	if (!holds && !broken) broken = rule;
	if (broken && running) setcontext(&outside);
}

static struct host *me(void) { return &host[running->index]; }

static void switch_to(unsigned next)
{
	struct host *from = me();

	budget = random_below(4) ? 1 + random_below(6) : 1 + random_below(200);
	if (next == running->index) return;
	running = gs.self = &host[next].cpu;
	swapcontext(&from->context, &host[next].context);
}

/* One that has not come to its end. */
static unsigned any_cpu(void)
{
	unsigned next = random_below(count);

	while (host[next].ran_out) next = (next + 1) % count;
	return next;
}

/* As cpu_answer() of hv/machine/cpu.c; it took the CPU out of its guest, if that is where it was. */
static void take_nmi(struct host *h)
{
	h->nmi = false;
	h->in_guest = false;
	h->cpu.slice = 1;
	__atomic_store_n(&h->cpu.answered, cpus_asked, __ATOMIC_SEQ_CST);
}

void model_step(void)
{
	if (!running) return;
	require(++now < STEPS_MAX, "somebody waits for ever");
	if (me()->nmi && !me()->nmi_delay--) take_nmi(me());
	if (budget && --budget) return;
	switch_to(any_cpu());
}

static void pause_here(void)
{
	budget = 0;
	model_step();
}

void invept(uint64_t pointer)
{
	require(pointer == vm.ept_pointer, "INVEPT of another EPT");
	model_invept(&me()->caches);
}

void cpu_kick(const struct cpu *cpu)
{
	struct host *to = &host[cpu->index];

	if (!to->nmi) to->nmi_delay = random_below(2) ? 0 : random_below(30);
	to->nmi = true;
}

void apic_send_nmi_others(void)
{
	for (unsigned i = 0; i < cpu_count; i++)
		if (cpus[i] != running) cpu_kick(cpus[i]);
}

/* Of the test is a "vm" already. NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
void events_show(struct vm *of, const struct event *event)
{
	(void)of;
	(void)event;
}

/* ept_host, as hv/vm/create.c has it. */
static void lock_ept(void *ctx)
{
	(void)ctx;
	lock(&vm.ept_lock, LOCK_EPT);
	gate_shut(&vm.ept_gate);
}

static void unlock_ept(void *ctx)
{
	(void)ctx;
	gate_open(&vm.ept_gate);
	unlock(&vm.ept_lock, LOCK_EPT);
}

static bool share_ept(void *ctx)
{
	(void)ctx;
	return gate_enter(&vm.ept_gate);
}

static void unshare_ept(void *ctx)
{
	(void)ctx;
	gate_leave(&vm.ept_gate);
}

static void flush_ept(void *ctx)
{
	uint64_t began = now;

	(void)ctx;
	world.flushes++;
	shootdown_flush(&vm);
	flushed_from = MAX(flushed_from, began);
}

static uint64_t right_type(uint64_t gpa, bool noncoherent)
{
	if (!noncoherent) return TO_FIELD(MEMTYPE_WB, EPT_TYPE) | EPT_IGNORE_PAT;
	return TO_FIELD(gpa == WC_PAGE ? MEMTYPE_WC : MEMTYPE_WB, EPT_TYPE);
}

/* Is the type of a leaf one that a CPU may use now? */
static bool is_right(uint64_t gpa, uint64_t entry)
{
	uint64_t type = entry & (EPT_TYPE | EPT_IGNORE_PAT);
	bool noncoherent = vm.ept.noncoherent != 0;

	if (vm.ept.transition == EPT_TRANSITION_RETYPE) return type == right_type(gpa, noncoherent);
	return type == right_type(gpa, noncoherent) || (changing && type == right_type(gpa, !noncoherent));
}

static void use(struct host *h, uint64_t gpa, uint64_t entry)
{
	uses++;
	cached_uses += !h->caches.walked;
	require(h->caches.since >= flushed_from, "a CPU uses a translation from before a flush that has returned");
	require(gpa < SECOND_SLOT || second_slot || removing, "a CPU uses a page of a slot that was removed");
	require(!changing || vm.ept.transition != EPT_TRANSITION_RETYPE, "a CPU is in its guest while all are stopped");
	require(is_right(gpa, entry), "a CPU uses a type that is not the rule's");
}

static uint64_t random_page(void)
{
	uint64_t gpa = (random_below(3) ? random_below(8) : random_below(1024)) * PAGE_SIZE;

	if (!random_below(4)) return WC_PAGE;
	return random_below(3) ? gpa : SECOND_SLOT + gpa;
}

/* One access of the guest; an EPT violation is served at once. */
static void access_page(struct host *h)
{
	uint64_t gpa = random_page(), entry;
	unsigned level;

	h->caches.time = now;
	entry = model_translate(&h->caches, &world, vm.ept.root, gpa, &level, &broken);
	require(!broken, broken);
	if (entry) {
		use(h, gpa, entry);
		return;
	}
	h->in_guest = false;
	model_violation(&h->caches, gpa);
	require(serve_fault(&vm.ept, &ept_cpu, gpa, false) != -ENOMEM, "a fault finds no table");
}

/* All leaves of a table, with the lock held. */
static void check_leaves(uint64_t table, unsigned level, uint64_t base)
{
	for (unsigned i = 0; i < 512; i++) {
		uint64_t entry = world_table(&world, table)[i];
		uint64_t gpa = base + ((uint64_t)i << (12 + 9 * (level - 1)));

		if (!(entry & EPT_RWX)) continue;
		if (level > 1 && !(entry & EPT_LARGE))
			check_leaves(entry & EPT_ADDRESS, level - 1, gpa);
		else
			require((entry & (EPT_TYPE | EPT_IGNORE_PAT)) == right_type(gpa, vm.ept.noncoherent != 0),
				"a leaf has a type from before the last change");
	}
}

/* As change_count() of hv/vm/noncoherent.c, with the VM's lock held. */
static void change_count(void)
{
	bool retypes = vm.ept.transition == EPT_TRANSITION_RETYPE;

	if (retypes) shootdown_stop(&vm);
	changing = true;
	ept_noncoherent_change(&vm.ept, &ept_cpu, vm.ept.noncoherent ? -1 : 1);
	changing = false;
	changes++;
	if (retypes) shootdown_resume(&vm);
}

static void change_slot(void)
{
	if (second_slot) {
		removing = true;
		second_slot = false;
		ept_slot_remove(&vm.ept, SECOND_SLOT);
		removing = false;
	} else {
		second_slot = true;
		ept_slot_add(&vm.ept, &slot[1]);
	}
}

/* What an exit does beside serving a fault. */
static void handle_exit(void)
{
	switch (random_below(8)) {
	case 0:
	case 1:
		vm_lock(&vm);
		change_count();
		vm_unlock(&vm);
		break;
	case 2:
		vm_lock(&vm);
		change_slot();
		vm_unlock(&vm);
		break;
	case 3:
		lock_ept(NULL);
		if (!changing) check_leaves(vm.ept.root, 4, 0);
		unlock_ept(NULL);
		break;
	case 4: ept_zap_range(&vm.ept, random_page(), PAGE_SIZE << random_below(12)); break;
	case 5: cpu_kick(&host[random_below(count)].cpu); break; /* for an interrupt */
	default: break;
	}
}

/* The guest until an exit: accesses, an NMI. */
static void run_guest(struct host *h)
{
	h->in_guest = true;
	for (unsigned i = random_below(12); i && h->in_guest; i--) {
		access_page(h);
		model_step();
	}
	h->in_guest = false;
}

/* As stay() and vcpu_enter(): the slice is counted down, and at once the guest runs. */
static void stay(struct host *h)
{
	h->cpu.slice = 2 + random_below(6);
	__atomic_fetch_or(&vm.in_guest, vcpu_bit(&h->vcpu), __ATOMIC_SEQ_CST);
	if (shootdown_enter(&h->vcpu)) {
		while (model_step(), --h->cpu.slice) {
			run_guest(h);
			if (!random_below(3)) handle_exit();
		}
	}
	__atomic_fetch_and(&vm.in_guest, ~vcpu_bit(&h->vcpu), __ATOMIC_RELEASE);
}

static void run_cpu(void)
{
	for (unsigned i = 0; i < ACTIONS; i++) {
		stay(me());
		model_step();
		if (!random_below(6)) handle_exit(); /* the queue, worked off outside */
	}
	me()->ran_out = true;
	if (!--alive) setcontext(&outside);
	switch_to(any_cpu());
}

static void begin_cpu(unsigned i)
{
	struct host *h = &host[i];
	char *stack = h->stack ? h->stack : malloc(STACK);

	*h = (struct host){.stack = stack, .cpu = {.index = i}};
	h->vcpu.vm = &vm;
	h->vcpu.cpu = h->vcpu.host = cpus[i] = &h->cpu;
	h->vcpu.id = i;
	h->cpu.vcpu = vm.vcpu[i] = &h->vcpu;
	getcontext(&h->context);
	h->context.uc_stack.ss_sp = stack;
	h->context.uc_stack.ss_size = STACK;
	makecontext(&h->context, run_cpu, 0);
}

static void begin(uint64_t seed)
{
	struct ept_caps caps = {.address_width = 46};

	state = seed;
	now = flushed_from = 0;
	changing = removing = second_slot = false;
	alive = count = cpu_count = 2 + random_below(CPUS - 1);
	caps.large_2m = random_below(2);
	memset(&vm, 0, sizeof(vm));
	vm.is_shared = true;
	vm.vcpus = count;
	vm.everywhere = (1U << count) - 1;
	world_init(&world, 64);
	world.host.lock = lock_ept;
	world.host.unlock = unlock_ept;
	world.host.share = share_ept;
	world.host.unshare = unshare_ept;
	world.host.flush = flush_ept;
	world.host.zapped = NULL;
	tables_begin(&world, slot, 2);
	ept_init(&vm.ept, &world.host, &caps, MEMTYPE_KVM_6_7);
	vm.ept.transition = random_below(2) ? EPT_TRANSITION_RETYPE : EPT_TRANSITION_ZAP;
	vm.ept.fill = random_below(4) ? EPT_FILL_LEAF : EPT_FILL_TABLE;
	vm.ept_pointer = ept_pointer(&vm.ept);
	ept_slot_add(&vm.ept, &slot[0]);
	for (unsigned i = 0; i < count; i++) begin_cpu(i);
}

/* Returns what went wrong, or NULL. */
static const char *run(uint64_t seed)
{
	volatile bool begun = false;

	begin(seed);
	getcontext(&outside);
	if (!begun) {
		begun = true;
		running = gs.self = &host[0].cpu;
		setcontext(&host[0].context);
	}
	running = NULL;
	if (!broken) broken = world_check(&world, &vm.ept, NULL);
	if (!broken) ept_destroy(&vm.ept);
	world_destroy(&world);
	return broken;
}

int main(int argc, char **argv)
{
	uint64_t runs = argc > 1 ? strtoull(argv[1], NULL, 0) : 300;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL) * 1000;
	unsigned type_count;
	bool met;

	gs.self = &gs;
	gs_is(&gs);
	mtrr_reset(&mtrr, 40);
	mtrr_write(&mtrr, 0x200, WC_PAGE | MEMTYPE_WC, NULL, &type_count);
	mtrr_write(&mtrr, 0x201, (BIT(40) - PAGE_SIZE) | 0x800, NULL, &type_count);
	mtrr_write(&mtrr, 0x2ff, 0x800 | MEMTYPE_WB, NULL, &type_count);
	printf("# %" PRIu64 " runs of 2 to %u CPUs from seed %" PRIu64 "\n", runs, CPUS, seed);
	for (uint64_t i = 0; i < runs; i++) {
		if (!run(seed + i)) continue;
		printf("not ok 1 - seed %" PRIu64 ", %u CPUs, step %" PRIu64 ": %s\n1..1\n", seed + i, count, now,
		       broken);
		return 1;
	}
	met = cached_uses > runs && changes > runs;
	printf("ok 1 - no CPU uses a translation from before a flush, or another type than the rule's\n");
	printf("%sok 2 - it met what it is about: %u uses, %u of them cached, %u changes\n1..2\n", met ? "" : "not ",
	       uses, cached_uses, changes);
	return !met;
}
