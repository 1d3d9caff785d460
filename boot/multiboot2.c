/* SPDX-License-Identifier: MIT */
/*
 * Goes through the tags one by one, and believes no size or offset before it is compared with what
 * lies around it.
 */
#include "boot/multiboot2.h"

#include "lib/bits.h"
#include "lib/string.h"

enum { TAG_END = 0, TAG_COMMAND_LINE = 1, TAG_MODULE = 3, TAG_MEMORY_MAP = 6 };
enum { TAG_ACPI_OLD = 14, TAG_ACPI_NEW = 15 };

#define HEADER_SIZE 8 /* total size and a reserved word */

struct tag {
	uint32_t type, size;
};

struct module_tag {
	struct tag tag;
	uint32_t start, end;
};

struct memory_map_tag {
	struct tag tag;
	uint32_t entry_size, entry_version;
};

struct memory_map_entry {
	uint64_t base, length;
	uint32_t type, reserved;
};
#define MEMORY_AVAILABLE 1

_Static_assert(BOOT_MODULES == 32, "read_module() prints it");
_Static_assert(sizeof(struct module_tag) == 16, "Multiboot2 3.6.6");
_Static_assert(sizeof(struct memory_map_tag) == 16, "Multiboot2 3.6.8");
_Static_assert(sizeof(struct memory_map_entry) == 24, "Multiboot2 3.6.8");

/* The NUL-terminated string in bytes [offset, size) of a tag, or NULL when it has no end. */
static const char *tag_string(const uint8_t *tag, uint32_t offset, uint32_t size)
{
	for (uint32_t i = offset; i < size; i++)
		if (!tag[i]) return (const char *)tag + offset;
	return NULL;
}

static const char *read_module(const uint8_t *bytes, uint32_t size, struct boot_info *boot)
{
	struct module_tag tag;
	struct boot_module *module = &boot->module[boot->modules];

	if (boot->modules == BOOT_MODULES) return "more than 32 modules";
	if (size < sizeof(tag)) return "module";
	memcpy(&tag, bytes, sizeof(tag));
	module->line = tag_string(bytes, sizeof(tag), size);
	if (!module->line || tag.end < tag.start) return "module";
	module->start = tag.start;
	module->size = tag.end - tag.start;
	boot->modules++;
	return NULL;
}

static const char *read_memory_map(const uint8_t *bytes, uint32_t size, struct boot_info *boot)
{
	struct memory_map_tag tag;
	struct memory_map_entry entry;

	if (size < sizeof(tag)) return "memory map";
	memcpy(&tag, bytes, sizeof(tag));
	if (tag.entry_size < sizeof(entry)) return "memory map";
	boot->ram_ranges = 0; /* a second map replaces the first: no RAM is listed twice */
	for (uint64_t at = sizeof(tag); at + tag.entry_size <= size; at += tag.entry_size) {
		memcpy(&entry, bytes + at, sizeof(entry));
		if (entry.type != MEMORY_AVAILABLE || boot->ram_ranges == BOOT_RANGES) continue;
		if (!entry.length || entry.base + entry.length < entry.base) continue;
		boot->ram[boot->ram_ranges++] = (struct boot_range){.start = entry.base, .size = entry.length};
	}
	return NULL;
}

/* Like multiboot2_parse(), of one tag. */
static const char *read_tag(const uint8_t *bytes, const struct tag *tag, struct boot_info *boot)
{
	switch (tag->type) {
	case TAG_COMMAND_LINE:
		boot->line = tag_string(bytes, sizeof(*tag), tag->size);
		return boot->line ? NULL : "command line";
	case TAG_MODULE: return read_module(bytes, tag->size, boot);
	case TAG_MEMORY_MAP: return read_memory_map(bytes, tag->size, boot);
	case TAG_ACPI_OLD:
	case TAG_ACPI_NEW: /* of both the new one, which leads to 64-bit addresses; boot/madt.c reads it */
		if (tag->type == TAG_ACPI_OLD && boot->rsdp) return NULL;
		boot->rsdp = bytes + sizeof(*tag);
		boot->rsdp_size = tag->size - (uint32_t)sizeof(*tag);
		return NULL;
	default: return NULL;
	}
}

const char *multiboot2_parse(const void *info, size_t limit, struct boot_info *boot)
{
	const uint8_t *bytes = info;
	uint32_t total;

	memset(boot, 0, sizeof(*boot));
	boot->line = "";
	if (limit < HEADER_SIZE) return "size";
	memcpy(&total, bytes, sizeof(total));
	if (total < HEADER_SIZE || total > limit) return "size";
	for (uint64_t at = HEADER_SIZE; at + sizeof(struct tag) <= total;) {
		const char *wrong;
		struct tag tag;

		memcpy(&tag, bytes + at, sizeof(tag));
		if (tag.size < sizeof(tag) || tag.size > total - at) return "tag";
		if (tag.type == TAG_END) break;
		wrong = read_tag(bytes + at, &tag, boot);
		if (wrong) return wrong;
		at = ALIGN_UP(at + tag.size, 8);
	}
	return boot->ram_ranges ? NULL : "memory map";
}
