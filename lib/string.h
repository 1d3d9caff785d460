/* SPDX-License-Identifier: MIT */
/*
 * The few routines of <string.h> that the images need, with their standard meaning. On the host
 * (unit tests, fuzzers) the C library's own are used.
 */
#pragma once

#if __STDC_HOSTED__
#include <string.h>
#else
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
char *strchr(const char *s, int c);

/* With -ffreestanding these would always be calls; so a small constant size is a few moves. */
#define memcpy(...) __builtin_memcpy(__VA_ARGS__)
#define memset(...) __builtin_memset(__VA_ARGS__)
#endif
