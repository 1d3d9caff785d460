/* SPDX-License-Identifier: MIT */
/*
 * The VM-entry checker's rules for the VMX controls: SDM 3C 27.2.1. A broken one makes VMLAUNCH
 * fail with VM-instruction error 7. One rule is not here: the TPR threshold against the virtual
 * TPR, which lies in memory.
 */
#include <stddef.h>

#include "hv/check/rules.h"

/* Conditions. */
WHEN(secondary_active, (e->primary & PRIMARY_SECONDARY) != 0)
WHEN(tertiary_active, (e->primary & PRIMARY_TERTIARY) != 0)
WHEN(io_bitmaps, (e->primary & PRIMARY_IO_BITMAPS) != 0)
WHEN(msr_bitmaps, (e->primary & PRIMARY_MSR_BITMAPS) != 0)
WHEN(tpr_shadow, (e->primary & PRIMARY_TPR_SHADOW) != 0)
WHEN(no_tpr_shadow, !(e->primary & PRIMARY_TPR_SHADOW) && (e->primary & PRIMARY_SECONDARY))
WHEN(tpr_threshold_used, tpr_shadow(e, field) && !(e->secondary & SECONDARY_VIRTUAL_INTERRUPT_DELIVERY))
WHEN(no_nmi_exiting, !(e->pin & PIN_NMI_EXITING))
WHEN(no_virtual_nmis, !(e->pin & PIN_VIRTUAL_NMIS))
WHEN(apic_accesses, (e->secondary & SECONDARY_VIRTUALIZE_APIC_ACCESSES) != 0)
WHEN(x2apic_mode, (e->secondary & SECONDARY_VIRTUALIZE_X2APIC) != 0)
WHEN(virtual_interrupts, (e->secondary & SECONDARY_VIRTUAL_INTERRUPT_DELIVERY) != 0)
WHEN(posted_interrupts, (e->pin & PIN_POSTED_INTERRUPTS) != 0)
WHEN(vpid, (e->secondary & SECONDARY_VPID) != 0)
WHEN(ept, (e->secondary & SECONDARY_EPT) != 0)
WHEN(pml, (e->secondary & SECONDARY_PML) != 0)
WHEN(no_ept, !ept(e, field) && secondary_active(e, field))
WHEN(spp, (e->secondary & SECONDARY_SPP) != 0)
WHEN(vm_functions, (e->secondary & SECONDARY_VM_FUNCTIONS) != 0)
WHEN(eptp_switching, vm_functions(e, field) && (entry_read(e, VMCS_VM_FUNCTION_CONTROLS) & 1))
WHEN(vmcs_shadowing, (e->secondary & SECONDARY_VMCS_SHADOWING) != 0)
WHEN(violation_exceptions, (e->secondary & SECONDARY_EPT_VIOLATION_VE) != 0)
WHEN(pt_guest_physical, (e->secondary & SECONDARY_PT_GUEST_PHYSICAL) != 0)
WHEN(no_preemption_timer, !(e->pin & PIN_PREEMPTION_TIMER))
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

static bool controls_allowed(const struct entry *e, uint64_t value, uint32_t field)
{
	uint64_t capability_msr = capability(e->caps, field);
	uint64_t must_be_one = FIELD(capability_msr, BITS(31, 0));
	uint64_t may_be_one = FIELD(capability_msr, BITS(63, 32));

	return !(must_be_one & ~value) && !(value & ~may_be_one);
}

HOLDS(tertiary_allowed, !(value & ~e->caps->tertiary))
HOLDS(cr3_targets, value <= FIELD(e->caps->misc, VMX_MISC_CR3_TARGETS))
HOLDS(four_bits, value < 16)
HOLDS(without_virtual_nmis, !(value & PIN_VIRTUAL_NMIS))
HOLDS(without_nmi_window, !(value & PRIMARY_NMI_WINDOW_EXITING))
HOLDS(without_apic_modes,
      !(value & (SECONDARY_VIRTUALIZE_X2APIC | SECONDARY_APIC_REGISTER | SECONDARY_VIRTUAL_INTERRUPT_DELIVERY)))
