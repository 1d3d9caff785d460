/* SPDX-License-Identifier: MIT */
/*
 * The VM-entry checker's one loop over the tables of rules, and the requirements they share. The
 * rules themselves are in the files beside it, a table per part of SDM 3C 27.2 and 27.3.
 */
#include "hv/check/check.h"

#include "ept/mtrr.h"
#include "hv/check/rules.h"

REQUIREMENT(is_not_zero) { return value; }
REQUIREMENT(is_cr3) { return value < BIT(e->caps->maxphyaddr); }
REQUIREMENT(is_physical) { return value < BIT(e->caps->basic & VMX_BASIC_32BIT_ADDRESSES ? 32 : e->caps->maxphyaddr); }
REQUIREMENT(is_pat) { return pat_valid(value); }
REQUIREMENT(is_perf_global_ctrl) { return !(value & ~e->caps->perf_global_ctrl); }

REQUIREMENT(is_canonical)
{
	unsigned unused = 64 - e->caps->linear_width;

	return (uint64_t)((int64_t)(value << unused) >> unused) == value;
}

REQUIREMENT(is_s_cet)
{
	const uint64_t suppress_and_tracker = BITS(11, 10);

	return !(value & BITS(9, 6)) && (value & suppress_and_tracker) != suppress_and_tracker &&
	       is_canonical(e, value, field);
}

/* The controls, as far as they exist. */
static struct entry read_controls(const struct entry_check_source *source, const struct vmx_capabilities *caps)
{
	struct entry e = {.source = source, .caps = caps};

	e.pin = (uint32_t)entry_read(&e, VMCS_PIN_CONTROLS);
	e.primary = (uint32_t)entry_read(&e, VMCS_PRIMARY_CONTROLS);
	e.exit = (uint32_t)entry_read(&e, VMCS_EXIT_CONTROLS);
	e.entry = (uint32_t)entry_read(&e, VMCS_ENTRY_CONTROLS);
	if (e.primary & PRIMARY_SECONDARY) e.secondary = (uint32_t)entry_read(&e, VMCS_SECONDARY_CONTROLS);
	e.event = (uint32_t)entry_read(&e, VMCS_ENTRY_INTERRUPTION_INFO);
	if (!(e.event & INTERRUPTION_INFO_VALID)) e.event = 0;
	return e;
}

const char *entry_rule_section(const struct entry_rule *rule)
{
	while (!rule->section) rule--;
	return rule->section;
}

static bool applies(const struct entry *e, const struct entry_rule *rule, uint32_t field)
{
	uint32_t word = *(const uint32_t *)((const char *)e + rule->when.word);

	return !(~word & rule->when.ones) && !(word & rule->when.zeroes) && (!rule->when.is || rule->when.is(e, field));
}

static bool holds(const struct entry *e, const struct entry_rule *rule, uint64_t value, uint32_t field)
{
	return !(~value & rule->holds.ones) && !(value & rule->holds.zeroes) &&
	       (!rule->holds.is || rule->holds.is(e, value, field));
}

typedef void report_fn(void *ctx, const struct entry_violation *violation);

/* How many of the rule's fields break it. */
static unsigned check_rule(const struct entry *e, const struct entry_rule *rule, report_fn *report, void *ctx)
{
	unsigned violations = 0;

	for (unsigned i = 0; i < rule->fields; i++) {
		uint32_t field = rule->field[i];
		uint64_t value;

		if (!applies(e, rule, field)) continue;
		value = entry_read(e, field);
		if (holds(e, rule, value, field)) continue;
		violations++;
		if (!report) continue;
		report(ctx, &(struct entry_violation){entry_rule_section(rule), rule->text, vmcs_field_name(field),
						      field, value});
	}
	return violations;
}

unsigned entry_check(const struct entry_check_source *source, const struct vmx_capabilities *caps, report_fn *report,
		     void *ctx)
{
	static const struct entry_rules *const tables[] = {
		&entry_rules_controls, &entry_rules_host,  &entry_rules_registers,
		&entry_rules_segments, &entry_rules_state,
	};
	struct entry e = read_controls(source, caps);
	unsigned violations = 0;

	for (unsigned t = 0; t < ARRAY_SIZE(tables); t++)
		for (unsigned r = 0; r < tables[t]->count; r++)
			violations += check_rule(&e, &tables[t]->rule[r], report, ctx);
	return violations;
}
