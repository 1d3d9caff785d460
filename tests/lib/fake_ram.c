/* SPDX-License-Identifier: MIT */
/* The array behind tests/lib/fake_ram.h. */
#include "tests/lib/fake_ram.h"

static uint8_t *at(struct fake_ram *ram, uint64_t gpa, unsigned size)
{
	ram->calls++;
	return gpa <= ram->size && size <= ram->size - gpa ? (uint8_t *)ram->bytes + gpa : NULL;
}

static int fake_read(void *ctx, uint64_t gpa, void *to, unsigned size)
{
	const uint8_t *from = at(ctx, gpa, size);

	if (!from) return -EFAULT;
	memcpy(to, from, size);
	return 0;
}

static int fake_write(void *ctx, uint64_t gpa, const void *from, unsigned size)
{
	uint8_t *to = at(ctx, gpa, size);

	if (!to) return -EFAULT;
	memcpy(to, from, size);
	return 0;
}

static int fake_compare_exchange(void *ctx, uint64_t gpa, unsigned size, uint64_t expected, uint64_t desired)
{
	void *entry = at(ctx, gpa, size);

	return entry ? guest_ram_exchange_at(entry, size, expected, desired) : -EFAULT;
}

struct guest_ram fake_ram_modelled(struct fake_ram *ram)
{
	return (struct guest_ram){
		.ctx = ram,
		.read = fake_read,
		.read_table = fake_read,
		.write = fake_write,
		.compare_exchange = fake_compare_exchange,
	};
}

struct guest_ram fake_ram_flat(struct fake_ram *ram, uint64_t flat_start)
{
	struct guest_ram table = fake_ram_modelled(ram);

	table.flat = ram->bytes;
	table.flat_start = flat_start;
	table.flat_size = ram->size - flat_start;
	return table;
}