HOLDS(without_apic_accesses, !(value & SECONDARY_VIRTUALIZE_APIC_ACCESSES))
HOLDS(with_external_interrupts, (value & PIN_EXTERNAL_INTERRUPT_EXITING) != 0)
HOLDS(with_virtual_interrupts, virtual_interrupts(e, field))
HOLDS(with_acknowledge, (value & EXIT_ACKNOWLEDGE_INTERRUPT) != 0)
HOLDS(is_vector, value < 256)
HOLDS(is_aligned_64, IS_ALIGNED(value, 64))

/* The EPT pointer, SDM 3C 25.6.11 and 3D A.10. */
static bool ept_memory_type(const struct entry *e, uint64_t value, uint32_t field)
{
	(void)field;
	switch (FIELD(value, EPTP_MEMORY_TYPE)) {
	case EPTP_MEMORY_TYPE_UC: return e->caps->ept_vpid & EPT_CAP_UC;
	case EPTP_MEMORY_TYPE_WB: return e->caps->ept_vpid & EPT_CAP_WB;
	default: return false;
	}
}

static bool ept_walk_length(const struct entry *e, uint64_t value, uint32_t field)
{
	(void)field;
	switch (value & EPTP_WALK_LENGTH) {
	case EPTP_WALK_4_LEVELS: return e->caps->ept_vpid & EPT_CAP_4_LEVELS;
	case EPTP_WALK_5_LEVELS: return e->caps->ept_vpid & EPT_CAP_5_LEVELS;
	default: return false;
	}
}

HOLDS(ept_accessed_dirty, !(value & EPTP_ACCESSED_DIRTY) || (e->caps->ept_vpid & EPT_CAP_ACCESSED_DIRTY))
HOLDS(ept_shadow_stack, !(value & EPTP_SHADOW_STACK) || (e->caps->ept_vpid & EPT_CAP_SHADOW_STACK))
HOLDS(ept_reserved, !(value & EPTP_RESERVED) && is_physical(e, value, field))

HOLDS(with_ept, ept(e, field))
HOLDS(without_ept_features, !(value & (SECONDARY_UNRESTRICTED_GUEST | SECONDARY_MODE_BASED_EXECUTE)))
HOLDS(functions_exist, !(value & ~e->caps->vmfunc))
HOLDS(with_rtit_load, (value & ENTRY_LOAD_RTIT_CTL) != 0)
HOLDS(with_rtit_clear, (value & EXIT_CLEAR_RTIT_CTL) != 0)
HOLDS(without_timer_save, !(value & EXIT_SAVE_PREEMPTION_TIMER))

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
HOLDS(is_aligned_16, IS_ALIGNED(value, 16))
HOLDS(msr_list_physical, is_physical(e, value, field) && is_physical(e, value + msr_count(e, field) * 16 - 1, field))

/* Event injection. */
static bool has_error_code(uint64_t vector)
{
	const uint64_t vectors = BIT(VECTOR_DF) | BIT(VECTOR_TS) | BIT(VECTOR_NP) | BIT(VECTOR_SS) | BIT(VECTOR_GP) |
				 BIT(VECTOR_PF) | BIT(VECTOR_AC);

	return vector < 64 && (vectors & BIT(vector));
}

static bool event_type_exists(const struct entry *e, uint64_t value, uint32_t field)
{
	(void)value, (void)field;
	if (event_type(e) == INTERRUPTION_TYPE_OTHER_EVENT)
		return FIELD(e->caps->primary, BITS(63, 32)) & PRIMARY_MONITOR_TRAP_FLAG;
	return event_type(e) != 1;
}

