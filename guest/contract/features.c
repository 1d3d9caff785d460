// SPDX-License-Identifier: MIT
/*
 * CPUID keeps its word: each feature bit it shows has a row, whose function proves the feature; a bit
 * without one fails by its name. And the numbers it tells: sizes of the XSAVE area, topology, the clock.
 */
#include "guest/contract/features.h"
#include "guest/lib/check.h"
#include "guest/lib/console.h"
#include "guest/lib/cpu.h"
#include "guest/lib/start.h"
#include "hv/dev/acpi.h"

#define XSAVE_SSE        576U       /* bytes, SDM 1 13.4: the legacy area and the header */
#define XSAVE_AVX        832U       /* ... and AVX's part */
#define CACHE_TYPE       BITS(4, 0) /* leaf 4, EAX */
#define CACHE_LEVEL      BITS(7, 5)
#define CACHE_IDS        BITS(25, 14) /* that share it, less one */
#define TOPOLOGY_THREADS (1U << 8)    /* leaf 0xb, ECX */
#define TOPOLOGY_CORES   (2U << 8)
#define PERMILLE         1000
#define LOOKS            8
#define CLOCK_LOOKS      1000 /* so that a whole look between them would be 0.1 % */

/* What tells of the machine and offers nothing to execute. */
static const struct feature statements[] = {
	{1, 0, ECX, 27, "OSXSAVE: CR4's bit", NULL},
	{1, 0, ECX, 31, "a hypervisor is present", NULL},
	{1, 0, EDX, 27, "self-snoop", NULL},
	{1, 0, EDX, 28, "several ids: check_topology()", NULL},
	{6, 0, EAX, 2, "ARAT: the APIC timer never stops", NULL},
	{7, 0, EBX, 6, "the x87 tells of a datum's address after exceptions only", NULL},
	{7, 0, EBX, 13, "and of no segments", NULL},
	{0x80000007, 0, EDX, 8, "invariant TSC: check_clock()", NULL},
	{},
};
static const struct feature *const lists[] = {instruction_features, vector_features, privileged_features, statements};

/* The registers that are bit by bit features: what the architecture may ever put there. */
static const struct feature feature_words[] = {
	{.leaf = 1, .reg = ECX, .name = "1:ECX"},
	{.leaf = 1, .reg = EDX, .name = "1:EDX"},
	{.leaf = 6, .reg = EAX, .name = "6:EAX"},
	{.leaf = 6, .reg = ECX, .name = "6:ECX"},
	{.leaf = 7, .reg = EBX, .name = "7:EBX"},
	{.leaf = 7, .reg = ECX, .name = "7:ECX"},
	{.leaf = 7, .reg = EDX, .name = "7:EDX"},
	{.leaf = 7, .subleaf = 1, .reg = EAX, .name = "7.1:EAX"},
	{.leaf = 7, .subleaf = 1, .reg = EDX, .name = "7.1:EDX"},
	{.leaf = 0xd, .subleaf = 1, .reg = EAX, .name = "0xd.1:EAX"},
	{.leaf = 0x80000001, .reg = ECX, .name = "0x80000001:ECX"},
	{.leaf = 0x80000001, .reg = EDX, .name = "0x80000001:EDX"},
	{.leaf = 0x80000007, .reg = EDX, .name = "0x80000007:EDX"},
	{.leaf = 0x80000008, .reg = EBX, .name = "0x80000008:EBX"},
	{},
};

static uint32_t word_of(const struct feature *f)
{
	struct cpuid_result r = cpuid(f->leaf, f->subleaf);

	return f->reg == EAX ? r.eax : f->reg == EBX ? r.ebx : f->reg == ECX ? r.ecx : r.edx;
}

static const struct feature *find(const struct feature *word, unsigned bit)
{
	for (unsigned i = 0; i < ARRAY_SIZE(lists); i++)
		for (const struct feature *f = lists[i]; f->name; f++)
			if (f->leaf == word->leaf && f->subleaf == word->subleaf && f->reg == word->reg &&
			    f->bit == bit)
				return f;
	return NULL;
}

static void use_xcr0(uint64_t xcr0)
{
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT | (cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE ? CR4_OSXSAVE : 0));
	if (read_cr4() & CR4_OSXSAVE) xsetbv(0, xcr0);
}

struct proof {
	const struct feature *feature;
	bool held;
};

static void prove(void *argument)
{
	struct proof *p = argument;

	p->held = p->feature->works();
}

/* Whatever a row does, the next one finds CR4 and EFER as this one did. */
static void check_feature(const struct feature *f)
{
	uint64_t cr4 = read_cr4(), efer = rdmsr(MSR_IA32_EFER);
	struct proof proof = {f, false};
	int vector = try_call(prove, &proof);

	write_cr4(cr4);
	wrmsr(MSR_IA32_EFER, efer);
	check_words(vector < 0 && proof.held, vector < 0 ? words("a wrong answer") : words("exception %d", vector),
		    words("what it does"), "%s works", f->name);
}

void check_features(void)
{
	heading("What CPUID offers");
	use_xcr0(cpuid(0xd, 0).eax);
	for (const struct feature *word = feature_words; word->name; word++) {
		uint32_t shown = word_of(word);

		for (unsigned bit = 0; bit < 32; bit++) {
			const struct feature *f = find(word, bit);

			if (!(shown >> bit & 1)) continue;
			if (!f)
				check_words(false, words("no test of CPUID %s, bit %u", word->name, bit),
					    words("one in guest/contract"), "what is offered is tested");
			else if (f->works)
				check_feature(f);
		}
	}
	check(cpuid(7, 0).eax == 0, "leaf 7 has no further subleaf");
}

