/* SPDX-License-Identifier: MIT */
/*
 * The VM-entry checker: good VMCSs pass; for each rule, and each field it names, one change to a
 * good VMCS breaks that rule and no other. Where a rule cannot be broken alone, the smallest set
 * is named in the data (`also`).
 */

#include "tests/lib/test.h"
#include "hv/check/check.h"
#include "hv/check/rules.h"
#include "lib/bits.h"
#include "tests/lib/capability_sets.h"
#include "tests/lib/entry_mutations.h"

/* What entry_check() reported. */
struct result {
	unsigned count;
	struct entry_violation violation[8];
};

static void remember(void *ctx, const struct entry_violation *violation)
{
	struct result *result = ctx;

	if (result->count < ARRAY_SIZE(result->violation)) result->violation[result->count] = *violation;
	result->count++;
}

/* A VMREAD of a field that does not exist fails on a CPU: here it fails the test. */
static uint64_t read_world(void *ctx, uint32_t field)
{
	const struct vmcs_world *w = ctx;

	if (field >= VMCS_ENCODINGS || !w->exists[field])
		fail_msg("read of %s, which does not exist", vmcs_field_name(field));
	return w->value[field];
}

static struct result check(struct vmcs_world *w)
{
	struct entry_check_source source = {w, read_world};
	struct result result = {0};
	unsigned count = entry_check(&source, &w->caps, remember, &result);

	assert_int_equal(count, result.count);
	return result;
}

static void assert_good(struct vmcs_world *w, const char *what)
{
	struct result result = check(w);

	if (result.count)
		fail_msg("%s: SDM 3C %s: %s: %s = 0x%lx", what, result.violation[0].section, result.violation[0].rule,
			 result.violation[0].field_name, result.violation[0].value);
}

static const struct entry_rule *rule_with(const char *words)
{
	const struct entry_rule *found = NULL, *rule;

	for (unsigned i = 0; (rule = rule_at(i)); i++) {
		if (!has_words(rule->text, words)) continue;
		if (found) fail_msg("two rules have the words \"%s\"", words);
		found = rule;
	}
	if (!found) fail_msg("no rule has the words \"%s\"", words);
	return found;
}

static struct vmcs_world world;

/* The rule broken at this field, and but for 'also' no other. */
static void assert_broken(const struct mutation *m, const struct entry_rule *rule, uint32_t field)
{
	struct result result = check(&world);
	const struct entry_rule *also = m->also ? rule_with(m->also) : NULL;
	bool found = false;

	for (unsigned i = 0; i < MIN(result.count, 8); i++) {
		const struct entry_violation *v = &result.violation[i];

		if (v->rule == rule->text && v->field == field) {
			assert_string_equal(v->section, entry_rule_section(rule));
			assert_int_equal(v->value, world.value[field]);
			assert_string_equal(v->field_name, vmcs_field_name(field));
			found = true;
		} else if (!also || v->rule != also->text) {
			fail_msg("%s (%s): also broke: %s: %s = 0x%lx", m->rule, vmcs_field_name(field), v->rule,
				 v->field_name, v->value);
		}
	}
	if (!found) fail_msg("%s: not found broken at %s", m->rule, vmcs_field_name(field));
	assert_int_equal(result.count, also ? 2 : 1);
}

TEST(each_rule_is_named_when_only_it_is_broken)
{
	for (unsigned i = 0; i < mutation_count; i++) {
		const struct mutation *m = &mutations[i];
		const struct entry_rule *rule = rule_with(m->rule);

		for (unsigned f = 0; f < rule->fields; f++) {
			world_make(&world, m->good);
			assert_good(&world, m->rule);
			world_mutate(&world, m, rule->field[f]);
			assert_broken(m, rule, rule->field[f]);
		}
	}
}

TEST(every_rule_has_a_mutation)
{
	const struct entry_rule *rule;
	unsigned rules = 0;

	for (; (rule = rule_at(rules)); rules++) {
		bool exercised = false;

		for (unsigned i = 0; i < mutation_count; i++) exercised |= rule_with(mutations[i].rule) == rule;
		if (!exercised) fail_msg("no mutation breaks: %s", rule->text);
	}
	print_message("%u rules, %u mutations\n", rules, mutation_count);
}

TEST(every_field_of_a_rule_has_a_name)
{
	const struct entry_rule *rule;

	for (unsigned i = 0; (rule = rule_at(i)); i++)
		for (unsigned f = 0; f < rule->fields; f++)
			assert_string_not_equal(vmcs_field_name(rule->field[f]), "unknown field");
}

