// SPDX-License-Identifier: MIT
/*
 * coherence=model in a VM (coherence.h). ept/ says under its lock which host address an access has;
 * the bytes are moved here, while it still holds the lock.
 */
#include "hv/vm/coherence.h"

#include "hv/machine/memory.h"
#include "hv/vm/events.h"

/* Bytes whose WBINVD is well below a slice although all of them are dirty. */
#define WRITE_BACK_AT_ONCE (4 * MiB)

static uint64_t flags_size(const struct vm *vm) { return ALIGN_UP(vm->options.memory / PAGE_SIZE, PAGE_SIZE); }

int coherence_create(struct vm *vm, struct guest_map *map)
{
	vm->cache = memory_alloc(vm->options.memory, PAGE_SIZE);
	vm->page_flags = memory_alloc(flags_size(vm), PAGE_SIZE);
	if (!vm->cache || !vm->page_flags) return -ENOMEM;
	for (unsigned i = 0; i < map->slots; i++) {
		struct ept_slot *slot = &map->slot[i];
		uint64_t offset = slot->hpa - vm->ram;

		if (slot->kind != EPT_SLOT_RAM) continue;
		slot->kind = EPT_SLOT_RAM_TWICE;
		slot->uncached_hpa = slot->hpa;
		slot->hpa = vm->cache + offset;
		slot->pages = (uint8_t *)vm->page_flags + offset / PAGE_SIZE;
	}
	return 0;
}

void coherence_destroy(struct vm *vm)
{
	if (vm->cache) memory_free(vm->cache, vm->options.memory);
	if (vm->page_flags) memory_free(vm->page_flags, flags_size(vm));
	vm->cache = vm->page_flags = 0;
}

void coherence_copy_page(void *ctx, uint64_t to, uint64_t from)
{
	(void)ctx;
	memcpy((void *)to, (const void *)from, PAGE_SIZE);
	if (this_cpu()->vcpu) vcpu_look_at_clock(this_cpu()->vcpu); /* a fault may bring 512 of them */
}

/* The bytes of an access, and what is done with them at their host address. */
struct bytes {
	void *to;
	const void *from;
	unsigned size;
	uint64_t expected, desired; /* of a compare-exchange, and */
	int result;                 /* how it ended */
};

static void read_bytes(void *ctx, uint64_t hpa)
{
	const struct bytes *b = ctx;

	memcpy(b->to, (const void *)hpa, b->size);
}

static void write_bytes(void *ctx, uint64_t hpa)
{
	const struct bytes *b = ctx;

	memcpy((void *)hpa, b->from, b->size);
}

static void exchange_bytes(void *ctx, uint64_t hpa)
{
	struct bytes *b = ctx;

	b->result = guest_ram_exchange_at((void *)hpa, b->size, b->expected, b->desired);
}

static int access_as(struct vcpu *vcpu, uint64_t gpa, bool write, ept_use *use, struct bytes *b)
{
	struct ept_fill leaf;
	int error = ept_cpu_access(&vcpu->vm->ept, &vcpu->ept_cpu, gpa, write, use, b, &leaf);

	if (!error && leaf.level) vcpu_tell(vcpu, EVENT_INSTALL, leaf.level, gpa, leaf.bits);
	if (error == -ENOMEM) vm_kill(vcpu->vm, "no memory for an EPT table");
	return error ? -EFAULT : 0;
}

static int cpu_read(void *ctx, uint64_t gpa, void *to, unsigned size)
{
	struct bytes b = {.to = to, .size = size};

	return access_as(ctx, gpa, false, read_bytes, &b);
}

/* A page walk counts as a write, but tables may be in ROM. */
static int cpu_read_table(void *ctx, uint64_t gpa, void *to, unsigned size)
{
	struct bytes b = {.to = to, .size = size};

	return access_as(ctx, gpa, true, read_bytes, &b) ? cpu_read(ctx, gpa, to, size) : 0;
}

static int cpu_write(void *ctx, uint64_t gpa, const void *from, unsigned size)
{
	struct bytes b = {.from = from, .size = size};

	return access_as(ctx, gpa, true, write_bytes, &b);
}

static int cpu_compare_exchange(void *ctx, uint64_t gpa, unsigned size, uint64_t expected, uint64_t desired)
{
	struct bytes b = {.size = size, .expected = expected, .desired = desired};
	int error = access_as(ctx, gpa, true, exchange_bytes, &b);

	return error ? error : b.result;
}

void coherence_set_guest_ram(struct vcpu *vcpu)
{
	vcpu->ram = (struct guest_ram){
		.ctx = vcpu,
		.read = cpu_read,
		.read_table = cpu_read_table,
		.write = cpu_write,
		.compare_exchange = cpu_compare_exchange,
	};
}

int coherence_dma_read(struct vm *vm, uint64_t gpa, void *to, unsigned size, bool around_cache)
{
	struct bytes b = {.to = to, .size = size};

	return ept_dma_access(&vm->ept, gpa, false, around_cache, read_bytes, &b);
}

int coherence_dma_write(struct vm *vm, uint64_t gpa, const void *from, unsigned size, bool around_cache)
{
	struct bytes b = {.from = from, .size = size};

	return ept_dma_access(&vm->ept, gpa, true, around_cache, write_bytes, &b);
}

bool coherence_transition(struct vm *vm)
{
	struct vm_change *change = &vm->change;

	if (vm->options.retype) ept_retype_part(&vm->ept, change->cause, change->done, WRITE_BACK_AT_ONCE);
	ept_write_back(&vm->ept, change->done, WRITE_BACK_AT_ONCE);
	change->done += WRITE_BACK_AT_ONCE;
	return change->done < vm->ept.slots_end;
}

bool coherence_write_back(struct vcpu *vcpu)
{
	struct ept *ept = &vcpu->vm->ept;

	for (; vcpu->written_back < ept->slots_end; vcpu->written_back += WRITE_BACK_AT_ONCE) {
		if (rdtsc() > vcpu->slice_end) return false;
		ept_write_back(ept, vcpu->written_back, WRITE_BACK_AT_ONCE);
	}
	vcpu->written_back = 0;
	return true;
}
