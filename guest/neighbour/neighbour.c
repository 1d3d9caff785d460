// SPDX-License-Identifier: MIT
/*
 * Two neighbours on one CPU. As a witness (no word) it spins and says how long it was kept from the
 * CPU at the worst. With the name of a storm it is the neighbour from hell: it does nothing but what takes the
 * hypervisor longest; "touch" and "alternate" need as many EPT tables as there can be. Both run for ticks= TSC ticks.
 */
#include "ept/mtrr.h"
#include "guest/lib/caching.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/lapic.h"
#include "guest/lib/pci.h"
#include "guest/lib/smp.h"
#include "guest/lib/start.h"
#include "guest/lib/vmcall.h"
#include "guest/lib/vtd.h"
#include "guest/neighbour/storms.h"
#include "lib/string.h"

#define TICKS         60000000 /* unless ticks= says otherwise */
#define LONGEST_WAIT  4000000
#define CMOS_DATA     0x71
#define RESET_CONTROL 0xcf9
#define RESET_CPU     6
#define PCIE          0x10 /* a capability; */
#define PCIE_CONTROL  8    /* its Device Control */
#define PCIE_RESET    0x2810
#define PCIE_NO_SNOOP 0x0800

struct edu_device edu;
uint8_t block[BLOCK] __attribute__((aligned(4096)));
uint64_t storm_end;
static uint64_t *table;

/* Bytes to the console, as many as RCX holds, in one instruction. */
static void outsb(void)
{
	const uint8_t *from = block;
	uint64_t count = BLOCK;

	__asm__ volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(COM1) : "memory");
}

/* A mask with seven holes, in turn with another: each change has many ranges. */
static void mtrr(void)
{
	static uint64_t round;
	uint64_t holes = 0x0000000555540000UL; /* bits that do not count */

	wrmsr(MSR_IA32_MTRR_PHYSMASK0 + 2, 0xfffff000UL & ~holes & ~(round++ & 1) << 12);
	wrmsr(MSR_IA32_MTRR_PHYSBASE0 + 2, MEMTYPE_WC);
	wrmsr(MSR_IA32_MTRR_PHYSMASK0 + 2, (0xfffff000UL & ~holes) | BIT(11));
	wrmsr(MSR_IA32_MTRR_PHYSMASK0 + 2, 0);
}

static void cd(void)
{
	write_cr0(read_cr0() | CR0_CD);
	write_cr0(read_cr0() & ~CR0_CD);
}

/* As many transitions as a queue can hold, in one store to its tail; the head is seen to move. */
static void queue(void)
{
	static uint64_t tail;
	static bool begun;
	unsigned moves = 0;
	uint64_t head, was = vtd_read64(VTD_IQH);

	if (!begun) queues_long();
	begun = true;
	tail = (tail + QUEUES_BYTES - 32) % QUEUES_BYTES;
	vtd_write64(VTD_IQT, tail);
	do {
		head = vtd_read64(VTD_IQH);
		moves += head != was;
		was = head;
		for (unsigned i = 0; i < 1000; i++) cpu_pause();
	} while (head != tail);
	check(moves > QUEUES_BYTES / 1600, "the head moved %u times on its way through %lu bytes of descriptors", moves,
	      QUEUES_BYTES - 32);
}

static void dma(void) { edu_dma(&edu, (uint64_t)block, 4096, true); }

static void lines(void) { printf("a line and another and another, as fast as it goes\n"); }

