/* SPDX-License-Identifier: MIT */
/* Anonymous memory where there is no C library: as in stdlib.h beside this. */
#pragma once

#include <stddef.h>

#define PROT_READ     1
#define PROT_WRITE    2
#define MAP_PRIVATE   0
#define MAP_ANONYMOUS 0
#define MAP_NORESERVE 0
#define MAP_FAILED    ((void *)-1)

/* A multiple of 4 KiB; only 'size' counts. */
void *mmap(void *at, size_t size, int protection, int flags, int file, long offset);
/* Everything that calloc() and mmap() ever gave is free again. */
int munmap(void *memory, size_t size);
