/* SPDX-License-Identifier: MIT */
/*
 * The VMX capability MSRs of the CPUs that the hypervisor runs on, as read there: Bochs 2.7's
 * CPU models (from a boot sector), and what KVM 6.1 with nested=1 shows to its guest on Bochs's
 * Haswell. Of the latter only the words that were recorded are here; the others are 0.
 */
#pragma once

#include "hv/vmcs/controls.h"

static const struct capability_set {
	const char *cpu;
	struct vmx_capabilities caps;
} capability_sets[] = {
	{"Bochs corei7_skylake_x",
	 {
		 .basic = 0x00d810000000002b,
		 .pin = 0x0000007f00000016,
		 .primary = 0xf7f9fffe04006172,
		 .secondary = 0x02177fff00000000,
		 .exit = 0x007fffff00036dfb,
		 .entry = 0x0000ffff000011fb,
		 .misc = 0x00000000600401e0,
		 .cr0_fixed0 = 0x80000021,
		 .cr0_fixed1 = 0xffffffff,
		 .cr4_fixed0 = 0x2000,
		 .cr4_fixed1 = 0x3727ff,
		 .ept_vpid = 0x00000f0106334141,
		 .vmfunc = 1,
		 .maxphyaddr = 40,
		 .linear_width = 48,
	 }},
	{"Bochs corei7_haswell_4770",
	 {
		 .basic = 0x00d810000000002b,
		 .pin = 0x0000007f00000016,
		 .primary = 0xf7f9fffe04006172,
		 .secondary = 0x00047fff00000000,
		 .exit = 0x007fffff00036dfb,
		 .entry = 0x0000ffff000011fb,
		 .misc = 0x00000000200401e0,
		 .cr0_fixed0 = 0x80000021,
		 .cr0_fixed1 = 0xffffffff,
		 .cr4_fixed0 = 0x2000,
		 .cr4_fixed1 = 0x1727ff,
		 .ept_vpid = 0x00000f0106334141,
		 .vmfunc = 1,
		 .maxphyaddr = 40,
		 .linear_width = 48,
	 }},
	{"Bochs corei7_icelake_u",
	 {
		 .basic = 0x00d8100000000004,
		 .pin = 0x0000007f00000016,
		 .primary = 0xfff9fffe04006172,
		 .secondary = 0x02977fff00000000,
		 .exit = 0x007fffff00036dfb,
		 .entry = 0x0000ffff000011fb,
		 .misc = 0x00000000600401e0,
		 .cr0_fixed0 = 0x80000021,
		 .cr0_fixed1 = 0xffffffff,
		 .cr4_fixed0 = 0x2000,
		 .cr4_fixed1 = 0x772fff,
		 .ept_vpid = 0x00000f0106334141,
		 .vmfunc = 1,
		 .maxphyaddr = 40,
		 .linear_width = 48,
	 }},
	{"nested KVM on corei7_haswell_4770",
	 {
		 .basic = 0x00d8100011e57ed0,
		 .pin = 0x0000007f00000016,
		 .primary = 0xf7f9fffe04006172,
		 .secondary = 0x00027bff00000000,
		 .ept_vpid = 0x00000f0106334041,
	 }},
};
