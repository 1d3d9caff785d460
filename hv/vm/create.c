/* SPDX-License-Identifier: MIT */
/*
 * Making a VM from a GRUB line: RAM and its slots, devices, the image, the vCPUs.
 */
#include "hv/dev/acpi.h"
#include "hv/dev/firmware.h"
#include "hv/load/guest_map.h"
#include "hv/load/load.h"
#include "hv/machine/memory.h"
#include "hv/vm/coherence.h"
#include "hv/vm/cpu_model.h"
#include "hv/vm/devices.h"
#include "hv/vm/events.h"
#include "hv/vm/interrupts.h"
#include "hv/vm/run.h"
#include "hv/vm/shootdown.h"
#include "hv/vm/vcpu.h"
#include "hv/vm/vm.h"
#include "iommu/vtd.h"
#include "lib/format.h"

struct vm *vms[VMS_MAX];
unsigned vm_count;

static void lock_ept(void *ctx)
{
	struct vm *vm = ctx;

	lock(&vm->ept_lock, LOCK_EPT);
	gate_shut(&vm->ept_gate);
}

static void unlock_ept(void *ctx)
{
	struct vm *vm = ctx;

	gate_open(&vm->ept_gate);
	unlock(&vm->ept_lock, LOCK_EPT);
}

static bool share_ept(void *ctx) { return gate_enter(&((struct vm *)ctx)->ept_gate); }

static void unshare_ept(void *ctx) { gate_leave(&((struct vm *)ctx)->ept_gate); }

static void zapped(void *ctx, uint64_t gpa, uint64_t size, uint64_t leaves)
{
	vm_tell(ctx, EVENT_ZAP, (uint32_t)leaves, gpa, size);
}

/*
 * Tables come from what was reserved when the VM was made, so that no guest can use up what another needs. A fault that
 * finds none left takes the EPT's lock, and then all that were taken are linked or have come back: -ENOMEM would be a
 * defect of ept_tables_for().
 */
static uint64_t alloc_table(void *ctx) { return pool_take(&((struct vm *)ctx)->tables); }

static void free_table(void *ctx, uint64_t table) { pool_give(&((struct vm *)ctx)->tables, table); }

/* Reserve and zero the guest's RAM and give it to the EPT as slots. */
static int create_memory(struct vm *vm)
{
	const struct ept_host host = {
		.ctx = vm,
		.info = (struct ept_table_info *)page_word,
		.alloc_table = alloc_table,
		.free_table = free_table,
		.zapped = zapped,
		.copy_page = vm->options.coherence ? coherence_copy_page : NULL,
		.flush = shootdown_flush,
		.lock = vm->options.cpus > 1 ? lock_ept : NULL,
		.unlock = vm->options.cpus > 1 ? unlock_ept : NULL,
		.share = vm->options.cpus > 1 ? share_ept : NULL,
		.unshare = vm->options.cpus > 1 ? unshare_ept : NULL,
	};
	uint64_t size = vm->options.memory;
	struct guest_map map;
	int error;

	vm->ram = memory_alloc(size, size >= GiB ? GiB : 2 * MiB);
	if (!vm->ram) vm->ram = memory_alloc(size, 2 * MiB);
	guest_map_make(&map, size, vm->ram);
	vm->tables.size = ept_tables_for(map.slot, map.slots) * PAGE_SIZE;
	vm->tables.start = memory_alloc(vm->tables.size, PAGE_SIZE);
	if (!vm->ram || !vm->tables.start) return -ENOMEM;
	error = ept_init(&vm->ept, &host, &vmx.ept, vm->options.policy);
	if (error) return error;
	vm->ept.transition = vm->options.retype ? EPT_TRANSITION_RETYPE : EPT_TRANSITION_ZAP;
	vm->ept.fill = vm->options.fill_table ? EPT_FILL_TABLE : EPT_FILL_LEAF;
	vm->ept_pointer = ept_pointer(&vm->ept);
	if (vm->options.coherence) error = coherence_create(vm, &map);
	vm->low_ram_end = map.low_end;
	vm->flat_end = vm->options.coherence ? 0 : map.low_end;
	vm->high_ram_end = map.high_end;
	vm->device_space = 4 * GiB - map.low_end;
	for (unsigned i = 0; !error && i < map.slots; i++) error = ept_slot_add(&vm->ept, &map.slot[i]);
	return error;
}