static void mmio(void)
{
	uint64_t to = edu.bar + EDU_LIVENESS, count = 4096;
	static uint32_t values[4096];
	const uint32_t *from = values;

	__asm__ volatile("1: movsl; sub $4, %%rdi; loop 1b" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
}

/* All of memory is dirty, and all of it goes back: with coherence=model each page is copied. */
static void dirty(void)
{
	for (uint64_t page = 8 * MiB; page < ram_end() - MiB; page += PAGE_SIZE) mmio_write8(page, 1);
	wbinvd();
}

/* What WBINVD does then, transitions do: by translation off and on, and by the device's No Snoop. */
static void translate(void)
{
	unsigned control = pci_capability(edu.source_id, PCIE) + PCIE_CONTROL;

	for (unsigned n = 0; n < 2; n++) {
		for (uint64_t page = 8 * MiB; page < ram_end() - MiB; page += PAGE_SIZE) mmio_write8(page, 1);
		vtd_command(GCMD_TE, n);
	}
	for (unsigned n = 0; n < 2; n++) {
		for (uint64_t page = 8 * MiB; page < ram_end() - MiB; page += PAGE_SIZE) mmio_write8(page, 1);
		pci_write16(edu.source_id, control, PCIE_RESET ^ (n ? 0 : PCIE_NO_SNOOP));
	}
}

static void half_uncached(void)
{
	wrmsr(MSR_IA32_MTRR_PHYSBASE0 + 2, BIT(22) | MEMTYPE_UC);
	wrmsr(MSR_IA32_MTRR_PHYSMASK0 + 2, BIT(22) | BIT(11));
}

/* The same where half of memory is UC, so that a transition that retypes has its pages to copy. */
static void uncached(void)
{
	half_uncached();
	translate();
}

/* The same by a queue, while nothing but steps are taken. */
static void steps(void)
{
	half_uncached();
	for (uint64_t page = 8 * MiB; page < ram_end() - MiB; page += PAGE_SIZE) mmio_write8(page, 1);
	queues_steps();
}

/* And by the first DMA of a device whose entry nobody announced: without caching mode nobody has to. */
static void first(void)
{
	static uint8_t round;
	unsigned wrong = 0;

	vtd_detach(edu.source_id, DOMAIN);
	for (uint64_t page = 8 * MiB; page < ram_end() - MiB; page += PAGE_SIZE) mmio_write8(page, 1);
	memset(block, ++round, PAGE_SIZE);
	vtd_enter(edu.source_id, DOMAIN, table);
	edu_dma(&edu, (uint64_t)block, PAGE_SIZE, false);
	memset(block, 0, PAGE_SIZE);
	wbinvd();
	edu_dma(&edu, (uint64_t)block, PAGE_SIZE, true);
	for (unsigned i = 0; i < PAGE_SIZE; i++) wrong += block[i] != round;
	if (wrong) check(false, "%u bytes of what the device read first are old", wrong);
}

/* Each page of the memory above the image. */
static void touch(void)
{
	for (uint64_t at = 4 * MiB; at < ram_end() - MiB; at += PAGE_SIZE) mmio_write8(at, 1);
}

/* The same, with every other page WC: no leaf can be larger than 4K. */
static void alternate(void)
{
	wrmsr(MSR_IA32_MTRR_PHYSBASE0 + 2, MEMTYPE_WC);
	wrmsr(MSR_IA32_MTRR_PHYSMASK0 + 2, BIT(12) | BIT(11));
	touch();
}

/* What follows ends after some thousands of rounds. */
#define ROUNDS 2000

/* By no instruction that is emulated: each is a step of its own on a copy of ROM. */
static void rom(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) __asm__ volatile("fnsave %0" : "=m"(*(uint8_t(*)[108])ROM) : : "memory");
}

/* Four GiB of a device, in one instruction. */
static void scan(void)
{
	uint64_t count = 1UL << 20, at = edu.bar;

	__asm__ volatile("repne scasb" : "+D"(at), "+c"(count) : "a"(0x5a) : "memory", "cc");
}

static void ins(void)
{
	uint64_t count = BLOCK;
	uint8_t *to = block;

	__asm__ volatile("rep insb" : "+D"(to), "+c"(count) : "d"(CMOS_DATA) : "memory");
}

/* A BAR that moves, and each region of the bus is looked at anew. */
static void bars(void)
{
	for (unsigned i = 0; i < ROUNDS; i++)
		pci_write32(edu.source_id, PCI_BAR0, i & 1 ? (uint32_t)edu.bar : (uint32_t)edu.bar + 16 * MiB);
}

static void on_interrupt(void) { lapic_eoi(); }

static void on_nmi(void) {}

static void ipis(void)
{
	interrupt_handler(VECTOR, on_interrupt);
	interrupt_handler(VECTOR_NMI, on_nmi);
	lapic_enable();
	interrupts_on();
	for (unsigned i = 0; i < ROUNDS; i++) {
		lapic_write(LAPIC_ICR_LOW, LAPIC_ICR_SELF | VECTOR);
		lapic_write(LAPIC_ICR_LOW, LAPIC_ICR_SELF | LAPIC_ICR_NMI);
	}
	interrupts_off();
}

/* The shortest period there is. */
static void timer(void)
{
	interrupt_handler(VECTOR, on_interrupt);
	lapic_enable();
	lapic_write(LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_BY_1);
	lapic_write(LAPIC_LVT_TIMER, LAPIC_LVT_PERIODIC | VECTOR);
	lapic_write(LAPIC_TIMER_INITIAL, 1);
	interrupts_on();
	for (unsigned i = 0; i < ROUNDS; i++) cpu_pause();
	interrupts_off();
	lapic_write(LAPIC_TIMER_INITIAL, 0);
}

/* A default type that changes changes all that no range covers. */
static void defaults(void)
{
	wrmsr(MSR_IA32_MTRR_DEF_TYPE, DEF_TYPE_E | MEMTYPE_UC);
	touch();
	wrmsr(MSR_IA32_MTRR_DEF_TYPE, DEF_TYPE_E | MEMTYPE_WB);
}

