// SPDX-License-Identifier: MIT
/*
 * Features of the x87, MMX, SSE and AVX registers, and of what saves them, each with an answer known
 * from elsewhere. The compiler uses none of these registers here, so nothing need be told it.
 */
#include "guest/contract/features.h"
#include "guest/lib/cpu.h"
#include "lib/string.h"

#define SOME 0x0123456789abcdefUL

struct vector {
	uint64_t word[4]; /* the lowest first */
} __attribute__((aligned(32)));
#define V(low, high)     ((struct vector){{low, high, 0, 0}})
#define TWICE(low, high) ((struct vector){{low, high, low, high}})

static bool same(const struct vector *a, const struct vector *b) { return !memcmp(a, b, sizeof(*a)); }

/* 'instruction' on XMM0 = a and XMM1 = b gives XMM0 = answer. */
#define XMM(name, instruction, first, second, expected)                                                                \
	static bool name(void)                                                                                         \
	{                                                                                                              \
		struct vector a = first, b = second, answer = expected;                                                \
		__asm__ volatile("movdqu %0, %%xmm0\n\tmovdqu %1, %%xmm1\n\t" instruction "\n\tmovdqu %%xmm0, %0"      \
				 : "+m"(a)                                                                             \
				 : "m"(b));                                                                            \
		return same(&a, &answer);                                                                              \
	}
/* The same on YMM0 and YMM1. */
#define YMM(name, instruction, first, second, expected)                                                                \
	static bool name(void)                                                                                         \
	{                                                                                                              \
		struct vector a = first, b = second, answer = expected;                                                \
		__asm__ volatile("vmovdqu %0, %%ymm0\n\tvmovdqu %1, %%ymm1\n\t" instruction                            \
				 "\n\tvmovdqu %%ymm0, %0\n\tvzeroupper"                                                \
				 : "+m"(a)                                                                             \
				 : "m"(b));                                                                            \
		return same(&a, &answer);                                                                              \
	}

/* Two floats in a word, the lower first. */
#define FLOATS_1_2  0x400000003f800000UL
#define FLOATS_2_3  0x4040000040000000UL
#define FLOATS_3_4  0x4080000040400000UL
#define FLOATS_4_5  0x40a0000040800000UL
#define FLOATS_1_1  0x3f8000003f800000UL
#define FLOATS_2_2  0x4000000040000000UL
#define FLOATS_3_7  0x40e0000040400000UL
#define FLOATS_5_5  0x40a0000040a00000UL
#define HALVES      0x3800c00040003c00UL /* 1, 2, -2, 0.5 in 16 bits each */
#define FLOATS_M2_H 0x3f000000c0000000UL /* -2, 0.5 */

XMM(sse, "addps %%xmm1, %%xmm0", V(FLOATS_1_2, FLOATS_3_4), V(FLOATS_1_1, FLOATS_1_1), V(FLOATS_2_3, FLOATS_4_5))
XMM(sse2, "paddq %%xmm1, %%xmm0", V(~0UL, 1), V(1, 1), V(0, 2))
XMM(sse3, "haddps %%xmm1, %%xmm0", V(FLOATS_1_2, FLOATS_3_4), V(FLOATS_1_1, FLOATS_1_1), V(FLOATS_3_7, FLOATS_2_2))
XMM(ssse3, "pshufb %%xmm1, %%xmm0", V(0x07060504030201aa, 0x0f0e0d0c0b0a0908),
    V(0x08090a0b0c0d0e0f, 0x8001020304050607), V(0x08090a0b0c0d0e0f, 0x0001020304050607))
XMM(sse41, "pmulld %%xmm1, %%xmm0", V(0x0000000500000003, 0x0001000000000007),
    V(0xffffffff00000002, 0x0001000000000003), V(0xfffffffb00000006, 0x15))
XMM(greater, "pcmpgtq %%xmm1, %%xmm0", V(2, ~0UL), V(1, 0), V(~0UL, 0))
/* The two of Intel's white papers on AES-NI and on PCLMULQDQ. */
XMM(aes, "aesenc %%xmm1, %%xmm0", V(0x63746f725d53475d, 0x7b5b546573745665), V(0x5b477565726f6e5d, 0x4869285368617929),
    V(0x8b104b58ded7e595, 0xa8311c2f9fdba3c5))