/* D.0's and D.1's EBX are of what XCR0 holds now, D.0's ECX of all it may hold (SDM 1 13.2, 13.4). */
static void check_sizes_of(uint64_t xcr0, uint32_t size, const char *which)
{
	use_xcr0(xcr0);
	check_count(size, cpuid(0xd, 0).ebx, "bytes", "an XSAVE area with %s", which);
	if (cpuid(0xd, 1).eax) check_count(size, cpuid(0xd, 1).ebx, "bytes", "... and compacted");
}

void check_xsave_sizes(void)
{
	uint32_t offered = cpuid(0xd, 0).eax;
	struct cpuid_result avx = cpuid(0xd, 2);

	heading("The sizes of XSAVE");
	if (!(cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE)) {
		check(!offered && !cpuid(0xd, 0).ecx, "without XSAVE there is no area");
		return;
	}
	check_is(XCR0_X87 | XCR0_SSE, offered & ~XCR0_AVX, "x87 and SSE are offered, and but for AVX no more");
	check_count(offered & XCR0_AVX ? XSAVE_AVX : XSAVE_SSE, cpuid(0xd, 0).ecx, "bytes", "the largest area");
	check_sizes_of(XCR0_X87, XSAVE_SSE, "x87");
	check_sizes_of(XCR0_X87 | XCR0_SSE, XSAVE_SSE, "x87 and SSE");
	if (offered & XCR0_AVX) {
		check_sizes_of(offered, XSAVE_AVX, "AVX too");
		check(avx.eax == XSAVE_AVX - XSAVE_SSE && avx.ebx == XSAVE_SSE && !avx.ecx,
		      "AVX's part lies behind the others, and is XCR0's");
	} else {
		check(!avx.eax && !avx.ebx, "there is no part of AVX");
	}
	check(!cpuid(0xd, 3).eax && !cpuid(0xd, 0x3f).eax && !cpuid(0xd, 1).ecx, "there is no other part");
}

/* Leaf 4 (SDM 2A "CPUID"): one package of 'ids' cores of one thread each, so a cache is one core's or all's. */
static void check_caches(unsigned ids)
{
	unsigned caches = 0, ordered = 0, last = 0;
	struct cpuid_result r;

	for (; (r = cpuid(4, caches)).eax & CACHE_TYPE; caches++) {
		unsigned shared = (unsigned)FIELD(r.eax, CACHE_IDS) + 1;

		check_count(ids, FIELD(r.eax, CPUID_4_EAX_CORES) + 1, "ids", "of cores, says cache %u", caches);
		ordered += shared == 1 || shared == ids;
		last = MAX(last, (unsigned)FIELD(r.eax, CACHE_LEVEL));
	}
	check(caches && last, "leaf 4 has %u caches, on %u levels", caches, last);
	check_count(caches, ordered, "caches", "each is one core's or the package's");
}

void check_topology(unsigned cpus)
{
	unsigned width = cpus > 1 ? 32 - (unsigned)__builtin_clz(cpus - 1) : 0, ids = 1U << width;
	struct cpuid_result one = cpuid(1, 0), threads = cpuid(0xb, 0), cores = cpuid(0xb, 1), beyond = cpuid(0xb, 2);

	heading("The topology");
	check_count(ids, FIELD(one.ebx, CPUID_1_EBX_IDS), "ids", "of the package, as leaf 1 has it");
	check_is(cpus > 1 ? CPUID_1_EDX_HTT : 0, one.edx & CPUID_1_EDX_HTT, "HTT: more than one");
	check(!threads.eax && threads.ebx == 1 && threads.ecx == TOPOLOGY_THREADS,
	      "leaf 0xb, 0: one thread in a core, of no bit in the id");
	check_count(cpus, cores.ebx, "CPUs", "leaf 0xb, 1: so many in the package");
	check_is(width, cores.eax, "... of so many bits in the id");
	check_is(TOPOLOGY_CORES | 1, cores.ecx, "... which are cores");
	check(!beyond.eax && !beyond.ebx && beyond.ecx == 2, "leaf 0xb, 2: there is no level above");
	check(!threads.edx && !cores.edx && !beyond.edx && !(one.ebx >> 24), "the boot CPU's id is 0");
	check_caches(ids);
}

struct moment {
	uint64_t tsc;
	uint32_t timer;
	uint64_t width; /* of the look: how long the port took */
};

/* Of a few looks the shortest, so of one that nothing came between. */
static struct moment look(void)
{
	struct moment best = {.width = ~0UL};

	for (unsigned i = 0; i < LOOKS; i++) {
		uint64_t before = rdtsc();
		uint32_t timer = inl(ACPI_PM_TIMER);
		uint64_t width = rdtsc() - before;

		if (width < best.width) best = (struct moment){before, timer, width};
	}
	return best;
}

static void check_near(uint64_t hz, uint64_t found, const char *claim)
{
	uint64_t off = found > hz ? found - hz : hz - found;

	check_words(off <= hz / PERMILLE, words("%lu Hz", hz), words("%lu Hz within 0.1 %%", found), "%s", claim);
}

void check_clock(uint64_t hz)
{
	struct cpuid_result clock = cpuid(0x15, 0);
	uint64_t told = clock.eax ? (uint64_t)clock.ecx * clock.ebx / clock.eax : 0;
	struct moment first = look(), last;
	uint32_t ticks;

	heading("The clock");
	while (rdtsc() - first.tsc < CLOCK_LOOKS * first.width) cpu_pause();
	last = look();
	ticks = last.timer - first.timer;
	check_near(told, (last.tsc - first.tsc) * ACPI_PM_HZ / MAX(ticks, 1U), "CPUID 0x15 and the PM timer");
	if (hz) check_near(told, hz, "CPUID 0x15 and the machine");
}
