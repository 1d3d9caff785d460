/* SPDX-License-Identifier: MIT */
/*
 * A guest with memory of its own: the EPT, over ept/, and the handler that fills it. The guest
 * starts in flat 32-bit mode without paging, as under GRUB.
 */
#pragma once

#include "docs/course/steps/02/exits.h"
#include "ept/ept.h"

/* Guest-physical memory: a large piece, and a small one behind it that no 2M leaf can cover. */
#define MEMORY_SIZE   (4 * MiB)
#define MEMORY_BEHIND (64 * KiB)
#define GUEST_START   0x1000U /* where the image is put and begins */

/* One guest, one EPT; its MTRRs and CR0.CD as ept/ wants to know them. */
extern struct ept guest_ept;
extern struct mtrr guest_mtrr;
extern const struct ept_cpu guest_cpu;
extern unsigned invepts; /* executed so far */

/* Serves a violation where there is no memory; NULL: the guest ends. (Step 5 has a device.) */
extern bool (*memory_device)(struct guest *guest, uint64_t gpa, bool write);

/* The EPT, its slots, the image in them; then the fields of the VMCS that differ from step 1's. */
void memory_setup(const uint8_t *image, const uint8_t *image_end);

/* Guest memory by the hypervisor: the bytes at gpa, or NULL where not all of them are in one slot. */
void *memory_at(uint64_t gpa, uint64_t size);

bool exit_ept_violation(struct guest *guest);
