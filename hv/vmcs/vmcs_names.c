/* SPDX-License-Identifier: MIT */
/*
 * The VMCS in words: the names of its fields and what the VM-instruction errors say. It reads no
 * VMCS.
 */
#include "hv/vmcs/vmcs.h"

/* By their numbers, SDM 3C 31.4, without those of VMCALL, VMXOFF and the entries of an SMM monitor. */
static const char *const instruction_errors[] = {
	[2] = "VMCLEAR with invalid physical address",
	[3] = "VMCLEAR with VMXON pointer",
	[4] = "VMLAUNCH with non-clear VMCS",
	[5] = "VMRESUME with non-launched VMCS",
	[6] = "VMRESUME after VMXOFF",
	[7] = "VM entry with invalid control field(s)",
	[8] = "VM entry with invalid host-state field(s)",
	[9] = "VMPTRLD with invalid physical address",
	[10] = "VMPTRLD with VMXON pointer",
	[11] = "VMPTRLD with incorrect VMCS revision identifier",
	[12] = "VMREAD/VMWRITE from/to unsupported VMCS component",
	[13] = "VMWRITE to read-only VMCS component",
	[15] = "VMXON executed in VMX root operation",
	[26] = "VM entry with events blocked by MOV SS",
	[28] = "Invalid operand to INVEPT/INVVPID",
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