XMM(pclmul, "pclmulqdq $0, %%xmm1, %%xmm0", V(0x63746f725d53475d, 0x7b5b546573745665),
    V(0x5b477565726f6e5d, 0x4869285368617929), V(0x929633d5d36f0451, 0x1d4d84c85c3440c0))
YMM(avx, "vaddps %%ymm1, %%ymm0, %%ymm0", TWICE(FLOATS_1_2, FLOATS_3_4), TWICE(FLOATS_1_1, FLOATS_1_1),
    TWICE(FLOATS_2_3, FLOATS_4_5))
YMM(avx2, "vpaddq %%ymm1, %%ymm0, %%ymm0", TWICE(~0UL, 1), TWICE(1, 1), TWICE(0, 2))
YMM(fma, "vfmadd231ps %%ymm1, %%ymm1, %%ymm0", TWICE(FLOATS_1_1, FLOATS_1_1), TWICE(FLOATS_2_2, FLOATS_2_2),
    TWICE(FLOATS_5_5, FLOATS_5_5))
YMM(f16c, "vcvtph2ps %%xmm1, %%ymm0", V(0, 0), V(HALVES, HALVES), TWICE(FLOATS_1_2, FLOATS_M2_H))

/* CRC-32C of the eight letters "leafcutt". */
static bool sse42(void)
{
	uint64_t crc = 0;

	__asm__ volatile("crc32q %1, %0" : "+r"(crc) : "r"(0x747475636661656cUL));
	return crc == 0x121b5993 && greater();
}

/* The first two rounds of SHA-256 over "abc" (FIPS 180-4 5.3.3, 6.2.2). */
static bool sha(void)
{
	struct vector cdgh = V(0x1f83d9ab5be0cd19, 0x3c6ef372a54ff53a),
		      abef = V(0x510e527f9b05688c, 0x6a09e667bb67ae85);
	struct vector words = V(0x71374491a3ec9318, 0), answer = V(0x78ce7989fa2a4622, 0x5a6ad9ad5d6aebcd);

	__asm__ volatile("movdqu %1, %%xmm2\n\tmovdqu %0, %%xmm1\n\tmovdqu %2, %%xmm0\n\t"
			 "sha256rnds2 %%xmm0, %%xmm2, %%xmm1\n\tmovdqu %%xmm1, %0"
			 : "+m"(cdgh)
			 : "m"(abef), "m"(words));
	return same(&cdgh, &answer);
}

static bool fpu(void)
{
	int32_t a = 3, b = 7, product = 0;

	__asm__ volatile("fninit\n\tfildl %1\n\tfimull %2\n\tfistpl %0" : "=m"(product) : "m"(a), "m"(b));
	return product == 21;
}

/* Bytes without a carry between them. */
static bool mmx(void)
{
	uint64_t a = 0x01ff02ff03ff04ff, b = 0x0101010101010101;

	__asm__ volatile("movq %0, %%mm0\n\tpaddb %1, %%mm0\n\tmovq %%mm0, %0\n\temms" : "+m"(a) : "m"(b));
	return a == 0x0200030004000500;
}

#define AREA_MARGIN 64
#define XMM0_AT     160 /* in the area, SDM 1 10.5.1 */
#define XSTATE_BV   512 /* SDM 1 13.4.2 */
#define XCOMP_BV    520
#define COMPACTED   BIT(63)
#define FILL        0xa5

static uint8_t area[1024] __attribute__((aligned(64)));

static uint64_t area_word(unsigned at)
{
	uint64_t word;

	memcpy(&word, area + at, sizeof(word));
	return word;
}

/* An area whose header is zero, as XRSTOR wants it of one that nothing has written. */
static void area_begin(void)
{
	memset(area, FILL, sizeof(area));
	memset(area + XSTATE_BV, 0, AREA_MARGIN);
}

static bool area_ends_at(unsigned size) { return area[size] == FILL && area[sizeof(area) - 1] == FILL; }

static void put_xmm0(uint64_t low) { __asm__ volatile("movq %0, %%xmm0" : : "r"(low)); }

static uint64_t get_xmm0(void)
{
	uint64_t low;

	__asm__ volatile("movq %%xmm0, %0" : "=r"(low));
	return low;
}

