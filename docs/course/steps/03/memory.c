// SPDX-License-Identifier: MIT
/*
 * The EPT of the one guest: how ept/ reaches the world, what of the VMCS is other than in step 1, and
 * the violation that installs a leaf.
 */
#include "docs/course/steps/03/memory.h"

#include "hv/machine/console.h"
#include "hv/machine/end.h"
#include "hv/machine/memory.h"
#include "lib/asm.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/x86.h"

#define INVEPT_SINGLE_CONTEXT 1 /* SDM 3C 31.3 */
#define ADDRESS_WIDTH         36

struct ept guest_ept;
struct mtrr guest_mtrr;
const struct ept_cpu guest_cpu = {.mtrr = &guest_mtrr};
unsigned invepts;
bool (*memory_device)(struct guest *guest, uint64_t gpa, bool write);

static uint64_t alloc_table(void *ctx)
{
	(void)ctx;
	return page_alloc();
}

static void free_table(void *ctx, uint64_t table)
{
	(void)ctx;
	page_free(table);
}

/* What ept/ calls when entries were changed that a CPU may have cached (SDM 3C 29.4.3.1). */
static void flush(void *ctx)
{
	const struct {
		uint64_t ept_pointer, reserved;
	} descriptor = {ept_pointer(&guest_ept), 0};
	uint8_t failed;

	(void)ctx;
	__asm__ volatile("invept %1, %2; setna %0"
			 : "=qm"(failed)
			 : "m"(descriptor), "r"((uint64_t)INVEPT_SINGLE_CONTEXT)
			 : "memory", "cc");
	if (failed) vmx_failed("INVEPT", descriptor.ept_pointer);
	invepts++;
}

static void add_slot(uint64_t gpa, uint64_t size)
{
	struct ept_slot slot = {.gpa = gpa, .size = size, .hpa = memory_alloc(size, size)};

	if (!slot.hpa || ept_slot_add(&guest_ept, &slot)) panic("memory: no slot of %lu KiB", size / KiB);
}

static void setup_ept(void)
{
	uint64_t cap = rdmsr(MSR_IA32_VMX_EPT_VPID_CAP);
	struct ept_caps caps = {
		.large_2m = cap & EPT_CAP_2M,
		.address_width = cpuid(0x80000008, 0).eax & CPUID_80000008_EAX_MAXPHYADDR,
	};
	struct ept_host host = {
		.info = (struct ept_table_info *)page_word,
		.alloc_table = alloc_table,
		.free_table = free_table,
		.flush = flush,
	};

	if (ept_init(&guest_ept, &host, &caps, MEMTYPE_KVM_6_7)) panic("memory: no page left");
	mtrr_reset(&guest_mtrr, ADDRESS_WIDTH);
	add_slot(0, MEMORY_SIZE);
	add_slot(MEMORY_SIZE, MEMORY_BEHIND);
}

/* EPT on, and with it a guest without paging (SDM 3C 25.6.2, 27.3.1.1 "unrestricted guest"). */
static void setup_vmcs(void)
{
	vmwrite(VMCS_PRIMARY_CONTROLS, vmread(VMCS_PRIMARY_CONTROLS) | PRIMARY_SECONDARY);
	vmwrite(VMCS_SECONDARY_CONTROLS,
		vmx_controls(MSR_IA32_VMX_PROCBASED_CTLS2, SECONDARY_EPT | SECONDARY_UNRESTRICTED_GUEST));
	vmwrite(VMCS_ENTRY_CONTROLS, vmread(VMCS_ENTRY_CONTROLS) & ~(uint64_t)ENTRY_IA32E_GUEST);
	vmwrite(VMCS_EPT_POINTER, ept_pointer(&guest_ept));
	vmwrite(VMCS_GUEST_CR0, read_cr0() & ~CR0_PG);
	vmwrite(VMCS_GUEST_CR3, 0);
	vmwrite(VMCS_GUEST_ACCESS_RIGHTS(VMCS_CS), SEGMENT_FLAT_CODE32);
	vmwrite(VMCS_GUEST_RIP, GUEST_START);
}

void memory_setup(const uint8_t *image, const uint8_t *image_end)
{
	setup_ept();
	memcpy(memory_at(GUEST_START, (uint64_t)(image_end - image)), image, (size_t)(image_end - image));
	setup_vmcs();
}

void *memory_at(uint64_t gpa, uint64_t size)
{
	const struct ept_slot *slot = ept_slot_find(&guest_ept, gpa);

	return slot && size <= slot->size - (gpa - slot->gpa) ? (void *)(slot->hpa + (gpa - slot->gpa)) : NULL;
}

static void tell_leaf(uint64_t gpa, const struct ept_fill *fill)
{
	print("violation at 0x%lx: %s leaf, %s%s", gpa, fill->level == 1 ? "4K" : "2M",
	      memtype_name(FIELD(fill->bits, EPT_TYPE)), fill->bits & EPT_IGNORE_PAT ? " + ignore PAT" : "");
}

/* SDM 3C 28.2.1, table 28-7. */
bool exit_ept_violation(struct guest *guest)
{
	uint64_t gpa = vmread(VMCS_GUEST_PHYSICAL_ADDRESS);
	bool write = vmread(VMCS_EXIT_QUALIFICATION) & EPT_VIOLATION_WRITE;
	struct ept_fill fill;

	switch (ept_fault(&guest_ept, &guest_cpu, gpa, write, &fill)) {
	case 0: tell_leaf(gpa, &fill); return true;
	case -ENOENT:
		if (memory_device) return memory_device(guest, gpa, write);
		print("violation at 0x%lx: nothing is there", gpa);
		return false;
	default: panic("memory: no page left");
	}
}
