/* SPDX-License-Identifier: MIT */
/*
 * What a VM gives its devices to reach it through (struct board), and the walk over their rows.
 * It knows no device by name but the IOMMU, which stands between the others and the VM's memory
 * and interrupts.
 */
#include "hv/vm/devices.h"

#include "hv/dev/devices.h"
#include "hv/dev/ioapic.h"
#include "hv/dev/irq.h"
#include "hv/dev/pci.h"
#include "hv/dev/uart.h"
#include "hv/machine/end.h"
#include "hv/machine/memory.h"
#include "hv/vm/events.h"
#include "hv/vm/interrupts.h"
#include "iommu/state.h"

_Static_assert(IOAPIC_SOURCE_ID == IOMMU_IOAPIC_SOURCE_ID, "one id, for who sends and who remaps");
_Static_assert(VM_DEVICES_MAX <= IOMMU_DEVICES, "each device has a place in the IOMMU's list");

static int dma_read(void *ctx, uint16_t source_id, uint64_t address, void *to, size_t size)
{
	struct vm *vm = ctx;
	int error;

	if (vm->iommu) return iommu_dma_read(vm->iommu, source_id, address, to, size);
	error = vm_ram_read(vm, address, to, size, false);
	if (error) memset(to, 0xff, size);
	return error;
}

static int dma_write(void *ctx, uint16_t source_id, uint64_t address, const void *from, size_t size)
{
	struct vm *vm = ctx;
	uint32_t message;

	if (vm->iommu) return iommu_dma_write(vm->iommu, source_id, address, from, size);
	if (!is_interrupt_address(address)) return vm_ram_write(vm, address, from, size, false);
	if (size != sizeof(message)) return -EFAULT;
	memcpy(&message, from, sizeof(message));
	interrupts_message(vm, source_id, address, message);
	return 0;
}

/* There is room: asserted above, and no two devices have one source id. */
static void dma_device(void *ctx, uint16_t source_id, bool emits_no_snoop)
{
	struct vm *vm = ctx;

	if (vm->iommu) iommu_add_device(vm->iommu, source_id, emits_no_snoop);
}

static void no_snoop(void *ctx, uint16_t source_id, bool enabled)
{
	struct vm *vm = ctx;

	if (vm->iommu) iommu_set_no_snoop(vm->iommu, source_id, enabled);
}

static struct irq *wires(void *ctx) { return ((struct vm *)ctx)->chips.irq; }

static void set_line(void *ctx, unsigned line, bool level) { irq_isa(wires(ctx), line, level); }

static void set_intx(void *ctx, uint16_t source_id, bool level) { irq_pci(wires(ctx), pci_slot(source_id), level); }

static void flush_page(void *ctx, uint64_t gpa)
{
	struct vm *vm = ctx;

	ept_zap_range(&vm->ept, gpa & ~(PAGE_SIZE - 1), PAGE_SIZE);
}

static void put_byte(struct vm *vm, struct console_line *line, uint8_t byte)
{
	console_guest_byte(line, byte);
	if (console_is_full(line)) vm_wait_for_console(vm);
}

static void console_byte(void *ctx, uint8_t byte) { put_byte(ctx, &((struct vm *)ctx)->line, byte); }

static void debug_byte(void *ctx, uint8_t byte) { put_byte(ctx, &((struct vm *)ctx)->debug_line, byte); }

static void exit_with(void *ctx, uint32_t status) { vm_exit(ctx, status); }

static void reset(void *ctx) { vm_reset(ctx); }

static void iommu_access(void *device, uint64_t offset, unsigned width, bool write, uint64_t *value)
{
	struct vm *vm = this_cpu()->vcpu->vm;

	if (!write) {
		*value = iommu_register_read(device, offset, width);
		return;
	}
	/* While a queue runs it stays that of the vCPU that rang it. */
	if (!iommu_pending(device)) vm->iommu_writer = this_cpu()->vcpu;
	iommu_register_write(device, offset, width, *value);
	if (iommu_pending(device)) vcpu_kick(this_cpu()->vcpu); /* its queue goes on before the next entry */
}

static void fault_recorded(void *ctx, uint64_t lo, uint64_t hi)
{
	vm_tell(ctx, EVENT_FAULT, (uint32_t)FIELD(hi, VTD_FRCD_FR), lo, hi);
}

