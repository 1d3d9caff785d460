/* SPDX-License-Identifier: MIT */
/*
 * Good VMCSs for the VM-entry checker's test, each with the CPU it is good on: the three states
 * in which a guest of ours starts or runs, and variants in which the rarer rules apply.
 */
#pragma once

#include "ept/memtype.h"
#include "hv/check/check.h"
#include "hv/vmcs/vmcs.h"
#include "lib/x86.h"
#include "lib/string.h"

/* Bits that only a test sets: SDM 1 3.4.3; SDM 3D A.1. */
#define RFLAGS_IOPL           BITS(13, 12)
#define VMX_BASIC_MEMORY_TYPE BITS(53, 50)

#define VMCS_ENCODINGS 0x7000
/* Pages that a VMCS names: memory that nothing else uses, on a machine of 128 MiB or more. */
#define WORLD_PAGE(n) (0x6000000 + (n)*PAGE_SIZE)

/* A VMCS and the CPU it is for. A field that no variant has set does not exist. */
struct vmcs_world {
	struct vmx_capabilities caps;
	uint64_t value[VMCS_ENCODINGS];
	bool exists[VMCS_ENCODINGS];
};

/* A CPU with every feature that the rules ask about but those that a rule needs absent. */
static const struct vmx_capabilities all_features = {
	.basic = VMX_BASIC_TRUE_CONTROLS | TO_FIELD(MEMTYPE_WB, VMX_BASIC_MEMORY_TYPE) | 1,
	.pin = 0xff00000016,
	.primary = 0xfffffffe04006172,
	.secondary = 0xffdfffff00000000,
	.exit = 0xf7ffffff00036dfb,
	.entry = 0x007fffff000011fb,
	.tertiary = 0xff,
	.misc = TO_FIELD(4, VMX_MISC_CR3_TARGETS) | VMX_MISC_ACTIVITY_HLT | VMX_MISC_ACTIVITY_SHUTDOWN |
		VMX_MISC_ACTIVITY_WAIT_FOR_SIPI,
	.cr0_fixed0 = CR0_PG | CR0_NE | CR0_PE,
	.cr0_fixed1 = 0xffffffff,
	.cr4_fixed0 = CR4_VMXE,
	.cr4_fixed1 = 0x01ff7fff,
	.ept_vpid = 0xf0106334141,
	.vmfunc = 1,
	.perf_global_ctrl = 0x70000000f,
	.maxphyaddr = 40,
	.linear_width = 48,
	.sgx = true,
	.rtm = true,
};

static void set(struct vmcs_world *w, uint32_t field, uint64_t value)
{
	w->value[field] = value;
	w->exists[field] = true;
}

static void set_segment(struct vmcs_world *w, unsigned segment, uint16_t selector, uint64_t base, uint32_t limit,
			uint32_t rights)
{
	set(w, VMCS_GUEST_SELECTOR(segment), selector);
	set(w, VMCS_GUEST_BASE(segment), base);
	set(w, VMCS_GUEST_LIMIT(segment), limit);
	set(w, VMCS_GUEST_ACCESS_RIGHTS(segment), rights);
}

static void set_controls(struct vmcs_world *w)
{
	set(w, VMCS_PIN_CONTROLS, 0x16 | PIN_EXTERNAL_INTERRUPT_EXITING | PIN_NMI_EXITING | PIN_PREEMPTION_TIMER);
	set(w, VMCS_PRIMARY_CONTROLS,
	    0x04006172 | PRIMARY_HLT_EXITING | PRIMARY_UNCONDITIONAL_IO_EXITING | PRIMARY_MSR_BITMAPS |
		    PRIMARY_SECONDARY);
	set(w, VMCS_SECONDARY_CONTROLS,
	    SECONDARY_EPT | SECONDARY_VPID | SECONDARY_UNRESTRICTED_GUEST | SECONDARY_WBINVD_EXITING);
	set(w, VMCS_EXIT_CONTROLS,
	    0x36dfb | EXIT_HOST_64BIT | EXIT_ACKNOWLEDGE_INTERRUPT | EXIT_SAVE_PAT | EXIT_LOAD_PAT | EXIT_SAVE_EFER |
		    EXIT_LOAD_EFER);
	set(w, VMCS_ENTRY_CONTROLS, 0x11fb | ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER);
	set(w, VMCS_MSR_BITMAP, WORLD_PAGE(0x1));
	set(w, VMCS_VPID, 1);
	set(w, VMCS_EPT_POINTER, WORLD_PAGE(0) | EPTP_ACCESSED_DIRTY | EPTP_WALK_4_LEVELS | MEMTYPE_WB);
	set(w, VMCS_CR3_TARGET_COUNT, 0);
	set(w, VMCS_EXIT_MSR_STORE_COUNT, 0);
	set(w, VMCS_EXIT_MSR_LOAD_COUNT, 0);
	set(w, VMCS_ENTRY_MSR_LOAD_COUNT, 0);
	set(w, VMCS_ENTRY_INTERRUPTION_INFO, 0);
	set(w, VMCS_ENTRY_EXCEPTION_ERROR_CODE, 0);
	set(w, VMCS_ENTRY_INSTRUCTION_LENGTH, 0);
}

