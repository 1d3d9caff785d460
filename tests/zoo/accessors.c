// SPDX-License-Identifier: MIT
/*
 * What drivers do to the memory of their devices, in all the forms that make a compiler choose
 * another instruction. Never run: tests/unit/test_insn_zoo.c reads what gcc and clang make of it.
 */
#include "tests/zoo/zoo.h"

/* clang-format off */
#define WIDTHS(form) form(8) form(16) form(32) form(64)

/* Reads and writes, plain and with an extension. */
#define MOVES(n)                                                                                   \
	uint##n##_t read##n(volatile uint##n##_t *r)                                               \
	{                                                                                          \
		return *r;                                                                         \
	}                                                                                          \
	uint64_t read_long##n(volatile uint##n##_t *r)                                             \
	{                                                                                          \
		return *r;                                                                         \
	}                                                                                          \
	int64_t read_signed##n(volatile int##n##_t *r)                                             \
	{                                                                                          \
		return *r;                                                                         \
	}                                                                                          \
	void write##n(volatile uint##n##_t *r, uint##n##_t value)                                  \
	{                                                                                          \
		*r = value;                                                                        \
	}                                                                                          \
	void clear##n(volatile uint##n##_t *r)                                                     \
	{                                                                                          \
		*r = 0;                                                                            \
	}                                                                                          \
	void fill##n(volatile uint##n##_t *r)                                                      \
	{                                                                                          \
		*r = (uint##n##_t) ~0ULL;                                                          \
	}                                                                                          \
	void constant##n(volatile uint##n##_t *r)                                                  \
	{                                                                                          \
		r[3] = (uint##n##_t)0x12345678;                                                    \
	}                                                                                          \
	uint##n##_t indexed##n(volatile uint##n##_t *r, long i)                                    \
	{                                                                                          \
		return r[i] + r[i + 5];                                                            \
	}
WIDTHS(MOVES)

/* Read, compute, write; compare; test. */
#define COMPUTE(n)                                                                                 \
	void add##n(volatile uint##n##_t *r, uint##n##_t v)                                        \
	{                                                                                          \
		*r += v;                                                                           \
	}                                                                                          \
	void sub##n(volatile uint##n##_t *r, uint##n##_t v)                                        \
	{                                                                                          \
		*r -= v;                                                                           \
	}                                                                                          \
	void and##n(volatile uint##n##_t *r, uint##n##_t v)                                        \
	{                                                                                          \
		*r &= v;                                                                           \
	}                                                                                          \
	void or ##n(volatile uint##n##_t *r, uint##n##_t v)                                        \
	{                                                                                          \
		*r |= v;                                                                           \
	}                                                                                          \
	void xor ##n(volatile uint##n##_t *r, uint##n##_t v)                                       \
	{                                                                                          \
		*r ^= v;                                                                           \
	}                                                                                          \
	void inc##n(volatile uint##n##_t *r)                                                       \
	{                                                                                          \
		++*r;                                                                              \
	}                                                                                          \
	void dec##n(volatile uint##n##_t *r)                                                       \
	{                                                                                          \
		--*r;                                                                              \
	}                                                                                          \
	void not ##n(volatile uint##n##_t * r)                                                     \
	{                                                                                          \
		*r = ~*r;                                                                          \
	}                                                                                          \
	void neg##n(volatile uint##n##_t *r)                                                       \
	{                                                                                          \
		*r = -*r;                                                                          \
	}                                                                                          \
	void set_bit##n(volatile uint##n##_t *r)                                                   \
	{                                                                                          \
		*r |= 1ULL << (n - 1);                                                             \
	}                                                                                          \
	void clear_bit##n(volatile uint##n##_t *r)                                                 \
	{                                                                                          \
		*r &= ~(1ULL << (n - 2));                                                          \
	}                                                                                          \
	bool is_set##n(volatile uint##n##_t *r)                                                    \
	{                                                                                          \
		return *r & 1ULL << (n - 1);                                                       \
	}                                                                                          \
	bool bit##n(volatile uint##n##_t *r, unsigned b)                                           \
	{                                                                                          \
		return *r >> (b & (n - 1)) & 1;                                                    \
	}                                                                                          \
	bool is_equal##n(volatile uint##n##_t *r, uint##n##_t v)                                   \
	{                                                                                          \
		return *r == v;                                                                    \
	}                                                                                          \
	bool is_below##n(volatile uint##n##_t *r)                                                  \
	{                                                                                          \
		return *r < 100;                                                                   \
	}                                                                                          \
	uint##n##_t least##n(volatile uint##n##_t *r, uint##n##_t v)                               \
	{                                                                                          \
		uint##n##_t x = *r;                                                                \
		return x < v ? x : v;                                                              \
	}                                                                                          \
	uint##n##_t either##n(volatile uint##n##_t *r, bool c, uint##n##_t v)                      \
	{                                                                                          \
		uint##n##_t x = *r;                                                                \
		return c ? x : v;                                                                  \
	}                                                                                          \
	void set_to##n(volatile bool *r, uint##n##_t a, uint##n##_t b)                             \
	{                                                                                          \
		*r = a < b;                                                                        \
	}                                                                                          \
	void set_if##n(volatile bool *r, int##n##_t a, int##n##_t b)                               \
	{                                                                                          \
		*r = a <= b;                                                                       \
	}
WIDTHS(COMPUTE)

/* Shifts, products, quotients, counts. */
#define SHIFT(n)                                                                                   \
	void left##n(volatile uint##n##_t *r, unsigned c)                                          \
	{                                                                                          \
		*r <<= c & (n - 1);                                                                \
	}                                                                                          \
	void right##n(volatile uint##n##_t *r, unsigned c)                                         \
	{                                                                                          \
		*r >>= c & (n - 1);                                                                \
	}                                                                                          \
	void signed_right##n(volatile int##n##_t *r, unsigned c)                                   \
	{                                                                                          \
		*r >>= c & (n - 1);                                                                \
	}                                                                                          \
	void double##n(volatile uint##n##_t *r)                                                    \
	{                                                                                          \
		*r <<= 1;                                                                          \
	}                                                                                          \
	void half##n(volatile int##n##_t *r)                                                       \
	{                                                                                          \
		*r >>= 3;                                                                          \
	}                                                                                          \
	void rotate##n(volatile uint##n##_t *r)                                                    \
	{                                                                                          \
		uint##n##_t x = *r;                                                                \
		*r = (uint##n##_t)(x << 3 | x >> (n - 3));                                         \
	}                                                                                          \
	uint##n##_t times##n(volatile uint##n##_t *r, uint##n##_t v)                               \
	{                                                                                          \
		return (uint##n##_t)(*r * v);                                                      \
	}                                                                                          \
	uint##n##_t times_ten##n(volatile uint##n##_t *r)                                          \
	{                                                                                          \
		return (uint##n##_t)(*r * 1000);                                                   \
	}                                                                                          \
	uint##n##_t by##n(volatile uint##n##_t *r, uint##n##_t v)                                  \
	{                                                                                          \
		return (uint##n##_t)(v / *r);                                                      \
	}                                                                                          \
	int##n##_t rest##n(volatile int##n##_t *r, int##n##_t v)                                   \
	{                                                                                          \
		return (int##n##_t)(v % *r);                                                       \
	}
WIDTHS(SHIFT)

/* What BMI has instructions for. */
#define FIELDS(n)                                                                                  \
	uint##n##_t without##n(volatile uint##n##_t *r, uint##n##_t v)                             \
	{                                                                                          \
		return (uint##n##_t)(*r & ~v);                                                     \
	}                                                                                          \
	uint##n##_t others##n(volatile uint##n##_t *r, uint##n##_t v)                              \
	{                                                                                          \
		return (uint##n##_t)(~*r & v);                                                     \
	}                                                                                          \
	uint##n##_t but_lowest##n(const uint##n##_t *r)                                            \
	{                                                                                          \
		return (uint##n##_t)(*r & (*r - 1));                                               \
	}                                                                                          \
	uint##n##_t only_lowest##n(const uint##n##_t *r)                                           \
	{                                                                                          \
		return (uint##n##_t)(*r & -*r);                                                    \
	}                                                                                          \
	uint##n##_t up_to_lowest##n(const uint##n##_t *r)                                          \
	{                                                                                          \
		return (uint##n##_t)(*r ^ (*r - 1));                                               \
	}                                                                                          \
	uint##n##_t low_bits##n(volatile uint##n##_t *r, unsigned c)                               \
	{                                                                                          \
		return (uint##n##_t)(*r & (((uint##n##_t)1 << (c & (n - 1))) - 1));                \
	}                                                                                          \
	uint##n##_t moved_up##n(volatile uint##n##_t *r, unsigned c)                               \
	{                                                                                          \
		return (uint##n##_t)(*r << (c & (n - 1)));                                         \
	}                                                                                          \
	uint##n##_t moved_down##n(volatile uint##n##_t *r, unsigned c)                             \
	{                                                                                          \
		return (uint##n##_t)(*r >> (c & (n - 1)));                                         \
	}                                                                                          \
	int##n##_t signed_down##n(volatile int##n##_t *r, unsigned c)                              \
	{                                                                                          \
		return (int##n##_t)(*r >> (c & (n - 1)));                                          \
	}                                                                                          \
	uint##n##_t turned##n(volatile uint##n##_t *r)                                             \
	{                                                                                          \
		uint##n##_t x = *r;                                                                \
		return (uint##n##_t)(x << 5 | x >> (n - 5));                                       \
	}
WIDTHS(FIELDS)
#ifdef __SIZEOF_INT128__
uint64_t high_product(volatile uint64_t *r, uint64_t v)
{
	return (uint64_t)((unsigned __int128)*r * v >> 64);
}
#endif
int lowest(volatile uint32_t *r)
{
	return __builtin_ctz(*r);
}
int highest(volatile uint64_t *r)
{
	return __builtin_clzll(*r);
}
int highest_bit(volatile uint32_t *r)
{
	return 31 ^ __builtin_clz(*r);
}
int first_set(volatile uint64_t *r)
{
	return __builtin_ffsll((long long)*r);
}
int ones(volatile uint32_t *r)
{
	return __builtin_popcount(*r);
}
uint16_t swap16(volatile uint16_t *r)
{
	return __builtin_bswap16(*r);
}
uint32_t swap32(volatile uint32_t *r)
{
	return __builtin_bswap32(*r);
}
void swap64(volatile uint64_t *r, uint64_t v)
{
	*r = __builtin_bswap64(v);
}

/* Atomics. */
#define ATOMIC(n)                                                                                  \
	uint##n##_t exchange##n(uint##n##_t *r, uint##n##_t v)                                     \
	{                                                                                          \
		return __atomic_exchange_n(r, v, __ATOMIC_SEQ_CST);                                \
	}                                                                                          \
	uint##n##_t fetch_add##n(uint##n##_t *r, uint##n##_t v)                                    \
	{                                                                                          \
		return __atomic_fetch_add(r, v, __ATOMIC_SEQ_CST);                                 \
	}                                                                                          \
	void atomic_or##n(uint##n##_t *r, uint##n##_t v)                                           \
	{                                                                                          \
		__atomic_fetch_or(r, v, __ATOMIC_SEQ_CST);                                         \
	}                                                                                          \
	void atomic_inc##n(uint##n##_t *r)                                                         \
	{                                                                                          \
		__atomic_fetch_add(r, 1, __ATOMIC_SEQ_CST);                                        \
	}                                                                                          \
	uint##n##_t fetch_and##n(uint##n##_t *r, uint##n##_t v)                                    \
	{                                                                                          \
		return __atomic_fetch_and(r, v, __ATOMIC_SEQ_CST);                                 \
	}                                                                                          \
	bool swap_if##n(uint##n##_t *r, uint##n##_t a, uint##n##_t b)                              \
	{                                                                                          \
		return __sync_bool_compare_and_swap(r, a, b);                                      \
	}
WIDTHS(ATOMIC)
#ifdef __GCC_HAVE_SYNC_COMPARE_AND_SWAP_16
bool swap_pair(unsigned __int128 *r, unsigned __int128 a, unsigned __int128 b)
{
	return __sync_bool_compare_and_swap(r, a, b);
}
#endif

/* Structures, tables of functions, strings, cache lines. */
#define COPY(n)                                                                                    \
	void copy_in##n(void *to, const void *r)                                                   \
	{                                                                                          \
		__builtin_memcpy(to, r, n);                                                        \
	}                                                                                          \
	void zero##n(void *r)                                                                      \
	{                                                                                          \
		__builtin_memset(r, 0, n);                                                         \
	}
COPY(3)
COPY(7)
COPY(8)
COPY(12) COPY(16) COPY(24) COPY(31) COPY(32) COPY(48)
	COPY(64) void call_through(void (*volatile *r)(void))
{
	(*r)();
}
void jump_through(void (*volatile *r)(int), int a)
{
	(*r)(a);
}
uint64_t many(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
uint64_t pass_on(volatile uint64_t *r)
{
	return many(1, 2, 3, 4, 5, 6, r[0], r[1]) + 1;
}
#ifdef __SSE2__
void flush(void *r)
{
	_mm_clflush(r);
}
void store_long(int *r, int v)
{
	_mm_stream_si32(r, v);
}
#ifdef __x86_64__
void store_longer(long long *r, long long v)
{
	_mm_stream_si64(r, v);
}
#endif

/* SSE and AVX as memory, by hand. */
__m128i load_si(const __m128i *r)
{
	return _mm_loadu_si128(r);
}
__m128i load_aligned(const __m128i *r)
{
	return _mm_load_si128(r);
}
void store_si(__m128i *r, __m128i v)
{
	_mm_storeu_si128(r, v);
}
void store_ps(float *r, __m128 v)
{
	_mm_storeu_ps(r, v);
}
void store_pd(double *r, __m128d v)
{
	_mm_storeu_pd(r, v);
}
void stream_si(__m128i *r, __m128i v)
{
	_mm_stream_si128(r, v);
}
void stream_ps(float *r, __m128 v)
{
	_mm_stream_ps(r, v);
}
__m128i load_low(const __m128i *r)
{
	return _mm_loadl_epi64(r);
}
void store_low(__m128i *r, __m128i v)
{
	_mm_storel_epi64(r, v);
}
__m128 load_half(__m128 v, const __m64 *r)
{
	return _mm_loadh_pi(v, r);
}
void store_half(__m64 *r, __m128 v)
{
	_mm_storeh_pi(r, v);
}
#endif
float read_float(volatile float *r)
{
	return *r;
}
double read_double(volatile double *r)
{
	return *r;
}
void write_float(volatile float *r, float v)
{
	*r = v;
}
void write_double(volatile double *r, double v)
{
	*r = v;
}
#if defined __BMI2__ && defined __x86_64__
uint64_t deposited(volatile uint64_t *r, uint64_t v)
{
	return _pdep_u64(v, *r);
}
uint32_t extracted(volatile uint32_t *r, uint32_t v)
{
	return _pext_u32(v, *r);
}
uint64_t field(volatile uint64_t *r, unsigned from, unsigned count)
{
	return _bextr_u64(*r, from, count);
}
#endif
#ifdef __AVX__
__m256i load_256(const __m256i *r)
{
	return _mm256_loadu_si256(r);
}
void store_256(__m256i *r, __m256i v)
{
	_mm256_storeu_si256(r, v);
}
void store_aligned_256(__m256i *r, __m256i v)
{
	_mm256_store_si256(r, v);
}
void stream_256(__m256i *r, __m256i v)
{
	_mm256_stream_si256(r, v);
}
#endif
/* clang-format on */