static bool event_vector_fits(const struct entry *e, uint64_t value, uint32_t field)
{
	(void)value, (void)field;
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
WHEN(injecting_error_code, (e->event & INTERRUPTION_INFO_ERROR_CODE) != 0)
WHEN(injecting_software, injects(e, INTERRUPTION_TYPE_SOFTWARE_INTERRUPT) ||
				 injects(e, INTERRUPTION_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION) ||
				 injects(e, INTERRUPTION_TYPE_SOFTWARE_EXCEPTION))
HOLDS(error_code_by_vector, !!(value & INTERRUPTION_INFO_ERROR_CODE) == has_error_code(event_vector(e)))
HOLDS(without_error_code, !(value & INTERRUPTION_INFO_ERROR_CODE))
HOLDS(event_reserved, !(value & BITS(30, 12)))
HOLDS(error_code_16_bits, !(value & BITS(31, 16)))
HOLDS(instruction_length, value <= 15 && (value >= 1 || (e->caps->misc & VMX_MISC_INJECT_LENGTH_ZERO)))
HOLDS(outside_smm, !(value & (ENTRY_TO_SMM | ENTRY_DEACTIVATE_DUAL_MONITOR)))

/* The two rules of every address that a control puts to use. */
#define PAGE_RULES(what, when, ...)                                                                                    \
	{"27.2.1.1", what ": bits 11:0 are 0", when, is_page_aligned, FIELDS(__VA_ARGS__)},                            \
	{                                                                                                              \
		"27.2.1.1", what ": within the physical-address width", when, is_physical, FIELDS(__VA_ARGS__)         \
	}
#define MSR_LIST_RULES(section, what, field)                                                                           \
	{section, what " address: bits 3:0 are 0", msr_list_used, is_aligned_16, FIELDS(field)},                       \
	{                                                                                                              \
		section, what " area: within the physical-address width", msr_list_used, msr_list_physical,            \
			FIELDS(field)                                                                                  \
	}

/* A row a line: a rule is read as a whole. */
/* clang-format off */
static const struct entry_rule rules[] = {
	/* VM-execution control fields. */
	{"27.2.1.1", "pin-based controls: reserved bits as IA32_VMX_PINBASED_CTLS says", ALWAYS, controls_allowed,
	 FIELDS(VMCS_PIN_CONTROLS)},
	{"27.2.1.1", "primary controls: reserved bits as IA32_VMX_PROCBASED_CTLS says", ALWAYS, controls_allowed,
	 FIELDS(VMCS_PRIMARY_CONTROLS)},
	{"27.2.1.1", "secondary controls: reserved bits as IA32_VMX_PROCBASED_CTLS2 says", secondary_active, controls_allowed,
	 FIELDS(VMCS_SECONDARY_CONTROLS)},
	{"27.2.1.1", "tertiary controls: reserved bits as IA32_VMX_PROCBASED_CTLS3 says", tertiary_active, tertiary_allowed,
	 FIELDS(VMCS_TERTIARY_CONTROLS)},
	{"27.2.1.1", "CR3-target count: no more than IA32_VMX_MISC says", ALWAYS, cr3_targets, FIELDS(VMCS_CR3_TARGET_COUNT)},
	PAGE_RULES("I/O-bitmap address", io_bitmaps, VMCS_IO_BITMAP_A, VMCS_IO_BITMAP_B),
	PAGE_RULES("MSR-bitmap address", msr_bitmaps, VMCS_MSR_BITMAP),
	PAGE_RULES("virtual-APIC address", tpr_shadow, VMCS_VIRTUAL_APIC_ADDRESS),
	{"27.2.1.1", "TPR threshold: bits 31:4 are 0", tpr_threshold_used, four_bits, FIELDS(VMCS_TPR_THRESHOLD)},
	{"27.2.1.1", "without NMI exiting, virtual NMIs is 0", no_nmi_exiting, without_virtual_nmis, FIELDS(VMCS_PIN_CONTROLS)},
	{"27.2.1.1", "without virtual NMIs, NMI-window exiting is 0", no_virtual_nmis, without_nmi_window, FIELDS(VMCS_PRIMARY_CONTROLS)},
	PAGE_RULES("APIC-access address", apic_accesses, VMCS_APIC_ACCESS_ADDRESS),
	{"27.2.1.1", "without TPR shadow, virtualize x2APIC mode, APIC-register virtualization and virtual-interrupt delivery are 0",
	 no_tpr_shadow, without_apic_modes, FIELDS(VMCS_SECONDARY_CONTROLS)},
	{"27.2.1.1", "with virtualize x2APIC mode, virtualize APIC accesses is 0", x2apic_mode, without_apic_accesses,
	 FIELDS(VMCS_SECONDARY_CONTROLS)},
	{"27.2.1.1", "with virtual-interrupt delivery, external-interrupt exiting is 1", virtual_interrupts, with_external_interrupts,
	 FIELDS(VMCS_PIN_CONTROLS)},
	{"27.2.1.1", "with process posted interrupts, virtual-interrupt delivery is 1", posted_interrupts, with_virtual_interrupts,
	 FIELDS(VMCS_PIN_CONTROLS)},
	{"27.2.1.1", "with process posted interrupts, acknowledge interrupt on exit is 1", posted_interrupts, with_acknowledge,
	 FIELDS(VMCS_EXIT_CONTROLS)},
	{"27.2.1.1", "posted-interrupt notification vector: bits 15:8 are 0", posted_interrupts, is_vector,
	 FIELDS(VMCS_POSTED_INTERRUPT_NOTIFICATION_VECTOR)},
	{"27.2.1.1", "posted-interrupt descriptor address: bits 5:0 are 0", posted_interrupts, is_aligned_64,
	 FIELDS(VMCS_POSTED_INTERRUPT_DESCRIPTOR_ADDRESS)},
	{"27.2.1.1", "posted-interrupt descriptor address: within the physical-address width", posted_interrupts, is_physical,
	 FIELDS(VMCS_POSTED_INTERRUPT_DESCRIPTOR_ADDRESS)},
	{"27.2.1.1", "VPID: not 0000H", vpid, is_not_zero, FIELDS(VMCS_VPID)},
	{"27.2.1.1", "EPTP: memory type is one that IA32_VMX_EPT_VPID_CAP has", ept, ept_memory_type, FIELDS(VMCS_EPT_POINTER)},
	{"27.2.1.1", "EPTP: page-walk length is one that IA32_VMX_EPT_VPID_CAP has", ept, ept_walk_length, FIELDS(VMCS_EPT_POINTER)},
	{"27.2.1.1", "EPTP: bit 6 is 0 without accessed and dirty flags for EPT", ept, ept_accessed_dirty, FIELDS(VMCS_EPT_POINTER)},
	{"27.2.1.1", "EPTP: bit 7 is 0 without supervisor shadow-stack control", ept, ept_shadow_stack, FIELDS(VMCS_EPT_POINTER)},
	{"27.2.1.1", "EPTP: bits 11:8 and those beyond the physical-address width are 0", ept, ept_reserved, FIELDS(VMCS_EPT_POINTER)},
	{"27.2.1.1", "with page-modification logging, enable EPT is 1", pml, with_ept, FIELDS(VMCS_SECONDARY_CONTROLS)},
	PAGE_RULES("PML address", pml, VMCS_PML_ADDRESS),
	{"27.2.1.1", "without EPT, unrestricted guest and mode-based execute control are 0", no_ept, without_ept_features,
	 FIELDS(VMCS_SECONDARY_CONTROLS)},
	{"27.2.1.1", "with sub-page write permissions, enable EPT is 1", spp, with_ept, FIELDS(VMCS_SECONDARY_CONTROLS)},
	PAGE_RULES("sub-page-permission-table pointer", spp, VMCS_SPP_TABLE_POINTER),
	{"27.2.1.1", "VM-function controls: reserved bits as IA32_VMX_VMFUNC says", vm_functions, functions_exist,
	 FIELDS(VMCS_VM_FUNCTION_CONTROLS)},
	{"27.2.1.1", "with EPTP switching, enable EPT is 1", eptp_switching, with_ept, FIELDS(VMCS_VM_FUNCTION_CONTROLS)},
	PAGE_RULES("EPTP-list address", eptp_switching, VMCS_EPTP_LIST_ADDRESS),
	PAGE_RULES("VMREAD- and VMWRITE-bitmap address", vmcs_shadowing, VMCS_VMREAD_BITMAP, VMCS_VMWRITE_BITMAP),
	PAGE_RULES("virtualization-exception information address", violation_exceptions, VMCS_VIRTUALIZATION_EXCEPTION_ADDRESS),
	{"27.2.1.1", "with Intel PT uses guest physical addresses, enable EPT is 1", pt_guest_physical, with_ept,
	 FIELDS(VMCS_SECONDARY_CONTROLS)},
	{"27.2.1.1", "with Intel PT uses guest physical addresses, load IA32_RTIT_CTL is 1", pt_guest_physical, with_rtit_load,
	 FIELDS(VMCS_ENTRY_CONTROLS)},
	{"27.2.1.1", "with Intel PT uses guest physical addresses, clear IA32_RTIT_CTL is 1", pt_guest_physical, with_rtit_clear,
	 FIELDS(VMCS_EXIT_CONTROLS)},

	/* VM-exit control fields. */
	{"27.2.1.2", "VM-exit controls: reserved bits as IA32_VMX_EXIT_CTLS says", ALWAYS, controls_allowed, FIELDS(VMCS_EXIT_CONTROLS)},
	{"27.2.1.2", "without VMX-preemption timer, save VMX-preemption timer value is 0", no_preemption_timer, without_timer_save,
	 FIELDS(VMCS_EXIT_CONTROLS)},
	MSR_LIST_RULES("27.2.1.2", "VM-exit MSR-store", VMCS_EXIT_MSR_STORE_ADDRESS),
	MSR_LIST_RULES("27.2.1.2", "VM-exit MSR-load", VMCS_EXIT_MSR_LOAD_ADDRESS),

	/* VM-entry control fields. */
	{"27.2.1.3", "VM-entry controls: reserved bits as IA32_VMX_ENTRY_CTLS says", ALWAYS, controls_allowed, FIELDS(VMCS_ENTRY_CONTROLS)},
	{"27.2.1.3", "injection: the interruption type is not a reserved one", injecting, event_type_exists,
	 FIELDS(VMCS_ENTRY_INTERRUPTION_INFO)},
	{"27.2.1.3", "injection: the vector fits the interruption type", injecting, event_vector_fits,
	 FIELDS(VMCS_ENTRY_INTERRUPTION_INFO)},
	{"27.2.1.3", "injection: deliver-error-code is 1 for an exception that has one, else 0", injecting_by_vector, error_code_by_vector,
	 FIELDS(VMCS_ENTRY_INTERRUPTION_INFO)},
	{"27.2.1.3", "injection: deliver-error-code is 0 for all but hardware exceptions in protected mode", injecting_without_code,
	 without_error_code, FIELDS(VMCS_ENTRY_INTERRUPTION_INFO)},
	{"27.2.1.3", "injection: bits 30:12 are 0", injecting, event_reserved, FIELDS(VMCS_ENTRY_INTERRUPTION_INFO)},
	{"27.2.1.3", "injection: bits 31:16 of the error code are 0", injecting_error_code, error_code_16_bits,
	 FIELDS(VMCS_ENTRY_EXCEPTION_ERROR_CODE)},
	{"27.2.1.3", "injection: the instruction length of a software event is 1 to 15", injecting_software, instruction_length,
	 FIELDS(VMCS_ENTRY_INSTRUCTION_LENGTH)},
	MSR_LIST_RULES("27.2.1.3", "VM-entry MSR-load", VMCS_ENTRY_MSR_LOAD_ADDRESS),
	{"27.2.1.3", "outside SMM, entry to SMM and deactivate dual-monitor treatment are 0", ALWAYS, outside_smm,
	 FIELDS(VMCS_ENTRY_CONTROLS)},
};
/* clang-format on */

const struct entry_rules entry_rules_controls = {rules, ARRAY_SIZE(rules)};
