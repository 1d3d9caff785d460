// SPDX-License-Identifier: MIT
/*
 * Features that are instructions of the general registers, of memory and of the caches: each is
 * executed and gives the one answer it can give.
 */
#include "guest/contract/features.h"
#include "guest/lib/cpu.h"
#include "lib/string.h"

#define SOME        0x0123456789abcdefUL
#define RANDOM_LOOK 1000 /* SDM 1 7.3.17: even a good source may have nothing for a while */

static uint64_t memory[8] __attribute__((aligned(64)));

/* MOVBE and BSWAP agree, both ways. */
static bool movbe(void)
{
	uint64_t loaded, stored;

	memory[0] = SOME;
	__asm__ volatile("movbe %2, %0\n\tmovbe %0, %1" : "=&r"(loaded), "=m"(stored) : "m"(memory[0]));
	return loaded == __builtin_bswap64(SOME) && stored == SOME;
}

static bool popcnt(void)
{
	uint64_t count;

	__asm__ volatile("popcnt %1, %0" : "=r"(count) : "r"(SOME) : "cc");
	return count == 32;
}

/* BSR, which a CPU without LZCNT executes instead, would give 56. */
static bool lzcnt(void)
{
	uint64_t count;

	__asm__ volatile("lzcnt %1, %0" : "=r"(count) : "r"(SOME) : "cc");
	return count == 7;
}

static bool bmi1(void)
{
	uint64_t without, lowest, zeros;

	__asm__ volatile("andn %1, %2, %0" : "=r"(without) : "r"(SOME), "r"(0xffffUL) : "cc");
	__asm__ volatile("blsi %1, %0" : "=r"(lowest) : "r"(SOME << 4) : "cc");
	__asm__ volatile("tzcnt %1, %0" : "=r"(zeros) : "r"(0UL) : "cc");
	return without == (SOME & ~0xffffUL) && lowest == BIT(4) && zeros == 64;
}

static bool bmi2(void)
{
	uint64_t taken, spread, low, high;

	__asm__ volatile("pext %2, %1, %0" : "=r"(taken) : "r"(SOME), "r"(0xff00ff00UL));
	__asm__ volatile("pdep %2, %1, %0" : "=r"(spread) : "r"(0x89cdUL), "r"(0xff00ff00UL));
	__asm__ volatile("mulx %2, %0, %1" : "=r"(low), "=r"(high) : "r"(16UL), "d"(SOME << 4));
	return taken == 0x89cd && spread == 0x8900cd00 && low == SOME << 8 && high == 1;
}

/* Two chains of carries side by side: CF is ADCX's, OF is ADOX's, and neither touches the other's. */
static bool adx(void)
{
	uint64_t a = ~0UL, b = ~0UL, c = 0, d = 0;

	__asm__ volatile("xor %%eax, %%eax\n\tadcx %4, %0\n\tadox %5, %1\n\tadcx %5, %2\n\tadox %5, %3"
			 : "+&r"(a), "+&r"(b), "+&r"(c), "+&r"(d)
			 : "r"(1UL), "r"(0UL)
			 : "eax", "cc");
	return a == 0 && b == ~0UL && c == 1 && d == 0;
}

static bool cmpxchg8b(void)
{
	uint32_t low = 5, high = 6;
	bool same;

	memory[0] = 6UL << 32 | 5;
	__asm__ volatile("lock cmpxchg8b %0" : "+m"(memory[0]), "+a"(low), "+d"(high), "=@ccz"(same) : "b"(7), "c"(8));
	return same && memory[0] == (8UL << 32 | 7);
}

static bool cmpxchg16b(void)
{
	uint64_t low = 5, high = 6;
	bool same;

	memory[0] = 5;
	memory[1] = 6;
	__asm__ volatile("lock cmpxchg16b (%3)"
			 : "+a"(low), "+d"(high), "=@ccz"(same)
			 : "r"(memory), "b"(7UL), "c"(8UL)
			 : "memory");
	return same && memory[0] == 7 && memory[1] == 8;
}

static bool cmov(void)
{
	uint64_t taken = 1, kept = 1;

	__asm__ volatile("cmp %2, %2\n\tcmove %2, %0\n\tcmovne %2, %1" : "+r"(taken), "+r"(kept) : "r"(SOME) : "cc");
	return taken == SOME && kept == 1;
}

