// SPDX-License-Identifier: MIT
/*
 * The transition under fire: while CPU 0 attaches and detaches a noncoherent device, the others use
 * memory without a pause and change MTRRs and CR0.CD. Nothing they wrote may be lost, and no leaf may
 * have a type from before a transition that is complete. A CPU that never leaves its guest by itself
 * must not go on with a translation that was taken away: the leaf of a page that only it uses has to
 * come back, and where each page has two copies, what it writes has to be seen by others.
 */
#include "guest/lib/caching.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/pci.h"
#include "guest/lib/start.h"
#include "guest/lib/vmcall.h"
#include "guest/lib/vtd.h"
#include "guest/smp/smp.h"
#include "lib/string.h"

#define DOMAIN           1
#define OWN_PAGES        8
#define OWN_FIRST        (32 * MiB) /* behind that each CPU but the first has pages in 2 MiB of its own, */
#define OWN_STRIDE       (2 * MiB)
#define OWN_ALL          (32 * MiB) /* so many in all, which CPU 0 takes for UC */
#define LEAF_TICKS       400000UL   /* within which a busy CPU must have faulted its leaf in again */
#define TRANSITION_TICKS 100000UL   /* and a transition no longer: who leaves by itself takes a slice */
#define ALIKE_TICKS      20000UL    /* and all have faulted */
#define CHANGE_EACH      64         /* turns between two changes of an MTRR */
#define CD_EACH          8          /* and of CD; before that the CPU looks at its leaves */

static struct edu_device edu;
static uint64_t *second_level;
static volatile uint64_t turns[SMP_CPUS], lost[SMP_CPUS];

/* More than 1 where CPUs share one of the host's. */
static uint64_t patience(void) { return guest_number("patience", 1); }

bool device_init(void)
{
	if (!edu_find(0, &edu) || !vtd_init()) return false;
	second_level = vtd_table();
	vtd_set_root();
	vtd_queue_on();
	vtd_command(GCMD_TE, true);
	return true;
}

void device_attach(void) { vtd_attach(edu.source_id, DOMAIN, second_level); }

void device_detach(void) { vtd_detach(edu.source_id, DOMAIN); }

void device_map(const void *page) { vtd_map(second_level, 3, (uint64_t)page, (uint64_t)page, SL_RW); }

void device_dma(const void *page, bool to_memory) { edu_dma(&edu, (uint64_t)page, PAGE_SIZE, to_memory); }

volatile uint64_t *own_page(unsigned id, unsigned n)
{
	return (volatile uint64_t *)(OWN_FIRST + (id - 1) * OWN_STRIDE + n * PAGE_SIZE);
}

/* Interrupts off, no instruction that exits: only a kick gets this CPU out of its guest. */
static void spin_deaf(unsigned id)
{
	volatile uint64_t *word = own_page(id, 0);

	mtrr_set(1, OWN_FIRST, OWN_ALL, MTRR_OF_ALL);
	if (!guest_word("interruptible")) interrupts_off();
	while (!job_stop) ++*word;
	interrupts_on();
}

/* What a CPU's MTRRs and CD say of its own pages. */
struct own_types {
	enum memtype mtrr;
	bool cd;
};

/* The range is half a table: so the pages have leaves of 4K, each its own fault. */
static void change_types(unsigned id, uint64_t turn, struct own_types *own)
{
	if (turn % CHANGE_EACH == 0) {
		own->mtrr = own->mtrr == MEMTYPE_WC ? MEMTYPE_WT : MEMTYPE_WC;
		own->cd = false; /* behind it, too */
		mtrr_set(1, (uint64_t)own_page(id, 0), OWN_STRIDE / 2, own->mtrr);
	}
	if (turn % CD_EACH) return;
	for (unsigned n = 0; n < OWN_PAGES; n++) types_look(id, own_page(id, n), own->mtrr, own->cd);
	own->cd = !own->cd;
	cache_disable(own->cd);
}

/* Count in each own page, and compare with the turns. */
static void hammer(unsigned id)
{
	struct own_types own = {.mtrr = MEMTYPE_WB};
	uint64_t turn = 0;

	mtrr_set(1, 0, 0, MEMTYPE_UC);
	for (unsigned n = 0; n < OWN_PAGES; n++) *own_page(id, n) = 0;
	while (!job_stop) {
		for (unsigned n = 0; n < OWN_PAGES; n++) {
			lost[id] += *own_page(id, n) != turn;
			*own_page(id, n) = turn + 1;
		}
		change_types(id, ++turn, &own);
		turns[id] = turn;
	}
	cache_disable(false);
}

static uint64_t soon(void) { return rdtsc() + LEAF_TICKS * patience(); }

static bool leaf_comes_back(uint64_t gpa, uint64_t end)
{
	unsigned level = 0;

	while (!level && rdtsc() < end) vmcall_ept_walk(gpa, &level);
	return level;
}

/* How many of the others have not faulted their leaf in again soon. */
static unsigned leaves_away(void)
{
	uint64_t end = soon();
	unsigned away = 0;

	for (unsigned id = 1; id < cpus; id++) away += !leaf_comes_back((uint64_t)own_page(id, 0), end);
	return away;
}

