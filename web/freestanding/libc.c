// SPDX-License-Identifier: MIT
/*
 * The C library of the page, as far as ept/, iommu/ and tests/ept_world.h need one. Linked into the
 * WebAssembly only: on the host the real one is there.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "lib/bits.h"
#include "lib/string.h"

#undef memcpy
#undef memset

#define HEAP_SIZE (2 * MiB)

static _Alignas(4096) unsigned char heap[HEAP_SIZE];
static size_t used;

/* With -mbulk-memory the builtin is one instruction, and no call of the function itself. */
void *memcpy(void *restrict to, const void *restrict from, size_t n) { return __builtin_memcpy(to, from, n); }

void *memset(void *to, int byte, size_t n) { return __builtin_memset(to, byte, n); }

static void *take(size_t size, size_t align)
{
	size_t start = (size_t)ALIGN_UP(used, align);

	if (size > HEAP_SIZE - start) abort();
	used = start + size;
	return memset(heap + start, 0, size);
}

void *calloc(size_t count, size_t size) { return take(count * size, 16); }

void *mmap(void *at, size_t size, int protection, int flags, int file, long offset)
{
	(void)at, (void)protection, (void)flags, (void)file, (void)offset;
	return take(size, PAGE_SIZE);
}

int munmap(void *memory, size_t size)
{
	(void)memory, (void)size;
	used = 0;
	return 0;
}
