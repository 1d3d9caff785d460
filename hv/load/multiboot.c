/* SPDX-License-Identifier: MIT */
#include "hv/load/multiboot.h"

#include "hv/load/elf.h"
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/string.h"

/* Multiboot information (Multiboot 0.6.96 3.3), where a PC's loader would put it. */
#define INFO_ADDRESS   0x9000
#define INFO_END       0xa000
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
	uint64_t base, length;
	uint32_t type;
} __attribute__((packed));

enum { RANGE_AVAILABLE = 1, RANGE_RESERVED = 2, RANGES = 4 };

_Static_assert(sizeof(struct multiboot_range) == 24, "Multiboot 3.3");

/* Everything at INFO_ADDRESS; strings fill the rest of the page. */
struct page {
	struct multiboot_info info;
	struct multiboot_module module;
	struct multiboot_range range[RANGES];
	char loader[16];
	char command[INFO_END - INFO_ADDRESS - 512];
};

_Static_assert(sizeof(struct page) <= INFO_END - INFO_ADDRESS, "the page ends");

#define ADDRESS_OF(member) ((uint32_t)(INFO_ADDRESS + offsetof(struct page, member)))

/* "NAME command line"; what does not fit is an error, not a shorter line. */
/* Guest RAM for the loader: nothing has run yet. */
static void *ram_at(const struct vm *vm, uint64_t gpa)
{
	return (void *)(vm->ram + gpa);
}

static int put_command(struct page *page, const struct vm_options *options)
{
	size_t name = strlen(options->name), rest = strlen(options->command_line);

	if (name + 1 + rest + 1 > sizeof(page->command))
		return -E2BIG;
	memcpy(page->command, options->name, name);
	page->command[name] = ' ';
	memcpy(page->command + name + 1, options->command_line, rest + 1);
	return 0;
}

static unsigned put_ranges(struct page *page, const struct vm *vm)
{
	const struct multiboot_range all[RANGES] = {
		{20, 0, 0xa0000, RANGE_AVAILABLE},
		{20, 0xf0000, 0x10000, RANGE_RESERVED},
		{20, MiB, vm->low_ram_end - MiB, RANGE_AVAILABLE},
		{20, 4 * GiB, vm->high_ram_end - 4 * GiB, RANGE_AVAILABLE},
	};
	unsigned n = vm->high_ram_end ? RANGES : RANGES - 1;

	memcpy(page->range, all, n * sizeof(all[0]));
	return n;
}

/* The initrd goes above the image, page-aligned (Multiboot 3.1.2 bit 0). */
static int put_initrd(struct vm *vm, struct page *page, const struct boot_module *initrd,
		      const struct elf_image *image)
{
	uint64_t start = MAX(ALIGN_UP(image->end, PAGE_SIZE), MiB);

	if (start > vm->low_ram_end || initrd->size > vm->low_ram_end - start)
		return -ENOSPC;
	memcpy(ram_at(vm, start), (const void *)initrd->start, initrd->size);
	page->module = (struct multiboot_module){.start = (uint32_t)start,
						 .end = (uint32_t)(start + initrd->size)};
	return 0;
}

static int put_info(struct vm *vm, const struct boot_module *initrd, const struct elf_image *image,
		    const char **problem)
{
	struct page *page = ram_at(vm, INFO_ADDRESS);
	struct multiboot_info *info = &page->info;

	*problem = "the command line is longer than 3583 characters";
	if (put_command(page, &vm->options))
		return -E2BIG;
	memcpy(page->loader, "Leafcutter", sizeof("Leafcutter"));
	*info = (struct multiboot_info){
		.flags = HAS_MEMORY | HAS_COMMAND | HAS_MODULES | HAS_MEMORY_MAP | HAS_LOADER,
		.mem_lower = 640,
		.mem_upper = (uint32_t)((vm->low_ram_end - MiB) / KiB),
		.cmdline = ADDRESS_OF(command),
		.mods_addr = ADDRESS_OF(module),
		.mmap_length = put_ranges(page, vm) * (uint32_t)sizeof(struct multiboot_range),
		.mmap_addr = ADDRESS_OF(range),
		.boot_loader_name = ADDRESS_OF(loader),
	};
	*problem = "the initrd does not fit above the image: expected a larger mem=";
	if (initrd && put_initrd(vm, page, initrd, image))
		return -ENOSPC;
	info->mods_count = initrd != NULL;
	return 0;
}

int guest_load(struct vm *vm, const struct boot_module *image, const struct boot_module *initrd,
	       struct vcpu_start *start, const char **problem)
{
	const struct elf_target target = {
		.memory = (uint8_t *)vm->ram,
		.low_end = 0xa0000,
		.high_start = MiB,
		.high_end = vm->low_ram_end,
		.info_start = INFO_ADDRESS,
		.info_end = INFO_END,
	};
	struct elf_image loaded;
	int error = elf_load((const uint8_t *)image->start, image->size, &target, &loaded, problem);

	if (!error)
		error = put_info(vm, initrd, &loaded, problem);
	*start = (struct vcpu_start){loaded.entry, LOADER_MAGIC, INFO_ADDRESS};
	return error;
}