static void set_host(struct vmcs_world *w)
{
	set(w, VMCS_HOST_CR0, CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_PE);
	set(w, VMCS_HOST_CR3, 0x100000);
	set(w, VMCS_HOST_CR4, CR4_VMXE | CR4_PAE);
	set(w, VMCS_HOST_RIP, 0x101000);
	set(w, VMCS_HOST_IA32_PAT, PAT_RESET);
	set(w, VMCS_HOST_IA32_EFER, EFER_NXE | EFER_LMA | EFER_LME);
	set(w, VMCS_HOST_IA32_SYSENTER_ESP, 0);
	set(w, VMCS_HOST_IA32_SYSENTER_EIP, 0);
	for (uint32_t field = VMCS_HOST_ES_SELECTOR; field <= VMCS_HOST_GS_SELECTOR; field += 2)
		set(w, field, field == VMCS_HOST_CS_SELECTOR ? 0x08 : 0x10);
	set(w, VMCS_HOST_TR_SELECTOR, 0x18);
	for (uint32_t field = VMCS_HOST_FS_BASE; field <= VMCS_HOST_IDTR_BASE; field += 2)
		set(w, field, 0xffff800000000000);
}

static void set_guest_state(struct vmcs_world *w)
{
	set(w, VMCS_GUEST_CR3, 0);
	set(w, VMCS_GUEST_CR4, CR4_VMXE);
	set(w, VMCS_GUEST_DR7, 0x400);
	set(w, VMCS_GUEST_RFLAGS, RFLAGS_FIXED_ONE);
	set(w, VMCS_GUEST_RIP, 0x100000);
	set(w, VMCS_GUEST_IA32_DEBUGCTL, 0);
	set(w, VMCS_GUEST_IA32_PAT, PAT_RESET);
	set(w, VMCS_GUEST_IA32_EFER, 0);
	set(w, VMCS_GUEST_IA32_SYSENTER_ESP, 0);
	set(w, VMCS_GUEST_IA32_SYSENTER_EIP, 0);
	set(w, VMCS_GUEST_GDTR_BASE, 0);
	set(w, VMCS_GUEST_IDTR_BASE, 0);
	set(w, VMCS_GUEST_GDTR_LIMIT, 0xffff);
	set(w, VMCS_GUEST_IDTR_LIMIT, 0xffff);
	set(w, VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
	set(w, VMCS_GUEST_INTERRUPTIBILITY_STATE, 0);
	set(w, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
	set(w, VMCS_LINK_POINTER, ~0ULL);
}

/* A kernel in flat 32-bit protected mode without paging, as a multiboot guest starts. */
static void flat32(struct vmcs_world *w)
{
	memset(w, 0, sizeof(*w));
	w->caps = all_features;
	set_controls(w);
	set_host(w);
	set_guest_state(w);
	set(w, VMCS_GUEST_CR0, CR0_NE | CR0_ET | CR0_PE);
	for (unsigned segment = VMCS_ES; segment <= VMCS_GS; segment++)
		set_segment(w, segment, 0x10, 0, 0xffffffff, SEGMENT_FLAT_DATA);
	set_segment(w, VMCS_CS, 0x08, 0, 0xffffffff, SEGMENT_FLAT_CODE32);
	set_segment(w, VMCS_LDTR, 0, 0, 0, SEGMENT_UNUSABLE);
	set_segment(w, VMCS_TR, 0x18, 0, 0x67, SEGMENT_TR);
}

/* After reset: an unrestricted guest in real mode. */
static void real_mode(struct vmcs_world *w)
{
	flat32(w);
	set(w, VMCS_GUEST_CR0, CR0_CD | CR0_NW | CR0_NE | CR0_ET);
	set(w, VMCS_GUEST_RIP, 0xfff0);
	for (unsigned segment = VMCS_ES; segment <= VMCS_GS; segment++)
		set_segment(w, segment, 0, 0, 0xffff, SEGMENT_REAL_DATA);
	set_segment(w, VMCS_CS, 0xf000, 0xffff0000, 0xffff, SEGMENT_REAL_CODE);
}

static void change(struct vmcs_world *w, uint32_t field, uint64_t clear, uint64_t or)
{
	set(w, field, (w->value[field] & ~clear) | or);
}

/* A 64-bit kernel. */
static void long64(struct vmcs_world *w)
{
	flat32(w);
	change(w, VMCS_ENTRY_CONTROLS, 0, ENTRY_IA32E_GUEST);
	set(w, VMCS_GUEST_CR0, CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_PE);
	change(w, VMCS_GUEST_CR4, 0, CR4_PAE | CR4_PCIDE);
	set(w, VMCS_GUEST_IA32_EFER, EFER_SCE | EFER_LME | EFER_LMA);
	set(w, VMCS_GUEST_RIP, 0xffffffff81000000);
	set(w, VMCS_GUEST_CS_ACCESS_RIGHTS, SEGMENT_FLAT_CODE64);
	set(w, VMCS_GUEST_GS_BASE, 0xffff888000000000);
	set_segment(w, VMCS_DS, 0, 0, 0, SEGMENT_UNUSABLE);
}

/* Variants: segments. */

/* Without "unrestricted guest", which makes selectors and paging count. */
static void restricted(struct vmcs_world *w)
{
	flat32(w);
	change(w, VMCS_SECONDARY_CONTROLS, SECONDARY_UNRESTRICTED_GUEST, 0);
	change(w, VMCS_GUEST_CR0, 0, CR0_PG);
}

static void restricted_conforming(struct vmcs_world *w)
{
	restricted(w);
	change(w, VMCS_GUEST_CS_ACCESS_RIGHTS, 0, SEGMENT_TYPE_CONFORMING);
}

static void user_mode(struct vmcs_world *w)
{
	restricted(w);
	for (unsigned segment = VMCS_ES; segment <= VMCS_GS; segment++) {
		change(w, VMCS_GUEST_SELECTOR(segment), 0, 3);
		change(w, VMCS_GUEST_ACCESS_RIGHTS(segment), 0, SEGMENT_DPL);
	}
}

static void conforming(struct vmcs_world *w)
{
	flat32(w);
	change(w, VMCS_GUEST_CS_ACCESS_RIGHTS, 0, SEGMENT_TYPE_CONFORMING);
}

static void real_mode_conforming(struct vmcs_world *w)
{
	real_mode(w);
	change(w, VMCS_GUEST_CS_ACCESS_RIGHTS, 0, SEGMENT_TYPE_CONFORMING);
}

/* As real mode is left in when only CR0.PE was cleared: data in CS. */
static void data_in_cs(struct vmcs_world *w)
{
	real_mode(w);
	set(w, VMCS_GUEST_CS_ACCESS_RIGHTS, SEGMENT_REAL_DATA);
}

static void virtual_8086(struct vmcs_world *w)
{
	flat32(w);
	change(w, VMCS_GUEST_RFLAGS, 0, RFLAGS_VM | RFLAGS_IOPL);
	for (unsigned segment = VMCS_ES; segment <= VMCS_GS; segment++)
		set_segment(w, segment, 0x1234, 0x12340, 0xffff, 0xf3);
}

static void usable_ldtr(struct vmcs_world *w)
{
	flat32(w);
	set_segment(w, VMCS_LDTR, 0x28, 0x5000, 0xfff, SEGMENT_LDTR);
}

static void limits_in_bytes(struct vmcs_world *w)
{
	usable_ldtr(w);
	for (unsigned segment = VMCS_ES; segment <= VMCS_TR; segment++) {
		set(w, VMCS_GUEST_LIMIT(segment), 0x1234);
		change(w, VMCS_GUEST_ACCESS_RIGHTS(segment), SEGMENT_G, 0);
	}
}

static void limits_in_pages(struct vmcs_world *w)
{
	usable_ldtr(w);
	for (unsigned segment = VMCS_ES; segment <= VMCS_TR; segment++) {
		set(w, VMCS_GUEST_LIMIT(segment), 0x123fffff);
		change(w, VMCS_GUEST_ACCESS_RIGHTS(segment), 0, SEGMENT_G);
	}
}

/* Variants: controls. */
static void tertiary(struct vmcs_world *w)
{
	flat32(w);
	change(w, VMCS_PRIMARY_CONTROLS, 0, PRIMARY_TERTIARY);
	set(w, VMCS_TERTIARY_CONTROLS, 0);
}

static void io_bitmaps(struct vmcs_world *w)
{
	flat32(w);
	change(w, VMCS_PRIMARY_CONTROLS, 0, PRIMARY_IO_BITMAPS);
	set(w, VMCS_IO_BITMAP_A, WORLD_PAGE(0x2));
	set(w, VMCS_IO_BITMAP_B, WORLD_PAGE(0x3));
}

static void tpr_shadow(struct vmcs_world *w)
{
	flat32(w);
	change(w, VMCS_PRIMARY_CONTROLS, 0, PRIMARY_TPR_SHADOW);
	set(w, VMCS_VIRTUAL_APIC_ADDRESS, WORLD_PAGE(0x4));
	set(w, VMCS_TPR_THRESHOLD, 0); /* the virtual TPR, in memory, is 0 */
	set(w, VMCS_APIC_ACCESS_ADDRESS, WORLD_PAGE(0x5));
}

static void apic_accesses(struct vmcs_world *w)
{
	tpr_shadow(w);
	change(w, VMCS_SECONDARY_CONTROLS, 0, SECONDARY_VIRTUALIZE_APIC_ACCESSES);
}

static void x2apic_mode(struct vmcs_world *w)
{
	tpr_shadow(w);
	change(w, VMCS_SECONDARY_CONTROLS, 0, SECONDARY_VIRTUALIZE_X2APIC);
}

static void virtual_interrupts(struct vmcs_world *w)
{
	tpr_shadow(w);
	change(w, VMCS_SECONDARY_CONTROLS, 0, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY);
	set(w, VMCS_POSTED_INTERRUPT_NOTIFICATION_VECTOR, 0xf2);
	set(w, VMCS_POSTED_INTERRUPT_DESCRIPTOR_ADDRESS, WORLD_PAGE(6) + 0x40);
}

static void posted_interrupts(struct vmcs_world *w)
{
	virtual_interrupts(w);
	change(w, VMCS_PIN_CONTROLS, 0, PIN_POSTED_INTERRUPTS);
}

static void posted_interrupts_off(struct vmcs_world *w)
{
	virtual_interrupts(w);
	change(w, VMCS_SECONDARY_CONTROLS, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY, 0);
}

static void ept_without_accessed_dirty(struct vmcs_world *w)
{
	flat32(w);
	w->caps.ept_vpid &= ~EPT_CAP_ACCESSED_DIRTY;
	change(w, VMCS_EPT_POINTER, EPTP_ACCESSED_DIRTY, 0);
}

/* What needs EPT has its addresses, and is off. */
static void no_ept(struct vmcs_world *w)
{
	restricted(w);
	change(w, VMCS_SECONDARY_CONTROLS, SECONDARY_EPT, 0);
	set(w, VMCS_PML_ADDRESS, WORLD_PAGE(0x7));
	set(w, VMCS_SPP_TABLE_POINTER, WORLD_PAGE(0x8));
	set(w, VMCS_EPTP_LIST_ADDRESS, WORLD_PAGE(0x9));
	change(w, VMCS_ENTRY_CONTROLS, 0, ENTRY_LOAD_RTIT_CTL);
	change(w, VMCS_EXIT_CONTROLS, 0, EXIT_CLEAR_RTIT_CTL);
}

static void pml(struct vmcs_world *w)
{
	flat32(w);
	change(w, VMCS_SECONDARY_CONTROLS, 0, SECONDARY_PML);
	set(w, VMCS_PML_ADDRESS, WORLD_PAGE(0x7));
}

static void spp(struct vmcs_world *w)
{
	flat32(w);
	change(w, VMCS_SECONDARY_CONTROLS, 0, SECONDARY_SPP);
	set(w, VMCS_SPP_TABLE_POINTER, WORLD_PAGE(0x8));
}

static void vm_functions_no_ept(struct vmcs_world *w)
{
	no_ept(w);
	change(w, VMCS_SECONDARY_CONTROLS, 0, SECONDARY_VM_FUNCTIONS);
	set(w, VMCS_VM_FUNCTION_CONTROLS, 0);
}

static void eptp_switching(struct vmcs_world *w)
{
	flat32(w);
	change(w, VMCS_SECONDARY_CONTROLS, 0, SECONDARY_VM_FUNCTIONS);
	set(w, VMCS_VM_FUNCTION_CONTROLS, 1);
	set(w, VMCS_EPTP_LIST_ADDRESS, WORLD_PAGE(0x9));
}

static void vmcs_shadowing(struct vmcs_world *w)
{
	flat32(w);
	change(w, VMCS_SECONDARY_CONTROLS, 0, SECONDARY_VMCS_SHADOWING);
	set(w, VMCS_VMREAD_BITMAP, WORLD_PAGE(0xa));
	set(w, VMCS_VMWRITE_BITMAP, WORLD_PAGE(0xb));
}

static void violation_exceptions(struct vmcs_world *w)
{
	flat32(w);
	change(w, VMCS_SECONDARY_CONTROLS, 0, SECONDARY_EPT_VIOLATION_VE);
	set(w, VMCS_VIRTUALIZATION_EXCEPTION_ADDRESS, WORLD_PAGE(0xc));
}

static void pt_guest_physical(struct vmcs_world *w)
{
	flat32(w);
	change(w, VMCS_SECONDARY_CONTROLS, 0, SECONDARY_PT_GUEST_PHYSICAL);
	change(w, VMCS_ENTRY_CONTROLS, 0, ENTRY_LOAD_RTIT_CTL);
	change(w, VMCS_EXIT_CONTROLS, 0, EXIT_CLEAR_RTIT_CTL);
}

static void no_preemption_timer(struct vmcs_world *w)
{
	flat32(w);
	change(w, VMCS_PIN_CONTROLS, PIN_PREEMPTION_TIMER, 0);
}

/* Lists of two MSRs that end at the end of physical memory. */
static void msr_lists(struct vmcs_world *w)
{
	flat32(w);
	set(w, VMCS_EXIT_MSR_STORE_COUNT, 2);
	set(w, VMCS_EXIT_MSR_LOAD_COUNT, 2);
	set(w, VMCS_ENTRY_MSR_LOAD_COUNT, 2);
	set(w, VMCS_EXIT_MSR_STORE_ADDRESS, BIT(40) - 32);
	set(w, VMCS_EXIT_MSR_LOAD_ADDRESS, BIT(40) - 32);
	set(w, VMCS_ENTRY_MSR_LOAD_ADDRESS, BIT(40) - 32);
}

/* Variants: events to inject. */
static void inject(struct vmcs_world *w, unsigned type, unsigned vector, uint64_t error_code)
{
	set(w, VMCS_ENTRY_INTERRUPTION_INFO,
	    INTERRUPTION_INFO_VALID | error_code | TO_FIELD(type, INTERRUPTION_INFO_TYPE) | vector);
}

static void injecting_interrupt(struct vmcs_world *w)
{
	flat32(w);
	change(w, VMCS_GUEST_RFLAGS, 0, RFLAGS_IF);
	inject(w, INTERRUPTION_TYPE_EXTERNAL, 0x20, 0);
}

static void injecting_nmi(struct vmcs_world *w)
{
	flat32(w);
	inject(w, INTERRUPTION_TYPE_NMI, VECTOR_NMI, 0);
}

static void injecting_virtual_nmi(struct vmcs_world *w)
{
	injecting_nmi(w);
	change(w, VMCS_PIN_CONTROLS, 0, PIN_VIRTUAL_NMIS);
}

static void injecting_gp(struct vmcs_world *w)
{
	flat32(w);
	inject(w, INTERRUPTION_TYPE_HARDWARE_EXCEPTION, VECTOR_GP, INTERRUPTION_INFO_ERROR_CODE);
	set(w, VMCS_ENTRY_EXCEPTION_ERROR_CODE, 0xffff);
}

static void injecting_ud(struct vmcs_world *w)
{
	flat32(w);
	inject(w, INTERRUPTION_TYPE_HARDWARE_EXCEPTION, VECTOR_UD, 0);
}

/* In real mode no exception has an error code. */
static void injecting_gp_real_mode(struct vmcs_world *w)
{
	real_mode(w);
	inject(w, INTERRUPTION_TYPE_HARDWARE_EXCEPTION, VECTOR_GP, 0);
}

static void injecting_software(struct vmcs_world *w)
{
	flat32(w);
	inject(w, INTERRUPTION_TYPE_SOFTWARE_INTERRUPT, 0x80, 0);
	set(w, VMCS_ENTRY_INSTRUCTION_LENGTH, 2);
}

static void injecting_mtf(struct vmcs_world *w)
{
	flat32(w);
	inject(w, INTERRUPTION_TYPE_OTHER_EVENT, 0, 0);
}

/* Variants: MSRs and CET. */
static void all_msrs(struct vmcs_world *w)
{
	flat32(w);
	change(w, VMCS_EXIT_CONTROLS, 0, EXIT_LOAD_PERF_GLOBAL_CTRL | EXIT_LOAD_CET | EXIT_LOAD_PKRS);
	change(w, VMCS_ENTRY_CONTROLS, 0,
	       ENTRY_LOAD_PERF_GLOBAL_CTRL | ENTRY_LOAD_CET | ENTRY_LOAD_PKRS | ENTRY_LOAD_BNDCFGS);
	set(w, VMCS_HOST_IA32_PERF_GLOBAL_CTRL, 0xf);
	set(w, VMCS_HOST_IA32_S_CET, 1);
	set(w, VMCS_HOST_SSP, 0x7000);
	set(w, VMCS_HOST_IA32_INTERRUPT_SSP_TABLE_ADDR, 0x8000);
	set(w, VMCS_HOST_IA32_PKRS, 0xffffffff);
	set(w, VMCS_GUEST_IA32_PERF_GLOBAL_CTRL, 0xf);
	set(w, VMCS_GUEST_IA32_S_CET, 1);
	set(w, VMCS_GUEST_SSP, 0x7000);
	set(w, VMCS_GUEST_IA32_INTERRUPT_SSP_TABLE_ADDR, 0x8000);
	set(w, VMCS_GUEST_IA32_PKRS, 0xffffffff);
	set(w, VMCS_GUEST_IA32_BNDCFGS, 3);
}

static void long64_cet(struct vmcs_world *w)
{
	long64(w);
	change(w, VMCS_ENTRY_CONTROLS, 0, ENTRY_LOAD_CET);
	set(w, VMCS_GUEST_IA32_S_CET, 0);
	set(w, VMCS_GUEST_SSP, 0);
	set(w, VMCS_GUEST_IA32_INTERRUPT_SSP_TABLE_ADDR, 0);
}

static void host_without_wp(struct vmcs_world *w)
{
	flat32(w);
	change(w, VMCS_HOST_CR0, CR0_WP, 0);
}

/* Variants: non-register state. */
static void after_sti(struct vmcs_world *w)
{
	flat32(w);
	change(w, VMCS_GUEST_RFLAGS, 0, RFLAGS_IF);
	set(w, VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_STI);
}

static void stepping_over_sti(struct vmcs_world *w)
{
	after_sti(w);
	change(w, VMCS_GUEST_RFLAGS, 0, RFLAGS_TF);
	set(w, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, PENDING_DEBUG_BS);
}

static void enclave_interrupted(struct vmcs_world *w)
{
	flat32(w);
	set(w, VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_ENCLAVE);
}

static void no_sgx_or_rtm(struct vmcs_world *w)
{
	flat32(w);
	w->caps.sgx = false;
	w->caps.rtm = false;
}

static void debug_in_transaction(struct vmcs_world *w)
{
	flat32(w);
	set(w, VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, PENDING_DEBUG_RTM | PENDING_DEBUG_ENABLED);
}

static void pae_paging(struct vmcs_world *w)
{
	flat32(w);
	change(w, VMCS_GUEST_CR0, 0, CR0_PG);
	change(w, VMCS_GUEST_CR4, 0, CR4_PAE);
	for (uint32_t field = VMCS_GUEST_PDPTE0; field <= VMCS_GUEST_PDPTE3; field += 2) set(w, field, 0x5000 | PAGE_P);
	set(w, VMCS_GUEST_PDPTE2, ~0ULL << 1); /* not present: anything goes */
}

/* Variants that a rule must let pass: its condition or its exception is met. */

/* No more controls than an early CPU has; the fields that came with the others do not exist. */
static void minimal(struct vmcs_world *w)
{
	static const uint32_t later[] = {
		VMCS_SECONDARY_CONTROLS, VMCS_MSR_BITMAP,     VMCS_VPID,           VMCS_EPT_POINTER,
		VMCS_HOST_IA32_PAT,      VMCS_HOST_IA32_EFER, VMCS_GUEST_IA32_PAT, VMCS_GUEST_IA32_EFER,
	};

	restricted(w);
	change(w, VMCS_PRIMARY_CONTROLS, PRIMARY_SECONDARY | PRIMARY_MSR_BITMAPS, 0);
	change(w, VMCS_EXIT_CONTROLS, EXIT_SAVE_PAT | EXIT_LOAD_PAT | EXIT_SAVE_EFER | EXIT_LOAD_EFER, 0);
	change(w, VMCS_ENTRY_CONTROLS, ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER, 0);
	for (unsigned i = 0; i < sizeof(later) / sizeof(later[0]); i++) w->exists[later[i]] = false;
	set(w, VMCS_GUEST_IA32_DEBUGCTL, ~0ULL);
}

static void nmi_window(struct vmcs_world *w)
{
	flat32(w);
	change(w, VMCS_PIN_CONTROLS, 0, PIN_VIRTUAL_NMIS);
	change(w, VMCS_PRIMARY_CONTROLS, 0, PRIMARY_NMI_WINDOW_EXITING);
	set(w, VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI);
}

static void no_nmi_exiting(struct vmcs_world *w)
{
	flat32(w);
	change(w, VMCS_PIN_CONTROLS, PIN_NMI_EXITING, 0);
}

static void save_preemption_timer(struct vmcs_world *w)
{
	flat32(w);
	change(w, VMCS_EXIT_CONTROLS, 0, EXIT_SAVE_PREEMPTION_TIMER);
}

/* What is left in the fields when no event is valid. */
static void stale_event(struct vmcs_world *w)
{
	flat32(w);
	set(w, VMCS_ENTRY_INTERRUPTION_INFO, ~0ULL & ~INTERRUPTION_INFO_VALID);
	set(w, VMCS_ENTRY_EXCEPTION_ERROR_CODE, 0xffffffff);
	set(w, VMCS_ENTRY_INSTRUCTION_LENGTH, 0xffffffff);
}

static void restricted_virtual_8086(struct vmcs_world *w)
{
	virtual_8086(w);
	change(w, VMCS_SECONDARY_CONTROLS, SECONDARY_UNRESTRICTED_GUEST, 0);
	change(w, VMCS_GUEST_CR0, 0, CR0_PG);
}

static void unrestricted_user_selectors(struct vmcs_world *w)
{
	flat32(w);
	for (unsigned segment = VMCS_ES; segment <= VMCS_GS; segment++)
		change(w, VMCS_GUEST_SELECTOR(segment), 0, segment == VMCS_CS ? 0 : 3);
}

static void shut_down(struct vmcs_world *w)
{
	flat32(w);
	set(w, VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_SHUTDOWN);
}

static void single_stepping(struct vmcs_world *w)
{
	flat32(w);
	change(w, VMCS_GUEST_RFLAGS, 0, RFLAGS_TF);
}
