// SPDX-License-Identifier: MIT
/*
 * What computes with a device's memory: floating point, 64 bits at once, loops that a compiler makes vectors of.
 * Never run, as tests/zoo/accessors.c.
 */
#include "tests/zoo/zoo.h"

/* clang-format off */
/* Floating point: what x87 does where there is no SSE, and of long double always. */
#define FLOATS(type)                                                                               \
	type get_##type(volatile type *r)                                                          \
	{                                                                                          \
		return *r;                                                                         \
	}                                                                                          \
	void put_##type(volatile type *r, type v)                                                  \
	{                                                                                          \
		*r = v;                                                                            \
	}                                                                                          \
	type sum_##type(volatile type *r, type v)                                                  \
	{                                                                                          \
		return v + *r;                                                                     \
	}                                                                                          \
	type difference_##type(volatile type *r, type v)                                           \
	{                                                                                          \
		return v - *r;                                                                     \
	}                                                                                          \
	type reversed_##type(volatile type *r, type v)                                             \
	{                                                                                          \
		return *r - v;                                                                     \
	}                                                                                          \
	type product_##type(volatile type *r, type v)                                              \
	{                                                                                          \
		return v * *r;                                                                     \
	}                                                                                          \
	type quotient_##type(volatile type *r, type v)                                             \
	{                                                                                          \
		return v / *r;                                                                     \
	}                                                                                          \
	type fused_##type(volatile type *r, type v, type w)                                        \
	{                                                                                          \
		return v * w + *r;                                                                 \
	}                                                                                          \
	void accumulate_##type(volatile type *r, type v)                                           \
	{                                                                                          \
		*r = *r * v + 1;                                                                   \
	}                                                                                          \
	bool less_##type(volatile type *r, type v)                                                 \
	{                                                                                          \
		return v < *r;                                                                     \
	}                                                                                          \
	type greatest_##type(volatile type *r, type v)                                             \
	{                                                                                          \
		type x = *r;                                                                       \
		return x > v ? x : v;                                                              \
	}                                                                                          \
	float to_float_##type(volatile type *r)                                                    \
	{                                                                                          \
		return (float)*r;                                                                  \
	}                                                                                          \
	double to_double_##type(volatile type *r)                                                  \
	{                                                                                          \
		return (double)*r;                                                                 \
	}                                                                                          \
	int to_int_##type(volatile type *r)                                                        \
	{                                                                                          \
		return (int)*r;                                                                    \
	}                                                                                          \
	long to_long_##type(volatile type *r)                                                      \
	{                                                                                          \
		return (long)*r;                                                                   \
	}                                                                                          \
	type from_short_##type(volatile short *r)                                                  \
	{                                                                                          \
		return *r;                                                                         \
	}                                                                                          \
	type from_int_##type(volatile int *r)                                                      \
	{                                                                                          \
		return (type)*r;                                                                   \
	}                                                                                          \
	type from_long_long_##type(volatile long long *r)                                          \
	{                                                                                          \
		return (type)*r;                                                                   \
	}                                                                                          \
	void put_short_##type(volatile short *r, type v)                                           \
	{                                                                                          \
		*r = (short)v;                                                                     \
	}                                                                                          \
	void put_int_##type(volatile int *r, type v)                                               \
	{                                                                                          \
		*r = (int)v;                                                                       \
	}                                                                                          \
	void put_long_long_##type(volatile long long *r, type v)                                   \
	{                                                                                          \
		*r = (long long)v;                                                                 \
	}
typedef long double longest;
FLOATS(float) FLOATS(double) FLOATS(longest)

/* Of 64 bits at once, also where registers have 32. */
uint64_t load_atomic(_Atomic uint64_t *r)
{
	return *r;
}
void store_atomic(uint64_t *r, uint64_t v)
{
	__atomic_store_n(r, v, __ATOMIC_RELEASE);
}
uint64_t load_volatile_atomic(volatile uint64_t *r)
{
	return __atomic_load_n(r, __ATOMIC_RELAXED);
}
void add_atomic(_Atomic uint64_t *r, uint64_t v)
{
	*r += v;
}
void put_atomic(_Atomic uint64_t *r, uint64_t v)
{
	*r = v;
}