static void iommu_create(void *state, const struct board *board)
{
	struct vm *vm = board->ctx;
	const struct iommu_config config = {
		.snoop_control = vm->options.snoop_control,
		.caching_mode = vm->options.caching_mode,
		.interrupt_remapping = true,
	};
	const struct iommu_host host = {
		.ctx = vm,
		.read = vm_ram_read,
		.write = vm_ram_write,
		.interrupt = interrupts_deliver_message,
		.changed = vm_device_changed,
		.unfinished = vm->cache ? vm_change_unfinished : NULL,
		.stale_used = vm->options.strict ? vm_stale_used : NULL,
		.fault_recorded = fault_recorded,
	};

	iommu_init(state, &config, &host);
	bus_add(board->mmio, IOMMU_BASE, IOMMU_SIZE, iommu_access, state, board->name);
	vm->iommu = state;
}

static const struct device_row iommu_row = {.name = "VT-d", .size = sizeof(struct iommu), .create = iommu_create};

/* The rows of a VM, from first to last to be created; NULL behind the last. */
static const struct device_row *row(const struct vm *vm, unsigned n, unsigned *words)
{
	const unsigned iommus = vm->options.iommu;

	*words = 0;
	if (n < fixed_device_count) return fixed_devices[n];
	n -= fixed_device_count;
	if (n < iommus) return &iommu_row;
	n -= iommus;
	if (n >= vm->options.devices) return NULL;
	*words = vm->options.device[n].words;
	return vm->options.device[n].row;
}

static int allocate(struct vm *vm)
{
	const struct device_row *next;
	unsigned words;

	for (unsigned n = 0; (next = row(vm, n, &words)); n++) vm->devices_size += device_size(next);
	vm->devices = memory_alloc(vm->devices_size, PAGE_SIZE);
	return vm->devices ? 0 : -ENOMEM;
}

/* Each is created, with this board, or goes on, without one. */
static void walk_rows(struct vm *vm, const struct board *board)
{
	char *place = (char *)vm->devices;
	const struct device_row *next;
	unsigned words;

	for (unsigned n = 0; (next = row(vm, n, &words)); n++) {
		if (board)
			device_create(next, board, words, place);
		else
			device_go_on(next, place);
		place += device_size(next);
	}
}

void devices_go_on(struct vm *vm) { walk_rows(vm, NULL); }

/* 2026-01-01, 00:00 UTC: when the machine was switched on, as far as its VMs know. */
#define START_TIME 1767225600

int devices_create(struct vm *vm)
{
	const struct board board = {
		.ports = &vm->ports,
		.mmio = &vm->mmio,
		.chips = &vm->chips,
		.timers = &vm->timers,
		.cpus = vm->options.cpus,
		.low_ram_end = vm->low_ram_end,
		.high_ram_end = vm->high_ram_end,
		.start_time = START_TIME,
		.ctx = vm,
		.dma_read = dma_read,
		.dma_write = dma_write,
		.dma_device = dma_device,
		.no_snoop = no_snoop,
		.message = interrupts_message,
		.line = set_line,
		.intx = set_intx,
		.extint = interrupts_look,
		.flush = flush_page,
		.console = console_byte,
		.debug = debug_byte,
		.exit = exit_with,
		.reset = reset,
		.now = interrupts_now,
		.clock_hz = vmx.tsc_hz,
	};

	if (allocate(vm)) return -ENOMEM;
	timers_init(&vm->timers, interrupts_look, vm); /* they are the first vCPU's affair */
	console_line_open(&vm->line, vm->options.name);
	console_line_open_beside(&vm->debug_line, &vm->line);
	walk_rows(vm, &board);
	if (vm->ports.full || vm->mmio.full || vm->chips.pci->full)
		panic("vm %s: devices: a bus is full, expected room for all of a GRUB line", vm->options.name);
	return 0;
}

void devices_free(struct vm *vm)
{
	if (vm->devices) memory_free(vm->devices, vm->devices_size);
	vm->devices = 0;
	vm->iommu = NULL;
}

bool devices_type(struct vm *vm, uint8_t byte)
{
	bool taken;

	vm_lock(vm);
	taken = uart_receive(vm->chips.uart, byte);
	vm_touched(vm); /* its interrupt's entry was read */
	vm_unlock(vm);
	return taken;
}
