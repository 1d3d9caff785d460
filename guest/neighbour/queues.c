// SPDX-License-Identifier: MIT
/*
 * Storms around a queue that takes long: all that software may do to it before it is at its end, from two CPUs, and
 * the end of the VM then, or in the middle of a WBINVD of much memory.
 */
#include "guest/lib/check.h"
#include "guest/lib/cpu.h"
#include "guest/lib/smp.h"
#include "guest/lib/start.h"
#include "guest/lib/vmcall.h"
#include "guest/lib/vtd.h"
#include "guest/neighbour/storms.h"

#define LONG_ORDER    7
#define LONG          (256U << LONG_ORDER)
#define RESET_CONTROL 0xcf9
#define RESET_CPU     6

static struct {
	uint64_t low, high;
} long_queue[LONG] __attribute__((aligned(4096)));
_Static_assert(sizeof(long_queue) == QUEUES_BYTES, "storms.h");

/*
 * The largest queue there is: a wait writes the present bit of the device's context entry, 0 and 1
 * in turn, and then that entry is invalidated.
 */
static void fill_long_queue(void)
{
	uint64_t *entry = vtd_context(edu.source_id);

	for (unsigned i = 0; i < LONG; i += 2) {
		uint32_t low = (uint32_t)(entry[0] & ~CONTEXT_PRESENT);

		low |= i / 2 % 2 ? CONTEXT_PRESENT : 0;
		long_queue[i].low = DESC_WAIT | DESC_WAIT_STATUS | (uint64_t)low << 32;
		long_queue[i].high = (uint64_t)entry;
		long_queue[i + 1].low = DESC_CONTEXT | DESC_SELECTIVE | (uint64_t)edu.source_id << 32 | DOMAIN << 16;
	}
}

void queues_long(void)
{
	if (!long_queue[0].low) fill_long_queue();
	vtd_queue_off();
	vtd_write64(VTD_IQT, 0);
	vtd_write64(VTD_IQA, (uint64_t)long_queue | LONG_ORDER);
	vtd_command(GCMD_QIE, true);
}

#define GAP     2130 /* descriptors: more than the hypervisor does at once, and twice an odd number */
#define CHANGES 8

/* A queue with a transition here and there, while the CPU does nothing but write to ROM step by step. */
void queues_steps(void)
{
	uint64_t end = CHANGES * GAP * sizeof(long_queue[0]);

	queues_long();
	for (unsigned i = 0; i < CHANGES * GAP; i++)
		if (i % GAP > 1) long_queue[i].low = DESC_WAIT;
	vtd_write64(VTD_IQT, end);
	do __asm__ volatile("fnsave %0" : "=m"(*(uint8_t(*)[108])ROM) : : "memory");
	while (vtd_read64(VTD_IQH) != end);
}

static uint32_t random(void)
{
	static uint32_t state = 1;

	return (state = state * 1664525 + 1013904223) >> 8;
}

static void ring(void) { vtd_write64(VTD_IQT, random() % LONG * sizeof(long_queue[0])); }

/* One of the states is another; nobody waits for it. */
static void flip(uint32_t state) { vtd_write32(VTD_GCMD, (vtd_read32(VTD_GSTS) & GSTS_STATES) ^ state); }

/* The queue goes on at another place: the same one, itself from its second page on, or what is no queue. */
static void move(void)
{
	const uint64_t bases[] = {(uint64_t)long_queue | LONG_ORDER, ((uint64_t)long_queue + PAGE_SIZE) | 6,
				  (uint64_t)block | 3, 0xfffffffff000 | LONG_ORDER};

	vtd_write64(VTD_IQA, bases[random() % 4]);
}

static void attack_once(void)
{
	switch (random() % 8) {
	case 0: vtd_write64(VTD_IQH, random()); break;
	case 1: move(); break;
	case 2: flip(GCMD_QIE); break;
	case 3: flip(GCMD_TE); break;
	case 4: vtd_write32(VTD_FSTS, FSTS_IQE); break;
	case 5: queues_long(); break;
	default: ring();
	}
	for (unsigned pauses = random() % 2000; pauses; pauses--) cpu_pause();
}

static void attack_for_ever(unsigned id)
{
	(void)id;
	for (;;) attack_once();
}

/* All the CPUs there are. */
void queues_attack(void)
{
	static unsigned started;

	if (!started) started = smp_start(cpuid(0xb, 1).ebx & 0xffff, attack_for_ever);
	attack_once();
}

static void triple_fault(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) none;

	__asm__ volatile("lidt %0; ud2" : : "m"(none));
}

_Noreturn void end_somehow(void)
{
	if (guest_word("triple")) triple_fault();
	if (guest_word("restart") && rdtsc() < guest_number("until", 0)) outb(RESET_CONTROL, RESET_CPU);
	guest_exit(0);
}

/* It ends when the queue is on its way. */
void queues_end(void)
{
	queues_long();
	vtd_write64(VTD_IQT, (LONG - 2) * sizeof(long_queue[0]));
	for (unsigned i = 0; i < 20; i++) vtd_read64(VTD_IQH);
	check(vtd_read64(VTD_IQH) != vtd_read64(VTD_IQT), "the queue is not at its end");
	end_somehow();
}

static volatile bool writes_back;

static void end_when_it_writes_back(unsigned id)
{
	(void)id;
	while (!writes_back) cpu_pause();
	for (uint64_t end = rdtsc() + 3000000; rdtsc() < end;) cpu_pause();
	end_somehow();
}

/* Another CPU ends the VM while this one carries out a WBINVD. */
void queues_write_back(void)
{
	static unsigned started;

	for (uint64_t page = 8 * MiB; page < ram_end() - MiB; page += PAGE_SIZE) mmio_write8(page, 1);
	if (!started) started = smp_start(2, end_when_it_writes_back);
	writes_back = true;
	wbinvd();
	check(false, "the VM ended before its WBINVD");
}
