// SPDX-License-Identifier: MIT
/*
 * A guest that does anything: ops= random operations from seed=, on the CPU and on every device. It
 * checks nothing of what they do: the hypervisor must not fault, no entry may fail, a neighbour
 * gets its share, and this image lives to say how many it has done. It leaves out what would end it
 * by right (reset, exit, jumps into nowhere). With the name of a kind it does only that; with from=
 * it tells the number and kind of each operation from there on, to find a culprit.
 */
#include "guest/fuzz/fuzz.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/lapic.h"
#include "guest/lib/start.h"

#define OPERATIONS 20000 /* unless ops= says otherwise */
#define VECTORS    256
#define STORM      200 /* interrupts in one operation, before their sources are masked */

uint8_t fuzz_scratch[FUZZ_SCRATCH] __attribute__((aligned(4096)));
static uint64_t state;
static unsigned interrupts, exceptions;

static const struct {
	const char *name;
	fuzz_operation *operation;
	unsigned weight;
} kinds[] = {
	{"cpuid", fuzz_cpuid, 2},
	{"msr", fuzz_msr, 12},
	{"control", fuzz_control, 8},
	{"debug", fuzz_debug, 8},
	{"xcr0", fuzz_xcr0, 2},
	{"instruction", fuzz_instruction, 6},
	{"flags", fuzz_flags, 12},
	{"halt", fuzz_halt, 1},
	{"vmcall", fuzz_vmcall, 3},
	{"port", fuzz_port, 12},
	{"string-port", fuzz_string_port, 3},
	{"mmio", fuzz_mmio, 16},
	{"any-mmio", fuzz_any_mmio, 10},
	{"interrupt", fuzz_interrupt, 8},
	{"dma", fuzz_dma, 6},
	{"iommu", fuzz_iommu, 12},
	{"queue", fuzz_queue, 6},
};

/* xorshift64* */
uint64_t fuzz_random(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1dUL;
}

uint64_t fuzz_below(uint64_t n) { return (fuzz_random() >> 16) % n; }

/* An eighth of all bits are 1. */
static uint64_t few_bits(void)
{
	uint64_t bits = fuzz_random();

	bits &= fuzz_random();
	return bits & fuzz_random();
}

uint64_t fuzz_value(void)
{
	switch (fuzz_below(6)) {
	case 0: return fuzz_below(8);
	case 1: return ~fuzz_below(8);
	case 2: return 1UL << fuzz_below(64);
	case 3: return few_bits();
	case 4: return fuzz_random() & 0xffffffff;
	default: return fuzz_random();
	}
}

/* Runs with interrupts off, between two instructions of an operation. */
static void on_interrupt(void)
{
	if (++interrupts % STORM == 0) fuzz_devices_quiet();
	lapic_eoi();
}

static void on_nmi(void) {}

/* Without DR7 a breakpoint on this very code ends; a single step goes on until RFLAGS are back. */
static void on_debug(void) { fuzz_write_dr7(0); }

void fuzz_write_cr8(uint64_t value) { __asm__ volatile("mov %0, %%cr8" : : "r"(value)); }

void fuzz_write_dr7(uint64_t value) { __asm__ volatile("mov %0, %%db7" : : "r"(value)); }

/* What the CPU was when the fuzzer began. */
static struct {
	uint64_t cr0, cr4, efer, pat;
} sane;

static void remember(void)
{
	sane.cr0 = read_cr0();
	sane.cr4 = read_cr4();
	sane.efer = rdmsr(MSR_IA32_EFER);
	sane.pat = rdmsr(MSR_IA32_PAT);
}

static void restore(bool msrs)
{
	fuzz_write_dr7(0);
	if (read_cr0() != sane.cr0) write_cr0(sane.cr0);
	if (read_cr4() != sane.cr4) write_cr4(sane.cr4);
	if (!msrs) return;
	wrmsr(MSR_IA32_EFER, sane.efer);
	fuzz_apic_as_found();
	wrmsr(MSR_IA32_PAT, sane.pat);
}

/* Of the operations, more often those of more weight; or the one that only= names. */
static unsigned choose(int only)
{
	uint64_t total = 0, at;

	if (only >= 0) return (unsigned)only;
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) total += kinds[i].weight;
	at = fuzz_below(total);
	for (unsigned i = 0;; i++) {
		if (at < kinds[i].weight) return i;
		at -= kinds[i].weight;
	}
}

static int find_only(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
		if (guest_word(kinds[i].name)) return (int)i;
	return -1;
}

static void handlers(void)
{
	for (unsigned vector = 32; vector < VECTORS; vector++) interrupt_handler(vector, on_interrupt);
	interrupt_handler(VECTOR_DB, on_debug);
	interrupt_handler(VECTOR_NMI, on_nmi);
}

int guest_main(void)
{
	uint64_t operations = guest_number("ops", OPERATIONS), seed = guest_number("seed", 1);
	uint64_t loud = guest_number("from", operations);
	uint64_t start = rdtsc();
	int only = find_only();

	state = seed * 0x9e3779b97f4a7c15UL | 1;
	remember();
	handlers();
	fuzz_devices_find();
	for (uint64_t n = 0; n < operations; n++) {
		unsigned kind = choose(only);

		if (n >= loud) {
			printf("%lu: %s\n", n, kinds[kind].name);
			console_flush();
		}
		exceptions += try_call(kinds[kind].operation, NULL) >= 0;
		restore(kinds[kind].operation == fuzz_msr);
	}
	fuzz_devices_quiet();
	printf("\nseed %lu: %lu operations, %u exceptions, %u interrupts, %lu ticks\n", seed, operations, exceptions,
	       interrupts, rdtsc() - start);
	check(exceptions > operations / 20 && exceptions < operations, "they did something");
	return check_status();
}
