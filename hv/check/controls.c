/* SPDX-License-Identifier: MIT */
/*
 * The VM-entry checker's rules for the VMX controls: SDM 3C 27.2.1. A broken one makes VMLAUNCH
 * fail with VM-instruction error 7. One rule is not here: the TPR threshold against the virtual
 * TPR, which lies in memory.
 */
#include "ept/memtype.h"
#include "hv/check/rules.h"

/* Conditions. */
WHEN(no_tpr_shadow, !(e->primary & PRIMARY_TPR_SHADOW) && (e->primary & PRIMARY_SECONDARY))
WHEN(tpr_threshold_used, (e->primary & PRIMARY_TPR_SHADOW) && !(e->secondary & SECONDARY_VIRTUAL_INTERRUPT_DELIVERY))
WHEN(no_ept, !(e->secondary & SECONDARY_EPT) && (e->primary & PRIMARY_SECONDARY))
WHEN(eptp_switching, (e->secondary & SECONDARY_VM_FUNCTIONS) && (entry_read(e, VMCS_VM_FUNCTION_CONTROLS) & 1))
WHEN(injecting, e->event)

/* Each word of controls against its capability MSR. */
static uint64_t capability(const struct vmx_capabilities *caps, uint32_t field)
{
	switch (field) {
	case VMCS_PIN_CONTROLS: return caps->pin;
	case VMCS_PRIMARY_CONTROLS: return caps->primary;
	case VMCS_SECONDARY_CONTROLS: return caps->secondary;
	case VMCS_EXIT_CONTROLS: return caps->exit;
	default: return caps->entry;
	}
}

static REQUIREMENT(controls_allowed)
{
	uint64_t capability_msr = capability(e->caps, field);
	uint64_t must_be_one = FIELD(capability_msr, BITS(31, 0));
	uint64_t may_be_one = FIELD(capability_msr, BITS(63, 32));

	return !(must_be_one & ~value) && !(value & ~may_be_one);
}

HOLDS(tertiary_allowed, !(value & ~e->caps->tertiary))
HOLDS(cr3_targets, value <= FIELD(e->caps->misc, VMX_MISC_CR3_TARGETS))
HOLDS(with_virtual_interrupts, (e->secondary & SECONDARY_VIRTUAL_INTERRUPT_DELIVERY) != 0)

/* The EPT pointer, SDM 3C 25.6.11 and 3D A.10. */
HOLDS(ept_memory_type, FIELD(value, EPTP_MEMORY_TYPE) == MEMTYPE_WB
			       ? e->caps->ept_vpid & EPT_CAP_WB
			       : FIELD(value, EPTP_MEMORY_TYPE) == MEMTYPE_UC && e->caps->ept_vpid & EPT_CAP_UC)
HOLDS(ept_walk_length,
      (value & EPTP_WALK_LENGTH) == EPTP_WALK_4_LEVELS
	      ? e->caps->ept_vpid & EPT_CAP_4_LEVELS
	      : (value & EPTP_WALK_LENGTH) == EPTP_WALK_5_LEVELS && e->caps->ept_vpid & EPT_CAP_5_LEVELS)
HOLDS(ept_accessed_dirty, !(value & EPTP_ACCESSED_DIRTY) || (e->caps->ept_vpid & EPT_CAP_ACCESSED_DIRTY))
HOLDS(ept_shadow_stack, !(value & EPTP_SHADOW_STACK) || (e->caps->ept_vpid & EPT_CAP_SHADOW_STACK))
HOLDS(ept_reserved, !(value & EPTP_RESERVED) && is_physical(e, value, field))

HOLDS(with_ept, (e->secondary & SECONDARY_EPT) != 0)
HOLDS(functions_exist, !(value & ~e->caps->vmfunc))

/* The lists of MSRs: 16 bytes an entry, used when the count is not 0. */
static uint64_t msr_count(const struct entry *e, uint32_t address_field)
{
	switch (address_field) {
	case VMCS_EXIT_MSR_STORE_ADDRESS: return entry_read(e, VMCS_EXIT_MSR_STORE_COUNT);
	case VMCS_EXIT_MSR_LOAD_ADDRESS: return entry_read(e, VMCS_EXIT_MSR_LOAD_COUNT);
	default: return entry_read(e, VMCS_ENTRY_MSR_LOAD_COUNT);
	}
}

WHEN(msr_list_used, msr_count(e, field) != 0)
HOLDS(msr_list_physical, is_physical(e, value, field) && is_physical(e, value + msr_count(e, field) * 16 - 1, field))

