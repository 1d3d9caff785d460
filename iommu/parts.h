/* SPDX-License-Identifier: MIT */
/*
 * What the files of iommu/ offer each other. It is the inside of iommu/; iommu/iommu.h is the
 * interface.
 */
#pragma once

#include "iommu/state.h"
#include "lib/apic.h"
#include "lib/errno.h"
#include "lib/string.h"

/* Registers without side effect. 'offset' is one of VTD_xxx. */
static inline uint32_t reg32(const struct iommu *iommu, unsigned offset) { return iommu->words[offset / 4]; }

static inline uint64_t reg64(const struct iommu *iommu, unsigned offset)
{
	return reg32(iommu, offset) | (uint64_t)reg32(iommu, offset + 4) << 32;
}

static inline void set_reg32(struct iommu *iommu, unsigned offset, uint64_t value)
{
	iommu->words[offset / 4] = (uint32_t)value;
}

static inline void set_reg64(struct iommu *iommu, unsigned offset, uint64_t value)
{
	set_reg32(iommu, offset, value);
	set_reg32(iommu, offset + 4, value >> 32);
}

static inline int memory_read(struct iommu *iommu, uint64_t gpa, void *to, size_t size)
{
	return iommu->host.read(iommu->host.ctx, gpa, to, size, false);
}

static inline bool is_unfinished(struct iommu *iommu)
{
	return iommu->host.unfinished && iommu->host.unfinished(iommu->host.ctx);
}

/* command.c: what writing a register does. */
void iommu_command_written(struct iommu *iommu);
void iommu_ccmd_written(struct iommu *iommu);
void iommu_iotlb_written(struct iommu *iommu);
void iommu_pmen_written(struct iommu *iommu);
void iommu_ics_written(struct iommu *iommu);
void iommu_fectl_written(struct iommu *iommu);
void iommu_iectl_written(struct iommu *iommu);
void iommu_fsts_written(struct iommu *iommu);
void iommu_frcd_written(struct iommu *iommu);

/* fault.c */
/*
 * A request was blocked, and the entry that it went through allows to say so (FPD is 0). 'lo' is
 * the record's, 'flags' what its high half has beside source and reason.
 */
void iommu_fault(struct iommu *iommu, uint16_t source_id, enum vtd_reason reason, uint64_t lo, uint64_t flags);
/* A condition of FSTS (VTD_FSTS_PFO or VTD_FSTS_IQE) came up. */
void iommu_fault_status(struct iommu *iommu, uint32_t condition);

/* event.c; 'control' is VTD_FECTL or VTD_IECTL */
/* Send the event's message, or keep it pending while masked. */
void iommu_event_raise(struct iommu *iommu, unsigned control);
/* Nothing is pending any more. */
void iommu_event_withdraw(struct iommu *iommu, unsigned control);
/* The control register was written: if it masks no more, what is pending is sent. */
void iommu_event_unmasked(struct iommu *iommu, unsigned control);

/* attach.c */
struct iommu_device *iommu_find_device(struct iommu *iommu, uint16_t source_id);
/* The context cache's answer for a DMA to 'iova'; reads the tables where it has none. */
struct iommu_context iommu_context_of(struct iommu *iommu, struct iommu_device *device, uint64_t iova);
/* 'device' uses a translation without SNP. */
void iommu_unsnooped(struct iommu *iommu, struct iommu_device *device);
/*
 * Read anew the contexts in scope: all, a domain's, or a device's (VTD_GLOBAL, _DOMAIN, _DEVICE); whose,
 * 'scope' says as VTD_CCMD_SCOPE does. 0, or -EINVAL and nothing done for a reserved granularity.
 */
int iommu_invalidate_contexts(struct iommu *iommu, uint64_t granularity, uint64_t scope);
void iommu_set_translating(struct iommu *iommu, bool on);

/* cache.c: the IOTLB */
struct iommu_tlb_entry *iommu_tlb_find(struct iommu *iommu, uint16_t source_id, uint16_t domain_id, uint64_t iova);
void iommu_tlb_insert(struct iommu *iommu, uint16_t source_id, uint16_t domain_id, uint64_t iova,
		      const struct iommu_translation *translation);
void iommu_tlb_flush(struct iommu *iommu);
/*
 * Drop all, a domain's, or the pages of it that 'iva' names as IVA_REG does. 0, or -EINVAL and nothing
 * done for a reserved granularity and more pages than CAP.MAMV allows.
 */
int iommu_invalidate_iotlb(struct iommu *iommu, uint64_t granularity, uint16_t domain_id, uint64_t iva);

/* walk.c: the tables in guest memory */
struct iommu_context iommu_read_context(struct iommu *iommu, uint16_t source_id);
struct iommu_translation iommu_walk(struct iommu *iommu, const struct vtd_context_entry *context, uint64_t iova);

/* dma.c: why 'page' blocks an access to 'iova', or VTD_OK and in *gpa where it goes. */
enum vtd_reason iommu_access(const struct iommu_translation *page, uint64_t iova, bool write, uint64_t *gpa);

/* queue.c: the descriptors it has room for; one of them, or -EFAULT. */
uint64_t iommu_queue_size(const struct iommu *iommu);
int iommu_fetch(struct iommu *iommu, uint64_t index, struct vtd_descriptor *desc);

/* strict.c: an answer came from a cache; is it what the tables in memory say? */
void iommu_compare_context(struct iommu *iommu, struct iommu_device *device, uint64_t iova);
void iommu_compare_page(struct iommu *iommu, const struct iommu_device *device, const struct vtd_context_entry *context,
			uint64_t iova, bool write, const struct iommu_translation *cached);
void iommu_compare_irte(struct iommu *iommu, uint16_t source_id, uint32_t index, const struct vtd_irte *cached);

/* remap.c */
struct iommu_iec_entry *iommu_iec_find(struct iommu *iommu, uint32_t index);
/* From the table in memory; -EFAULT if it is not there. */
int iommu_read_irte(struct iommu *iommu, uint32_t index, struct vtd_irte *irte);
/* Why 'irte' blocks a request of this source, or VTD_OK. */
enum vtd_reason iommu_check_irte(const struct iommu *iommu, const struct vtd_irte *irte, uint16_t source_id);
/* 2^order entries around 'index'. */
#define IOMMU_ALL_INDICES 16
void iommu_iec_flush(struct iommu *iommu, uint32_t index, unsigned order);

/* How many of the lowest bits of a function number 'field' leaves out, from the highest on. */
static inline uint16_t masked_function(uint64_t field) { return BITS(2, 0) & (BITS(2, 0) << (3 - field)); }

/* Bits of the DMA addresses that a context translates. */
static inline unsigned width_of(const struct vtd_context_entry *entry)
{
	return FIELD(entry->hi, VTD_CONTEXT_AW) == VTD_AW_39BIT ? 39 : VTD_MGAW;
}

static inline uint16_t domain_of(const struct vtd_context_entry *entry)
{
	return (uint16_t)FIELD(entry->hi, VTD_CONTEXT_DID);
}
