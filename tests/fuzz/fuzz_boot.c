/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer on all that reads what GRUB hands over: multiboot2 information, GRUB's lines, guest
 * images. Each gets its bytes in a buffer of their exact size, so that the sanitizer sees every
 * read beyond it; what a parser accepts must be what its contract promises.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "boot/multiboot2.h"
#include "hv/load/elf.h"
#include "hv/load/load.h"
#include "hv/options/options.h"
#include "lib/bits.h"
#include "tests/lib/load_put.h"

#define UNTOUCHED 0xcc

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static void within(const void *part, const uint8_t *whole, size_t size)
{
	assert((const uint8_t *)part >= whole && (const uint8_t *)part < whole + size);
}

static void fuzz_multiboot2(const uint8_t *info, size_t size)
{
	struct boot_info boot;

	if (multiboot2_parse(info, size, &boot)) return;
	assert(boot.ram_ranges >= 1 && boot.ram_ranges <= BOOT_RANGES);
	assert(boot.modules <= BOOT_MODULES);
	if (*boot.line) within(boot.line + strlen(boot.line), info, size);
	for (unsigned i = 0; i < boot.modules; i++) {
		within(boot.module[i].line, info, size);
		within(boot.module[i].line + strlen(boot.module[i].line), info, size);
	}
	for (unsigned i = 0; i < boot.ram_ranges; i++)
		assert(boot.ram[i].size && boot.ram[i].start + boot.ram[i].size >= boot.ram[i].start);
}

static void check_error(const struct option_error *error)
{
	assert(error->expected);
	assert(memchr(error->word, '\0', sizeof(error->word)));
	for (const char *c = error->word; *c; c++) assert(*c >= ' ' && *c <= '~');
}

static void fuzz_lines(const uint8_t *text, size_t size)
{
	char *line = malloc(size + 1);
	struct option_error error;
	struct hv_options hv;
	struct vm_options vm;

	memcpy(line, text, size);
	line[size] = '\0';
	options_is_initrd(line);
	if (hv_options_parse(line, &hv, &error)) check_error(&error);
	if (vm_options_parse(line, &vm, &error)) {
		check_error(&error);
	} else {
		assert(vm.name[0] && strlen(vm.name) <= VM_NAME_MAX);
		assert(IS_ALIGNED(vm.memory, MiB) && vm.memory >= 2 * MiB);
		assert(vm.memory <= 1024 * GiB);
		assert(vm.cpus >= 1 && vm.cpus <= VM_CPUS_MAX && vm.devices <= VM_DEVICES_MAX);
		assert(!*vm.command_line || (vm.command_line > line && vm.command_line < line + size));
	}
	free(line);
}

/* What lies between the pieces of RAM stays as it was. */
static void check_untouched(const uint8_t *ram, unsigned start, unsigned end)
{
	assert(ram[start] == UNTOUCHED && !memcmp(ram + start, ram + start + 1, end - start - 1));
}

/* The whole loader, on the smallest VM. */
#define VM_SIZE (2 * MiB)

static uint8_t *new_ram(void)
{
	uint8_t *ram = malloc(VM_SIZE);

	memset(ram, UNTOUCHED, VM_SIZE);
	return ram;
}

static const char *load_elf(const uint8_t *image, size_t size, uint8_t *ram, struct elf_image *loaded)
{
	struct guest_map map;
	const struct load_job job = {.image = image, .size = size, .ram = ram, .map = &map, .put = load_put};

	guest_map_make(&map, VM_SIZE, 0);
	return elf_load(&job, loaded);
}

static void fuzz_elf(const uint8_t *image, size_t size)
{
	uint8_t *ram = new_ram();
	struct elf_image loaded;
	const char *problem = load_elf(image, size, ram, &loaded);

	check_untouched(ram, GUEST_HOLE_START, MiB);
	if (!problem) {
		assert(loaded.start < loaded.end && loaded.end <= VM_SIZE);
		assert(loaded.entry >= loaded.start && loaded.entry < loaded.end);
	}
	free(ram);
}

