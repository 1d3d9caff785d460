/* SPDX-License-Identifier: MIT */
/*
 * Segment registers and descriptors, for what is carried out in the CPU's place. All of it acts on
 * the current VMCS. It is the inside of hv/exits/.
 */
#pragma once

#include "hv/vm/vcpu.h"

struct descriptor {
	uint64_t raw;
	uint64_t type_at; /* the linear address of its type, a byte: guest_mark() */
	uint32_t rights;  /* as a VMCS has them */
	uint16_t selector;
};

/* Inject 'vector' with the selector as its error code; -EFAULT. */
int segment_fault(struct vcpu *vcpu, unsigned vector, uint16_t selector);

/* Read the selector's descriptor. 0, or -EFAULT with 'vector' (beyond its table) or #PF injected.
 */
int segment_find(struct vcpu *vcpu, uint16_t selector, unsigned vector, struct descriptor *d);

uint32_t descriptor_base(const struct descriptor *d);
uint32_t descriptor_limit(const struct descriptor *d); /* in bytes, less one */

/* Set a register (enum vmcs_segment) without a check. */
void segment_set(unsigned segment, const struct descriptor *d);
void segment_set_null(unsigned segment, uint16_t selector);
void segment_set_virtual_8086(unsigned segment, uint16_t selector);

/*
 * Load SEG_ES to SEG_GS for code of this CPL. 0, or -EFAULT with 'vector' (#GP of MOV, #TS of a
 * task switch), #NP, #SS or #PF injected.
 */
int segment_load_protected(struct vcpu *vcpu, unsigned segment, uint16_t selector, unsigned cpl, unsigned vector);

/* As MOV does, in any mode: SEG_ES to SEG_GS but CS. 0, or -EFAULT with the exception injected. */
int segment_load(struct vcpu *vcpu, unsigned segment, uint16_t selector);
