/* SPDX-License-Identifier: MIT */
/*
 * Which devices are attached and which of them are noncoherent, as a program that reads like the
 * rule (docs/iommu.md, "Words" and the state table). It shares nothing with iommu/ but the names
 * of the specification's bits. tests/fuzz/fuzz_iommu.c tells it what the guest did and compares
 * after each step. Of the caches it knows the contexts' only: it has to be told where each part
 * of a DMA went, and whether a stale translation led it there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPEC_DEVICES 16

struct spec_context {
	uint64_t lo, hi; /* 0 where it could not be read */
	bool valid;
};

struct spec_device {
	uint16_t source_id;
	bool emits, enabled; /* No-Snoop writes: it can, and may (PCIe Device Control) */
	bool cached;
	struct spec_context context; /* as last read */
	bool unsnooped;              /* used a leaf without SNP since it has that context */
};

struct iommu_spec {
	bool snoop_control, caching_mode;
	bool translating;
	uint64_t root; /* as the last SRTP found RTADDR */
	unsigned devices;
	struct spec_device device[SPEC_DEVICES];
	/* Guest memory: false, and nothing done, where there is none. */
	bool (*read)(uint64_t gpa, void *to, size_t size);
};

bool spec_attached(const struct iommu_spec *s, const struct spec_device *d);
bool spec_noncoherent(const struct iommu_spec *s, const struct spec_device *d);

/* What can happen: a device comes, GCMD is written, contexts are invalidated, a device does DMA. */
void spec_add(struct iommu_spec *s, uint16_t source_id, bool emits);
void spec_command(struct iommu_spec *s, uint32_t gcmd, uint64_t rtaddr);
void spec_invalidate(struct iommu_spec *s, unsigned granularity, uint16_t domain_id, uint16_t source_id,
		     unsigned function_mask);
void spec_dma_begins(struct iommu_spec *s, struct spec_device *d);
/*
 * A part of that DMA has been translated and is about to move: where to, by the tables, and does it
 * go around the cache?
 */
uint64_t spec_part(struct iommu_spec *s, struct spec_device *d, uint64_t iova, bool *around);
