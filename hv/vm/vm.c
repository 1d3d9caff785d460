/* SPDX-License-Identifier: MIT */
/*
 * The life of a VM after its creation: how it ends, and its memory as the hypervisor reaches it.
 */
#include "hv/vm/vm.h"

#include "hv/machine/console.h"
#include "lib/format.h"
#include "lib/string.h"

/* Enter an end state; false when the VM has ended already. Its slice ends with this exit. */
static bool end(struct vm *vm, enum vm_state state)
{
	if (vm->state != VM_RUNNING)
		return false;
	vm->state = state;
	vm->vcpu.slice = 1;
	console_guest_end(&vm->line);
	return true;
}

void vm_exit(struct vm *vm, uint32_t status)
{
	if (!end(vm, VM_EXITED))
		return;
	vm->status = status;
	print("vm %s: exited with status %u", vm->options.name, status);
}

void vm_kill(struct vm *vm, const char *reason, ...)
{
	char text[160];
	va_list args;

	if (!end(vm, VM_KILLED))
		return;
	va_start(args, reason);
	format_text(text, sizeof(text), reason, args);
	va_end(args);
	print("vm %s: killed: %s", vm->options.name, text);
}

static void *in_slot(const struct vm *vm, uint64_t gpa, uint64_t size, enum ept_slot_kind kind)
{
	const struct ept_slot *slot = ept_slot_find(&vm->ept, gpa);

	if (!slot || slot->kind != kind || size > slot->size - (gpa - slot->gpa))
		return NULL;
	return (void *)(slot->hpa + (gpa - slot->gpa));
}

void *vm_ram_slot(const struct vm *vm, uint64_t gpa, uint64_t size)
{
	return in_slot(vm, gpa, size, EPT_SLOT_RAM);
}

const void *vm_rom(const struct vm *vm, uint64_t gpa, uint64_t size)
{
	return in_slot(vm, gpa, size, EPT_SLOT_ROM);
}

void vm_mmio(struct vm *vm, uint64_t gpa, unsigned width, bool write, uint64_t *value)
{
	const void *rom;

	if (bus_do(&vm->mmio, gpa, width, write, value) || write)
		return;
	rom = vm_rom(vm, gpa, width);
	if (rom)
		memcpy(value, rom, width);
}
