/* SPDX-License-Identifier: MIT */
/*
 * What the rules of the VM-entry checker are made of: the tables' row, what a predicate is
 * given, and the predicates that more than one table uses. It is the inside of
 * hv/check/; hv/check/check.h is the interface.
 */
#pragma once

#include <stddef.h>

#include "hv/check/check.h"
#include "hv/vmcs/vmcs.h"
#include "lib/x86.h"

/* One VM entry under check: the VMCS, the CPU, and what nearly every rule asks about first. */
struct entry {
	const struct entry_check_source *source;
	const struct vmx_capabilities *caps;
	uint32_t pin, primary, exit, entry;
	uint32_t secondary; /* 0 where the primary controls do not activate them */
	uint32_t event;     /* VM-entry interruption information; 0 where it is not valid */
};

/*
 * A row: where 'when' is true, 'holds' must be true of each field's value. A field is read only
 * then, so 'when' also says whether the field exists. Without a text it begins a section.
 */
struct entry_rule {
	const char *text;
	struct {
		unsigned word; /* where in struct entry */
		uint32_t ones, zeroes;
		bool (*is)(const struct entry *e, uint32_t field);
	} when;
	struct {
		uint64_t ones, zeroes;
		bool (*is)(const struct entry *e, uint64_t value, uint32_t field);
	} holds;
	unsigned fields;
	uint32_t field[8];
	const char *section;
};

struct entry_rules {
	const struct entry_rule *rule;
	unsigned count;
};

/* 27.2.1; 27.2.2 to 27.2.4; 27.3.1.1, 27.3.1.3 and 27.3.1.4; 27.3.1.2; 27.3.1.5 and 27.3.1.6. */
extern const struct entry_rules entry_rules_controls, entry_rules_host, entry_rules_registers, entry_rules_segments,
	entry_rules_state;

/* The section of a row. */
const char *entry_rule_section(const struct entry_rule *rule);

/* A row's parts; clang-format would lay out the braces as blocks. */
/* clang-format off */
#define SECTION(name) {.section = (name)}
#define ALWAYS {0}
#define IF(name) {.is = (name)}
#define WITH(word, bits) {offsetof(struct entry, word), bits, 0, NULL}    /* of a word of controls: they are 1 */
#define WITHOUT(word, bits) {offsetof(struct entry, word), 0, bits, NULL} /* 0 */
#define BY(name) {.is = (name)}
#define ONES(bits) {bits, 0, NULL} /* of the value */
#define ZEROES(bits) {0, bits, NULL}
#define FIELDS(...) sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), {__VA_ARGS__}, NULL
/* clang-format on */

/* A named condition, over e and field, for a row's 'when'. */
#define WHEN(name, condition)                                                                                          \
	static bool name(const struct entry *e __attribute__((unused)), uint32_t field __attribute__((unused)))        \
	{                                                                                                              \
		return condition;                                                                                      \
	}
/* A requirement, over e, value and field, for a row's 'holds'; HOLDS() where a condition says it. */
#define REQUIREMENT(name)                                                                                              \
	bool name(const struct entry *e __attribute__((unused)), uint64_t value __attribute__((unused)),               \
		  uint32_t field __attribute__((unused)))
#define HOLDS(name, condition)                                                                                         \
	static REQUIREMENT(name) { return condition; }

static inline uint64_t entry_read(const struct entry *e, uint32_t field)
{
	return e->source->read(e->source->ctx, field);
}

static inline uint64_t event_type(const struct entry *e) { return FIELD(e->event, INTERRUPTION_INFO_TYPE); }

static inline uint64_t event_vector(const struct entry *e) { return FIELD(e->event, INTERRUPTION_INFO_VECTOR); }

/* An event of this INTERRUPTION_TYPE_ will be injected. */
static inline bool injects(const struct entry *e, unsigned type) { return e->event && event_type(e) == type; }

/* Requirements of fields in more than one section. */
REQUIREMENT(is_not_zero);
REQUIREMENT(is_canonical);
REQUIREMENT(is_physical); /* no bit at or above the width of an address in a VMCS: MAXPHYADDR, or 32 (SDM 3D A.1) */
REQUIREMENT(is_cr3);      /* no bit at or above MAXPHYADDR */
REQUIREMENT(is_pat);
REQUIREMENT(is_perf_global_ctrl);
REQUIREMENT(is_s_cet);