/* A page of each 2 MiB; no larger leaf than 4K has one type, but the pages beside it have the same. */
static void sparse(void)
{
	wrmsr(MSR_IA32_MTRR_PHYSBASE0 + 2, MEMTYPE_WC);
	wrmsr(MSR_IA32_MTRR_PHYSMASK0 + 2, BIT(20) | BIT(11));
	for (uint64_t at = 4 * MiB; at < ram_end() - 2 * MiB; at += MiB) mmio_write8(at + PAGE_SIZE, 1);
	cd();
}

static void spin_for_ever(unsigned id)
{
	(void)id;
	for (;;) cpu_pause();
}

/* Each write of Enable No Snoop is a transition. */
static void snoop(void)
{
	unsigned control = pci_capability(edu.source_id, PCIE) + PCIE_CONTROL;

	pci_write16(edu.source_id, control, PCIE_RESET); /* leaves the address where it is */
	for (unsigned i = 0; i < ROUNDS; i++) outw(PCI_CONFIG_DATA, PCIE_RESET ^ (i & 1 ? 0 : PCIE_NO_SNOOP));
}

/* It is made again and again (reset=restart), and its TSC goes on. */
static void reset(void)
{
	if (rdtsc() < guest_number("until", 0)) outb(RESET_CONTROL, RESET_CPU);
}

/* All CPUs of this VM want the host's. */
static void spin(void)
{
	static unsigned started;

	if (!started) started = smp_start(cpuid(0xb, 1).ebx & 0xffff, spin_for_ever);
	for (unsigned i = 0; i < ROUNDS; i++) cpu_pause();
}

/* Its sum is over all exits of all vCPUs. */
static void counters(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) vmcall_counter(COUNTER_EXITS);
}

static const struct {
	const char *word;
	void (*storm)(void);
} storms[] = {
	{"outsb", outsb},
	{"mtrr", mtrr},
	{"cd", cd},
	{"wbinvd", wbinvd},
	{"dirty", dirty},
	{"queue", queue},
	{"dma", dma},
	{"lines", lines},
	{"mmio", mmio},
	{"touch", touch},
	{"alternate", alternate},
	{"rom", rom},
	{"scan", scan},
	{"ins", ins},
	{"bars", bars},
	{"ipis", ipis},
	{"timer", timer},
	{"defaults", defaults},
	{"spin", spin},
	{"counters", counters},
	{"snoop", snoop},
	{"translate", translate},
	{"uncached", uncached},
	{"steps", steps},
	{"first", first},
	{"reset", reset},
	{"sparse", sparse},
	{"movs", strings_movs},
	{"hole", strings_hole},
	{"faults", strings_faults},
	{"nowhere", strings_nowhere},
	{"broadcast", cpus_broadcast},
	{"x2apic", cpus_x2apic},
	{"lowest", cpus_lowest},
	{"nmi", cpus_nmi},
	{"level", cpus_level},
	{"attack", queues_attack},
	{"queue-end", queues_end},
	{"write-back", queues_write_back},
};

/* A noncoherent device is there, so that MTRRs, CD and WBINVD mean something. */
static void attach(void)
{
	if (!edu_find(0, &edu) || !vtd_init()) return;
	table = vtd_table();
	vtd_map(table, 3, (uint64_t)block, (uint64_t)block, SL_RW);
	if (vtd_set_root() && vtd_queue_on() && vtd_attach(edu.source_id, DOMAIN, table)) vtd_command(GCMD_TE, true);
}

static void storm(void (*once)(void), uint64_t ticks)
{
	storm_end = rdtsc() + ticks;
	memset(block, '.', sizeof(block));
	for (unsigned i = 79; i < BLOCK; i += 80) block[i] = '\n';
	attach();
	do once();
	while (rdtsc() < storm_end);
}

static int witness(uint64_t ticks)
{
	uint64_t last = rdtsc(), end = last + ticks, longest = 0, mine = 0;

	while (last < end) {
		uint64_t now = rdtsc(), gap = now - last;

		if (gap > longest) longest = gap;
		if (gap < 1000) mine += gap;
		last = now;
	}
	printf("longest wait %lu ticks, %lu of %lu were mine\n", longest, mine, ticks);
	check_words(longest <= LONGEST_WAIT, words("%lu ticks", longest), words("at most %u", LONGEST_WAIT),
		    "kept from the CPU for %lu ticks, at most %u expected", longest, LONGEST_WAIT);
	check_words(mine >= ticks / 3, words("%lu ticks", mine), words("at least %lu", ticks / 3),
		    "a third of the time was mine: %lu of %lu ticks", mine, ticks);
	return check_status();
}

int guest_main(void)
{
	uint64_t ticks = guest_number("ticks", TICKS);

	for (unsigned i = 0; i < ARRAY_SIZE(storms); i++)
		if (guest_word(storms[i].word)) {
			storm(storms[i].storm, ticks);
			return storms[i].storm == queue ? check_status() : 0;
		}
	return witness(ticks);
}
