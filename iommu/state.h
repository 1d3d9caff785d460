/* SPDX-License-Identifier: MIT */
/*
 * What one remapping unit remembers. Whoever embeds a 'struct iommu' includes this for its size;
 * only iommu/ reads or writes the members.
 */
#pragma once

#include "iommu/iommu.h"
#include "iommu/vtd.h"

/* A device's context as it was last read: the entry, and why it cannot be used (or VTD_OK). */
struct iommu_context {
	struct vtd_context_entry entry; /* zero where it could not be read */
	uint8_t reason;                 /* enum vtd_reason */
};

struct iommu_device {
	uint16_t source_id;
	bool emits_no_snoop, no_snoop_enabled;
	/*
	 * The context cache has one entry for each device that exists. 'context' outlives
	 * 'cached': it is also what attachment was last computed from.
	 */
	bool cached;
	bool told; /* that it was used while stale; so in the other two caches */
	struct iommu_context context;
	/* ECAP.SC: a translation without SNP was used since this context came. */
	bool unsnooped;
	/* As last reported by iommu_host.changed(). */
	bool attached, noncoherent;
};

/*
 * What a walk found for one page of one device's address space. A faulting page has a reason,
 * or lacks a permission; such entries are only ever kept with CAP.CM.
 */
struct iommu_translation {
	uint64_t address;   /* of the page, translated */
	uint8_t level;      /* 1: 4 KiB, 2: 2 MiB, 3: 1 GiB */
	uint8_t permission; /* VTD_SL_R, VTD_SL_W: granted at every level */
	uint8_t reason;     /* enum vtd_reason, after the permission was found sufficient */
	bool snp;
};

struct iommu_tlb_entry {
	uint16_t source_id, domain_id;
	bool told;
	uint64_t iova; /* aligned to the page's size */
	struct iommu_translation translation;
};

/* 4 ways for each set, filled in turn. */
#define IOMMU_TLB_SETS 64
#define IOMMU_TLB_WAYS 4

struct iommu_tlb_set {
	struct iommu_tlb_entry way[IOMMU_TLB_WAYS];
	uint8_t valid; /* one bit for each way */
	uint8_t next;  /* the way to fill or evict next */
};

/* The interrupt entry cache: one entry for each index modulo its size. */
#define IOMMU_IEC_ENTRIES 64

struct iommu_iec_entry {
	bool valid, told;
	uint16_t index;
	struct vtd_irte irte;
};

struct iommu {
	struct iommu_config config;
	struct iommu_host host;
	uint32_t words[VTD_END / 4]; /* the registers, by offset / 4 */
	/* Latched by a command: what a register says takes effect only then. */
	uint64_t root_table; /* as RTADDR had it, with the table mode */
	uint64_t irte_table;
	uint32_t irte_count;
	bool irte_x2apic; /* IRTA.EIME */
	/*
	 * Whether DMA is translated. GSTS.TES follows it after all that the change entails is
	 * done.
	 */
	bool translating;
	bool draining;   /* the invalidation queue is being worked off */
	bool executed;   /* the descriptor at the head is, and what it changed goes on */
	unsigned budget; /* left of the slice, in descriptors */
	uint64_t stale_uses;
	unsigned devices;
	struct iommu_device device[IOMMU_DEVICES];
	struct iommu_tlb_set tlb[IOMMU_TLB_SETS];
	struct iommu_iec_entry iec[IOMMU_IEC_ENTRIES];
};
