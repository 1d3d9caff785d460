/* SPDX-License-Identifier: MIT */
/*
 * A list of free ranges, made of what GRUB reported less what is in use.
 */
#include "hv/machine/memory.h"

#include "hv/machine/image.h"
#include "hv/machine/lock.h"
#include "lib/bits.h"
#include "lib/string.h"

/* Firmware, GRUB and real mode keep things below; the other CPUs' trampoline lies there too. */
#define FIRST_USABLE (1 * MiB)
#define MAX_TOP      (1ULL << 46)

/* Bytes that take half a million ticks. */
#define PUT_AT_ONCE (4 * MiB)

void (*memory_pause)(void);
static struct lock memory_lock;
/* Free RAM: disjoint pieces, in no order, whole pages. An empty one has size 0. */
static struct boot_range free_range[2 * BOOT_RANGES];
static unsigned free_ranges;
static uint64_t top;
static uint64_t reachable = 4 * GiB; /* what boot/entry.asm mapped */
uint32_t *page_word;

static struct boot_range *unused_entry(void)
{
	for (unsigned i = 0; i < free_ranges; i++)
		if (!free_range[i].size) return &free_range[i];
	return free_ranges < ARRAY_SIZE(free_range) ? &free_range[free_ranges++] : NULL;
}

/* Take the free ranges that touch [*start, *end) out of the list, and into that range. */
static void join(uint64_t *start, uint64_t *end)
{
	for (unsigned i = 0; i < free_ranges; i++) {
		struct boot_range *r = &free_range[i];
		uint64_t r_end = r->start + r->size;

		if (!r->size || (r_end != *start && r->start != *end)) continue;
		*start = MIN(*start, r->start);
		*end = MAX(*end, r_end);
		r->size = 0;
	}
}

static void add_range(uint64_t start, uint64_t end)
{
	struct boot_range *range;

	start = ALIGN_UP(MAX(start, FIRST_USABLE), PAGE_SIZE);
	end = ALIGN_DOWN(MIN(end, MAX_TOP), PAGE_SIZE);
	if (start >= end) return;
	join(&start, &end);
	range = unused_entry();
	if (!range) return;
	*range = (struct boot_range){start, end - start};
	top = MAX(top, end);
}

/* Cut [start, end) out of the free ranges; what is on both sides of it stays free. */
static void reserve(uint64_t start, uint64_t end)
{
	unsigned n = free_ranges;

	start = ALIGN_DOWN(start, PAGE_SIZE);
	end = ALIGN_UP(end, PAGE_SIZE);
	for (unsigned i = 0; i < n; i++) {
		struct boot_range *r = &free_range[i];
		uint64_t r_end = r->start + r->size;

		if (end <= r->start || start >= r_end) continue;
		if (end < r_end) add_range(end, r_end);
		r->size = start > r->start ? start - r->start : 0;
	}
}

/* Take 'size' bytes, at the highest aligned address where they are free; 0: nowhere. */
static uint64_t take(uint64_t size, uint64_t align)
{
	uint64_t at = 0;

	for (unsigned i = 0; i < free_ranges; i++) {
		const struct boot_range *r = &free_range[i];
		uint64_t end = MIN(r->start + r->size, reachable);

		if (end >= r->start + size && ALIGN_DOWN(end - size, align) >= r->start)
			at = MAX(at, ALIGN_DOWN(end - size, align));
	}
	if (at) reserve(at, at + size);
	return at;
}

void memory_init(const struct boot_info *boot, const void *info)
{
	for (unsigned i = 0; i < boot->ram_ranges; i++)
		add_range(boot->ram[i].start, boot->ram[i].start + boot->ram[i].size);
	reserve((uintptr_t)image_start, (uintptr_t)image_end);
	reserve((uintptr_t)info, (uintptr_t)info + *(const uint32_t *)info); /* it begins with its size */
	for (unsigned i = 0; i < boot->modules; i++)
		reserve(boot->module[i].start, boot->module[i].start + boot->module[i].size);
	page_word = (uint32_t *)memory_alloc((top >> 12) * sizeof(*page_word), PAGE_SIZE);
}

void memory_put(uint8_t *to, const uint8_t *from, size_t size)
{
	size_t part;

	for (size_t done = 0; done < size; done += part) {
		part = MIN(size - done, PUT_AT_ONCE);
		from ? memcpy(to + done, from + done, part) : memset(to + done, 0, part);
		if (memory_pause && part == PUT_AT_ONCE) memory_pause();
	}
}

uint64_t memory_alloc(uint64_t size, uint64_t align)
{
	uint64_t at;

	size = ALIGN_UP(size, PAGE_SIZE);
	lock(&memory_lock, LOCK_MEMORY);
	at = take(size, align);
	unlock(&memory_lock, LOCK_MEMORY);
	if (at) memory_put((uint8_t *)at, NULL, size);
	return at;
}

void memory_free(uint64_t start, uint64_t size)
{
	lock(&memory_lock, LOCK_MEMORY);
	add_range(start, start + ALIGN_UP(size, PAGE_SIZE));
	unlock(&memory_lock, LOCK_MEMORY);
}

uint64_t page_alloc(void) { return memory_alloc(PAGE_SIZE, PAGE_SIZE); }

void page_free(uint64_t page) { memory_free(page, PAGE_SIZE); }

void memory_reach(uint64_t end) { reachable = end; }

uint64_t memory_left(void)
{
	uint64_t left = 0;

	for (unsigned i = 0; i < free_ranges; i++) left += free_range[i].size;
	return left;
}

unsigned memory_pieces(void)
{
	unsigned pieces = 0;

	for (unsigned i = 0; i < free_ranges; i++) pieces += free_range[i].size != 0;
	return pieces;
}

uint64_t memory_top(void) { return top; }