/* What firmware would tell an operating system of all this. It fits: tests/unit/test_acpi.c. */
static void create_firmware(struct vm *vm)
{
	struct cpuid_result one = cpu_model_cpuid(1, 0);
	uint64_t iommu_base = vm->options.iommu ? IOMMU_BASE : 0;
	struct acpi_machine machine = {vm->options.cpus, one.eax, one.edx, iommu_base, VTD_HAW};

	if (machine.cpus > 1) machine.features = cpu_model_topology(1, 0, machine.cpus, 0, one).edx;
	firmware_leave((uint8_t *)vm->ram);
	acpi_build((void *)(vm->ram + ACPI_BASE), FIRMWARE_CODE - ACPI_BASE, &machine);
}

/* Give back all but the structure itself. Nothing of the VM is on a CPU then. */
static void take_down(struct vm *vm)
{
	console_line_close(&vm->line);
	vm_release(vm);
	for (; vm->vcpus; vm->vcpus--) memory_free((uintptr_t)vm->vcpu[vm->vcpus - 1], sizeof(*vm->vcpu[0]));
}

void vm_destroy(struct vm *vm)
{
	take_down(vm);
	memory_free((uintptr_t)vm, sizeof(*vm));
}

/*
 * INVEPT comes before the memory is anybody else's: what the CPU has of the tables would lead into
 * it (SDM 3C 29.4.3.3).
 */
void vm_release(struct vm *vm)
{
	for (unsigned i = 0; i < vm->vcpus; i++) vcpu_release(vm->vcpu[i]);
	if (vm->ept_pointer) invept(vm->ept_pointer);
	vm->ept_pointer = 0;
	if (vm->tables.start) memory_free(vm->tables.start, vm->tables.size);
	if (vm->ram) memory_free(vm->ram, vm->options.memory);
	vm->tables.start = vm->ram = 0;
	vm->iommu_writer = NULL;
	coherence_destroy(vm);
	devices_free(vm);
}

_Static_assert(MEMTYPE_KVM_6_6 == 0 && MEMTYPE_KVM_6_7 == 1 && MEMTYPE_KVM_6_11 == 2 && MEMTYPE_KVM_6_16 == 3,
	       "the policies' numbers in docs/contract.md");
_Static_assert(EPT_TRANSITION_ZAP == 0 && EPT_TRANSITION_RETYPE == 1, "the transitions' numbers");

/* What VMCALL_VERSION says of the VM (docs/contract.md). */
static uint64_t chosen(const struct vm *vm)
{
	const struct vm_options *options = &vm->options;

	return TO_FIELD(options->policy, CHOSEN_POLICY) | TO_FIELD(vm->ept.transition, CHOSEN_TRANSITION) |
	       (options->fill_table ? CHOSEN_FILL : 0) | (options->coherence ? CHOSEN_COHERENCE : 0) |
	       (options->strict ? CHOSEN_STRICT : 0);
}

static int create_vcpus(struct vm *vm, const struct load_entry *start)
{
	while (vm->vcpus < vm->options.cpus) {
		vm->vcpu[vm->vcpus] = vcpu_create(vm, vm->vcpus, start);
		if (!vm->vcpu[vm->vcpus]) return -ENOMEM;
		vm->is_shared |= vm->vcpu[vm->vcpus++]->cpu != this_cpu();
	}
	for (unsigned i = 0; i < vm->vcpus; i++) {
		interrupts_set_apic_base(vm->vcpu[i], vm->vcpu[i]->apic_base);
		run_add(vm->vcpu[i]);
	}
	if (cpus_are_all && vm->vcpus == cpu_count) vm->everywhere = (1U << vm->vcpus) - 1;
	return 0;
}