/* In 64-bit mode, where the first CPUs had neither. */
static bool lahf_sahf(void)
{
	uint64_t flags = (RFLAGS_SF | RFLAGS_CF | RFLAGS_FIXED_ONE) << 8, found = 0;

	__asm__ volatile("sahf\n\tmov $0, %%eax\n\tlahf\n\tmov %%rax, %1" : "+a"(flags), "=r"(found) : : "cc");
	return found == (RFLAGS_SF | RFLAGS_CF | RFLAGS_FIXED_ONE) << 8;
}

static bool two_differ(bool (*draw)(uint64_t *))
{
	uint64_t first, second;

	return draw(&first) && draw(&second) && first != second;
}

#define RANDOM(name)                                                                                                   \
	static bool draw_##name(uint64_t *value)                                                                       \
	{                                                                                                              \
		bool given = false;                                                                                    \
		for (unsigned i = 0; i < RANDOM_LOOK && !given; i++)                                                   \
			__asm__ volatile(#name " %0" : "=r"(*value), "=@ccc"(given));                                  \
		return given;                                                                                          \
	}                                                                                                              \
	static bool name(void) { return two_differ(draw_##name); }
RANDOM(rdrand)
RANDOM(rdseed)

/* What only moves lines of a cache leaves their bytes as they are. */
#define KEEPS(name, instruction)                                                                                       \
	static bool name(void)                                                                                         \
	{                                                                                                              \
		memory[3] = SOME;                                                                                      \
		__asm__ volatile(instruction " %0\n\tmfence" : "+m"(memory[3]));                                       \
		return memory[3] == SOME;                                                                              \
	}
KEEPS(clflushopt, "clflushopt")
KEEPS(clwb, "clwb")
KEEPS(prefetchw, "prefetchw")
KEEPS(flush_line, "clflush")

/* CLFLUSH, and CPUID says of how many bytes. */
static bool clflush(void) { return flush_line() && (cpuid(1, 0).ebx >> 8 & 0xff) * 8 == sizeof(memory); }

/* Fast or not, the bytes arrive, and the registers stand behind them. */
static bool erms(void)
{
	static uint8_t to[1000];
	const void *from = memory;
	uint8_t *end = to + 1;
	uint64_t count = sizeof(memory);

	for (unsigned i = 0; i < 8; i++) memory[i] = SOME * (i + 1);
	__asm__ volatile("rep movsb" : "+D"(end), "+S"(from), "+c"(count) : : "memory");
	return !memcmp(to + 1, memory, sizeof(memory)) && end == to + 1 + sizeof(memory) && !count && !to[0] && !*end;
}

static bool tsc(void)
{
	uint64_t first = rdtsc(), second = rdtsc();

	return first && second > first;
}

const struct feature instruction_features[] = {
	{1, 0, ECX, 13, "CMPXCHG16B", cmpxchg16b},
	{1, 0, ECX, 22, "MOVBE", movbe},
	{1, 0, ECX, 23, "POPCNT", popcnt},
	{1, 0, ECX, 30, "RDRAND", rdrand},
	{1, 0, EDX, 4, "TSC", tsc},
	{1, 0, EDX, 8, "CMPXCHG8B", cmpxchg8b},
	{1, 0, EDX, 15, "CMOV", cmov},
	{1, 0, EDX, 19, "CLFLUSH", clflush},
	{7, 0, EBX, 3, "BMI1", bmi1},
	{7, 0, EBX, 8, "BMI2", bmi2},
	{7, 0, EBX, 9, "ERMS", erms},
	{7, 0, EBX, 18, "RDSEED", rdseed},
	{7, 0, EBX, 19, "ADX", adx},
	{7, 0, EBX, 23, "CLFLUSHOPT", clflushopt},
	{7, 0, EBX, 24, "CLWB", clwb},
	{0x80000001, 0, ECX, 0, "LAHF in 64-bit mode", lahf_sahf},
	{0x80000001, 0, ECX, 5, "LZCNT", lzcnt},
	{0x80000001, 0, ECX, 8, "PREFETCHW", prefetchw},
	{},
};