/* Loops that a compiler makes vectors of; of a known length, for masked moves (VPMASKMOV) are not emulated. */
#define LOOPS(type)                                                                                \
	type total_##type(const type *r)                                                           \
	{                                                                                          \
		type sum = 0;                                                                      \
		for (unsigned i = 0; i < 256; i++) sum = (type)(sum + r[i]);                       \
		return sum;                                                                        \
	}                                                                                          \
	type extreme_##type(const type *r)                                                         \
	{                                                                                          \
		type most = 0;                                                                     \
		for (unsigned i = 0; i < 256; i++) most = r[i] > most ? r[i] : most;               \
		return most;                                                                       \
	}                                                                                          \
	bool differs_##type(const type *a, const type *b)                                          \
	{                                                                                          \
		type difference = 0;                                                               \
		for (unsigned i = 0; i < 64; i++) difference |= a[i] ^ b[i];                       \
		return difference;                                                                 \
	}                                                                                          \
	unsigned count_##type(const type *r, type v)                                               \
	{                                                                                          \
		unsigned n = 0;                                                                    \
		for (unsigned i = 0; i < 256; i++) n += r[i] == v;                                 \
		return n;                                                                          \
	}                                                                                          \
	void combine_##type(type *to, const type *a, const type *b)                                \
	{                                                                                          \
		for (unsigned i = 0; i < 64; i++) to[i] = (type)((a[i] + b[i]) * 3 - (a[i] >> 1)); \
	}                                                                                          \
	void masked_##type(type *to, const type *a, type mask)                                     \
	{                                                                                          \
		for (unsigned i = 0; i < 64; i++) to[i] = (type)(~a[i] & mask);                    \
	}                                                                                          \
	void widened_##type(uint64_t *to, const type *a)                                           \
	{                                                                                          \
		for (unsigned i = 0; i < 64; i++) to[i] = a[i];                                    \
	}
typedef signed char schar;
/* That a loop over signed bytes extends their sign is what it is for. NOLINTNEXTLINE(bugprone-signed-char-misuse) */
LOOPS(uint8_t) LOOPS(uint16_t) LOOPS(uint32_t) LOOPS(uint64_t) LOOPS(schar) LOOPS(short) LOOPS(int)

float dot(const float *a, const float *b)
{
	float sum = 0;
	for (unsigned i = 0; i < 64; i++) sum += a[i] * b[i];
	return sum;
}
void scale_floats(float *to, const float *a, float factor)
{
	for (unsigned i = 0; i < 64; i++) to[i] = a[i] * factor + to[i];
}
void scale_doubles(double *to, const double *a, double factor)
{
	for (unsigned i = 0; i < 64; i++) to[i] = to[i] / (a[i] - factor);
}
void convert(double *to, const float *a, const int *b)
{
	for (unsigned i = 0; i < 64; i++) to[i] = a[i] + b[i];
}

#ifdef __SSE2__
/* memchr, memcmp, strlen as a C library has them. */
unsigned matches(const __m128i *r, __m128i pattern)
{
	return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(*r, pattern));
}
unsigned length_16(const __m128i *r)
{
	__m128i least = _mm_min_epu8(_mm_min_epu8(r[0], r[1]), _mm_min_epu8(r[2], r[3]));
	return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(least, _mm_setzero_si128()));
}
__m128i mixed(const __m128i *r, __m128i v)
{
	return _mm_or_si128(_mm_and_si128(v, r[0]), _mm_andnot_si128(v, r[1]));
}
__m128i arithmetic(const __m128i *r, __m128i v)
{
	v = _mm_add_epi8(v, r[0]);
	v = _mm_subs_epu16(v, r[1]);
	v = _mm_unpacklo_epi8(v, r[2]);
	v = _mm_packus_epi16(v, r[3]);
	v = _mm_sll_epi32(v, r[4]);
	v = _mm_xor_si128(_mm_shuffle_epi32(r[5], 0x1b), v);
	return _mm_insert_epi16(v, ((const short *)r)[99], 3);
}
#endif
#ifdef __SSE4_1__
bool is_zero(const __m128i *r, __m128i v)
{
	return _mm_testz_si128(v, *r);
}
__m128i of_sse4(const __m128i *r, __m128i v)
{
	v = _mm_blend_epi16(v, _mm_cvtepu8_epi16(*r), 0x5a);
	v = _mm_insert_epi32(v, ((const int *)r)[9], 2);
	v = _mm_min_epu32(_mm_shuffle_epi8(v, r[1]), r[2]);
	return _mm_alignr_epi8(v, r[3], 5);
}
void extract(int *r, __m128i v)
{
	*r = _mm_extract_epi32(v, 1);
}
#endif
#ifdef __AVX2__
unsigned length_32(const __m256i *r)
{
	__m256i least = _mm256_min_epu8(r[0], r[1]);
	return (unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(least, _mm256_setzero_si256()));
}
__m256i of_avx2(const __m256i *r, __m256i v, const short *s)
{
	v = _mm256_xor_si256(_mm256_permute4x64_epi64(*r, 0x4e), v);
	v = _mm256_add_epi16(v, _mm256_set1_epi16(*s));
	v = _mm256_sllv_epi32(v, r[1]);
	return _mm256_permute2x128_si256(v, r[2], 0x21);
}
#endif
/* clang-format on */
