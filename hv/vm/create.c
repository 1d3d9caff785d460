/* SPDX-License-Identifier: MIT */
/*
 * Making a VM from a GRUB line: RAM and its slots, devices, the image, the vCPU.
 */
#include "hv/dev/acpi.h"
#include "hv/load/guest_map.h"
#include "hv/load/load.h"
#include "hv/machine/memory.h"
#include "hv/vm/interrupts.h"
#include "hv/vm/vcpu.h"
#include "hv/vm/vm.h"
#include "lib/asm.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/string.h"

/* The guest's physical address space beside its RAM (hv/load/guest_map.c). */
#define PCI_WINDOW 0xc0000000UL
#define EDU_SLOT   2 /* of the first: 00:02.0 */

static void invept_vm(void *ctx)
{
	struct vm *vm = ctx;

	invept(vm->ept_pointer);
	vm->counters.invepts++;
}

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

/* Reserve and zero the guest's RAM and give it to the EPT as slots. */
static int create_memory(struct vm *vm)
{
	const struct ept_host host = {
		.ctx = vm,
		.info = (struct ept_table_info *)page_word,
		.alloc_table = alloc_table,
		.free_table = free_table,
		.flush = invept_vm,
	};
	uint64_t size = vm->options.memory;
	struct guest_map map;
	int error;

	vm->ram = memory_alloc(size, size >= GiB ? GiB : 2 * MiB);
	if (!vm->ram)
		vm->ram = memory_alloc(size, 2 * MiB);
	if (!vm->ram)
		return -ENOMEM;
	error = ept_init(&vm->ept, &host, &vmx.ept, vm->options.policy);
	if (error)
		return error;
	vm->ept_pointer = ept_pointer(&vm->ept);
	guest_map_make(&map, size, vm->ram);
	vm->low_ram_end = map.low_end;
	for (unsigned i = 0; !error && i < map.slots; i++)
		error = ept_slot_add(&vm->ept, &map.slot[i]);
	return error;
}

/* What the device models reach the VM through. */
static void uart_put(void *ctx, uint8_t byte)
{
	struct vm *vm = ctx;

	console_guest_byte(&vm->line, byte);
}

static void exit_port_written(void *ctx, uint32_t status)
{
	vm_exit(ctx, status);
}

static void reset_requested(void *ctx)
{
	vm_kill(ctx, "reset");
}

static int read_ram(void *ctx, uint64_t gpa, void *to, size_t size)
{
	return vm_ram_read(ctx, gpa, to, size);
}

static int write_ram(void *ctx, uint64_t gpa, const void *from, size_t size)
{
	return vm_ram_write(ctx, gpa, from, size);
}

static int dma_read(void *ctx, uint16_t source_id, uint64_t address, void *to, size_t size)
{
	struct vm *vm = ctx;
	int error;

	if (vm->options.iommu)
		return iommu_dma_read(&vm->iommu, source_id, address, to, size);
	error = read_ram(vm, address, to, size);
	if (error)
		memset(to, 0xff, size);
	return error;
}

static int dma_write(void *ctx, uint16_t source_id, uint64_t address, const void *from, size_t size)
{
	struct vm *vm = ctx;
	uint32_t message;

	if (vm->options.iommu)
		return iommu_dma_write(&vm->iommu, source_id, address, from, size);
	if (!interrupts_is_message(address))
		return write_ram(vm, address, from, size);
	if (size != sizeof(message))
		return -EFAULT;
	memcpy(&message, from, sizeof(message));
	interrupts_message(vm, source_id, address, message);
	return 0;
}

static void iommu_access(void *device, uint64_t offset, unsigned width, bool write, uint64_t *value)
{
	if (write)
		iommu_register_write(device, offset, width, *value);
	else
		*value = iommu_register_read(device, offset, width);
}

static void no_snoop_changed(void *ctx, uint16_t source_id, bool enabled)
{
	struct vm *vm = ctx;

	if (vm->options.iommu)
		iommu_set_no_snoop(&vm->iommu, source_id, enabled);
}

static void send_msi(void *ctx, uint16_t source_id, uint64_t address, uint32_t data)
{
	interrupts_message(ctx, source_id, address, data);
}

static void set_intx(void *ctx, uint16_t source_id, bool level)
{
	struct vm *vm = ctx;

	irq_pci(&vm->irq, source_id >> 3 & 31, level);
}

static void create_iommu(struct vm *vm)
{
	const struct iommu_config config = {
		.snoop_control = vm->options.snoop_control,
		.caching_mode = vm->options.caching_mode,
		.interrupt_remapping = true,
	};
	const struct iommu_host host = {
		.ctx = vm,
		.read = read_ram,
		.write = write_ram,
		.interrupt = interrupts_deliver_message,
		.changed = vm_device_changed,
		.stale_used = vm->options.strict ? vm_stale_used : NULL,
	};

	iommu_init(&vm->iommu, &config, &host);
	bus_add(&vm->mmio, IOMMU_BASE, IOMMU_SIZE, iommu_access, &vm->iommu, "VT-d");
}