TEST(guests_of_ours_pass)
{
	world_make(&world, REAL_MODE);
	assert_good(&world, "real mode");
	world_make(&world, FLAT32);
	assert_good(&world, "flat 32-bit");
	world_make(&world, LONG64);
	assert_good(&world, "64-bit");
}

/* Controls as the VMX bring-up chooses them; CR4 as that CPU allows it. */
static void adapt(struct vmcs_world *w, const struct vmx_capabilities *caps)
{
	const struct {
		uint32_t field;
		uint64_t capability;
	} words[] = {
		{VMCS_PIN_CONTROLS, caps->pin},
		{VMCS_EXIT_CONTROLS, caps->exit},
		{VMCS_PRIMARY_CONTROLS, caps->primary},
		{VMCS_ENTRY_CONTROLS, caps->entry},
		{VMCS_SECONDARY_CONTROLS, caps->secondary},
	};

	w->caps = *caps;
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		uint32_t result, missing;

		assert_true(
			controls_adjust(words[i].capability, (uint32_t)w->value[words[i].field], 0, &result, &missing));
		world_set(w, words[i].field, result);
	}
}

TEST(guests_of_ours_pass_on_each_cpu)
{
	static const enum world_name guests[] = {REAL_MODE, FLAT32, LONG64};

	for (unsigned i = 0; i < ARRAY_SIZE(capability_sets); i++) {
		if (!capability_sets[i].caps.exit) continue; /* not all of it was recorded */
		for (unsigned g = 0; g < ARRAY_SIZE(guests); g++) {
			world_make(&world, guests[g]);
			adapt(&world, &capability_sets[i].caps);
			assert_good(&world, capability_sets[i].cpu);
		}
	}
}

TEST(what_a_rule_excepts_passes)
{
	static const enum world_name good[] = {
		MINIMAL,
		NMI_WINDOW,
		NO_NMI_EXITING,
		SAVE_PREEMPTION_TIMER,
		STALE_EVENT,
		RESTRICTED_VIRTUAL_8086,
		UNRESTRICTED_USER_SELECTORS,
		SHUT_DOWN,
		SINGLE_STEPPING,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
		world_make(&world, good[i]);
		assert_good(&world, "an exception");
	}
}

/* SDM 3C 27.3.1.5: interrupts, debug exceptions, machine checks and MTF wake from HLT. */
TEST(what_wakes_from_hlt_may_be_injected_there)
{
	static const struct {
		unsigned type, vector;
	} event[] = {
		{INTERRUPTION_TYPE_EXTERNAL, 0x20},
		{INTERRUPTION_TYPE_NMI, VECTOR_NMI},
		{INTERRUPTION_TYPE_HARDWARE_EXCEPTION, VECTOR_DB},
		{INTERRUPTION_TYPE_HARDWARE_EXCEPTION, VECTOR_MC},
		{INTERRUPTION_TYPE_OTHER_EVENT, 0},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(event); i++) {
		world_make(&world, INJECTING_INTERRUPT);
		world_inject(&world, event[i].type, event[i].vector, 0);
		world_set(&world, VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
		assert_good(&world, "an event in HLT");
	}
}

/* An instruction at the last bytes of the lower half leaves RIP just beyond canonical. */
TEST(rip_may_end_the_lower_half)
{
	world_make(&world, LONG64);
	world_set(&world, VMCS_GUEST_RIP, NON_CANONICAL);
	assert_good(&world, "RIP 0x800000000000");
}

TEST(an_entry_without_a_reporter_is_counted_all_the_same)
{
	struct entry_check_source source = {&world, read_world};

	world_make(&world, FLAT32);
	world_change(&world, VMCS_GUEST_RFLAGS, RFLAGS_FIXED_ONE, RFLAGS_RF | BIT(3));
	assert_int_equal(entry_check(&source, &world.caps, NULL, NULL), 2);
}

TEST(errors_have_the_sdms_words)
{
	assert_string_equal(vm_instruction_error(7), "VM entry with invalid control field(s)");
	assert_string_equal(vm_instruction_error(28), "Invalid operand to INVEPT/INVVPID");
	assert_string_equal(vm_instruction_error(14), "unknown VM-instruction error");
	assert_string_equal(vm_instruction_error(29), "unknown VM-instruction error");
	assert_string_equal(vmcs_field_name(VMCS_GUEST_RIP), "GUEST_RIP");
	assert_string_equal(vmcs_field_name(0x6fff), "unknown field");
}
