/* SPDX-License-Identifier: MIT */
/*
 * A feature bit of CPUID and what proves that the feature works: features.c runs the rows of
 * instructions.c, vectors.c and privileged.c whose bits are shown.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum cpuid_register { EAX, EBX, ECX, EDX };

struct feature {
	uint32_t leaf, subleaf;
	enum cpuid_register reg;
	unsigned bit;
	const char *name;
	bool (*works)(void); /* may fault, and may leave CR4 and EFER changed; NULL: a statement that offers nothing */
};

/* Each ends with a row without a name. */
extern const struct feature instruction_features[], vector_features[], privileged_features[];

/* All that CPUID offers works, and nothing is offered that has no row. Changes the state of the CPU. */
void check_features(void);
/* CPUID's sizes of the XSAVE area, by the XCR0 of the moment. */
void check_xsave_sizes(void);
/* CPUID's topology is that of 'cpus' vCPUs. */
void check_topology(unsigned cpus);
/* CPUID 0x15 tells the TSC's frequency: by the PM timer, and by 'hz' unless that is 0. */
void check_clock(uint64_t hz);