/* Event injection. */
static bool has_error_code(uint64_t vector)
{
	const uint64_t vectors = BIT(VECTOR_DF) | BIT(VECTOR_TS) | BIT(VECTOR_NP) | BIT(VECTOR_SS) | BIT(VECTOR_GP) |
				 BIT(VECTOR_PF) | BIT(VECTOR_AC);

	return vector < 64 && (vectors & BIT(vector));
}

static REQUIREMENT(event_type_exists)
{
	if (event_type(e) == INTERRUPTION_TYPE_OTHER_EVENT)
		return FIELD(e->caps->primary, BITS(63, 32)) & PRIMARY_MONITOR_TRAP_FLAG;
	return event_type(e) != 1;
}

static REQUIREMENT(event_vector_fits)
{
	switch (event_type(e)) {
	case INTERRUPTION_TYPE_NMI: return event_vector(e) == VECTOR_NMI;
	case INTERRUPTION_TYPE_HARDWARE_EXCEPTION: return event_vector(e) < 32;
	case INTERRUPTION_TYPE_OTHER_EVENT: return event_vector(e) == 0;
	default: return true;
	}
}

/* An exception in protected mode; the others never push an error code. */
WHEN(injecting_protected, injects(e, INTERRUPTION_TYPE_HARDWARE_EXCEPTION) && (entry_read(e, VMCS_GUEST_CR0) & CR0_PE))
WHEN(injecting_without_code, injecting(e, field) && !injecting_protected(e, field))
WHEN(injecting_by_vector, injecting_protected(e, field) && !(e->caps->basic & VMX_BASIC_ANY_ERROR_CODE))
WHEN(injecting_software, injects(e, INTERRUPTION_TYPE_SOFTWARE_INTERRUPT) ||
				 injects(e, INTERRUPTION_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION) ||
				 injects(e, INTERRUPTION_TYPE_SOFTWARE_EXCEPTION))
HOLDS(error_code_by_vector, !!(value & INTERRUPTION_INFO_ERROR_CODE) == has_error_code(event_vector(e)))
HOLDS(instruction_length, value <= 15 && (value >= 1 || (e->caps->misc & VMX_MISC_INJECT_LENGTH_ZERO)))

/* The two rules of every address that a control puts to use. */
/* clang-format off */
#define PAGE_RULES(what, when, ...) \
	{what ": bits 11:0 are 0", when, ZEROES(BITS(11, 0)), FIELDS(__VA_ARGS__)}, \
	{what ": within the physical-address width", when, BY(is_physical), FIELDS(__VA_ARGS__)}
#define MSR_LIST_RULES(what, field) \
	{what " address: bits 3:0 are 0", IF(msr_list_used), ZEROES(BITS(3, 0)), FIELDS(field)}, \
	{what " area: within the physical-address width", IF(msr_list_used), BY(msr_list_physical), FIELDS(field)}
/* The rules of a field, or with a control, that has several. */
#define POSTED_RULE(rule, holds, field) {rule, WITH(pin, PIN_POSTED_INTERRUPTS), holds, FIELDS(field)}
#define EPTP_RULE(rule, holds) {"EPTP: " rule, WITH(secondary, SECONDARY_EPT), holds, FIELDS(VMCS_EPT_POINTER)}
#define PT_RULE(rule, holds, field) \
	{"with Intel PT uses guest physical addresses, " rule, WITH(secondary, SECONDARY_PT_GUEST_PHYSICAL), holds, FIELDS(field)}
#define INJECTION_RULE(rule, when, holds) {"injection: " rule, when, holds, FIELDS(VMCS_ENTRY_INTERRUPTION_INFO)}

