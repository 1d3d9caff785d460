/* SPDX-License-Identifier: MIT */
/*
 * The real ept/ objects against a flat reference and model CPUs that cache all they see. A run is
 * a list of operations, each valid in every state, so that any part of a list is a run too: that
 * is what makes shrinking, and fuzzing with the same interpreter, possible.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "ept/ept.h"

enum model_op_kind {
	OP_READ, /* a CPU reads a page: translate, fault, translate again */
	OP_WRITE,
	OP_SPECULATE, /* a CPU walks and caches, without a fault */
	OP_BEGIN,     /* a fault begins on a CPU ... */
	OP_INSTALL,   /* ... and is installed, if nothing came between */
	OP_ATTACH,    /* the noncoherent count goes up */
	OP_DETACH,    /* and down */
	OP_WRMSR,     /* a CPU writes an MTRR */
	OP_CD,        /* a CPU toggles CR0.CD */
	OP_SLOT_ADD,
	OP_SLOT_REMOVE,
	OP_ZAP_RANGE,
	OP_ZAP_ALL,
	OP_DMA_READ, /* a device, around the cache or not */
	OP_DMA_WRITE,
	OP_EMULATED_READ, /* the hypervisor, in the place of a CPU */
	OP_EMULATED_WRITE,
	OP_WRITE_BACK, /* WBINVD, all of memory or a part */
	OP_KINDS
};

struct model_op {
	uint8_t kind; /* modulo OP_KINDS */
	uint8_t cpu;
	uint16_t where; /* a slot and a page in it */
	uint32_t value;
};

struct model_config {
	enum memtype_policy policy;
	enum ept_transition transition;
	enum ept_fill_way fill;
	unsigned cpus; /* 1 to MODEL_CPUS */
	bool large_2m, large_1g, accessed_dirty;
	bool twice;     /* two copies of each page of RAM; with accessed_dirty only */
	unsigned pages; /* for tables: few of them exercise -ENOMEM */
};
#define MODEL_CPUS 3

struct model_result {
	const char *broken; /* the rule that was broken, or NULL */
	unsigned at;        /* by this operation */
	unsigned stale;     /* uses of a type the policy's table forbids (only kvm-6.6 may) */
	unsigned installs, retries, zapped, replaced;
};

void model_run(const struct model_config *config, const struct model_op *ops, unsigned count,
	       struct model_result *result);
void model_print_op(FILE *out, const struct model_config *config, const struct model_op *op);
