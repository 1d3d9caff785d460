/* SPDX-License-Identifier: MIT */
/*
 * What memory and a cache hold, for the model's runs with two copies of each page: host pages, each
 * with one number as its content, and the reference, a machine whose cache has lines of a page.
 * The reference knows nothing of leaves, flags and copies: it is told what CPUs, devices and
 * WBINVD do, and says what each of them must see. docs/coherence.md has its rules in words.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CACHES_PAGES 1024 /* more than a run can touch */

struct cache_line {
	uint64_t key, gpa; /* the host address of its memory; 0: unused */
	uint64_t cache, memory;
	bool cached, dirty;
	bool again; /* a CPU walked to it after a WBINVD had passed: it is cached again */
};

struct caches {
	struct {
		uint64_t hpa, value;
	} page[CACHES_PAGES];
	struct cache_line line[CACHES_PAGES];
};

/* The content of a host page; none was written yet: 0. */
uint64_t *caches_page(struct caches *c, uint64_t hpa);

/* Was the host page ever asked for? If not, copying it to another such changes nothing. */
bool caches_has(const struct caches *c, uint64_t hpa);

/* The line of the page with memory at 'hpa'. */
struct cache_line *caches_line(struct caches *c, uint64_t hpa, uint64_t gpa);
/* A CPU has begun to cache it. */
void line_fill(struct cache_line *line);
/* A CPU's access of a WB page, or of one of another type: what a read sees. */
uint64_t line_read(struct cache_line *line, bool write_back);
void line_write(struct cache_line *line, bool write_back, uint64_t value);
/* Its memory is mapped with a type that is not WB: the cache lets go of it. */
void line_uncache(struct cache_line *line);
/* A device's access. */
uint64_t line_dma_read(const struct cache_line *line, bool around);
void line_dma_write(struct cache_line *line, bool around, uint64_t value);

/* WBINVD of [gpa, gpa + size). */
void caches_write_back(struct caches *c, uint64_t gpa, uint64_t size);