/* A row a line: a rule is read as a whole. */
static const struct entry_rule rules[] = {
	SECTION("27.2.1.1"), /* VM-execution control fields */
	{"pin-based controls: reserved bits as IA32_VMX_PINBASED_CTLS says", ALWAYS, BY(controls_allowed), FIELDS(VMCS_PIN_CONTROLS)},
	{"primary controls: reserved bits as IA32_VMX_PROCBASED_CTLS says", ALWAYS, BY(controls_allowed), FIELDS(VMCS_PRIMARY_CONTROLS)},
	{"secondary controls: reserved bits as IA32_VMX_PROCBASED_CTLS2 says", WITH(primary, PRIMARY_SECONDARY), BY(controls_allowed),
	 FIELDS(VMCS_SECONDARY_CONTROLS)},
	{"tertiary controls: reserved bits as IA32_VMX_PROCBASED_CTLS3 says", WITH(primary, PRIMARY_TERTIARY), BY(tertiary_allowed),
	 FIELDS(VMCS_TERTIARY_CONTROLS)},
	{"CR3-target count: no more than IA32_VMX_MISC says", ALWAYS, BY(cr3_targets), FIELDS(VMCS_CR3_TARGET_COUNT)},
	PAGE_RULES("I/O-bitmap address", WITH(primary, PRIMARY_IO_BITMAPS), VMCS_IO_BITMAP_A, VMCS_IO_BITMAP_B),
	PAGE_RULES("MSR-bitmap address", WITH(primary, PRIMARY_MSR_BITMAPS), VMCS_MSR_BITMAP),
	PAGE_RULES("virtual-APIC address", WITH(primary, PRIMARY_TPR_SHADOW), VMCS_VIRTUAL_APIC_ADDRESS),
	{"TPR threshold: bits 31:4 are 0", IF(tpr_threshold_used), ZEROES(BITS(31, 4)), FIELDS(VMCS_TPR_THRESHOLD)},
	{"without NMI exiting, virtual NMIs is 0", WITHOUT(pin, PIN_NMI_EXITING), ZEROES(PIN_VIRTUAL_NMIS), FIELDS(VMCS_PIN_CONTROLS)},
	{"without virtual NMIs, NMI-window exiting is 0", WITHOUT(pin, PIN_VIRTUAL_NMIS), ZEROES(PRIMARY_NMI_WINDOW_EXITING),
	 FIELDS(VMCS_PRIMARY_CONTROLS)},
	PAGE_RULES("APIC-access address", WITH(secondary, SECONDARY_VIRTUALIZE_APIC_ACCESSES), VMCS_APIC_ACCESS_ADDRESS),
	{"without TPR shadow, virtualize x2APIC mode, APIC-register virtualization and virtual-interrupt delivery are 0",
	 IF(no_tpr_shadow), ZEROES(SECONDARY_VIRTUALIZE_X2APIC | SECONDARY_APIC_REGISTER | SECONDARY_VIRTUAL_INTERRUPT_DELIVERY), FIELDS(VMCS_SECONDARY_CONTROLS)},
	{"with virtualize x2APIC mode, virtualize APIC accesses is 0",
	 WITH(secondary, SECONDARY_VIRTUALIZE_X2APIC), ZEROES(SECONDARY_VIRTUALIZE_APIC_ACCESSES), FIELDS(VMCS_SECONDARY_CONTROLS)},
	{"with virtual-interrupt delivery, external-interrupt exiting is 1",
	 WITH(secondary, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY), ONES(PIN_EXTERNAL_INTERRUPT_EXITING), FIELDS(VMCS_PIN_CONTROLS)},
	POSTED_RULE("with process posted interrupts, virtual-interrupt delivery is 1", BY(with_virtual_interrupts), VMCS_PIN_CONTROLS),
	POSTED_RULE("with process posted interrupts, acknowledge interrupt on exit is 1", ONES(EXIT_ACKNOWLEDGE_INTERRUPT), VMCS_EXIT_CONTROLS),
	POSTED_RULE("posted-interrupt notification vector: bits 15:8 are 0", ZEROES(BITS(31, 8)), VMCS_POSTED_INTERRUPT_NOTIFICATION_VECTOR),
	POSTED_RULE("posted-interrupt descriptor address: bits 5:0 are 0", ZEROES(BITS(5, 0)), VMCS_POSTED_INTERRUPT_DESCRIPTOR_ADDRESS),
	POSTED_RULE("posted-interrupt descriptor address: within the physical-address width", BY(is_physical),
	 VMCS_POSTED_INTERRUPT_DESCRIPTOR_ADDRESS),
	{"VPID: not 0000H", WITH(secondary, SECONDARY_VPID), BY(is_not_zero), FIELDS(VMCS_VPID)},
	EPTP_RULE("memory type is one that IA32_VMX_EPT_VPID_CAP has", BY(ept_memory_type)),
	EPTP_RULE("page-walk length is one that IA32_VMX_EPT_VPID_CAP has", BY(ept_walk_length)),
	EPTP_RULE("bit 6 is 0 without accessed and dirty flags for EPT", BY(ept_accessed_dirty)),
	EPTP_RULE("bit 7 is 0 without supervisor shadow-stack control", BY(ept_shadow_stack)),
	EPTP_RULE("bits 11:8 and those beyond the physical-address width are 0", BY(ept_reserved)),
	{"with page-modification logging, enable EPT is 1", WITH(secondary, SECONDARY_PML), ONES(SECONDARY_EPT),
	 FIELDS(VMCS_SECONDARY_CONTROLS)},
	PAGE_RULES("PML address", WITH(secondary, SECONDARY_PML), VMCS_PML_ADDRESS),
	{"without EPT, unrestricted guest and mode-based execute control are 0",
	 IF(no_ept), ZEROES(SECONDARY_UNRESTRICTED_GUEST | SECONDARY_MODE_BASED_EXECUTE), FIELDS(VMCS_SECONDARY_CONTROLS)},
	{"with sub-page write permissions, enable EPT is 1", WITH(secondary, SECONDARY_SPP), ONES(SECONDARY_EPT),
	 FIELDS(VMCS_SECONDARY_CONTROLS)},
	PAGE_RULES("sub-page-permission-table pointer", WITH(secondary, SECONDARY_SPP), VMCS_SPP_TABLE_POINTER),
	{"VM-function controls: reserved bits as IA32_VMX_VMFUNC says", WITH(secondary, SECONDARY_VM_FUNCTIONS), BY(functions_exist),
	 FIELDS(VMCS_VM_FUNCTION_CONTROLS)},
	{"with EPTP switching, enable EPT is 1", IF(eptp_switching), BY(with_ept), FIELDS(VMCS_VM_FUNCTION_CONTROLS)},
	PAGE_RULES("EPTP-list address", IF(eptp_switching), VMCS_EPTP_LIST_ADDRESS),
	PAGE_RULES("VMREAD- and VMWRITE-bitmap address", WITH(secondary, SECONDARY_VMCS_SHADOWING), VMCS_VMREAD_BITMAP, VMCS_VMWRITE_BITMAP),
	PAGE_RULES("virtualization-exception information address", WITH(secondary, SECONDARY_EPT_VIOLATION_VE), VMCS_VIRTUALIZATION_EXCEPTION_ADDRESS),
	PT_RULE("enable EPT is 1", ONES(SECONDARY_EPT), VMCS_SECONDARY_CONTROLS),
	PT_RULE("load IA32_RTIT_CTL is 1", ONES(ENTRY_LOAD_RTIT_CTL), VMCS_ENTRY_CONTROLS),
	PT_RULE("clear IA32_RTIT_CTL is 1", ONES(EXIT_CLEAR_RTIT_CTL), VMCS_EXIT_CONTROLS),

	SECTION("27.2.1.2"), /* VM-exit control fields */
	{"VM-exit controls: reserved bits as IA32_VMX_EXIT_CTLS says", ALWAYS, BY(controls_allowed), FIELDS(VMCS_EXIT_CONTROLS)},
	{"without VMX-preemption timer, save VMX-preemption timer value is 0",
	 WITHOUT(pin, PIN_PREEMPTION_TIMER), ZEROES(EXIT_SAVE_PREEMPTION_TIMER), FIELDS(VMCS_EXIT_CONTROLS)},
	MSR_LIST_RULES("VM-exit MSR-store", VMCS_EXIT_MSR_STORE_ADDRESS),
	MSR_LIST_RULES("VM-exit MSR-load", VMCS_EXIT_MSR_LOAD_ADDRESS),

	SECTION("27.2.1.3"), /* VM-entry control fields */
	{"VM-entry controls: reserved bits as IA32_VMX_ENTRY_CTLS says", ALWAYS, BY(controls_allowed), FIELDS(VMCS_ENTRY_CONTROLS)},
	INJECTION_RULE("the interruption type is not a reserved one", IF(injecting), BY(event_type_exists)),
	INJECTION_RULE("the vector fits the interruption type", IF(injecting), BY(event_vector_fits)),
	INJECTION_RULE("deliver-error-code is 1 for an exception that has one, else 0", IF(injecting_by_vector), BY(error_code_by_vector)),
	INJECTION_RULE("deliver-error-code is 0 for all but hardware exceptions in protected mode",
	 IF(injecting_without_code), ZEROES(INTERRUPTION_INFO_ERROR_CODE)),
	INJECTION_RULE("bits 30:12 are 0", IF(injecting), ZEROES(BITS(30, 12))),
	{"injection: bits 31:16 of the error code are 0", WITH(event, INTERRUPTION_INFO_ERROR_CODE), ZEROES(BITS(31, 16)),
	 FIELDS(VMCS_ENTRY_EXCEPTION_ERROR_CODE)},
	{"injection: the instruction length of a software event is 1 to 15", IF(injecting_software), BY(instruction_length),
	 FIELDS(VMCS_ENTRY_INSTRUCTION_LENGTH)},
	MSR_LIST_RULES("VM-entry MSR-load", VMCS_ENTRY_MSR_LOAD_ADDRESS),
	{"outside SMM, entry to SMM and deactivate dual-monitor treatment are 0",
	 ALWAYS, ZEROES(ENTRY_TO_SMM | ENTRY_DEACTIVATE_DUAL_MONITOR), FIELDS(VMCS_ENTRY_CONTROLS)},
};
/* clang-format on */

const struct entry_rules entry_rules_controls = {rules, ARRAY_SIZE(rules)};
