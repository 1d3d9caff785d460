/* SPDX-License-Identifier: MIT */
/*
 * The life of a VM after its creation: how it ends, and its memory as the hypervisor reaches it.
 */
#include "hv/vm/vm.h"

#include "hv/vm/coherence.h"
#include "hv/vm/events.h"
#include "hv/vm/interrupts.h"
#include "lib/format.h"

/* Enter an end state; false when the VM has ended already. Its vCPUs run no more. */
static bool end(struct vm *vm, enum vm_state state)
{
	if (vm->state != VM_RUNNING) return false;
	vm->state = state;
	for (unsigned i = 0; i < vm->vcpus; i++) vcpu_kick(vm->vcpu[i]);
	console_guest_end(&vm->line);
	console_guest_end(&vm->debug_line);
	return true;
}

void vm_exit(struct vm *vm, uint32_t status)
{
	if (!end(vm, VM_EXITED)) return;
	vm->status = status;
	vm_tell(vm, EVENT_END, 0, status, 0);
}

/* Where the vCPU was that ended its VM, and what it may have stumbled over. */
static void print_place_of_end(const struct vcpu *vcpu)
{
	vcpu_print_place(vcpu, " ");
	if (vcpu->nowhere.width)
		print("  last access that found nothing: %s of %u bytes at 0x%lx",
		      vcpu->nowhere.write ? "write" : "read", vcpu->nowhere.width, vcpu->nowhere.gpa);
}

/* With the VM's lock held. */
static void kill(struct vm *vm, const char *reason)
{
	if (!end(vm, VM_KILLED)) return;
	format_append(vm->killed, sizeof(vm->killed), "%s", reason);
	vm_tell(vm, EVENT_END, EVENT_KILLED, 0, 0);
	if (this_cpu()->vcpu && this_cpu()->vcpu->vm == vm) print_place_of_end(this_cpu()->vcpu);
	events_print_last(vm);
}

static void reset(struct vm *vm, const char *why)
{
	if (!vm->options.restart)
		kill(vm, why);
	else if (end(vm, VM_RESET))
		print("vm %s: %s: it starts again", vm->options.name, why);
}

void vm_reset(struct vm *vm) { reset(vm, "reset"); }

void vm_reset_by_cpu(struct vm *vm, const char *why)
{
	vm_lock(vm);
	reset(vm, why);
	vm_unlock(vm);
}

void vm_kill(struct vm *vm, const char *reason, ...)
{
	char text[VM_KILLED_TEXT];
	va_list args;

	va_start(args, reason);
	format_text(text, sizeof(text), reason, args);
	va_end(args);
	vm_lock(vm);
	kill(vm, text);
	vm_unlock(vm);
}

void vm_wait_for_console(struct vm *vm)
{
	vm->waits_for_console = true;
	for (unsigned i = 0; i < vm->vcpus; i++) vcpu_kick(vm->vcpu[i]);
}

/* The host address of [gpa, gpa + size), all in one slot of RAM (or ROM, if allowed), or NULL. */
static void *in_slot(const struct vm *vm, uint64_t gpa, uint64_t size, bool rom)
{
	const struct ept_slot *slot = ept_slot_find(&vm->ept, gpa);

	if (!slot || (slot->kind != EPT_SLOT_RAM && !(rom && slot->kind == EPT_SLOT_ROM)) ||
	    size > slot->size - (gpa - slot->gpa))
		return NULL;
	return (void *)(slot->hpa + (gpa - slot->gpa));
}

static int read_slot(const struct vm *vm, uint64_t gpa, void *to, unsigned size, bool rom)
{
	const void *from = in_slot(vm, gpa, size, rom);

	if (!from) return -EFAULT;
	memcpy(to, from, size);
	return 0;
}

static int read_page(void *ctx, uint64_t gpa, void *to, unsigned size) { return read_slot(ctx, gpa, to, size, true); }

static int write_page(void *ctx, uint64_t gpa, const void *from, unsigned size)
{
	void *to = in_slot(ctx, gpa, size, false);

	if (!to) return -EFAULT;
	memcpy(to, from, size);
	return 0;
}

static int compare_exchange(void *ctx, uint64_t gpa, unsigned size, uint64_t expected, uint64_t desired)
{
	void *at = in_slot(ctx, gpa, size, false);

	return at ? guest_ram_exchange_at(at, size, expected, desired) : -EFAULT;
}