/* How many write what does not come here. */
static unsigned unseen(void)
{
	uint64_t end = soon(), first[SMP_CPUS];
	unsigned seen = 1;

	for (unsigned id = 1; id < cpus; id++) first[id] = *own_page(id, 0);
	for (unsigned id = 1; id < cpus; seen += *own_page(id, 0) != first[id], id++)
		while (*own_page(id, 0) == first[id] && rdtsc() < end) continue;
	return cpus - seen;
}

/* Of all transitions, and the longest of them. */
static struct {
	unsigned stale, unseen;
	uint64_t slowest;
} found;

static void after_transition(void)
{
	found.slowest = MAX(found.slowest, vmcall_counter(COUNTER_TRANSITION_TICKS));
	found.stale += leaves_away();
	types_look_all(1);
	found.unseen += unseen();
}

static unsigned rounds(void) { return (unsigned)guest_number("rounds", 50); }

/* Many enough: all of them are alike. */
static unsigned rounds_deaf(void) { return MIN(rounds(), 50); }

void test_deaf(void)
{
	uint64_t kicks = vmcall_counter(COUNTER_KICKS), bound = guest_number("bound", TRANSITION_TICKS * patience());

	types_begin();
	mtrr_set(1, OWN_FIRST, OWN_ALL, MTRR_OF_ALL);
	job_start(1, spin_deaf);
	leaves_away();
	for (unsigned n = 0; n < rounds_deaf(); n++) {
		attach_seen();
		after_transition();
		detach_seen();
		after_transition();
	}
	check_count(0, found.stale, "stale translations",
		    "a CPU that spins with interrupts off uses no translation from before");
	check_count(0, found.unseen, "times nothing", "what it writes then is seen on another");
	job_wait(1);
	types_end();
	if (!(vmcall_chosen() & CHOSEN_COHERENCE)) /* there a transition copies pages */
		check(found.slowest < bound, "a transition takes no longer than %lu ticks", bound);
	printf("%lu kicks in %u transitions\n", vmcall_counter(COUNTER_KICKS) - kicks, 2 * rounds_deaf());
}

static struct {
	uint8_t *code;
	uint64_t *table[3];
} alike[SMP_CPUS];

/*
 * All wait on one word, by code and page tables of their own beside it: each transition takes away one page that they
 * share, and of those that fault on it at once one is the first, every time.
 */
static void wait_alike(unsigned id)
{
	uint64_t shared = read_cr3();

	if (!guest_word("interruptible")) interrupts_off();
	write_cr3((uint64_t)alike[id].table[0]);
	((void (*)(volatile bool *))alike[id].code)(&job_stop);
	write_cr3(shared);
	interrupts_on();
}

static void make_alike(unsigned id)
{
	static const uint8_t code[] = {0x80, 0x3f, 0x00, 0x74, 0xfb, 0xc3}; /* 1: cmpb $0, (%rdi); je 1b; ret */
	uint64_t cr3 = read_cr3(), *entry = &cr3;

	alike[id].code = page_alloc();
	memcpy(alike[id].code, code, sizeof(code));
	for (unsigned n = 0; n < 3; n++) {
		uint64_t *table = alike[id].table[n] = page_alloc();

		memcpy(table, (const void *)(*entry & PAGE_ADDRESS), PAGE_SIZE);
		*entry = (uint64_t)table | (*entry & ~PAGE_ADDRESS);
		entry = table;
	}
}

void test_alike(void)
{
	for (unsigned id = 1; id < cpus; id++) make_alike(id);
	job_start(1, wait_alike);
	for (unsigned n = 0; n < 2 * rounds(); n++) {
		uint64_t end = rdtsc() + ALIKE_TICKS;

		(n & 1 ? device_detach : device_attach)();
		while (rdtsc() < end) cpu_pause();
	}
	check(job_wait(1), "%u transitions, and who was not the first to fault on a page goes on", 2 * rounds());
}

static void test_hammer(void)
{
	uint64_t before = vmcall_counter(COUNTER_TRANSITIONS), total = 0, wrong = 0, end;

	types_begin();
	job_start(1, hammer);
	for (unsigned n = 0; n < rounds(); n++) {
		attach_seen();
		types_look_all(OWN_PAGES);
		detach_seen();
		types_look_all(OWN_PAGES);
	}
	/* Each has to have had turns, however few CPUs they share. */
	end = rdtsc() + 100 * patience() * LEAF_TICKS;
	for (unsigned id = 1; id < cpus; id++)
		while (!turns[id] && rdtsc() < end) cpu_pause();
	check(job_wait(1), "all CPUs end their work");
	for (unsigned id = 1; id < cpus; id++) {
		total += turns[id];
		wrong += lost[id];
		check(turns[id], "CPU %u got ahead", id);
	}
	check_count(2 * rounds(), vmcall_counter(COUNTER_TRANSITIONS) - before, "transitions",
		    "each attach and each detach is one");
	check_count(0, wrong, "wrong words", "nothing that %u CPUs wrote is lost", cpus - 1);
	types_end();
	printf("%lu turns of %u pages\n", total, OWN_PAGES);
}

void test_shootdown(void)
{
	test_deaf();
	test_hammer();
}
