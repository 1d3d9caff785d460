/* SPDX-License-Identifier: MIT */
/*
 * The libc routines that the compiler and the images rely on (lib/string.h). They are written for
 * size: the string instructions are fast on every CPU that has EPT.
 */
#include "lib/string.h"

#if !__STDC_HOSTED__
#undef memcpy
#undef memset

#ifdef __x86_64__
/*
 * By words, then what is left of one: in an emulator each step of a string instruction costs. And an aligned word of
 * 2, 4 or 8 bytes goes in one piece (SDM 3A 9.1.1): in guest memory another CPU may change it meanwhile, or wait for
 * it.
 */
void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	size_t words = n / sizeof(uint64_t);
	void *d = to;

	__asm__ volatile("rep movsq" : "+D"(d), "+S"(from), "+c"(words) : : "memory");
	if (!(n % sizeof(uint64_t))) return to;
	if (n & 4) __asm__ volatile("movsl" : "+D"(d), "+S"(from) : : "memory");
	if (!(n & 3)) return to;
	if (n & 2) __asm__ volatile("movsw" : "+D"(d), "+S"(from) : : "memory");
	if (n & 1) __asm__ volatile("movsb" : "+D"(d), "+S"(from) : : "memory");
	return to;
}

void *memset(void *to, int byte, size_t n)
{
	size_t words = n / sizeof(uint64_t), bytes = n % sizeof(uint64_t);
	uint64_t pattern = (uint8_t)byte * 0x0101010101010101UL;
	void *d = to;

	__asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(pattern) : "memory");
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(bytes) : "a"(pattern) : "memory");
	return to;
}
#endif /* elsewhere, that is in the page, the compiler has its own */

/* GCC may call it too, as the other three (GCC manual, "Standards"). */
void *memmove(void *to, const void *from, size_t n)
{
	unsigned char *d = to;
	const unsigned char *s = from;

	if (d <= s || d >= s + n) return memcpy(to, from, n);
	while (n--) d[n] = s[n];
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (size_t i = 0; i < n; i++)
		if (x[i] != y[i]) return x[i] - y[i];
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n]) n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) a++, b++;
	return (unsigned char)*a - (unsigned char)*b;
}

char *strchr(const char *s, int c)
{
	for (; *s != (char)c; s++)
		if (!*s) return NULL;
	return (char *)(uintptr_t)s;
}
#endif