void vm_set_guest_ram(struct vm *vm, struct vcpu *vcpu)
{
	if (vm->cache) {
		coherence_set_guest_ram(vcpu);
		return;
	}
	vcpu->ram = (struct guest_ram){
		.flat = (uint8_t *)vm->ram,
		.flat_start = MiB, /* nearly all of RAM, and below it there are holes */
		.flat_size = vm->low_ram_end - MiB,
		.ctx = vm,
		.read = read_page,
		.read_table = read_page,
		.write = write_page,
		.compare_exchange = compare_exchange,
	};
}

/*
 * All of [gpa, gpa + size) in the large slot above 1 MiB, as nearly always? That saves a queued
 * invalidation 192 of 2126 ticks.
 */
static bool is_flat(const struct vm *vm, uint64_t gpa, uint64_t size)
{
	return gpa >= MiB && gpa < vm->flat_end && size <= vm->flat_end - gpa;
}

/* Bytes from 'gpa' to the end of its page, at most 'size'. */
static unsigned within_page(uint64_t gpa, uint64_t size)
{
	return (unsigned)MIN(size, PAGE_SIZE - (gpa & (PAGE_SIZE - 1)));
}

/*
 * Page by page. Apart, for the short way needs none of these registers: a queued invalidation is 34 of 1968 ticks
 * shorter where it reads, 16 where it writes.
 */
static __attribute__((noinline)) int access_pages(struct vm *vm, uint64_t gpa, uint8_t *bytes, uint64_t size,
						  bool around_cache, bool write)
{
	int error = 0;

	for (unsigned part; size && !error; gpa += part, size -= part, bytes += part) {
		part = within_page(gpa, size);
		if (vm->cache)
			error = write ? coherence_dma_write(vm, gpa, bytes, part, around_cache)
				      : coherence_dma_read(vm, gpa, bytes, part, around_cache);
		else
			error = write ? write_page(vm, gpa, bytes, part) : read_slot(vm, gpa, bytes, part, false);
	}
	return error ? -EFAULT : 0;
}

int vm_ram_read(void *ctx, uint64_t gpa, void *to, size_t size, bool around_cache)
{
	struct vm *vm = ctx;

	if (!is_flat(vm, gpa, size)) return access_pages(vm, gpa, to, size, around_cache, false);
	memcpy(to, (const void *)(vm->ram + gpa), size);
	return 0;
}

int vm_ram_write(void *ctx, uint64_t gpa, const void *from, size_t size, bool around_cache)
{
	struct vm *vm = ctx;

	if (!is_flat(vm, gpa, size)) return access_pages(vm, gpa, (uint8_t *)from, size, around_cache, true);
	memcpy((void *)(vm->ram + gpa), from, size);
	return 0;
}

bool vm_bus_shared(struct vm *vm, struct bus *bus, uint64_t address, unsigned width, bool write, uint64_t *value)
{
	bool answered;

	lock(&vm->lock, LOCK_VM);
	answered = bus_do(bus, address, width, write, value);
	unlock(&vm->lock, LOCK_VM);
	return answered;
}

/* No device answered. Apart, for the short way needs none of these registers: 4 of an MMIO access's 733 ticks. */
static __attribute__((noinline)) void no_device(struct vcpu *vcpu, uint64_t gpa, unsigned width, bool write,
						uint64_t *value)
{
	if (in_slot(vcpu->vm, gpa, width, true)) {
		if (!write) read_page(vcpu->vm, gpa, value, width); /* ROM; a write to it is dropped */
		return;
	}
	vcpu->nowhere.gpa = gpa;
	vcpu->nowhere.width = width;
	vcpu->nowhere.write = write;
}

/* From vcpu->mmio_apart on. Returns whether anybody answered. */
static bool mmio_apart(struct vcpu *vcpu, uint64_t gpa, unsigned width, bool write, uint64_t *value)
{
	if (gpa - vcpu->lapic_page >= LAPIC_SIZE) return vm_bus(vcpu->vm, &vcpu->vm->mmio, gpa, width, write, value);
	interrupts_lapic_access(vcpu, gpa, width, write, value);
	if (interrupts_pending(vcpu)) vcpu_kick(vcpu);
	return true;
}

void vm_mmio(struct vcpu *vcpu, uint64_t gpa, unsigned width, bool write, uint64_t *value)
{
	if (!(gpa >= vcpu->mmio_apart ? mmio_apart(vcpu, gpa, width, write, value)
				      : bus_do(&vcpu->vm->mmio, gpa, width, write, value)))
		no_device(vcpu, gpa, width, write, value);
}
