/* SPDX-License-Identifier: MIT */
/*
 * The VM-entry checker: the checks of SDM 3C 27.2 and 27.3 on a VMCS, made in software, so that a
 * refused entry is explained by the rule it broke. It reads the VMCS through a function that it is
 * given and changes nothing.
 *
 * Not checked, because it is not in the VMCS: what lies in memory (the virtual TPR, the lists of
 * MSRs, the VMCS that the link pointer names), IA32_RTIT_CTL and IA32_LBR_CTL (their reserved bits
 * vary by model), and entries made in SMM: the CPU is taken to be in 64-bit mode outside it.
 */
#pragma once

#include "hv/vmcs/controls.h"

/*
 * Where the VMCS is read from. read() is never asked for a field that exists only with a control
 * that is 0 (SDM 3D appendix B), so a VMREAD behind it does not fail.
 */
struct entry_check_source {
	void *ctx;
	uint64_t (*read)(void *ctx, uint32_t field);
};

/* One broken rule. Printed as: SDM 3C <section>: <rule>: <field_name> = 0x<value> */
struct entry_violation {
	const char *section; /* of SDM 3C: "27.3.1.2" */
	const char *rule;
	const char *field_name;
	uint32_t field;
	uint64_t value;
};

/*
 * Check every rule; report() is called once per field that breaks one, in the manual's order.
 * Returns how many times it was called: 0 means that the entry must pass (but for what is listed
 * above). report may be null.
 */
unsigned entry_check(const struct entry_check_source *source, const struct vmx_capabilities *caps,
		     void (*report)(void *ctx, const struct entry_violation *violation), void *ctx);
