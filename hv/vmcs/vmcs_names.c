/* SPDX-License-Identifier: MIT */
/*
 * The VMCS in words: the names of its fields and what the VM-instruction errors say. The
 * VM-entry checker and the hypervisor's messages use it; it never reads a VMCS itself.
 */
#include "hv/vmcs/vmcs.h"

static const char *const instruction_errors[] = {
	[VM_ERROR_VMCALL_IN_ROOT] = "VMCALL executed in VMX root operation",
	[VM_ERROR_VMCLEAR_ADDRESS] = "VMCLEAR with invalid physical address",
	[VM_ERROR_VMCLEAR_VMXON_POINTER] = "VMCLEAR with VMXON pointer",
	[VM_ERROR_VMLAUNCH_NOT_CLEAR] = "VMLAUNCH with non-clear VMCS",
	[VM_ERROR_VMRESUME_NOT_LAUNCHED] = "VMRESUME with non-launched VMCS",
	[VM_ERROR_VMRESUME_AFTER_VMXOFF] = "VMRESUME after VMXOFF",
	[VM_ERROR_INVALID_CONTROLS] = "VM entry with invalid control field(s)",
	[VM_ERROR_INVALID_HOST_STATE] = "VM entry with invalid host-state field(s)",
	[VM_ERROR_VMPTRLD_ADDRESS] = "VMPTRLD with invalid physical address",
	[VM_ERROR_VMPTRLD_VMXON_POINTER] = "VMPTRLD with VMXON pointer",
	[VM_ERROR_VMPTRLD_REVISION] = "VMPTRLD with incorrect VMCS revision identifier",
	[VM_ERROR_UNSUPPORTED_FIELD] = "VMREAD/VMWRITE from/to unsupported VMCS component",
	[VM_ERROR_READ_ONLY_FIELD] = "VMWRITE to read-only VMCS component",
	[VM_ERROR_VMXON_IN_ROOT] = "VMXON executed in VMX root operation",
	[VM_ERROR_EXECUTIVE_POINTER] = "VM entry with invalid executive-VMCS pointer",
	[VM_ERROR_EXECUTIVE_NOT_LAUNCHED] = "VM entry with non-launched executive VMCS",
	[VM_ERROR_EXECUTIVE_NOT_VMXON] = "VM entry with executive-VMCS pointer not VMXON pointer",
	[VM_ERROR_VMCALL_NOT_CLEAR] = "VMCALL with non-clear VMCS",
	[VM_ERROR_VMCALL_EXIT_CONTROLS] = "VMCALL with invalid VM-exit control fields",
	[VM_ERROR_VMCALL_MSEG_REVISION] = "VMCALL with incorrect MSEG revision identifier",
	[VM_ERROR_VMXOFF_DUAL_MONITOR] = "VMXOFF under dual-monitor treatment of SMIs and SMM",
	[VM_ERROR_VMCALL_SMM_FEATURES] = "VMCALL with invalid SMM-monitor features",
	[VM_ERROR_EXECUTIVE_CONTROLS] = "VM entry with invalid VM-execution control fields in executive VMCS",
	[VM_ERROR_BLOCKED_BY_MOV_SS] = "VM entry with events blocked by MOV SS",
	[VM_ERROR_INVALID_INVALIDATION] = "Invalid operand to INVEPT/INVVPID",
};

const char *vm_instruction_error(unsigned number)
{
	if (number >= ARRAY_SIZE(instruction_errors) || !instruction_errors[number])
		return "unknown VM-instruction error";
	return instruction_errors[number];
}

static const struct {
	uint32_t field;
	const char *name;
} fields[] = {
#define FIELD_ROW(name, encoding) {encoding, #name},
#include "hv/vmcs/fields.h"
};

const char *vmcs_field_name(uint32_t field)
{
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i].field == field) return fields[i].name;
	return "unknown field";
}