static void create_edu(struct vm *vm, unsigned n)
{
	const struct edu_host host = {
		.ctx = vm,
		.dma_read = dma_read,
		.dma_write = dma_write,
		.msi = send_msi,
		.intx = set_intx,
		.no_snoop = no_snoop_changed,
	};
	struct edu *edu = &vm->edu[n];

	edu_init(edu, &vm->pci, &vm->mmio, EDU_SLOT + n, PCI_WINDOW + n * EDU_BAR_SIZE,
		 irq_pci_line(EDU_SLOT + n), &host);
	if (vm->options.iommu)
		iommu_add_device(&vm->iommu, edu->source_id, !vm->options.device_snoop[n]);
}

/* ACPI's clock, made of the TSC (ACPI 6.5 4.8.3.3). */
static uint64_t pm_timer_now(void *ctx)
{
	uint64_t tsc = rdtsc();

	(void)ctx;
	return tsc / vmx.tsc_hz * ACPI_PM_HZ + tsc % vmx.tsc_hz * ACPI_PM_HZ / vmx.tsc_hz;
}

static void power_off(void *ctx)
{
	vm_exit(ctx, 0);
}

/* What firmware would tell an operating system of all this. It fits: tests/unit/test_acpi.c. */
static void create_acpi(struct vm *vm)
{
	const struct acpi_config config = {
		.base = ACPI_BASE,
		.cpus = 1,
		.ioapic_id = IOAPIC_ID,
		.dsdt = dsdt_aml_code,
		.iommu = vm->options.iommu,
		.interrupt_remapping = true,
		.host_address_width = 48,
		.iommu_base = IOMMU_BASE,
		.ioapic_source_id = IOMMU_IOAPIC_SOURCE_ID,
	};

	acpi_build((void *)(vm->ram + ACPI_BASE), ACPI_SIZE, &config);
	acpi_pm_init(&vm->acpi_pm, &vm->ports, power_off, pm_timer_now, vm);
}

/* The number of devices is bounded (VM_DEVICES_MAX), so no bus or slot can be full. */
static void create_devices(struct vm *vm)
{
	vm->line.name = vm->options.name;
	uart_init(&vm->uart, &vm->ports, uart_put, vm);
	exit_port_init(&vm->exit_port, &vm->ports, exit_port_written, vm);
	reset_init(&vm->reset, &vm->ports, reset_requested, vm);
	pci_init(&vm->pci, &vm->ports);
	interrupts_init(vm);
	create_acpi(vm);
	if (vm->options.iommu)
		create_iommu(vm);
	for (unsigned n = 0; n < vm->options.devices; n++)
		create_edu(vm, n);
}

/* Give back all of a VM that has not run. */
static void discard(struct vm *vm)
{
	if (!vm)
		return;
	for (unsigned i = 0; i < vm->vcpus; i++)
		vcpu_destroy(vm->vcpu[i]);
	if (vm->ept.root)
		ept_destroy(&vm->ept);
	if (vm->ram)
		memory_free(vm->ram, vm->options.memory);
	memory_free((uintptr_t)vm, sizeof(*vm));
}

static int create_vcpus(struct vm *vm, const struct load_entry *start)
{
	while (vm->vcpus < vm->options.cpus) {
		vm->vcpu[vm->vcpus] = vcpu_create(vm, vm->vcpus, start);
		if (!vm->vcpu[vm->vcpus])
			return -ENOMEM;
		vm->vcpus++;
	}
	return 0;
}

/* As load_image(). */
static int load_guest(struct vm *vm, const struct boot_module *image,
		      const struct boot_module *initrd, struct load_entry *entry,
		      const char **problem)
{
	struct guest_map map;
	const struct load_job job = {
		.image = (const uint8_t *)image->start,
		.size = image->size,
		.initrd = initrd ? (const uint8_t *)initrd->start : NULL,
		.initrd_size = initrd ? initrd->size : 0,
		.name = vm->options.name,
		.command_line = vm->options.command_line,
		.ram = (uint8_t *)vm->ram,
		.map = &map,
		.rsdp = ACPI_BASE,
	};

	guest_map_make(&map, vm->options.memory, vm->ram);
	return load_image(&job, entry, problem);
}

struct vm *vm_create(const struct vm_options *options, const struct boot_module *image,
		     const struct boot_module *initrd)
{
	struct vm *vm = (struct vm *)memory_alloc(sizeof(*vm), PAGE_SIZE);
	struct load_entry start;
	const char *problem;

	if (vm)
		vm->options = *options;
	if (!vm || create_memory(vm)) {
		discard(vm);
		print("vm %s: mem=%luM: only %lu MiB of the machine's memory are left; expected a "
		      "smaller mem= or a larger machine",
		      options->name, options->memory / MiB, memory_left() / MiB);
		return NULL;
	}
	create_devices(vm);
	if (load_guest(vm, image, initrd, &start, &problem)) {
		print("vm %s: image of %lu bytes: %s", options->name, image->size, problem);
		discard(vm);
		return NULL;
	}
	if (create_vcpus(vm, &start)) {
		print("vm %s: mem=%luM: no memory is left for its CPU; expected a smaller mem= or "
		      "a larger machine",
		      options->name, options->memory / MiB);
		discard(vm);
		return NULL;
	}
	print("vm %s: %lu MiB, IOMMU %s, %u edu, memory types as %s", options->name,
	      options->memory / MiB, options->iommu ? "on" : "off", options->devices,
	      memtype_policy_name(options->policy));
	return vm;
}