/* As load_image(). */
static const char *load_guest(struct vm *vm, struct load_entry *entry)
{
	struct guest_map map;
	const struct load_job job = {
		.image = (const uint8_t *)vm->image->start,
		.size = vm->image->size,
		.initrd = vm->initrd ? (const uint8_t *)vm->initrd->start : NULL,
		.initrd_size = vm->initrd ? vm->initrd->size : 0,
		.name = vm->options.name,
		.command_line = vm->options.command_line,
		.ram = (uint8_t *)vm->ram,
		.map = &map,
		.rsdp = ACPI_BASE,
		.put = memory_put,
	};

	guest_map_make(&map, vm->options.memory, vm->ram);
	return load_image(&job, entry);
}

#define DEVICE_LIST_MAX 64

/* "2 edu, 1 testdev" */
static const char *list_devices(const struct vm_options *options, char *list, size_t size)
{
	list[0] = '\0';
	for (unsigned i = 0; i < optional_device_count; i++) {
		unsigned count = 0;

		for (unsigned d = 0; d < options->devices; d++) count += options->device[d].row == optional_devices[i];
		if (count) format_append(list, size, "%s%u %s", list[0] ? ", " : "", count, optional_devices[i]->name);
	}
	return list[0] ? list : "no device";
}

static void announce(const struct vm_options *options)
{
	const char *policy = memtype_policy_name(options->policy);
	char devices[DEVICE_LIST_MAX];

	print("vm %s: %lu MiB, IOMMU %s, %s, memory types as %s%s", options->name, options->memory / MiB,
	      options->iommu ? "on" : "off", list_devices(options, devices, sizeof(devices)), policy,
	      options->coherence ? ", caches modelled" : "");
	if (options->coherence && options->policy >= MEMTYPE_KVM_6_11)
		print("vm %s: coherence=model: no buffer can be made UC, for %s asks no MTRR: "
		      "what a device shares with the guest has to be written back",
		      options->name, policy);
}

static int refuse(struct vm *vm)
{
	take_down(vm);
	print("vm %s: mem=%luM%s: only %lu MiB of the machine's memory are left; expected "
	      "a smaller mem= or a larger machine",
	      vm->options.name, vm->options.memory / MiB, vm->options.coherence ? " twice, for coherence=model" : "",
	      memory_left() / MiB);
	return -ENOMEM;
}

/* All that the VM's options ask for; nothing is taken when one line has said what is wrong. */
static int build(struct vm *vm)
{
	struct load_entry start;
	const char *problem;

	if (create_memory(vm) || devices_create(vm)) return refuse(vm);
	vm->chosen = chosen(vm);
	create_firmware(vm);
	problem = load_guest(vm, &start);
	if (problem) {
		print("vm %s: image of %lu bytes: %s: see docs/contract.md", vm->options.name, vm->image->size,
		      problem);
		take_down(vm);
		return -ENOEXEC;
	}
	return create_vcpus(vm, &start) ? refuse(vm) : 0;
}

struct vm *vm_create(const struct vm_options *options, const struct boot_module *image,
		     const struct boot_module *initrd)
{
	struct vm *vm;

	if (options->coherence && !vmx.ept.accessed_dirty) {
		print("vm %s: coherence=model: the CPU has no EPT accessed and dirty flags, or "
		      "they are masked; expected a CPU that has them",
		      options->name);
		return NULL;
	}
	vm = (struct vm *)memory_alloc(sizeof(*vm), PAGE_SIZE);
	if (!vm) {
		print("vm %s: no memory is left; expected a larger machine", options->name);
		return NULL;
	}
	vm->options = *options;
	vm->image = image;
	vm->initrd = initrd;
	if (build(vm)) {
		memory_free((uintptr_t)vm, sizeof(*vm));
		return NULL;
	}
	announce(options);
	return vm;
}

void vm_restart(struct vm *vm)
{
	const size_t kept = offsetof(struct vm, vcpu);

	take_down(vm);
	memset((uint8_t *)vm + kept, 0, sizeof(*vm) - kept);
	memory_pause = run_others;
	if (build(vm)) /* what it needs was free a moment ago */
		vm_kill(vm, "reset, and it cannot be made again");
	memory_pause = NULL;
}