static bool fxsr(void)
{
	area_begin();
	put_xmm0(SOME);
	__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
	put_xmm0(1);
	__asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
	return get_xmm0() == SOME && area_word(XMM0_AT) == SOME && !area_word(XSTATE_BV);
}

/* A pattern in YMM0, from end to end; without AVX in XMM0. */
static void put_pattern(const struct vector *v)
{
	if (xgetbv(0) & XCR0_AVX)
		__asm__ volatile("vmovdqu %0, %%ymm0" : : "m"(*v));
	else
		__asm__ volatile("movdqu %0, %%xmm0" : : "m"(*v));
}

static struct vector get_pattern(void)
{
	struct vector v = V(0, 0);

	if (xgetbv(0) & XCR0_AVX)
		__asm__ volatile("vmovdqu %%ymm0, %0\n\tvzeroupper" : "=m"(v));
	else
		__asm__ volatile("movdqu %%xmm0, %0" : "=m"(v));
	return v;
}

/*
 * Saves by 'save', which writes to the end CPUID names and no further; spoils; restores. All that is in
 * use is in XSTATE_BV (SDM 1 13.7-13.10).
 */
static bool round_trip(void (*save)(void), unsigned size)
{
	const struct vector pattern = TWICE(SOME, ~SOME), spoilt = V(1, 2);
	struct vector found, expected = pattern;

	if (!(xgetbv(0) & XCR0_AVX)) expected.word[2] = expected.word[3] = 0;
	area_begin();
	put_pattern(&pattern);
	save();
	put_pattern(&spoilt);
	__asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(~0U), "d"(~0U) : "memory");
	found = get_pattern();
	return same(&found, &expected) && area_ends_at(size) && area_word(XMM0_AT) == SOME &&
	       (area_word(XSTATE_BV) & (xgetbv(0) & ~XCR0_X87)) == (xgetbv(0) & ~XCR0_X87);
}

#define SAVE(name)                                                                                                     \
	static void do_##name(void) { __asm__ volatile(#name "64 (%0)" : : "r"(area), "a"(~0U), "d"(~0U) : "memory"); }
SAVE(xsave)
SAVE(xsaveopt)
SAVE(xsavec)

static bool xsave(void) { return round_trip(do_xsave, cpuid(0xd, 0).ebx) && !area_word(XCOMP_BV); }
static bool xsaveopt(void) { return round_trip(do_xsaveopt, cpuid(0xd, 0).ebx) && !area_word(XCOMP_BV); }

/* (Bochs 2.7 stores AVX's part at 416, in the middle of SSE's, and restores it from 576.) */
static bool xsavec(void)
{
	return round_trip(do_xsavec, cpuid(0xd, 1).ebx) && area_word(XCOMP_BV) == (COMPACTED | xgetbv(0));
}

/* XCR0's components that are in use: SSE's after a store to XMM0, and never one that is off. */
static bool xgetbv_1(void)
{
	put_xmm0(SOME);
	return (xgetbv(1) & XCR0_SSE) && !(xgetbv(1) & ~xgetbv(0));
}

const struct feature vector_features[] = {
	{1, 0, ECX, 0, "SSE3", sse3},
	{1, 0, ECX, 1, "PCLMULQDQ", pclmul},
	{1, 0, ECX, 9, "SSSE3", ssse3},
	{1, 0, ECX, 12, "FMA", fma},
	{1, 0, ECX, 19, "SSE4.1", sse41},
	{1, 0, ECX, 20, "SSE4.2", sse42},
	{1, 0, ECX, 25, "AES", aes},
	{1, 0, ECX, 26, "XSAVE", xsave},
	{1, 0, ECX, 28, "AVX", avx},
	{1, 0, ECX, 29, "F16C", f16c},
	{1, 0, EDX, 0, "x87", fpu},
	{1, 0, EDX, 23, "MMX", mmx},
	{1, 0, EDX, 24, "FXSAVE", fxsr},
	{1, 0, EDX, 25, "SSE", sse},
	{1, 0, EDX, 26, "SSE2", sse2},
	{7, 0, EBX, 5, "AVX2", avx2},
	{7, 0, EBX, 29, "SHA", sha},
	{0xd, 1, EAX, 0, "XSAVEOPT", xsaveopt},
	{0xd, 1, EAX, 1, "XSAVEC", xsavec},
	{0xd, 1, EAX, 2, "XGETBV of 1", xgetbv_1},
	{},
};
