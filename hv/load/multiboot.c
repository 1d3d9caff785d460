/* SPDX-License-Identifier: MIT */
/*
 * Loads a multiboot1 image and leaves in one page of RAM what the protocol promises a guest: its
 * command line, its module, the memory map. Nothing that was loaded lies in that page.
 */
#include "hv/dev/firmware.h"
#include "hv/load/elf.h"
#include "hv/load/load.h"
#include "lib/string.h"

/* Multiboot information (Multiboot 0.6.96 3.3), where a PC's loader would put it. */
#define INFO_ADDRESS   0x9000
#define LOW_PAGES_END  ALIGN_DOWN(FIRMWARE_EBDA, PAGE_SIZE)
#define LOADER_MAGIC   0x2badb002
#define HAS_MEMORY     BIT(0)
#define HAS_COMMAND    BIT(2)
#define HAS_MODULES    BIT(3)
#define HAS_MEMORY_MAP BIT(6)
#define HAS_LOADER     BIT(9)

struct multiboot_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
	uint32_t syms[4], mmap_length, mmap_addr, drives_length, drives_addr, config_table;
	uint32_t boot_loader_name;
};

struct multiboot_module {
	uint32_t start, end, string, reserved;
};

struct multiboot_range {
	uint32_t size; /* of what follows */
	struct e820_range range;
} __attribute__((packed));

_Static_assert(sizeof(struct multiboot_range) == 24, "Multiboot 3.3");

/* The page of the information; strings fill the rest of it. */
struct page {
	struct multiboot_info info;
	struct multiboot_module module;
	struct multiboot_range range[E820_RANGES];
	char loader[16];
	char command[PAGE_SIZE - 512];
};

_Static_assert(sizeof(struct page) <= PAGE_SIZE, "the page ends");

/* "NAME command line"; what does not fit is an error, not a shorter line. */
static bool put_command(struct page *page, const struct load_job *job)
{
	size_t name = strlen(job->name), rest = strlen(job->command_line);

	if (name + 1 + rest + 1 > sizeof(page->command)) return false;
	memcpy(page->command, job->name, name);
	page->command[name] = ' ';
	memcpy(page->command + name + 1, job->command_line, rest + 1);
	return true;
}

/* The firmware's map, as loaders pass it on. Returns how many bytes it takes. */
static uint32_t put_ranges(struct page *page, const struct guest_map *map)
{
	struct e820_range range[E820_RANGES];
	unsigned count = e820_make(range, map->low_end, map->high_end);

	for (unsigned i = 0; i < count; i++)
		page->range[i] = (struct multiboot_range){.size = sizeof(range[i]), .range = range[i]};
	return count * (uint32_t)sizeof(page->range[0]);
}

/* The page for the information: the usual one, another below the extended BIOS data area, or the first at *above. */
static uint64_t choose_page(const struct elf_image *image, uint64_t *above)
{
	for (uint64_t at = 0; at < LOW_PAGES_END; at += PAGE_SIZE) {
		uint64_t page = (INFO_ADDRESS + at) % LOW_PAGES_END;

		if (page && !elf_covers_page(image, page)) /* 0 would look like none */
			return page;
	}
	*above += PAGE_SIZE;
	return *above - PAGE_SIZE;
}

/* The initrd goes above the image, page-aligned (Multiboot 3.1.2 bit 0). */
static bool put_initrd(const struct load_job *job, struct page *page, uint64_t start)
{
	if (start > job->map->low_end || job->initrd_size > job->map->low_end - start) return false;
	job->put(job->ram + start, job->initrd, job->initrd_size);
	page->module = (struct multiboot_module){.start = (uint32_t)start, .end = (uint32_t)(start + job->initrd_size)};
	return true;
}

/* At guest-physical 'at'. All but the initrd's part. */
static void put_info(struct page *page, uint32_t at, const struct load_job *job)
{
	memcpy(page->loader, "Leafcutter", sizeof("Leafcutter"));
	page->info = (struct multiboot_info){
		.flags = HAS_MEMORY | HAS_COMMAND | HAS_MODULES | HAS_MEMORY_MAP | HAS_LOADER,
		.mem_lower = FIRMWARE_EBDA / KiB,
		.mem_upper = (uint32_t)((job->map->low_end - MiB) / KiB),
		.cmdline = at + (uint32_t)offsetof(struct page, command),
		.mods_count = job->initrd != NULL,
		.mods_addr = at + (uint32_t)offsetof(struct page, module),
		.mmap_length = put_ranges(page, job->map),
		.mmap_addr = at + (uint32_t)offsetof(struct page, range),
		.boot_loader_name = at + (uint32_t)offsetof(struct page, loader),
	};
}

const char *multiboot_load(const struct load_job *job, struct load_entry *entry)
{
	struct elf_image loaded;
	const char *problem = elf_load(job, &loaded);
	uint64_t above = MAX(ALIGN_UP(loaded.end, PAGE_SIZE), MiB);
	uint64_t chosen = choose_page(&loaded, &above);
	struct page *page = (struct page *)(job->ram + chosen);

	if (problem) return problem;
	if (chosen + PAGE_SIZE > job->map->low_end)
		return "no page is left for the multiboot information: expected a larger mem=";
	if (!put_command(page, job)) return "the command line is too long: expected at most 3583 characters";
	put_info(page, (uint32_t)chosen, job);
	if (job->initrd && !put_initrd(job, page, above))
		return "the initrd does not fit above the image: expected a larger mem=";
	*entry = (struct load_entry){.rip = loaded.entry, .eax = LOADER_MAGIC, .code = 0x08, .data = 0x10};
	entry->ebx = (uint32_t)chosen;
	return NULL;
}