/* What [start, start + size) holds after a load of the image alone: nothing. */
static void check_apart(const uint8_t *image, size_t size, unsigned start, unsigned room)
{
	uint8_t *ram = new_ram();
	struct elf_image loaded;

	assert(!load_elf(image, size, ram, &loaded));
	check_untouched(ram, start, start + room);
	free(ram);
}

static uint32_t word(const uint8_t *ram, uint64_t gpa)
{
	uint32_t value;

	assert(gpa < VM_SIZE - sizeof(value));
	memcpy(&value, ram + gpa, sizeof(value));
	return value;
}

/* Neither the information's page nor the initrd has a byte of the image or of each other. */
static void check_loaded(const struct load_job *job, const struct load_entry *entry)
{
	uint32_t info = entry->ebx, module = word(job->ram, info + 24);
	uint32_t start = word(job->ram, module);

	assert(entry->eax == 0x2badb002 && entry->rip < VM_SIZE);
	assert(info && IS_ALIGNED(info, PAGE_SIZE));
	assert(info < GUEST_HOLE_START || (info >= MiB && info <= VM_SIZE - PAGE_SIZE));
	check_apart(job->image, job->size, info, PAGE_SIZE);
	if (!job->initrd) return;
	assert(start >= MiB && start + job->initrd_size == word(job->ram, module + 4));
	assert(info < MiB || start >= info + PAGE_SIZE);
	assert(!memcmp(job->ram + start, job->initrd, job->initrd_size));
	check_apart(job->image, job->size, start, (unsigned)job->initrd_size);
}

/* A Linux kernel: parameters and initrd are where nothing else is, and the entry is RAM. */
static void check_kernel(const struct load_job *job, const struct load_entry *entry)
{
	uint32_t start = word(job->ram, entry->rsi + 0x218);

	assert(entry->rsi == 0x90000 && entry->rip >= MiB && entry->rip < VM_SIZE);
	assert(!entry->cr3 || (entry->cr3 > 0x91000 && entry->cr3 < GUEST_HOLE_START));
	assert(word(job->ram, entry->rsi + 0x228) == 0x91000);
	assert(!strcmp((const char *)job->ram + 0x91000, job->command_line));
	if (!job->initrd) return;
	assert(start >= MiB && start + job->initrd_size <= VM_SIZE);
	assert(!memcmp(job->ram + start, job->initrd, job->initrd_size));
}

/* The first byte is the size of the initrd, in 4 KiB. */
static void fuzz_load(const uint8_t *input, size_t size)
{
	static uint8_t initrd[255 * 4096];
	struct guest_map map;
	struct load_job job = {.name = "fuzz", .command_line = "words", .map = &map, .put = load_put};
	struct load_entry entry;
	const char *problem;

	if (!size) return;
	memset(initrd, 0xaa, sizeof(initrd));
	guest_map_make(&map, VM_SIZE, 0);
	job.image = input + 1;
	job.size = size - 1;
	job.initrd = input[0] ? initrd : NULL;
	job.initrd_size = input[0] * 4096UL;
	job.ram = new_ram();
	problem = load_image(&job, &entry);
	assert(!problem || *problem);
	check_untouched(job.ram, GUEST_HOLE_START, MiB);
	if (!problem) (bzimage_probe(job.image, job.size) ? check_kernel : check_loaded)(&job, &entry);
	free(job.ram);
}

/* The first byte chooses the parser, the rest is its input. */
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	static void (*const parser[])(const uint8_t *, size_t) = {fuzz_multiboot2, fuzz_lines, fuzz_elf, fuzz_load};
	uint8_t *bytes;

	if (!size) return 0;
	bytes = malloc(size - 1);
	memcpy(bytes, input + 1, size - 1);
	parser[input[0] % ARRAY_SIZE(parser)](bytes, size - 1);
	free(bytes);
	return 0;
}
