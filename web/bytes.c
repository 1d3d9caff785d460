// SPDX-License-Identifier: MIT
/*
 * Old bytes. Who wrote a byte last is remembered, and whoever then reads another one is told whose
 * byte it should be and where that lies: in the cache only, in memory only, or nowhere any more.
 * It looks on: no access goes otherwise because of it.
 */
#include "web/machine.h"

static struct written *find(struct machine *m, uint64_t gpa)
{
	for (unsigned i = 0; i < WRITTEN; i++)
		if (m->written[i].who && m->written[i].gpa == gpa) return &m->written[i];
	return NULL;
}

void bytes_written(struct machine *m, const char *who, unsigned number, uint64_t gpa, uint8_t byte)
{
	struct written *written = find(m, gpa);

	if (!written) written = &m->written[m->next_written++ % WRITTEN];
	*written = (struct written){who, number, gpa, byte};
}

static const char *place_of(const struct machine *m, const struct written *written)
{
	bool cached, memory;
	uint8_t in_cache = ram_peek(m, written->gpa, false, &cached);

	if (ram_peek(m, written->gpa, true, &memory) == written->byte) return "in memory only";
	return cached && in_cache == written->byte ? "in the cache only" : "lost: neither the cache nor memory has it";
}

void bytes_read(struct machine *m, const struct by *by, uint64_t gpa, uint8_t byte)
{
	const struct written *written = find(m, gpa);

	if (written && written->byte != byte)
		say(m, by, "an old byte: %s %u wrote 0x%02x, which is %s", written->who, written->number, written->byte,
		    place_of(m, written));
}

void bytes_overwritten(struct machine *m, const struct by *by, uint64_t page, uint64_t to, uint64_t from)
{
	for (unsigned i = 0; i < WRITTEN; i++) {
		const struct written *written = &m->written[i];
		uint64_t offset = written->gpa % PAGE_SIZE;

		if (!written->who || written->gpa - offset != page) continue;
		if (memory_read(&m->memory, to + offset) == written->byte &&
		    memory_read(&m->memory, from + offset) != written->byte)
			say(m, by, "over 0x%02x at 0x%lx, which %s %u had written: lost", written->byte, written->gpa,
			    written->who, written->number);
	}
}
